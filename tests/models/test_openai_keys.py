"""Which key goes to which server, and that none is ever written down."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

import clew
from clew.errors import ClewError, ModelError, UsageError
from clew.lab.experiment import make_plan
from clew.models import keyed, public
from clew.models.openai import connect, parse_address, probe
from clew.models.openai.address import authorization, key_file
from support.raw_server import Raw, response
from support.servers import Scripted

LOGIN, PASSWORD = "ariadne", "thread-of-red-wool"
BASIC = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def header(url: str, **more: str) -> str:
    return authorization(parse_address(url), **more)


def with_login(url: str) -> str:
    return url.replace("://", f"://{LOGIN}:{PASSWORD}@")


# --- which key goes where ---------------------------------------------------------------------------------------------


def test_the_vendor_s_key_goes_to_the_vendor_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-vendor")
    assert header("https://api.openai.com/v1") == "Bearer sk-vendor"
    for other in (
        "http://api.openai.com/v1",
        "https://api.openai.com.evil.example/v1",
        "https://api.openai.com@evil.example/v1",
        "https://evil.example/api.openai.com/v1",
        "http://127.0.0.1:8000/v1",
    ):
        assert "sk-vendor" not in header(other)


def test_another_server_gets_the_key_that_is_named_for_it(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-vendor")
    monkeypatch.setenv("MINE", "sk-mine")
    assert header("https://llm.example/v1", key_env="MINE") == "Bearer sk-mine"
    with Scripted(key="sk-mine") as server:
        assert connect(server.url, key_env="MINE").name.startswith("scripted@")
        assert connect(f"{server.url}?key_env=MINE").name.startswith("scripted@")
        assert clew.load(keyed(f"{server.url}#scripted", "MINE")).name.startswith("scripted@")
        with pytest.raises(ModelError, match=r"answered 401.*--key-env NAME.*keys\.toml"):
            connect(server.url)
    with Scripted() as server:
        probe(server.url)
        assert not any("Authorization" in head for head in server.headers)


def test_the_file_of_keys_names_a_variable_for_a_host(monkeypatch):
    monkeypatch.setenv("MINE", "sk-mine")
    key_file().parent.mkdir(parents=True)
    key_file().write_text('"llm.example" = "MINE"\n"127.0.0.1:8000" = "OTHER"\n')
    assert header("https://llm.example/v1") == header("https://llm.example:8443/v1") == "Bearer sk-mine"
    assert header("http://127.0.0.1:8001/v1") == ""
    with pytest.raises(UsageError, match="environment variable OTHER is not set"):
        header("http://127.0.0.1:8000/v1")
    key_file().write_text("MINE")
    with pytest.raises(UsageError, match=r"keys\.toml cannot be read"):
        header("https://llm.example/v1")


def test_a_variable_may_hold_a_whole_header(monkeypatch):
    monkeypatch.setenv("MINE", f"Basic {BASIC}")
    assert header("https://llm.example/v1", key_env="MINE") == f"Basic {BASIC}"


def test_a_key_is_not_sent_on_to_where_a_server_points(monkeypatch):
    monkeypatch.setenv("MINE", "sk-mine")
    with Raw(response(b"{}", "application/json")) as elsewhere:
        to = f"Location: {elsewhere.url}/models\r\n"
        with Raw(response(b"", status=307, headers=to)) as server, pytest.raises(ClewError):
            connect(server.url, key_env="MINE", retries=0)
        assert "sk-mine" in server.heads[0]
        assert not any("sk-mine" in head for head in elsewhere.heads)


# --- what is written down ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"http://{LOGIN}:{PASSWORD}@127.0.0.1:99999/v1",
        f"http://{LOGIN}:{PASSWORD}/@127.0.0.1/v1",
        f"http://{LOGIN}:{PASSWORD}#@127.0.0.1/v1",
        f"http://{LOGIN}:{PASSWORD}?@127.0.0.1/v1",
        f"http://{LOGIN}:{PASSWORD}@[::1/v1",
        f"ftp://{LOGIN}:{PASSWORD}@127.0.0.1/v1",
        f"http://127.0.0.1/v1?{PASSWORD}",
        f"http://127.0.0.1/v1?api_key={PASSWORD}",
        f"http://127.0.0.1/v1?token={PASSWORD}",
        f"http://127.0.0.1:1/v1?key_env={PASSWORD}",
        f"http://{LOGIN}:{PASSWORD}@127.0.0.1:1/v1",
    ],
)
def test_no_message_repeats_a_secret(url):
    with pytest.raises(ClewError) as caught:
        connect(url) if url.startswith("ftp") else clew.load(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in str(error) and PASSWORD not in repr(error)
        error = error.__cause__ or error.__context__


def test_what_a_plan_keeps_holds_no_secret():
    assert public(f"https://{LOGIN}:{PASSWORD}@llm.example/v1#m") == "https://llm.example/v1#m"
    assert public("toy:arithmetic?skill=0.5") == "toy:arithmetic?skill=0.5"
    secret = "https://u:secret-login@llm.example/v1?model=m"
    plan = make_plan("add", model=secret, roles={"judge": secret})
    assert "secret-login" not in str(plan.as_dict()) and "u:" not in str(plan.models)
    with pytest.raises(UsageError, match="a key is not"):
        make_plan("add", model_options={"api_key": "secret"})
    with pytest.raises(UsageError, match="is not on a server"):
        keyed("smollm2-135m", "MINE")


@pytest.mark.parametrize("right", [True, False], ids=["accepted", "refused"])
def test_a_login_in_an_address_is_in_nothing_that_a_comparison_leaves_behind(tmp_path, right):
    """Every byte that `clew compare`, `resume` and `doctor` print or write is searched for the login."""
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    password = PASSWORD if right else PASSWORD[::-1]
    with Scripted(login=f"{LOGIN}:{PASSWORD}") as server:
        url = server.url.replace("://", f"://{LOGIN}:{password}@")
        compare = ["compare", "add", "--model", url, "--methods", "sample", "--budgets", "200", "--count", "2"]
        done = [
            subprocess.run(
                [sys.executable, "-X", "dev", "-m", "clew", *command],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                timeout=120,
                check=False,
            )
            for command in (compare, [*compare, "--json"], ["doctor", url, "--fresh"])
        ]
    assert [d.returncode for d in done] == ([0] * 3 if right else [2] * 3), done
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(p.suffix == ".db" for p in files) == right
    secrets = [LOGIN, password, base64.b64encode(f"{LOGIN}:{password}".encode()).decode()]
    for name, content in [(str(p), p.read_bytes()) for p in files] + [("output", d.stdout + d.stderr) for d in done]:
        for secret in secrets:
            assert secret not in name and secret.encode() not in content, f"the login stands in {Path(name).name}"
