"""Whatever goes wrong in one search costs that search: its tree is kept, the run goes on, and the table is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clew import registry
from clew.errors import ContextOverflow, ModelError, UsageError
from clew.lab.experiment import Experiment, execute, make_plan
from clew.models.base import Context
from clew.models.toy import ToyModel
from clew.problem import Answer, Message, Problem
from clew.registry import method
from clew.runner import trials_of
from clew.sampling import Stream
from clew.search import Search
from clew.store import Store
from clew.testing.toys import letters, run
from clew.tree import Node, Origin, Segment, Tree

COUNT = 8
ODD = 2
"""The number of the problem on which something goes wrong."""


def raising(error: BaseException) -> Callable[..., Any]:
    def odd(*_: Any, **__: Any) -> Any:
        raise error

    return odd


def recursing(value: str) -> Any:
    return recursing(value)


class Odd(ToyModel):
    """Writes letters, and does something else where the question ends in a mark."""

    def __init__(self, does: Callable[[], str]) -> None:
        inner = letters(length=2)
        super().__init__(inner.vocab[:-1], inner._source)
        self.does = does

    async def extend(self, context: Context, **rest: Any) -> list[Segment]:
        grown = await super().extend(context, **rest)
        if not context.messages[-1].text.endswith("!"):
            return grown
        return [replace(s, text=(self.does() + s.text)[: len(s.text)]) for s in grown]


def answering(**changes: Any) -> Callable[[Search], Any]:
    async def method_of(search: Search) -> Answer:
        (leaf,) = await search.extend(search.root)
        search.propose(search.answer(leaf))
        odd = search.problem.id == str(ODD)
        return replace(search.answer(leaf), **(changes if odd else {}))

    return method_of


def elsewhere() -> Node:
    """A node of another tree."""
    tokens = np.zeros(1, np.int32)
    return Tree().add(None, Segment(tokens, "a", tokens), Origin.SAMPLED, Stream("elsewhere"))


class Broken:
    """A scorer that fails on one problem."""

    name = "broken"

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        return [1 / (search.problem.id != str(ODD)) for _ in nodes]


def group() -> str:
    raise ExceptionGroup("several", [KeyError("a"), ValueError("b")])


def searches(path: Path, name: str, model: ToyModel, **odd: Any) -> tuple[Any, list[Any]]:
    """The outcome of a run with one odd problem, and what was stored of it."""
    plan = replace(make_plan("letters", model="toy", methods=["greedy"], budgets=[60], count=COUNT), methods=(name,))
    fine = Problem("", (Message("user", "go"),), grader=lambda value: float(value > "ab"), max_tokens=8)
    problems = [replace(fine, id=str(i)) for i in range(COUNT)]
    problems[ODD] = replace(problems[ODD], messages=(Message("user", "go!"),), **odd)
    job = Experiment(plan, problems, {"generate": model}, plan.budget, trials_of(problems, [name], [0]))
    with Store.create(path, plan, problems) as store:
        outcome = run(execute(job, store))
    with Store.open(path) as store:
        return outcome, list(store.results(problems))


@pytest.fixture
def plugins() -> Any:
    made = {
        "answers_nonsense": answering(votes={"a": object()}),
        "answers_an_array": answering(confidence=np.zeros(2)),
        "answers_an_object": answering(value=object()),
        "answers_infinity": answering(confidence=float("inf")),
        "answers_elsewhere": answering(node=elsewhere()),
    }
    for name, body in made.items():
        body.__doc__ = "A method of a test."
        method(name, family="test", needs={"text"}, proof="tests/attack/test_odd_searches.py")(body)

    async def scored(search: Search) -> Answer:
        """A method of a test."""
        (leaf,) = await search.extend(search.root)
        await search.score([leaf], Broken())
        return search.answer(leaf)

    method("scored", family="test", needs={"text"}, proof="tests/attack/test_odd_searches.py")(scored)
    yield
    for name in (*made, "scored"):
        del registry.methods._entries[name]


FAULTS: dict[str, tuple[str, dict[str, Any], Callable[[], str] | None, str]] = {
    "grader": ("sample", {"grader": raising(ZeroDivisionError("by\nnought"))}, None, "ZeroDivisionError: by nought ("),
    "grader without end": ("sample", {"grader": recursing}, None, "RecursionError"),
    "grader out of memory": ("sample", {"grader": raising(MemoryError())}, None, "MemoryError (test_odd"),
    "grade that is none": ("sample", {"grader": lambda value: "good"}, None, "ValueError: could not convert"),
    "extractor": ("self_consistency?n=3", {"extract": raising(IndexError("no group"))}, None, "IndexError: no group"),
    "scorer": ("scored", {}, None, "ZeroDivisionError"),
    "votes": ("answers_nonsense", {}, None, "TypeError"),
    "confidence": ("answers_an_array", {}, None, "Error"),
    "value": ("answers_an_object", {}, None, "Error"),
    "infinity": ("answers_infinity", {}, None, "inf is not a number"),
    "elsewhere": ("answers_elsewhere", {}, None, "node of another tree"),
    "reply": ("sample", {}, raising(UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")), "UnicodeDecodeError"),
    "several": ("sample", {}, group, "KeyError: 'a'"),
    "overflow": ("sample", {}, raising(ContextOverflow("too long", "Shorten it")), "too long. Shorten it"),
    "usage": ("sample", {}, raising(UsageError("not so")), "not so"),
    "model": ("sample", {}, raising(ModelError("refused")), "refused"),
}  # fmt: skip


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("what", FAULTS)
def test_an_odd_search_is_one_failed_search(tmp_path: Path, what: str) -> None:
    """16 kinds of fault."""
    name, odd, does, reason = FAULTS[what]
    outcome, kept = searches(tmp_path / "run.db", name, Odd(does) if does else letters(length=2), **odd)
    assert outcome.failed == 1 and outcome.comparison.problems == COUNT - 1
    (failed,) = [r for r in kept if r.error]
    assert reason in failed.error and "\n" not in failed.error and str(Path(__file__).parent) not in failed.error
    assert failed.problem.id == str(ODD) and len(kept) == COUNT
    if does is None:
        assert failed.usage.total.generated > 0, "what was spent is told"
    if does is None and what not in ("votes", "confidence", "value", "infinity", "elsewhere"):
        assert len(failed.tree) > 1, "the tree is kept"


def test_half_a_surrogate_pair_in_a_reply_is_kept_as_one_replaced_character(tmp_path: Path) -> None:
    outcome, kept = searches(tmp_path / "run.db", "sample", Odd(lambda: "\ud83d"))
    assert outcome.failed == 0
    assert kept[ODD].answer.value.startswith("\ufffd") and kept[ODD].tree[1].segment.text.startswith("\ufffd")
    assert len(kept[ODD].tree[1].segment.text) == 2


def test_searches_that_overflow_in_a_row_do_not_end_a_run_whose_model_is_fine(tmp_path: Path) -> None:
    """Seven of eight."""
    model = Odd(lambda: "")

    async def overflowing(context: Context, **rest: Any) -> list[Segment]:
        if not context.messages[-1].text.endswith("!"):
            raise ContextOverflow("too long", "Shorten it")
        return await Odd.extend(model, context, **rest)

    model.extend = overflowing  # type: ignore[method-assign]
    outcome, kept = searches(tmp_path / "run.db", "sample", model)
    assert outcome.failed == COUNT - 1 and [bool(r.error) for r in kept].count(False) == 1
