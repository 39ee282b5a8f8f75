"""What steps do, by rules and by a judge."""

from __future__ import annotations

import math

import pytest

from clew.analysis.agreement import MatchCounts, kappa, matched
from clew.analysis.behaviours import RuleTagger, evidence, read_tags, tag_step, tagger
from clew.analysis.rules import BEHAVIOURS, Behaviour
from clew.budget import Budget
from clew.errors import BudgetExhausted, UsageError
from clew.search import Search
from clew.testing.toys import problem, run
from clew.testing.toys.talkers import asked, talker
from support.marks import excerpts, matched_tags, tagged


@pytest.mark.parametrize(("name", "precision", "recall"), [("dev", 0.9, 0.95), ("held", 0.8, 0.75)])
def test_the_rules_say_what_a_reader_says(name: str, precision: float, recall: float) -> None:
    pairs = tagged(excerpts(name))
    total = sum((matched_tags(pairs, behaviour) for behaviour in BEHAVIOURS), MatchCounts())
    assert total.precision >= precision
    assert total.recall >= recall


def test_every_behaviour_is_marked_in_both_halves() -> None:
    for name in ("dev", "held"):
        assert set().union(*(tags for e in excerpts(name) for tags in e.tags)) == set(BEHAVIOURS)


def test_a_rule_names_the_words_that_speak_for_it() -> None:
    found = evidence("Wait, that is wrong. Let me check: 2 + 2 = 4.")
    assert found[Behaviour.BACKTRACKING].startswith("Wait")
    assert "check" in found[Behaviour.VERIFICATION]
    assert Behaviour.CALCULATION not in found


def test_code_says_nothing() -> None:
    assert not tag_step("```\n# wait, let me check: 2 + 2 = 4. The answer is 4\n```")


def test_rules_and_judge_answer_to_one_interface() -> None:
    replies = {"2 + 2 = 4.": "calculation", "Wait, no.": "backtracking, verification", "Hello.": "none", "What?": "huh"}
    alphabet = set("".join(replies.values()))
    model = talker(lambda m, _: next(r for s, r in replies.items() if f"Step: {s}" in asked(m)), sorted(alphabet))
    search = Search(problem(), {"generate": model})
    judge = tagger("judge", search)
    said = run(judge(list(replies), "What is 2 + 2?"))
    ruled = run(RuleTagger()(list(replies), "What is 2 + 2?"))
    assert [sorted(s) for s in said] == [["calculation"], ["backtracking", "verification"], [], []]
    assert ruled[:3] == [{"calculation"}, {"backtracking"}, set()]
    assert judge.unread == 1  # type: ignore[attr-defined]
    assert {role for _, role in search.ledger.usage.parts} == {"judge"}
    assert kappa(["calculation" in s for s in said], ["calculation" in r for r in ruled]) == 1


def test_a_judge_stays_inside_the_budget() -> None:
    model = talker(lambda *_: "none", "none")
    with pytest.raises(BudgetExhausted):
        run(tagger("judge", Search(problem(), {"generate": model}, Budget(tokens=700)))(["a", "b", "c"]))


def test_what_a_judge_says_is_read() -> None:
    assert read_tags("Verification, and a calculation.") == {"verification", "calculation"}
    assert read_tags("None.") == frozenset()
    assert read_tags("I cannot say") is None


def test_a_tagger_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="not a tagger"):
        tagger("magic")
    with pytest.raises(UsageError, match="needs a search"):
        tagger("judge")


def test_kappa_of_a_textbook_table() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: observed 0.7, by chance 0.5.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa([1, 0], [0, 1]) == -1
    assert math.isnan(kappa(["yes"], ["yes"]))
    with pytest.raises(ValueError, match="two labels"):
        kappa([1], [1, 2])


def test_precision_and_recall() -> None:
    match = matched([1, 2, 3], [2, 3, 4, 5])
    assert (match.precision, match.recall) == (2 / 3, 0.5)
    assert math.isnan(MatchCounts().precision)
