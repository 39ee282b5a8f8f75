"""`failed_step_pruning`: the branches that a solution gave up are cut out of it, and it is written on from the rest."""

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
    """What is left of a trace up to where it last gave up a branch, without the branches that it gave up.

    Of a step that gives up a branch, only what it works out itself is left.

    text: the trace.
    question: the question that it answers.

    Returns how many characters of the beginning of the trace are left, and the text of the steps that are left after
    them; None where no branch was given up (see `clew.analysis.graph`).
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
    """The part of a step from the first sentence that calculates something and names no failure; '' without one."""
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
    departs="The paper removes the first or the last failed branch of traces that are known to be wrong. Here all "
    "failed branches are removed, from every trace that the task's verifier does not pass. The reasoning graph is "
    "extracted by rules, not by a large model.",
)
async def failed_step_pruning(
    search: Search, *, n: Count = 1, rounds: Count = 2, temperature: Temperature | None = None
) -> Answer:
    """Write n solutions; cut out what each gave up and all after the last of it, and write on from there; they vote.

    The paper finds that failed branches bias what is written after them. A solution stays as it is once it gives no
    branch up, or once the task's verifier passes it. One that states no answer after its pruning is replaced by the
    solution before.

    n: the number of solutions, which vote.
    rounds: the most times that one solution is pruned.
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
    """The solution, pruned and written on; the solution itself where nothing has to be pruned."""
    text = leaf.solution
    found = cleaned(text, search.problem.question)
    if found is None or await _passes(search, leaf):
        return leaf
    begins, rest = found
    node = search.rewind(leaf, chars=len(text) - begins)
    if rest:
        # The rewind ends at a token boundary, which may lie before the cut: the text between the two is inserted too.
        node = await search.insert(node, text[len(node.solution) : begins] + rest, label="cleaned")
    leave([leaf], "has failed branches")
    (grown,) = await search.extend(node, sampling=sampling, label="pruned")
    return grown


async def _passes(search: Search, leaf: Node) -> bool:
    """Whether the task has a verifier and it passes the solution."""
    return search.problem.verifier is not None and await search.score([leaf], "verifier") == [1.0]
