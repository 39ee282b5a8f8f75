"""Plug-ins that cheat, stay silent, mistype or ask for more than they declare are refused, each with one clear line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from clew import registry
from clew.errors import UsageError
from clew.problem import Answer
from clew.registry import method, scorer
from clew.sampling import STEP
from clew.search import Scorer, Search
from clew.testing import check_method, check_scorer
from clew.testing.toys.steps import ByText
from clew.tree import Node


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    list(registry.methods), list(registry.scorers)
    kept = [dict(r._entries) for r in (registry.methods, registry.scorers)]
    yield
    for r, entries in zip((registry.methods, registry.scorers), kept, strict=True):
        r._entries.clear()
        r._entries.update(entries)


async def solved(search: Search) -> Answer:
    (leaf,) = await search.extend(search.root)
    answer = search.answer(leaf)
    search.propose(answer)
    return answer


def test_a_method_that_reads_the_reference_finds_none() -> None:
    @method("cheating", needs={"text"})
    async def cheating(search: Search) -> Answer:
        """Answers what the problem says is right."""
        told = search.problem.reference or search.problem.meta.get("solution")
        answer = Answer(told)
        search.propose(answer)
        return answer

    with pytest.raises(AssertionError, match="cheating answered None where the model knows better"):
        check_method("cheating")


def test_a_method_that_asks_the_grader_finds_none() -> None:
    @method("grading", needs={"text"})
    async def grading(search: Search) -> Answer:
        """Tries numbers until the grader accepts one."""
        grade = search.problem.grader
        return Answer(next((str(n) for n in range(1000) if grade and grade(str(n))), "0"))

    with pytest.raises(AssertionError, match="where the model knows better"):
        check_method("grading")


def test_a_method_that_never_answers_is_found_out() -> None:
    @method("silent", needs={"text"})
    async def silent(search: Search) -> Answer:
        """Writes a solution and says nothing."""
        await search.extend(search.root)
        return Answer(None)

    with pytest.raises(AssertionError, match="silent answered None"):
        check_method("silent")


def test_a_need_that_nothing_offers_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="'txt', which nothing offers. A need is one of text, logprobs"):
        method("mistyped", needs={"txt"})
    with pytest.raises(UsageError, match="'step-verifier', which nothing offers"):
        scorer("mistyped", needs={"step-verifier"})
    with pytest.raises(UsageError, match="the scorer 'mistyped' declares the scale 'percent'"):
        scorer("mistyped", scale="percent")  # type: ignore[arg-type]


def test_a_mistyped_keyword_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="famly"):
        method("mistyped", famly="tree")  # type: ignore[call-arg]


def test_a_parameter_without_an_annotation_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="the method 'bare' cannot be registered: the parameter 'n' has no annotation"):

        @method("bare", needs={"text"})
        async def bare(search: Search, *, n=3) -> Answer:  # type: ignore[no-untyped-def]
            """Solves."""
            return await solved(search)


def test_a_parameter_without_a_meaning_fails_conformance() -> None:
    @method("wordless", needs={"text"})
    async def wordless(search: Search, *, n: int = 3) -> Answer:
        """Solves."""
        return await solved(search)

    with pytest.raises(AssertionError, match="wordless does not describe n"):
        check_method("wordless")


async def by_steps(search: Search) -> Answer:
    (node,) = await search.extend(search.root, until=STEP)
    while not node.finished:
        (node,) = await search.extend(node, until=STEP)
    answer = search.answer(node)
    search.propose(answer)
    return answer


async def by_logprob(search: Search) -> Answer:
    leaves = await search.extend(search.root, 4)
    best = max(leaves, key=lambda leaf: leaf.segment.logprob.sum() if leaf.segment.logprob is not None else _fail())
    search.propose(search.answer(best))
    return search.answer(best)


def _fail() -> float:
    raise AssertionError("the need 'logprobs' is used and not declared")


@pytest.mark.parametrize(("body", "need"), [(by_steps, "continue"), (by_logprob, "logprobs")])
def test_a_need_that_is_not_declared_fails_conformance(body: Callable[..., object], need: str) -> None:
    body.__doc__ = "Solves in its own way."
    method("undeclared", needs={"text"})(body)
    with pytest.raises(AssertionError, match=f"the need '{need}' is used and not declared"):
        check_method("undeclared")
    method("declared", needs={"text", need})(body)
    check_method("declared")


def test_a_score_outside_its_declared_scale_fails_conformance() -> None:
    @scorer("percentage", scale="probability")
    def percentage() -> Scorer:
        """How sure it is, in percent."""
        return ByText(lambda text: 80.0, "percentage")

    with pytest.raises(AssertionError, match="percentage declares scores from 0 to 1, and gives 80"):
        check_scorer("percentage")


def test_a_scorer_lives_as_long_as_the_search_and_is_made_once() -> None:
    made: list[ByText] = []
    closed: list[ByText] = []

    class Loaded(ByText):
        async def close(self) -> None:
            closed.append(self)

    @scorer("loaded")
    def loaded() -> Scorer:
        """The length of the text, from a scorer that holds something."""
        made.append(Loaded(lambda text: float(len(text)), "what it calls itself"))
        return made[-1]

    from clew import solve

    result = solve("7 * 8 + 5", model="toy:arithmetic", method="best_of_n?n=8&scorer=loaded", budget=2000)
    # Recorded as it was asked for, whatever it calls itself.
    assert all("loaded" in result.tree.nodes[i].scores for i in result.samples)
    assert len(made) == 1 and made[0].asked == 8 and closed == made


def test_a_score_that_depends_on_the_other_nodes_unsaid_fails_conformance() -> None:
    class Rank:
        name = "rank"

        async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
            return [float(place) for place in range(len(nodes))]

    def rank() -> Scorer:
        """The place among the nodes that are scored."""
        return Rank()

    scorer("rank")(rank)
    with pytest.raises(AssertionError, match=r"rank scores \[0.0, 0.0\] alone"):
        check_scorer("rank")
    scorer("rank", of_set=True)(rank)
    check_scorer("rank")
