"""A run file from elsewhere is data: nothing that it names is asked or opened before the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from clew import api
from clew.cli.main import cli
from clew.errors import StoreError, UsageError
from clew.lab.experiment import make_plan
from clew.plan import Plan
from clew.store import Reader, Store, seal, stored_problems
from clew.tasks import load_problems
from support.servers import Scripted

PROBLEMS = load_problems("add", count=1, seed=0)


def begun(path: Path, plan: Plan) -> Path:
    """A run that was begun and interrupted at once."""
    Store.create(path, plan, PROBLEMS).close()
    return path


def plan_for(model: str) -> Plan:
    return make_plan("add", model=model, methods=["greedy"], budgets=[2000], count=1)


def test_a_foreign_run_asks_its_server_only_when_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE", "a-secret")
    with Scripted() as server:
        path = begun(tmp_path / "run.db", plan_for(f"{server.url}?key_env=PRIVATE"))
        monkeypatch.setenv("CLEW_CACHE", str(tmp_path / "another user"))
        refused = CliRunner().invoke(cli, ["resume", str(path)])
        assert isinstance(refused.exception, UsageError) and "key_env=PRIVATE" in str(refused.exception)
        assert "--trust" in str(refused.exception)
        with pytest.raises(UsageError, match="not begun here"):
            api.resume(path)
        assert not server.headers and not server.bodies
        assert len(api.resume(path, trust=True).results) == 1
        assert server.bodies


def test_a_plan_that_was_changed_since_is_not_ones_own(tmp_path: Path) -> None:
    with Scripted() as server:
        path = begun(tmp_path / "run.db", plan_for("toy:arithmetic"))
        with Store.open(path) as store, store._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            store._set("plan", plan_for(server.url).as_dict())

            store._set("sha256", seal.of_run(db))
        with pytest.raises(UsageError, match="not begun here"):
            api.resume(path)
        assert not server.bodies


def test_a_trace_of_a_foreign_run_wants_a_model_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.db"
    api.compare("add", model="toy:arithmetic", methods=["greedy"], budgets=[2000], count=1, out=path)
    edit = ["edit", str(path), PROBLEMS[0].id, "--step", "0", "--text", "1 + 1 = 3", "-n", "1"]
    assert CliRunner().invoke(cli, edit).exit_code == 0
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path / "another user"))
    refused = CliRunner().invoke(cli, edit)
    assert isinstance(refused.exception, UsageError) and "--model" in str(refused.exception)
    assert CliRunner().invoke(cli, [*edit, "--model", "toy:arithmetic"]).exit_code == 0


def test_a_run_that_names_a_file_without_what_it_held_opens_none(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"question": "a", "answer": "b"}\n')
    path = begun(tmp_path / "run.db", make_plan(str(secret), model="toy:arithmetic", methods=["greedy"], count=1))
    with Store.open(path) as store, store._writing() as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM meta WHERE key = 'data'")

        store._set("sha256", seal.of_run(db))
    with pytest.raises(StoreError, match="does not say what it held"):
        api.resume(path, trust=True)
    with Reader.open(path) as reader, pytest.raises(StoreError, match="does not say what it held"):
        stored_problems(reader)


def test_a_key_can_be_named_anew_when_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "right")
    with Scripted(key="right") as server:
        path = begun(tmp_path / "run.db", plan_for(f"{server.url}?key_env=GONE"))
        resumed = CliRunner().invoke(cli, ["resume", str(path), "--key-env", "MINE"])
        assert resumed.exit_code == 0, resumed.output
        assert all(headers.get("Authorization") == "Bearer right" for headers in server.headers)
