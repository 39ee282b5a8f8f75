"""CoAT: the recalled fact stays on the path and helps."""

from __future__ import annotations

from clew.methods.tree.coat import coat
from clew.methods.tree.mcts import mcts
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.tasks import load_problems
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import asked, talker
from clew.tree import Origin


def test_conformance() -> None:
    (given,) = load_problems("arith", count=1, shots=0)
    right = f"#### {given.reference}"

    def replies(messages: tuple[Message, ...], text: str) -> str:
        return "" if "Name the one fact" in asked(messages) else right

    # The toy solver takes what it recalls for its own work, so it is not the one that knows.
    check_method("coat", problem=given, knows=lambda: talker(replies, right))


def rememberer(knows: bool) -> ToyModel:
    """A riddle whose answer `k` it gives only when a fact before it says so; asked to recall, it may know the fact."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        if "Name the one fact" in asked(messages):
            return "is k" if knows else ""
        if "(is k)." in text:
            return text[: text.rindex("(is k).") + len("(is k).")] + "k"
        return dict.fromkeys("abcdefghij", 1.0)

    return talker(replies, "abcdefghijk()is. ")


def test_what_is_recalled_stays_on_the_path() -> None:
    given = search(rememberer(True), steps=(".",))
    answer = run(coat(given, simulations=2, scorer=ByText(lambda t: float(t.endswith("k")))))
    assert answer.value == "(is k).k"
    (memory,) = [n for n in given.tree.nodes if n.label == "memory"][:1]
    assert memory.origin is Origin.INSERTED and memory.parent is given.root


def test_the_association_is_what_helps() -> None:
    """The claim, with its ablation: the same search without association, or with nothing to recall, does not answer."""
    scorer = ByText(lambda t: float(t.endswith("k")))
    assert run(coat(search(rememberer(False), steps=(".",)), simulations=4, scorer=scorer)).value != "k"
    plain = run(mcts(search(rememberer(True), steps=(".",)), simulations=4, scorer=scorer)).value
    assert plain is not None and not plain.endswith("k")
