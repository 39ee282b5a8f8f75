import re

import pytest

from clew.errors import UsageError
from clew.tasks import load_problems
from clew.tasks.lexicon import NAMES, THINGS
from clew.testing import check_task


@pytest.mark.parametrize(
    "spec", ["word+rename", "word+renumber", "word+drop", "word+renumber+rename+drop", "add+renumber"]
)
def test_transformed_tasks_conform(spec: str) -> None:
    check_task(spec)


def test_rename_changes_words_and_nothing_else() -> None:
    plain, renamed = load_problems("word", count=40, difficulty=3), load_problems("word+rename", count=40, difficulty=3)
    words = re.compile("|".join((*NAMES, *THINGS)))
    for before, after in zip(plain, renamed, strict=True):
        assert before.reference == after.reference and before.question != after.question
        assert words.sub("#", before.question) == words.sub("#", after.question)
        names = [w for w in NAMES if re.search(rf"\b{w}\b", after.question)]
        assert len(names) == len([w for w in NAMES if re.search(rf"\b{w}\b", before.question)])
        assert after.extract(after.meta["solution"]) == after.reference


@pytest.mark.parametrize("name", ["drop", "drop_unhinted"])
def test_drop_leaves_a_question_without_an_answer(name: str) -> None:
    for before, after in zip(load_problems("word", count=20), load_problems(f"word+{name}", count=20), strict=True):
        assert ("missing" in after.question) == (name == "drop")
        gone = after.meta["dropped"]
        assert gone in before.question and gone not in after.question
        assert after.grader is not None and before.reference is not None
        assert after.grader(before.reference) == 0.0 and after.grader("unknown") == 1.0
        assert after.extract("It cannot be determined.") == "unknown"
        assert after.extract("#### 12") == "12"
        assert after.meta["answerable"] is False


def test_transforms_are_fixed_by_the_seed() -> None:
    once, again = load_problems("word+rename", count=10, seed=3), load_problems("word+rename", count=10, seed=3)
    assert [p.question for p in once] == [p.question for p in again]
    assert once[0].id == "word@1:3:0+rename" and once[0].family == "word+rename"


@pytest.mark.parametrize("spec", ["add+rename", "add+drop", "word+shuffle", "words+renumber", "word+rename+renumber"])
def test_a_task_that_cannot_be_changed_says_so(spec: str) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        load_problems(spec)
