"""Step-level beam searches: `beam`, `lookahead`, `dvts` and `alphamath` extend only the best of each depth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from clew.methods.common.beams import Expand, Width, beam_search
from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, comparable_scores, path_share
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import GREEDY, STEP
from clew.search import Search
from clew.tree import Node


@method(
    "beam",
    family="tree",
    paper="arXiv:2408.03314",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_beam.py",
    departs="Equal steps of one parent are merged: they are extended as one, and count in the vote as often as they "
    "were drawn. A finished solution stays in the beam, at no cost, until better ones replace it.",
)
async def beam(
    search: Search,
    *,
    width: Width = 4,
    expand: Expand = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Extend each of the `width` best partial solutions by `expand` steps, score them, keep the best.

    Section 5.2 of the paper. At the first depth width·expand steps are drawn.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        await beam_search(
            search, width, expand, partial(comparable_scores, search, scorer=scorer), found, search.at(temperature)
        )
    return found.answer


@method(
    "lookahead",
    family="tree",
    paper="arXiv:2408.03314",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_beam.py",
    departs="A look-ahead that reaches the end of a solution is kept as a solution. Otherwise as `beam`.",
)
async def lookahead(
    search: Search,
    *,
    width: Width = 4,
    expand: Expand = 4,
    steps: Annotated[int, Range(low=0)] = 3,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Beam search in which the value of a step is the score after up to `steps` further greedy steps.

    steps: k of the paper's section 5.2, the number of steps ahead; 0 is `beam`.
    temperature: the temperature of the steps that are kept; the steps ahead are greedy.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:

        async def evaluate(nodes: Sequence[Node]) -> list[float]:
            ahead = list(nodes)
            for _ in range(steps):
                greedy = search.at(GREEDY.temperature)
                ahead = await search.extend_each(ahead, until=STEP, sampling=greedy, label="lookahead")
            values = await comparable_scores(search, ahead, scorer)
            found.add(ahead, values)
            return values

        await beam_search(search, width, expand, evaluate, found, search.at(temperature))
    return found.answer


@method(
    "dvts",
    family="tree",
    paper="https://huggingface.co/spaces/HuggingFaceH4/blogpost-scaling-test-time-compute",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_beam.py",
    departs="The trees do not wait for each other between depths.",
)
async def dvts(
    search: Search,
    *,
    n: Count = 4,
    expand: Count = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Diverse verifier tree search: n independent trees, each of which keeps only the best of its `expand` next steps.

    The N of the authors is n·expand, and their M is expand.

    n: the number of trees.
    expand: how many steps are drawn at each depth of a tree.
    """
    evaluate = partial(comparable_scores, search, scorer=scorer)
    async with Solutions(search, final, scorer) as found:
        await search.together(
            *(beam_search(search, 1, expand, evaluate, found, search.at(temperature)) for _ in range(n))
        )
    return found.answer


@method(
    "alphamath",
    family="tree",
    paper="arXiv:2405.03553",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_beam.py",
    departs="Any scorer may give the value. As in the authors' code, a finished solution leaves the beam together with "
    "its place. Equal steps of one parent are merged, as in `beam`.",
)
async def alphamath(
    search: Search,
    *,
    width: Count = 3,
    expand: Count = 5,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Step-level beam search with a value: the `width` best of width·expand candidates stay; finished ones shrink it.

    width: B1 of the paper (SBS), how many solutions of a depth are kept at first.
    expand: B2 of the paper, how many steps are drawn below each partial solution.
    """
    evaluate = partial(comparable_scores, search, scorer=scorer)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        await beam_search(search, width, expand, evaluate, found, search.at(temperature), shrink=True)
    return found.answer
