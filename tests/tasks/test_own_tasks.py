import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew import registry
from clew.errors import UsageError
from clew.tasks import load_problems, load_task
from clew.tasks.own.language import object_in, words_in
from clew.tasks.own.word import word
from clew.tasks.puzzles.countdown import evaluate, expression, reaches
from clew.tasks.puzzles.sudoku import boards, solutions, valid
from clew.testing import check_task

OWN = ("add", "add3", "arith", "countdown", "json", "letters", "sort", "sudoku4", "word", "words")


@pytest.mark.parametrize("name", [entry.name for entry in registry.tasks])
def test_every_registered_task_conforms(name: str) -> None:
    check_task(name)


@pytest.mark.parametrize("name", OWN)
def test_every_level_conforms_and_says_what_it_is(name: str) -> None:
    entry = registry.tasks[name]
    assert entry.summary and entry.dial and entry.grader
    task = load_task(name)
    check_task(name, count=4, difficulties=list(task.levels))  # type: ignore[attr-defined]


def test_there_are_thousands_of_different_word_problems() -> None:
    problems = load_problems("word", count=2000, difficulty=1, shots=0)
    assert len({p.question for p in problems}) == 2000
    assert len({p.question for p in load_problems("word", count=500, seed=7)} & {p.question for p in problems}) < 100


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_word_problem_takes_as_many_calculations_as_its_level_says(level: int) -> None:
    for problem in load_problems("word", count=60, difficulty=level):
        *lines, last = problem.meta["solution"].split("\n")
        assert len(lines) == level
        for line in lines:
            found = re.search(r"(\d+) ([-+*/]) (\d+) = (\d+)", line)
            assert found is not None
            a, b, c = int(found[1]), int(found[3]), int(found[4])
            assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[found[2]] == c
        assert last == f"#### {problem.reference}" and int(problem.reference or 0) > 0


def test_examples_are_turns_and_none_is_asked_again() -> None:
    problems = load_problems("word", count=200, shots=8)
    shown = [m.text for m in problems[0].messages if m.role == "user"][:-1]
    assert len(shown) == 8 == sum(m.role == "assistant" for m in problems[0].messages)
    assert not {p.question for p in problems} & set(shown)
    assert [m.role for m in load_problems("word", count=1, shots=0)[0].messages] == ["user"]
    head = problems[0].messages[:-1]
    assert all(p.messages[:-1] == head for p in problems), "a shared head is a shared prefix"


def test_prompts_do_not_hold_the_answer() -> None:
    for name in ("arith", "add", "json"):
        for problem in load_problems(name, count=10):
            assert problem.reference not in problem.question.split()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"spec": "wrod"}, "Did you mean 'word'"),
        ({"spec": "word", "difficulty": 9}, "1 to 4"),
        ({"spec": "word", "shots": 9}, "0 to 8"),
        ({"spec": "word", "count": 0}, "at least 1"),
        ({"spec": "word", "size": 3}, "no parameter 'size'"),
        ({"spec": "word+renam"}, "shuffle, rename"),
        ({"spec": "letters", "count": 5000}, "different problems"),
    ],
)
def test_mistakes_are_told_in_one_line(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        load_problems(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "2 ** 2",
        "9**9**9",
        "1 if 1 else 2",
        "[1, 2]",
        "1.5 + 2",
        "True + 1",
        "1 / 0",
        "(" * 199,
        "-" * 200 + "1",
        "1 + " * 5000 + "1",
        "1 +",
        "",
    ],
)
def test_only_arithmetic_is_evaluated(text: str) -> None:
    assert evaluate(text) is None or text.startswith("-")
    assert reaches((1, 2), 3)(text) == 0.0


def test_countdown_wants_every_number_exactly_once() -> None:
    verify = reaches((2, 3, 3), 12)
    assert verify("(3 + 3) * 2") == verify("2*(3+3)") == 1.0
    assert verify("3 * 2 * 2") == verify("3 * 4") == verify("3 + 3 + 2") == 0.0
    assert expression("I try 2 + 3.\n(3+3) × 2 = 12") == "(3 + 3) * 2"
    assert expression(r"#### $(3+3) \times 2$") == "(3 + 3) * 2"
    assert expression("nothing") is None


@given(st.text(alphabet="0123456789+-*/() .", max_size=60))
def test_any_expression_is_evaluated_or_refused(text: str) -> None:
    result = evaluate(text)
    assert result is None or sum(result[1].values()) == len(re.findall(r"\d+", text))


def test_sudoku_boards_are_right_and_puzzles_have_one_solution() -> None:
    assert len(set(boards())) == 288 and all(valid(b) for b in boards())
    for problem in load_problems("sudoku4", count=20, difficulty=9):
        assert len(solutions(problem.meta["given"])) == 1
        board = problem.meta["board"]
        assert problem.extract(board) == problem.reference, "a full board is read too"
        assert problem.verifier is not None and problem.reference is not None
        assert problem.verifier(problem.reference[::-1]) == float(problem.reference[::-1] == problem.reference)


def test_json_is_compared_as_objects() -> None:
    assert object_in('Sure:\n```json\n{"b": " x ",\n "a": 1}\n```') == object_in('{"a":1,"b":"x"}')
    assert object_in('{"a": 1} no, {"a": 2}') == '{"a": 2}'
    assert object_in('{"a": 1') is None
    for problem in load_problems("json", count=5, difficulty=4):
        facts = json.loads(problem.reference or "")
        assert set(facts) == {"name", "age", "city", "job", "pet"}


def test_words_are_counted() -> None:
    assert len(words_in("It's a well-known fact, isn't it?")) == 6
    (problem,) = load_problems("words", count=1)
    assert problem.verifier is not None
    wanted = problem.meta["words"]
    read = problem.extract('"' + " ".join(["one", "two", "three", "four", "five"][:wanted]) + '."\nDone.')
    assert read is not None and problem.verifier(read) == 1.0
    assert problem.verifier(read + " more") == problem.verifier("la " * wanted) == 0.0


def test_the_same_story_with_other_numbers() -> None:
    plain, again = load_problems("word", count=30, difficulty=3), load_problems("word+renumber", count=30, difficulty=3)
    same = sum(
        re.sub(r"\d+", "#", a.question) == re.sub(r"\d+", "#", b.question) for a, b in zip(plain, again, strict=True)
    )
    assert same >= 25 and sum(a.reference != b.reference for a, b in zip(plain, again, strict=True)) >= 25
    assert word().renumbers
