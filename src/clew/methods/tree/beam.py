"""Step-level beams: keep the best partial solutions of each depth, and extend only them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, at_least, distinct, worths
from clew.problem import Answer
from clew.registry import method
from clew.sampling import GREEDY, STEP, Sampling
from clew.search import Search
from clew.tree import Node, leave

Widths = int | Sequence[int]
Judge = Callable[[Sequence[Node]], Awaitable[list[float]]]


@method(
    "beam",
    family="tree",
    paper="arXiv:2408.03314",
    needs={"text"},
    proof="tests/methods/tree/test_beam.py",
    departs="Equal steps of one parent count once. A finished solution keeps its place in the beam until better ones "
    "take it, and costs nothing.",
)
async def beam(
    search: Search,
    *,
    width: Widths = 4,
    expand: Widths = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: float | None = None,
) -> Answer:
    """Extend each of the `width` best partial solutions by `expand` steps, score them, keep the best.

    The paper's section 5.2. width, expand: one number, or one for each depth (the last one holds from there on). The
    first depth samples width·expand steps.
    """
    async with Solutions(search, final, scorer) as found:
        await climb(search, width, expand, partial(worths, search, scorer=scorer), found, search.at(temperature))
    return found.answer


@method(
    "lookahead",
    family="tree",
    paper="arXiv:2408.03314",
    needs={"text"},
    proof="tests/methods/tree/test_beam.py",
    departs="A look ahead that reaches the end of a solution is kept as one. Otherwise as `beam`.",
)
async def lookahead(
    search: Search,
    *,
    width: Widths = 4,
    expand: Widths = 4,
    steps: int = 3,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: float | None = None,
) -> Answer:
    """Beam search in which a step is worth what the scorer says after up to `steps` further greedy steps.

    steps: k of the paper's section 5.2; 0 is `beam`.
    """
    async with Solutions(search, final, scorer) as found:

        async def judge(nodes: Sequence[Node]) -> list[float]:
            ahead = list(nodes)
            for _ in range(steps):
                ahead = await search.extend_each(ahead, until=STEP, sampling=_greedy(search), label="lookahead")
            values = await worths(search, ahead, scorer)
            found.add(ahead, values)
            return values

        await climb(search, width, expand, judge, found, search.at(temperature))
    return found.answer


@method(
    "dvts",
    family="tree",
    paper="https://huggingface.co/spaces/HuggingFaceH4/blogpost-scaling-test-time-compute",
    needs={"text"},
    proof="tests/methods/tree/test_beam.py",
    departs="Each tree goes on at its own pace.",
)
async def dvts(
    search: Search,
    *,
    n: int = 4,
    expand: int = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: float | None = None,
) -> Answer:
    """Diverse verifier tree search: n independent trees, each of which keeps only the best of its `expand` next steps.

    The authors' N is n·expand, their M is expand.
    """
    at_least(n=n, expand=expand)
    judge = partial(worths, search, scorer=scorer)
    async with Solutions(search, final, scorer) as found:
        await search.together(*(climb(search, 1, expand, judge, found, search.at(temperature)) for _ in range(n)))
    return found.answer


@method(
    "alphamath",
    family="tree",
    paper="arXiv:2405.03553",
    needs={"text"},
    proof="tests/methods/tree/test_beam.py",
    departs="The value is any scorer's. As the authors' code has it, a finished solution leaves the beam and takes its "
    "place along.",
)
async def alphamath(
    search: Search,
    *,
    width: int = 3,
    expand: int = 5,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: float | None = None,
) -> Answer:
    """Step-level beam search with a value: of width·expand candidates the `width` best go on; finished ones shrink it.

    width, expand: B1 and B2 of the paper (SBS).
    """
    judge = partial(worths, search, scorer=scorer)
    async with Solutions(search, final, scorer) as found:
        await climb(search, width, expand, judge, found, search.at(temperature), shrink=True)
    return found.answer


async def climb(
    search: Search,
    width: Widths,
    expand: Widths,
    judge: Judge,
    found: Solutions,
    sampling: Sampling,
    *,
    first: int | None = None,
    shrink: bool = False,
) -> None:
    """From the root to finished solutions, the best `width` of each depth at a time.

    judge: what partial solutions of one depth are worth. found: takes in the finished ones. first: the steps sampled
    from the root; width·expand by default. shrink: a finished solution that is kept leaves the beam, which is narrower
    by one from then on.
    """
    open_nodes = [search.root]
    ended: dict[Node, float] = {}
    gone = 0
    depth = 0
    while open_nodes:
        kept, each = _at(width, depth) - gone, _at(expand, depth)
        children = (first or each * kept) if depth == 0 else each
        grown = distinct(
            await search.extend_each([n for n in open_nodes for _ in range(children)], until=STEP, sampling=sampling)
        )
        found.met(grown)
        values = await judge(grown)
        found.add(grown, values)
        candidates = {**ended, **dict(zip(grown, values, strict=True))}
        ranked = sorted(candidates, key=lambda n: -candidates[n])
        beam = ranked[:kept]
        leave(ranked[kept:], "pruned")
        open_nodes = [n for n in beam if not n.finished]
        if shrink:
            gone += len(beam) - len(open_nodes)
        else:
            ended = {n: candidates[n] for n in beam if n.finished}
        depth += 1


def _at(widths: Widths, depth: int) -> int:
    if isinstance(widths, int):
        at_least(width=widths)
        return widths
    at_least(width=min(widths, default=0))
    return widths[min(depth, len(widths) - 1)]


def _greedy(search: Search) -> Sampling:
    return search.at(GREEDY.temperature)
