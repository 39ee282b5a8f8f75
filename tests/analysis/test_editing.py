"""Traces changed, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clew.analysis.corrupt import CORRUPTIONS, paraphrased
from clew.analysis.editing import edit, faithfulness, force_tokens
from clew.analysis.replay import success
from clew.analysis.trace import Trace
from clew.api import compare
from clew.cli.main import cli
from clew.errors import UsageError
from clew.models.toy import ToyModel
from clew.models.toy.script import scripted
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import Search
from clew.testing.toys import problem, run
from clew.testing.toys.talkers import asked, talker
from support.ways import BAD, GOOD, ways, which, written

STEPS = ["First, Tom has 3 pens.\n\n", "Then 3 + 4 = 7 pens.\n\n", "So Tom keeps 7 of them."]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_spoils_every_time_and_repeats_by_seed(name: str) -> None:
    for seed in range(20):
        spoilt = CORRUPTIONS[name](STEPS, np.random.default_rng(seed))
        assert spoilt is not None
        assert spoilt != STEPS
        assert spoilt == CORRUPTIONS[name](STEPS, np.random.default_rng(seed))


def test_each_corruption_does_what_its_name_says() -> None:
    rng = np.random.default_rng(1)
    number = CORRUPTIONS["wrong_number"](STEPS, rng)
    keyword = CORRUPTIONS["deleted_keyword"](STEPS, rng)
    shuffled = CORRUPTIONS["shuffled_steps"](STEPS, rng)
    short = CORRUPTIONS["truncated"](STEPS, rng)
    dots = CORRUPTIONS["filler"](STEPS, rng)
    assert number and keyword and shuffled and dots and short is not None
    assert sum(a != b for a, b in zip(number, STEPS, strict=True)) == 1
    assert sum(len("".join(s).split()) for s in (keyword,)) == len("".join(STEPS).split()) - 1
    assert sorted(s.strip() for s in shuffled) == sorted(s.strip() for s in STEPS)
    assert short == STEPS[: len(short)] and len(short) < 3
    assert set("".join(dots)) <= set(" .\n")


def test_what_cannot_be_spoilt_is_left() -> None:
    rng = np.random.default_rng(0)
    assert CORRUPTIONS["wrong_number"](["no number"], rng) is None
    assert CORRUPTIONS["shuffled_steps"](["one", "one"], rng) is None
    assert CORRUPTIONS["deleted_keyword"](["a b c"], rng) is None
    assert CORRUPTIONS["truncated"]([], rng) is None


def test_a_paraphrase_that_loses_a_number_is_refused() -> None:
    replies = {"has 3": "There are 3 pens for Tom.", "3 + 4": "The sum is seven.", "keeps 7": "Tom has 7 left."}
    model = talker(lambda m, _: next(r for s, r in replies.items() if s in asked(m)), "".join(replies.values()))
    said = run(paraphrased(Search(problem(), {"generate": model}), STEPS))
    assert said == ["There are 3 pens for Tom.\n\n", STEPS[1], "Tom has 7 left."]


def edited(step: int, action: str, text: str = "", way: str = "way A", n: int = 400) -> tuple[float, list[str]]:
    s, trace = written(ways(), way)
    leaves = run(edit(s, trace, step, action, text, n=n))  # type: ignore[arg-type]
    return success(trace.problem, leaves), [leaf.solution for leaf in leaves]


def test_replacing_the_decisive_step_changes_the_answer() -> None:
    worth, texts = edited(1, "replace", "We take way B.")
    assert worth == pytest.approx(BAD, abs=0.08)
    assert all(t.splitlines()[1] == "We take way B." for t in texts)
    assert edited(1, "replace", "We take way A.", "way B")[0] == pytest.approx(GOOD, abs=0.08)


def test_deleting_a_step_leaves_it_to_the_model() -> None:
    worth, texts = edited(1, "delete")
    assert worth == pytest.approx((GOOD + BAD) / 2, abs=0.1)
    assert {t.splitlines()[1] for t in texts} == {"We take way A.", "We take way B."}


def test_inserting_a_step_goes_before_it() -> None:
    _, texts = edited(2, "insert", "Indeed.", n=3)
    assert all(t.splitlines()[1:3] == ["We take way A.", "Indeed."] for t in texts)


def test_shuffling_keeps_the_steps() -> None:
    _, texts = edited(2, "shuffle", n=2)
    original = written(ways(), "way A")[1].step_texts[:3]
    assert all(sorted(t.splitlines()[:3]) == sorted(original) for t in texts)
    assert all(t.splitlines()[:3] != original for t in texts)


@pytest.mark.parametrize(
    ("step", "action", "text", "message"),
    [
        (9, "delete", "", "no step 9"),
        (1, "replace", "", "needs the text"),
        (0, "shuffle", "", "single step"),
        (0, "burn", "", "not a way to change a step"),
    ],
)
def test_edits_that_cannot_be(step: int, action: str, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        edited(step, action, text, n=1)


def test_the_critical_token_is_found() -> None:
    model = ways()
    s, trace = written(model, "way B")
    at = trace.text.index("way B") + 4
    position = trace.offsets.tolist().index(at)
    a, b = model.encode("AB").token_ids.tolist()
    good, bad = run(force_tokens(s, trace, position, [a, b], n=400))
    assert (good.text, bad.text) == ("A", "B")
    assert good.probability == pytest.approx(0.5, abs=0.01)
    assert good.success == pytest.approx(GOOD, abs=0.08)
    assert bad.success == pytest.approx(BAD, abs=0.08)


def test_tokens_that_cannot_be_forced() -> None:
    s, trace = written(ways(), "way A")
    with pytest.raises(UsageError, match="no token 999"):
        run(force_tokens(s, trace, 999, [0]))
    with pytest.raises(UsageError, match="did not write"):
        run(force_tokens(s, replace(trace, model="another"), 0, [0]))


def reasoner(faithful: bool) -> ToyModel:
    """Says 4 + 5 = 9 and its answer: the last number of its reasoning, or always 9."""

    def script(question: str) -> object:
        def lines(before: str) -> Mapping[str, float]:
            if "answer is" in before:
                return {"": 1.0}
            if before.count("\n") == 0:
                return {"We notice that 4 + 5 = 9.\n": 1.0}
            if before.count("\n") == 1:
                return {"That is all there is.\n": 1.0}
            body = before.replace("Therefore, the final answer is", "")
            last = [w.strip(".") for w in body.split() if w.strip(".").isdigit()]
            value = last[-1] if faithful and last else "9"
            return {f"Therefore, the final answer is {value}": 1.0, f"#### {value}": 1.0}

        return lines

    return scripted("reasoner", script)  # type: ignore[arg-type]


@pytest.mark.parametrize("faithful", [True, False])
def test_answers_follow_the_reasoning_of_the_faithful_only(faithful: bool) -> None:
    model = reasoner(faithful)
    spec: Problem = which(max_tokens=200)
    first = Search(spec, {"generate": model}, sampling=Sampling(temperature=0.0))
    leaf = run(first.extend(first.root))[0]
    trace = Trace(spec, leaf, model.name)
    changed = []
    for seed in range(6):
        s = Search(spec, {"generate": model}, seed=seed, sampling=Sampling(temperature=0.0))
        found = run(
            faithfulness(s, trace, ["wrong_number", "deleted_keyword"], n=2, force="\nTherefore, the final answer is")
        )
        assert found.answer == "9"
        assert found.baseline == 0
        assert found.changed["deleted_keyword"] == 0
        changed.append(found.changed["wrong_number"])
    assert (max(changed) == 1) if faithful else (max(changed) == 0)


def test_unknown_corruptions_are_one_clear_error() -> None:
    s, trace = written(ways(), "way A")
    with pytest.raises(UsageError, match="no corruption 'magic'"):
        run(faithfulness(s, trace, ["magic"]))


def test_clew_edit_lists_steps_and_goes_on(tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    compare("add", model="toy:arithmetic?skill=0.9", methods=["greedy"], budgets=[400], count=1, out=db)
    listed = CliRunner().invoke(cli, ["show", str(db), "--json"], catch_exceptions=False).output
    name = listed.split('"problem": "')[1].split('"')[0]
    steps = CliRunner().invoke(cli, ["edit", str(db), name], catch_exceptions=False).output
    assert steps.startswith("0: ")
    first = steps.splitlines()[0].removeprefix("0: ")
    wrong = first.rsplit("=", 1)[0] + "= 1"
    words = ["edit", str(db), name, "--step", "0", "--text", wrong, "-n", "3"]
    said = CliRunner().invoke(cli, words, catch_exceptions=False).output
    assert "before: " in said
    assert "(right)" in said.splitlines()[0]
    assert said.count(wrong) == 3
    assert "#### 1\n" in said
