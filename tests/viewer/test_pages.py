"""What the page is told of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clew import api
from clew.analysis.behaviours import tag_step
from clew.errors import StoreError, UsageError
from clew.result import Result
from clew.store import Store, stored_problems
from clew.tree import Finish, Node, Origin
from clew.viewer.pages import CHUNK, Missing, Pages
from clew.viewer.search_pages import TEXT
from support.runs import HOSTILE, real_run, segment, tree_of, written


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_run(tmp_path_factory.mktemp("viewer") / "run.db", seeds=2)


@pytest.fixture
def pages(run_file: Path) -> Any:
    opened = Pages([run_file])
    yield opened
    opened.close()


def results_of(path: Path) -> list[Result]:
    with Store.open(path) as store:
        return list(store.results(stored_problems(store)))


def whole(pages: Pages, path: str) -> dict[str, list[Any]]:
    """All rows of a list, page after page."""
    found: dict[str, list[Any]] = {}
    after: int | None = -1
    while after is not None:
        page = pages.answer(f"{path}?after={after}")
        after = page.pop("next")
        page.update({f"scores:{name}": values for name, values in page.pop("scores", {}).items()})
        assert len({len(column) for column in page.values()}) == 1
        for name, column in page.items():
            found.setdefault(name, []).extend(column)
    return found


def number_of(pages: Pages, result: Result) -> int:
    rows, problems = whole(pages, "runs/0/results"), whole(pages, "runs/0/problems")
    methods = pages.answer("runs")[0]["methods"]
    wanted = (problems["id"].index(result.problem.id), methods.index(result.method), result.seed)
    keys = list(zip(rows["problem"], rows["method"], rows["seed"], strict=True))
    return int(rows["id"][keys.index(wanted)])


def test_a_run_is_told_with_what_it_did(pages: Pages, run_file: Path) -> None:
    (told,) = pages.answer("runs")
    results = results_of(run_file)
    assert told["problems"] == 6 and told["results"] == len(results) == 60
    assert told["nodes"] == sum(len(r.tree) for r in results)
    assert told["task"] == "add" and told["models"] == {"generate": "toy:arithmetic?skill=0.5"}
    assert told["methods"] == list(dict.fromkeys(r.method for r in results)) and told["seeds"] == [0, 1]
    assert told["bytes"] >= run_file.stat().st_size and told["axis"] == "tokens" and told["budgets"] == [300, 600]


def test_the_lists_are_what_the_file_holds(pages: Pages, run_file: Path) -> None:
    results = results_of(run_file)
    problems, rows = whole(pages, "runs/0/problems"), whole(pages, "runs/0/results")
    posed = list({r.problem.id: r.problem for r in results}.values())
    assert problems["id"] == [p.id for p in posed] and problems["reference"] == [p.reference for p in posed]
    for result in results:
        i = rows["id"].index(number_of(pages, result))
        assert rows["value"][i] == result.answer.value and rows["grade"][i] == result.grade
        assert rows["tokens"][i] == result.usage.total.tokens and rows["nodes"][i] == len(result.tree)
        assert rows["status"][i] == result.answer.status and rows["error"][i] == ""


def test_a_search_is_told_with_its_problem_and_its_best_path(pages: Pages, run_file: Path) -> None:
    for result in results_of(run_file):
        told = pages.answer(f"runs/0/results/{number_of(pages, result)}")
        assert told["problem"]["question"] == result.problem.question and told["text"] == result.answer.text
        assert [m["content"] for m in told["problem"]["messages"]] == [m.text for m in result.problem.messages]
        held = [p.answer.node for p in result.proposals if p.answer.value == result.answer.value and p.answer.node]
        first = held[0] if held else result.answer.node
        best = [n.id for n in first.path()] if first else []
        assert told["best_path"] == best and told["nodes"] == len(result.tree)
        assert told["distinct_tokens"] == result.tree.distinct_tokens
        assert told["max"]["depth"] == max(n.depth for n in result.tree.nodes)
        assert set(told["score_names"]) == {name for n in result.tree.nodes for name in n.scores}
        assert told["has"] == {"entropy": True, "importance": False}


def test_a_skeleton_is_the_tree(pages: Pages, run_file: Path) -> None:
    for result in results_of(run_file):
        told = whole(pages, f"runs/0/results/{number_of(pages, result)}/nodes")
        assert told["id"] == [n.id for n in result.tree.nodes]
        assert told["parent"] == [n.parent.id if n.parent else None for n in result.tree.nodes]
        assert told["finish"] == [n.finish for n in result.tree.nodes]
        assert told["chars"] == [len(n.segment.text) for n in result.tree.nodes]
        for node, answer in zip(result.tree.nodes, told["answer"], strict=True):
            if node.finish in ("end", "stop"):
                assert answer == result.problem.extract(node.solution)
        for node, entropy, behaviours in zip(result.tree.nodes, told["entropy"], told["behaviours"], strict=True):
            if node.origin is Origin.PROMPT:
                assert entropy is None and behaviours == []
            else:
                assert entropy == pytest.approx(float(np.mean(node.segment.entropy)), abs=1e-4)
                assert behaviours == sorted(tag_step(node.segment.text))


def test_a_node_is_told_token_by_token(pages: Pages, run_file: Path) -> None:
    result = max(results_of(run_file), key=lambda r: len(r.tree))
    number = number_of(pages, result)
    for node in result.tree.nodes[1:6]:
        told = pages.answer(f"runs/0/results/{number}/nodes/{node.id}?from=0")
        assert told["text"] == node.segment.text and told["next"] is None
        assert told["tokens"]["offset"] == node.segment.offsets.tolist()
        assert told["tokens"]["id"] == node.segment.token_ids.tolist()
        for name in ("logprob", "entropy", "certainty", "proposal_logprob"):
            assert told["tokens"][name] == pytest.approx(getattr(node.segment, name).tolist(), abs=1e-4)


def test_a_timeline_says_what_would_have_been_answered_when(pages: Pages, run_file: Path) -> None:
    changed = 0
    for result in results_of(run_file):
        told = pages.answer(f"runs/0/results/{number_of(pages, result)}/timeline")
        assert [p["value"] for p in told["proposals"]] == [p.answer.value for p in result.proposals]
        assert [p["tokens"] for p in told["proposals"]] == [p.usage.total.tokens for p in result.proposals]
        graded = [result.problem.grader(p.answer.value) if p.answer.value else 0.0 for p in result.proposals]
        assert [p["right"] for p in told["proposals"]] == [g >= 1 for g in graded]
        changed += len(set(graded)) > 1
        assert sum(s["generated"] for s in told["spend"].values()) == result.usage.total.generated
    assert changed, "in no search was a right proposal followed by a wrong one, or the other way round"


def test_the_report_is_the_comparison(pages: Pages, run_file: Path) -> None:
    told = pages.answer("runs/0/report")
    same = json.loads(json.dumps(api.resume(run_file).comparison.as_dict()))
    assert [(r["method"], r["budget"]) for r in told["rows"]] == [(r["method"], r["budget"]) for r in same["rows"]]
    assert "of the problems" in told["notes"]["finding"] and told["units"][told["axis"]] == "tokens"
    for mine, theirs in zip(told["rows"], same["rows"], strict=True):
        assert mine["accuracy"] == pytest.approx(theirs["accuracy"])
        assert mine["interval"] == pytest.approx(theirs["interval"])


def test_pages_of_one_problem_show_the_comparison_of_all_and_share_it(pages: Pages, run_file: Path) -> None:
    whole_run = pages.answer("runs/0/report")
    one = pages.answer("runs/0/problems?after=-1")["id"][0]
    part = Pages([run_file], [one], comparisons=pages.comparisons)
    assert part.answer("runs")[0]["problems"] == 1 and part.answer("runs/0/report") is whole_run
    part.close()
    assert pages.answer("runs/0/report") is whole_run


def test_a_run_without_a_common_problem_has_no_report_but_a_reason(tmp_path: Path) -> None:
    path = written(tmp_path / "run.db", [])
    told = Pages([path]).answer("runs/0/report")
    assert "no problem" in told["error"] and told["cure"]


def test_twelve_thousand_nodes_come_page_by_page_each_once(tmp_path: Path) -> None:
    tree = tree_of([f"{i}, so it goes." for i in range(12_000)])
    pages = Pages([written(tmp_path / "run.db", [tree])])
    page = pages.answer("runs/0/results/1/nodes?after=-1")
    assert len(page["id"]) <= CHUNK and page["next"] is not None
    told = whole(pages, "runs/0/results/1/nodes")
    assert told["id"] == list(range(12_001))
    assert told["parent"] == [None, *((i // 4) for i in range(12_000))]
    assert told["text"][7_001] == "7000, so it goes."
    assert told["scores:value"][1:] == pytest.approx([i / 12_000 for i in range(12_000)])


def test_a_list_of_many_problems_comes_page_by_page_each_once(tmp_path: Path) -> None:
    pages = Pages([written(tmp_path / "run.db", [], count=CHUNK + 30)])
    first = pages.answer("runs/0/problems?after=-1")
    assert len(first["id"]) == CHUNK and first["next"] == CHUNK - 1
    assert whole(pages, "runs/0/problems")["number"] == list(range(CHUNK + 30))


def test_hostile_text_is_told_as_it_is(tmp_path: Path) -> None:
    pages = Pages([written(tmp_path / "run.db", [tree_of(HOSTILE)])])
    told = json.loads(json.dumps(whole(pages, "runs/0/results/1/nodes")))
    assert told["text"][1:] == list(HOSTILE)
    for i, text in enumerate(HOSTILE, 1):
        assert pages.answer(f"runs/0/results/1/nodes/{i}?from=0")["text"] == text


def test_offsets_count_as_javascript_does(tmp_path: Path) -> None:
    text = "🧶🧶ab🧶c"
    pages = Pages([written(tmp_path / "run.db", [tree_of([text])])])
    offsets = pages.answer("runs/0/results/1/nodes/1?from=0")["tokens"]["offset"]
    units = text.encode("utf-16-le")
    starts = segment(text).offsets.tolist()
    assert [units[2 * o :].decode("utf-16-le") for o in offsets] == [text[s:] for s in starts]


def test_a_megabyte_line_is_read_by_pages_that_end_at_tokens(tmp_path: Path) -> None:
    line = "".join(f"{i:07d} " for i in range(130_000))
    tree = tree_of(["short"])
    tree.add(tree[1], segment(line, tokens=900), Origin.SAMPLED, tree[1].stream)
    pages = Pages([written(tmp_path / "run.db", [tree])])
    skeleton = pages.answer("runs/0/results/1/nodes?after=-1")
    assert skeleton["chars"][2] == len(line) and skeleton["text"][2] == line[:120]
    read, tokens, at = "", 0, 0
    starts = set(segment(line, tokens=900).offsets.tolist())
    while at is not None:
        page = pages.answer(f"runs/0/results/1/nodes/2?from={at}")
        assert len(page["text"]) <= TEXT and (at == 0 or at in starts)
        read, tokens, at = read + page["text"], tokens + len(page["tokens"]["id"]), page["next"]
    assert read == line and tokens == 900


def test_one_token_longer_than_a_page_is_still_read_to_its_end(tmp_path: Path) -> None:
    line = "x" * (2 * TEXT + 5)
    pages = Pages([written(tmp_path / "run.db", [tree_of([line])])])
    first = pages.answer("runs/0/results/1/nodes/1?from=0")
    assert first["next"] is not None
    read, at = "", 0
    while at is not None:
        page = pages.answer(f"runs/0/results/1/nodes/1?from={at}")
        read, at = read + page["text"], page["next"]
    assert read == line


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "runs/1",
        "runs/-1/problems",
        "runs/0",
        "runs/0/results/99999",
        "runs/0/results/1/nodes/99999?from=0",
        "runs/0/results/1/nodes/-1?from=0",
        "runs/0/results/one",
        "runs/0/results/1/nodes?after=two",
        "runs/0/results/99999999999999999999",
        "runs/0/../../etc/passwd",
    ],
)
def test_what_is_not_there_is_said_to_be_missing(pages: Pages, path: str) -> None:
    with pytest.raises(Missing) as caught:
        pages.answer(path)
    assert caught.value.cure


def test_a_file_that_is_missing_foreign_or_of_another_version_is_refused(tmp_path: Path, run_file: Path) -> None:
    with pytest.raises(StoreError, match="there is no run file"):
        Pages([run_file, tmp_path / "none.db"])
    (tmp_path / "text.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(StoreError, match="not a run file"):
        Pages([tmp_path / "text.db"])
    with pytest.raises(UsageError, match="no run has a problem"):
        Pages([run_file], ["nowhere:1"])


def test_two_runs_are_told_apart(tmp_path: Path, run_file: Path) -> None:
    other = written(tmp_path / "other.db", [tree_of(["a", "b"])])
    pages = Pages([run_file, other])
    assert [run["name"] for run in pages.answer("runs")] == ["run.db", "other.db"]
    assert pages.answer("runs/1/results/1")["nodes"] == 3


def test_looking_changes_nothing_in_the_file(tmp_path: Path) -> None:
    run_file = real_run(tmp_path / "run.db", "self_consistency?n=2", "beam", count=2)
    before, when = run_file.read_bytes(), run_file.stat().st_mtime_ns
    pages = Pages([run_file])
    for path in ("runs", "runs/0/problems?after=-1", "runs/0/results/1", "runs/0/results/1/nodes?after=-1"):
        pages.answer(path)
    pages.answer("runs/0/report")
    pages.close()
    assert run_file.read_bytes() == before and run_file.stat().st_mtime_ns == when
    assert [p.name for p in tmp_path.iterdir()] == ["run.db"]


def test_a_run_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path / "run.db", [tree_of(["first"])])
    with Store.open(path) as store:
        pages = Pages([path])
        assert pages.answer("runs")[0]["results"] == 1
        (result,) = store.results(stored_problems(store))
        store.keep(Result(**{f: getattr(result, f) for f in result.__slots__} | {"seed": 7}))
        assert pages.answer("runs")[0]["results"] == 2
        assert whole(pages, "runs/0/results")["seed"] == [0, 7]
        pages.close()


def test_why_nobody_went_on_from_a_node_is_told(tmp_path: Path) -> None:
    tree = tree_of(["one", "two", "three", "four", "five"], width=1)
    root, stream = tree[0], tree[0].stream

    def leaf(text: str, finish: Finish = Finish.STEP, beginning_of: Node | None = None) -> Node:
        return tree.add(root, segment(text, finish=finish), Origin.SAMPLED, stream, beginning_of=beginning_of)

    pruned, left, cut = leaf("pruned"), leaf("left"), leaf("cut", Finish.CANCELLED)
    long, back = leaf("long", Finish.LENGTH), leaf("back")
    pruned.fate = "pruned"
    again = leaf("ba", beginning_of=back)
    end = tree.add(again, segment("the end", finish=Finish.END), Origin.SAMPLED, stream)
    told = whole(Pages([written(tmp_path / "run.db", [tree])]), "runs/0/results/1/nodes")["fate"]
    named = {node: told[node.id] for node in (pruned, left, cut, long, back, again, end)}
    assert list(named.values()) == ["pruned", "left", "given up", "truncated", "rewound", "", ""]
    assert told[1:5] == [""] * 4, "these were gone on from"
