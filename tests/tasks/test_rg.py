import re

import pytest

from clew.errors import UsageError
from clew.tasks import load_problems
from clew.tasks.rg import families, harmless
from clew.testing import check_task

pytest.importorskip("reasoning_gym")


FAMILIES = (
    "chain_sum basic_arithmetic letter_counting mini_sudoku countdown leg_counting spiral_matrix propositional_logic "
    "word_sorting simple_integration knights_knaves n_queens rotate_matrix"
)


@pytest.mark.parametrize("family", FAMILIES.split(" "))
def test_families_conform(family: str) -> None:
    check_task(f"rg:{family}", count=4)


def test_most_families_pose_problems() -> None:
    assert len(families()) > 90


def test_the_dial_is_the_level_of_the_curriculum() -> None:
    easy = load_problems("rg:chain_sum", count=3, difficulty=0)
    hard = load_problems("rg:chain_sum", count=3, difficulty=8)
    assert len(hard[0].question) > len(easy[0].question)
    check_task("rg:chain_sum", count=4, difficulties=(0, 3))


def test_options_are_passed_through() -> None:
    for spec, options in (
        ("rg:chain_sum?min_terms=7&max_terms=7", {}),
        ("rg:chain_sum", {"min_terms": 7, "max_terms": 7}),
    ):
        problem = load_problems(spec, count=1, **options)[0]
        assert len(re.findall(r"[+-] \d", problem.question)) == 6
        assert problem.id == "rg:chain_sum?max_terms=7&min_terms=7:0:0"


def test_seeds_do_not_overlap() -> None:
    questions = [p.question for seed in range(3) for p in load_problems("rg:chain_sum", count=20, seed=seed)]
    assert len(set(questions)) == 60


def test_other_right_answers_are_accepted() -> None:
    problem = load_problems("rg:countdown", count=1)[0]
    assert problem.grader is not None and problem.reference is not None
    swapped = f"0 + {problem.reference}".removeprefix("0 + ")
    assert problem.grader(f"({swapped})") == 1.0
    assert 0 < problem.grader("1 + 1") < 0.2, "the family's own score is passed through"


def test_examples_are_shown_on_request() -> None:
    problem = load_problems("rg:chain_sum", count=1, shots=2)[0]
    assert [m.role for m in problem.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert problem.extract(problem.messages[1].text) is not None


@pytest.mark.parametrize(
    ("spec", "options", "told"),
    [
        ("rg:chain_sm", {}, "rg:chain_sum"),
        ("rg:chain_sum", {"terms": 3}, "min_terms"),
        ("rg:chain_sum", {"min_terms": 9, "max_terms": 2}, "refuses"),
        ("rg:chain_sum", {"difficulty": 99}, "0 to"),
    ],
)
def test_mistakes_are_told_in_one_line(spec: str, options: dict[str, int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_problems(spec, **options)


@pytest.mark.parametrize(
    "answer",
    [
        "__import__('os').system('touch /tmp/x')",
        "open('x','w')",
        "[].__class__",
        "9**9**9",
        "(9**999)**999",
        "x**(9**9)",
        "9**(9**9)",
        "99999!",
        "factorial(99999)",
        "[x for x in y]",
        "lambda: 0",
        "f'{x}'",
        "1" * 50,
        "1e99999",
        "(" * 1500 + ")" * 1500,
    ],
)
def test_harmful_answers_never_reach_a_scorer_that_evaluates(answer: str) -> None:
    assert not harmless(answer) or answer.startswith("((")
    for family in ("countdown", "spiral_matrix", "simple_integration", "polynomial_multiplication"):
        problem = load_problems(f"rg:{family}", count=1)[0]
        assert problem.grader is not None
        assert problem.grader(answer) < 0.2


@pytest.mark.parametrize(
    "answer", ["82 + 20 + 67 - 50", "x**3/3 + C", "[[1, 2], [3, 4]]", "1 2 3", "sin(x)*exp(2*x)", "-4*y**2"]
)
def test_plain_answers_reach_it(answer: str) -> None:
    assert harmless(answer)
