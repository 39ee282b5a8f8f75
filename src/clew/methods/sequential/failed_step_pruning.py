"""Cut the branches that a trace abandoned out of it, and write on from what is left."""

from __future__ import annotations

from clew.analysis.behaviours import tag_step
from clew.analysis.graph import REJECTS, reasoning_graph
from clew.analysis.rules import Behaviour
from clew.analysis.segment import sentences, steps
from clew.methods.common.solutions import revised
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import Sampling
from clew.search import Search
from clew.tree import Node, leave


def cleaned(text: str, question: str = "") -> tuple[int, str] | None:
    """What stays of a trace up to where it last gave up a branch: how many characters of its beginning, and the steps
    that stay after those. None where no branch was given up (see `clew.analysis.graph`).

    Of a step that gives up a branch only what it works out itself stays.
    """
    spans = steps(text)
    said = [text[span.start : span.end] for span in spans]
    graph = reasoning_graph([step.strip() for step in said], question)
    if not graph.abandons:
        return None
    giving_up = {i for i, _ in graph.abandons}
    last = max(giving_up)
    first = min(graph.abandoned | giving_up)
    stay = [_worked_out(said[i]) if i in giving_up else said[i] for i in range(first, last) if i not in graph.abandoned]
    return spans[first].start, "".join(stay)


def _worked_out(step: str) -> str:
    """A step from where it works something out without a word of failure; '' where it does not."""
    for span in sentences(step):
        sentence = span.of(step)
        if Behaviour.CALCULATION in tag_step(sentence) and not REJECTS.search(sentence):
            return step[span.start :]
    return ""


@method(
    "failed_step_pruning",
    family="sequential",
    paper="arXiv:2509.19284",
    needs={"text", "continue"},
    proof="tests/methods/sequential/test_failed_step_pruning.py",
    departs="The paper removes the first or the last failed branch of traces that are known to be wrong; here all of "
    "them go, from any trace but one that the task's verifier passes. The reasoning graph is drawn by rules, not by a "
    "large model.",
)
async def failed_step_pruning(
    search: Search, *, n: Count = 1, rounds: Count = 2, temperature: Temperature | None = None
) -> Answer:
    """Write n solutions; cut what each of them abandoned and all after the last of it, and write on from there; vote.

    Failed branches bias what is written after them, the paper finds. rounds: how often one solution is pruned; it is
    left alone as soon as it gives nothing up, or the task's verifier passes it. One that then states no answer stays as
    it was before.

    n: solutions written side by side; they vote.
    """
    sampling = search.at(temperature)
    leaves = await search.extend(search.root, n, sampling=sampling)
    answer = revised(search, search.pick(leaves), Answer(None))
    for _ in range(rounds):
        pruned = list(await search.together(*(_prune(search, leaf, sampling) for leaf in leaves)))
        if pruned == leaves:
            break
        leaves = [new if search.answer(new).value is not None else old for old, new in zip(leaves, pruned, strict=True)]
        answer = revised(search, search.pick(leaves), answer)
    return answer


async def _prune(search: Search, leaf: Node, sampling: Sampling) -> Node:
    """Another end of the solution, after what it gave up is cut; the solution itself where there is no need."""
    text = leaf.solution
    found = cleaned(text, search.problem.question)
    if found is None or await _passes(search, leaf):
        return leaf
    begins, rest = found
    node = search.rewind(leaf, chars=len(text) - begins)
    if rest:
        # The rewind goes to the end of a token, which may lie before the cut.
        node = await search.insert(node, text[len(node.solution) : begins] + rest, label="cleaned")
    leave([leaf], "has failed branches")
    (grown,) = await search.extend(node, sampling=sampling, label="pruned")
    return grown


async def _passes(search: Search, leaf: Node) -> bool:
    return search.problem.verifier is not None and await search.score([leaf], "verifier") == [1.0]
