"""The command line: what it prints, and that a user's mistake is one clear line with the cure and exit status 2."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from clew.tasks.files import FORMATS, NAMES
from clew.tasks.files.packed import PACKED
from support.servers import Scripted

COMPARE = ("compare", "add", "--model", "toy:arithmetic?skill=0.5", "--budgets", "300,600", "-n", "3")


def clew(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clew", *arguments], capture_output=True, text=True, timeout=120, cwd=cwd
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.db"
    assert clew(*COMPARE, "--methods", "greedy,self_consistency,rpc", "-o", str(path)).returncode == 0
    return path


def test_compare_ends_with_a_table_and_a_report(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ran = clew(*COMPARE, "--methods", "greedy,self_consistency", "-o", str(path))
    assert ran.returncode == 0
    for word in ("greedy", "self_consistency", "300", "600", "95%", str(path), str(path.with_suffix(".html"))):
        assert word in ran.stdout.replace("\n", ""), word
    html = path.with_suffix(".html").read_text()
    assert "<svg" in html and "http://" not in html.replace("http://www.w3.org", "")


def test_compare_as_json_is_one_object(tmp_path: Path) -> None:
    ran = clew(*COMPARE, "--methods", "greedy", "-o", str(tmp_path / "run.db"), "--json")
    data = json.loads(ran.stdout)
    assert {row["budget"] for row in data["rows"]} == {300, 600}
    assert data["failed"] == 0


def test_compare_says_in_one_line_how_it_read_a_file(tmp_path: Path) -> None:
    data = tmp_path / "contest.jsonl"
    rows = [{"ID": i, "Problem": f"What is {i} + 1?", "Solution": f"It is {i + 1}.", "Answer": i + 1} for i in range(3)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = clew("compare", str(data), *COMPARE[2:6], "--methods", "sample", "--shots", "1", "-o", str(tmp_path / "r.db"))
    assert ran.returncode == 0, ran.stderr
    told = f"{data}: the shape of AIME; prompt: Problem, gold: Answer (number), solution: Solution, id: ID"
    assert told in ran.stderr.splitlines()
    assert "2 searches to run" in ran.stderr


def test_show_lists_searches_and_draws_a_tree_with_its_best_path(done: Path) -> None:
    listed = clew("show", str(done))
    assert listed.stdout.count("self_consistency") == 3
    problem = listed.stdout.splitlines()[1].split()[0]
    drawn = clew("show", str(done), problem, "--method", "self_consistency")
    assert "★" in drawn.stdout and "end" in drawn.stdout and "toy:arithmetic" in drawn.stdout
    one = clew("show", str(done), problem, "--method", "greedy", "--json")
    assert json.loads(one.stdout)["problem"] == problem


def test_a_run_is_graded_anew_and_a_copy_kept(done: Path, tmp_path: Path) -> None:
    copy = tmp_path / "new.db"
    told = json.loads(clew("rescore", str(done), "--out", str(copy), "--json").stdout)
    assert [m["searches"] for m in told["methods"]] == [3, 3, 3] and told["changed"] == []
    shown = clew("rescore", str(copy))
    assert "greedy" in shown.stdout and "no grade changes" in shown.stdout


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_export_holds_every_row(done: Path, tmp_path: Path, form: str) -> None:
    ran = clew("export", str(done), "--to", form, "-o", str(tmp_path), "--json")
    counts = {Path(p).stem: n for p, n in json.loads(ran.stdout).items()}
    assert (counts["problems"], counts["results"]) == (3, 9)
    assert list(counts) == ["meta", "problems", "results", "proposals", "nodes", "anchors"]
    path = tmp_path / f"nodes.{form}"
    if form == "jsonl":
        nodes = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        import pyarrow.parquet as pq

        nodes = pq.read_table(path).to_pylist()
    assert len(nodes) == counts["nodes"]
    stored = {"id", "parent", "beginning_of", "role", "fate", "label", "born", "tokens", "exact", "cut", "offsets"}
    assert all(stored <= set(n) for n in nodes)
    sampled = [n for n in nodes if n["origin"] == "sampled"]
    assert all(len(n["token_ids"]) == len(n["logprob"]) == n["tokens"] for n in sampled)


def test_solve_prints_the_answer_alone_on_standard_output() -> None:
    ran = clew("solve", "What is 20 + 22?", "--model", "toy:arithmetic?skill=1", "--method", "greedy")
    assert ran.stdout == "42\n" and "tokens" in ran.stderr
    data = json.loads(clew("solve", "What is 20 + 22?", "-m", "toy:arithmetic?skill=1", "--json").stdout)
    assert data["answer"] == "42" and data["total"]["tokens"] > 0


@pytest.mark.parametrize("kind", ["methods", "scorers", "tasks", "models"])
def test_list_names_what_there_is(kind: str) -> None:
    rows = json.loads(clew("list", kind, "--json").stdout)
    assert len(rows) > 3 and all(row["summary"] for row in rows)
    assert rows[0]["name"] in clew("list", kind).stdout.replace("\n", "")


def test_every_command_has_help_with_an_example() -> None:
    for command in ("solve", "compare", "resume", "show", "export", "list", "pull", "doctor"):
        ran = clew(command, "--help")
        assert ran.returncode == 0 and f"clew {command}" in ran.stdout.split("Examples", 1)[1]


@pytest.mark.parametrize("command", [("solve", "--help"), ("compare", "--help"), ("list", "tasks")])
def test_the_help_names_every_shape_and_format_of_data_files(command: tuple[str, ...]) -> None:
    told = " ".join(clew(*command).stdout.split())
    for name in (*NAMES, *FORMATS, *PACKED):
        assert name in told, name


WRONG: dict[str, tuple[list[str], str]] = {
    "model": ([*COMPARE[:2], "--methods", "greedy", "--model", "gpt-17"], "no model is called 'gpt-17'"),
    "toy": ([*COMPARE[:2], "--methods", "greedy", "--model", "toy:arithmatic"], "toy:arithmetic"),
    "method": ([*COMPARE, "--methods", "gredy"], "Did you mean 'greedy'"),
    "parameter": ([*COMPARE, "--methods", "rpc?m=3"], "rpc has no parameter 'm'"),
    "task": (["compare", "ad", *COMPARE[2:], "--methods", "greedy"], "Did you mean 'add'"),
    "family": (["compare", "rg:gdc", *COMPARE[2:], "--methods", "greedy"], "gcd"),
    "scorer": ([*COMPARE, "--methods", "best_of_n?scorer=self_certanty"], "Did you mean 'self_certainty'"),
    "budget": ([*COMPARE, "--methods", "greedy", "--budgets", "0"], "a budget of 0 tokens is not possible"),
    "endless budget": ([*COMPARE, "--methods", "greedy", "--budgets", "inf"], "a budget of inf tokens"),
    "no budget": (["solve", "2 + 3", "-m", "toy:arithmetic", "--budget", "0"], "a budget of 0 tokens"),
    "prompt": ([*COMPARE, "--methods", "greedy", "--budgets", "20"], "does not pay for the"),
    "numbers": ([*COMPARE, "--methods", "greedy", "--budgets", "many"], "is not a list of numbers"),
    "axis": ([*COMPARE, "--methods", "greedy", "--axis", "watts"], "is not an axis"),
    "baseline": ([*COMPARE, "--methods", "greedy", "--baseline", "rpc"], "is not among the methods"),
    "temperature": ([*COMPARE, "--methods", "greedy", "-t", "-1"], "temperature=-1"),
    "count": ([*COMPARE[:-2], "-n", "0", "--methods", "greedy"], "at least one problem"),
    "gguf": (["solve", "x", "-m", "missing.gguf"], "missing.gguf"),
    "server": (["solve", "x", "-m", "http://127.0.0.1:9/v1"], "127.0.0.1:9"),
    "doctor": (["doctor", "http://127.0.0.1:9/v1"], "127.0.0.1:9"),
    "question": (["solve", " ", "-m", "toy:arithmetic"], "the question is empty"),
    "run": (["show", "missing.db"], "there is no run file"),
    "resume": (["resume", "missing.db"], "there is no run file"),
    "pull": (["pull", "smolm2"], "smolm2"),
    "file": (["compare", "missing.jsonl", *COMPARE[2:], "--methods", "greedy"], "missing.jsonl"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_line_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    arguments, message = WRONG[name]
    ran = clew(*arguments, cwd=tmp_path)
    assert ran.returncode == 2, ran.stderr
    assert message in ran.stderr and "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 2, ran.stderr
    assert not [p for p in tmp_path.rglob("*") if p.is_file()], "nothing half-written is left"


def test_a_row_without_an_answer_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"question": "1+1?", "answer": "2"}\n{"question": "2+2?"}\n')
    ran = clew("compare", str(data), *COMPARE[2:6], "--methods", "greedy", "-o", str(tmp_path / "run.db"))
    assert ran.returncode == 2 and "data.jsonl" in ran.stderr and "2" in ran.stderr
    assert not (tmp_path / "run.db").exists()


def test_an_own_file_with_mapped_fields(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("problem,solution\nWhat is 20 + 22?,42\nWhat is 3 + 4?,#### 7\n")
    ran = clew(
        "compare", str(data), *COMPARE[2:6], "--methods", "greedy", "--field", "question=problem", "--kind", "math",
        "--field", "answer=solution", "-o", str(tmp_path / "run.db"), "--json",
    )  # fmt: skip
    assert json.loads(ran.stdout)["problems"] == 2, ran.stderr


def test_a_run_file_of_another_version_or_kind_is_refused(done: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(done.read_bytes())
    db = sqlite3.connect(other)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    ran = clew("show", str(other))
    assert ran.returncode == 2 and "schema version 99" in ran.stderr
    foreign = tmp_path / "foreign.db"
    foreign.write_text("not a database at all, but long enough to look at twice" * 30)
    ran = clew("resume", str(foreign))
    assert ran.returncode == 2 and "not a run file of clew" in ran.stderr
    ran = clew(*COMPARE, "--methods", "greedy", "-o", str(done))
    assert ran.returncode == 2 and "exists" in ran.stderr


WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from clew.cli.main import cli
cli({arguments!r}, standalone_mode=False)
print("opened", sum(name.endswith("own.jsonl") for name in opened))
"""
WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *a: None if name == "matplotlib" else find(name, *a)
from clew.cli.main import cli
cli({arguments!r}, standalone_mode=False)
"""


def test_compare_opens_the_data_to_read_it_and_for_its_digest(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"{n} + 1", "answer": str(n + 1)}) for n in range(5)]
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    arguments = ["compare", "own.jsonl", "--methods", "greedy,sample", *COMPARE[2:], "--out", "run.db"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED.format(arguments=arguments)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "opened 2", done.stdout + done.stderr


def test_without_matplotlib_there_is_the_table_and_one_line_about_the_plot(tmp_path: Path) -> None:
    arguments = [*COMPARE, "--methods", "greedy,sample", "--out", "run.db"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MATPLOTLIB.format(arguments=arguments)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "greedy" in done.stdout and "run: run.db" in done.stdout
    assert done.stderr.count("matplotlib") == 1 and "the report has no plot" in done.stderr
    assert "Without a plot" in (tmp_path / "run.html").read_text()


def test_methods_are_given_by_commas_or_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    nested = "best_of_n?scorer=(step_verifier?false_positive=0.2&seed=1)&n=2"
    methods = ("--methods", f"{nested},greedy", "--methods", "sample")
    ran = clew(
        "compare",
        "puzzle:queens",
        "-m",
        "toy:queens?skill=0.9",
        "--budgets",
        "300",
        "-n",
        "2",
        *methods,
        "-o",
        str(path),
    )
    assert ran.returncode == 0, ran.stderr
    with sqlite3.connect(path) as db:
        assert {row[0] for row in db.execute("SELECT DISTINCT method FROM results")} == {nested, "greedy", "sample"}


def test_a_model_of_a_server_with_several_is_named_everywhere(tmp_path: Path) -> None:
    with Scripted(names=("alpha", "beta")) as server:
        one, other = f"{server.url}#beta", f"{server.url}?model=beta"
        for arguments in (
            ("solve", "What is 6 * 7?", "-b", "60", "-m", one),
            ("compare", "add", "-n", "1", "--budgets", "200", "--methods", "sample", "-m", other),
            ("doctor", other, "--fresh"),
        ):
            server.bodies.clear()
            assert clew(*arguments, cwd=tmp_path).returncode == 0
            assert {body["model"] for body in server.bodies} == {"beta"}
        told = clew("doctor", f"{server.url}#gamma")
        assert told.returncode == 2 and "It has: alpha, beta" in told.stderr


def test_a_run_says_how_each_method_does_and_how_long_it_will_take(tmp_path: Path) -> None:
    ran = clew(*COMPARE, "--methods", "greedy,self_consistency", "-o", str(tmp_path / "run.db"))
    lines = [line for line in ran.stderr.splitlines() if " searches · " in line]
    assert "greedy " in lines[-1] and "self_consistency " in lines[-1] and "% right" in lines[-1]
    assert all(line.endswith(" left") for line in lines[:-1]) and lines[-1].endswith(" tokens")


def test_a_run_in_a_pipe_is_a_line_a_search_with_nothing_cut(tmp_path: Path) -> None:
    name = "a-rather-long-id-of-a-problem-" + "x" * 80
    (tmp_path / "long.jsonl").write_text(json.dumps({"id": name, "question": "What is 2 + 3?", "answer": "5"}) + "\n")
    asked = ("compare", "long.jsonl", *COMPARE[2:4], "--budgets", "300", "--methods", "greedy,self_consistency")
    assert clew(*asked, "-o", "run.db", cwd=tmp_path).returncode == 0
    rows = [line.split("\t") for line in clew("show", "run.db", cwd=tmp_path).stdout.splitlines()[:2]]
    assert [row[:2] for row in rows] == [[f"long:{name}", "greedy"], [f"long:{name}", "self_consistency"]]
    assert {len(row) for row in rows} == {10}
