"""Step-level beams: keep the best partial solutions of each depth, and extend only them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from clew.methods.common.beams import Widths, beam_search
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
    departs="Equal steps of one parent are followed once; in the vote they count as often as they were drawn. A "
    "finished solution keeps its place in the beam until better ones take it, and costs nothing.",
)
async def beam(
    search: Search,
    *,
    width: Widths = 4,
    expand: Widths = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Extend each of the `width` best partial solutions by `expand` steps, score them, keep the best.

    The paper's section 5.2. The first depth samples width·expand steps.

    width: how many partial solutions of a depth go on: one number, or one for each depth (the last holds from there).
    expand: how many steps are drawn below each of them: one number, or one for each depth.
    scorer: what a partial solution is worth.
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
    departs="A look ahead that reaches the end of a solution is kept as one. Otherwise as `beam`.",
)
async def lookahead(
    search: Search,
    *,
    width: Widths = 4,
    expand: Widths = 4,
    steps: Annotated[int, Range(low=0)] = 3,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Beam search in which a step is worth what the scorer says after up to `steps` further greedy steps.

    width: how many partial solutions of a depth go on: one number, or one for each depth (the last holds from there).
    expand: how many steps are drawn below each of them: one number, or one for each depth.
    steps: k of the paper's section 5.2; 0 is `beam`.
    scorer: what a partial solution is worth.
    temperature: of the draws (the steps ahead are greedy); None: the search's.
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
    departs="Each tree goes on at its own pace.",
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

    The authors' N is n·expand, their M is expand.

    n: the number of trees.
    expand: how many steps are drawn at each depth of a tree.
    scorer: what a partial solution is worth.
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
    departs="The value is any scorer's. As the authors' code has it, a finished solution leaves the beam and takes its "
    "place along.",
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
    """Step-level beam search with a value: of width·expand candidates the `width` best go on; finished ones shrink it.

    width: B1 of the paper (SBS), how many partial solutions of a depth go on.
    expand: B2 of the paper, how many steps are drawn below each of them.
    scorer: the value of a partial solution.
    """
    evaluate = partial(comparable_scores, search, scorer=scorer)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        await beam_search(search, width, expand, evaluate, found, search.at(temperature), shrink=True)
    return found.answer
