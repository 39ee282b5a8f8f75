"""Failed-step pruning: what is cut, and that writing on without a failed branch pays where failed branches mislead."""

from __future__ import annotations

import numpy as np
import pytest

from clew.methods.sequential.failed_step_pruning import cleaned, failed_step_pruning
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.search import Search
from clew.tasks.answers import extractor
from clew.testing import check_method
from clew.testing.toys import problem, run, search
from clew.testing.toys.talkers import PRINTABLE, talker
from clew.tree import Origin

SETUP = "We need the price of 3 pens at 4 each.\n\n"
FAILED = "Adding: 3 + 4 = 7.\n\n"
GIVES_UP = "Wait, that is wrong.\n\n"


def kept(text: str) -> str | None:
    found = cleaned(text)
    return None if found is None else text[: found[0]] + found[1]


def test_a_failed_branch_goes_with_what_gave_it_up_and_all_after_it() -> None:
    assert kept(SETUP + FAILED + GIVES_UP + "So 3 * 4 = 12.\n\nThe answer is 12.") == SETUP
    assert cleaned(SETUP + "So 3 * 4 = 12.\n\nThe answer is 12.") is None
    assert cleaned("") is None


AGAIN = "Wait, that is wrong. It is 3 * 4 = 12.\n\nNext, find a third of it.\n\n12 / 4 = 3.\n\n" + GIVES_UP
STAYS = "It is 3 * 4 = 12.\n\nNext, find a third of it.\n\n"


def test_what_stays_between_two_failed_branches() -> None:
    text = SETUP + FAILED + AGAIN + "12 / 3 = 4.\n\nThe answer is 4."
    assert cleaned(text) == (len(SETUP), STAYS)
    assert cleaned(SETUP + STAYS + "12 / 3 = 4.") is None, "what stays gives nothing up"


def test_a_branch_that_is_the_beginning_leaves_nothing() -> None:
    assert cleaned(FAILED + GIVES_UP + "3 * 4 = 12.") == (0, "")


def misled(clean: float, biased: float) -> ToyModel:
    """Takes the failing branch half of the time; after it, it says 12 with the chance `biased`, else with `clean`."""

    def replies(messages: tuple[Message, ...], text: str) -> dict[str, float]:
        failing = SETUP + FAILED + GIVES_UP
        after_failing = {failing + "#### 12": biased, failing + "#### 7": 1 - biased}
        return after_failing | {SETUP + "#### 12": clean, SETUP + "#### 7": 1 - clean}

    return talker(replies, PRINTABLE)


@pytest.mark.parametrize("spec", ["failed_step_pruning", "failed_step_pruning?n=3&rounds=1"])
def test_conformance(spec: str) -> None:
    check_method(spec)
    given = problem(extract=extractor("number"), max_tokens=300)
    check_method(spec, problem=given, model=lambda: misled(0.9, 0.1))


def prices(model: ToyModel, seed: int) -> Search:
    return search(model, seed=seed, extract=extractor("number"), max_tokens=300)


@pytest.mark.parametrize(
    ("clean", "biased", "gains"), [(0.9, 0.1, True), (0.5, 0.5, False)], ids=["misleading", "harmless"]
)
def test_pruning_pays_where_failed_branches_mislead(clean: float, biased: float, gains: bool) -> None:
    """The claim, with its chances: a round draws again whatever came after a failed branch (half of all solutions)."""
    rounds = 2
    wanted = plain = (clean + biased) / 2
    for _ in range(rounds):
        wanted = clean / 2 + wanted / 2

    def rate(rounds: int) -> float:
        runs = [run(failed_step_pruning(prices(misled(clean, biased), s), rounds=rounds)) for s in range(150)]
        return float(np.mean([answer.value == "12" for answer in runs]))

    error = 3.3 * 0.5 / np.sqrt(150)
    assert abs(rate(0) - plain) < error
    assert abs(rate(rounds) - wanted) < error
    assert (wanted > plain + 0.2) is gains


def test_what_the_verifier_passes_is_left_alone() -> None:
    """The chance is that of drawing only the failed ends again that are wrong; the paper prunes no others."""

    def rate(**changes: object) -> float:
        model = misled(0.4, 0.6)
        runs = []
        for seed in range(150):
            given = search(model, seed=seed, extract=extractor("number"), max_tokens=300, **changes)
            runs.append(run(failed_step_pruning(given)).value == "12")
            redone = {n.path()[0].id for n in given.tree.nodes if n.label == "pruned"}
            if given.tree.nodes[1].solution.endswith("12") and changes:
                assert not redone
        return float(np.mean(runs))

    # Clean ends stay as they are (0.4); a failed one is right with 0.6, else drawn again from all of them.
    once = 0.5 * 0.4 + 0.5 * 0.6
    wanted = 0.5 * 0.4 + 0.5 * (0.6 + 0.4 * (0.5 * 0.4 + 0.5 * (0.6 + 0.4 * once)))
    assert abs(rate(verifier=lambda value: float(value == "12")) - wanted) < 3.3 * 0.5 / np.sqrt(150)
    assert rate() < wanted


def test_what_stays_is_shared_and_what_lies_apart_is_inserted() -> None:
    def replies(messages: tuple[Message, ...], text: str) -> str:
        return SETUP + STAYS + "#### 4" if text.startswith(SETUP + STAYS) else SETUP + FAILED + AGAIN + "#### 3"

    given = prices(talker(replies, PRINTABLE), 0)
    answer = run(failed_step_pruning(given))
    assert answer.text == SETUP + STAYS + "#### 4"
    path = answer.node.solution_path if answer.node else []
    assert [n.origin for n in path] == [Origin.SAMPLED, Origin.INSERTED, Origin.SAMPLED]
    assert path[0].solution == SETUP and path[0].beginning_of is not None
    assert [p.answer.value for p in given.proposals] == ["3", "4"]


def test_a_solution_that_loses_its_answer_stays_as_it_was() -> None:
    def replies(messages: tuple[Message, ...], text: str) -> dict[str, float]:
        return {SETUP + FAILED + GIVES_UP + "#### 12": 0.9, SETUP + "I give up.": 0.1}

    lost = 0
    for seed in range(40):
        model = talker(replies, PRINTABLE)
        given = search(model, seed=seed, max_tokens=300, extract=lambda t: "12" if "#### 12" in t else None)
        answer = run(failed_step_pruning(given))
        begun = next(n for n in given.tree.nodes if n.parent is given.root)
        ends = [n.solution for n in given.tree.nodes if n.label == "pruned"]
        lost += any("I give up" in end for end in ends)
        assert (answer.value == "12") is ("#### 12" in begun.solution)
    assert lost
