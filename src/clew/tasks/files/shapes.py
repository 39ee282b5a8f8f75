"""The shapes of data files: which field is what. Those of well-known data sets are recognised by their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clew.errors import UsageError
from clew.tasks.answers import Kind
from clew.tasks.files.cells import found, is_conversation, shown

ROLES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt", "input", "query", "messages"),
    "context": ("context",),
    "answer": ("answer", "final_answer", "gold", "target", "label", "ground_truth", "output"),
    "answers": ("answers",),
    "solution": ("solution", "completion"),
    "choices": ("choices", "options"),
    "id": ("id", "unique_id", "task_id", "question_id"),
}
"""What a field can be, and the names that it usually has.

question: a text, or chat messages. context: a text that stands before it. answer: the one gold answer.
answers: several, any of which counts. solution: a worked solution, which states the answer where no field holds it.
choices: the options.
"""
GOLD = ("answer", "answers", "solution")
"""The roles that say what the right answer is, the first that a file has."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a data set.

    name: the data set.
    needs: paths that its rows have (in any case of letters).
    roles: role → path. The roles are those of `ROLES`, and some that only known shapes have: `index` (the right option,
        from 0), `unit` (of the answer), `tolerance` (how far a number may be off), `many` (whether several answers are
        wanted, all of them), `level` (difficulty), `image` (a picture that belongs to the question).
    when: a further condition on the first row.
    kind: how its answers are compared; None where the answers show it.
    instruct: whether the prompt still has to say how to end.
    """

    name: str
    needs: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    when: Callable[[Mapping[str, Any]], bool] = lambda first: True
    kind: Kind | None = None
    instruct: bool = True


def _whole_answer(first: Mapping[str, Any]) -> bool:
    return str(found(first, _spelled(first, "answer"))).strip().isdecimal()


def _hashes(first: Mapping[str, Any]) -> bool:
    answer = found(first, _spelled(first, "answer"))
    return isinstance(answer, str) and "####" in answer


def _messages_only(first: Mapping[str, Any]) -> bool:
    """Whether the messages are the question: no field is called so."""
    messages = _spelled(first, "messages")
    return is_conversation(found(first, messages)) and _usual(first).roles.get("question") == messages


SHAPES: tuple[Shape, ...] = (
    Shape(
        "verl",
        ("prompt", "reward_model.ground_truth"),
        {"question": "prompt", "answer": "reward_model.ground_truth", "image": "images"},
        instruct=False,
    ),
    Shape(
        "ARC",
        ("question", "choices", "answerKey"),
        {"question": "question", "choices": "choices", "answer": "answerKey", "id": "id"},
    ),
    Shape(
        "ARC",
        ("question.stem", "question.choices", "answerKey"),
        {"question": "question.stem", "choices": "question.choices", "answer": "answerKey", "id": "id"},
    ),
    Shape(
        "MMLU-Pro",
        ("question", "options", "answer", "answer_index"),
        {
            "question": "question",
            "choices": "options",
            "answer": "answer",
            "index": "answer_index",
            "id": "question_id",
        },
    ),
    Shape(
        "OlympiadBench",
        ("question", "final_answer", "is_multiple_answer"),
        {
            "question": "question",
            "context": "context",
            "answer": "final_answer",
            "solution": "solution",
            "id": "id",
            "unit": "unit",
            "tolerance": "error",
            "many": "is_multiple_answer",
            "image": "image_1",
        },
        kind="math",
    ),
    Shape(
        "MATH",
        ("problem", "solution", "level"),
        {"question": "problem", "answer": "answer", "solution": "solution", "id": "unique_id", "level": "level"},
        kind="math",
    ),
    Shape(
        "AIME",
        ("id", "problem", "answer"),
        {"question": "problem", "answer": "answer", "solution": "solution", "id": "id"},
        when=_whole_answer,
        kind="number",
    ),
    Shape("GSM8K", ("question", "answer"), {"question": "question", "answer": "answer"}, when=_hashes, kind="number"),
    Shape(
        "TRL",
        ("prompt", "completion"),
        {"question": "prompt", "answer": "answer", "solution": "completion", "image": "images"},
    ),
    Shape(
        "TRL",
        ("prompt", "solution"),
        {"question": "prompt", "answer": "answer", "solution": "solution", "image": "images"},
    ),
    Shape(
        "TRL",
        ("messages",),
        {"question": "messages", "answer": "answer", "solution": "messages", "image": "images"},
        when=_messages_only,
    ),
)
"""Known shapes; the first that fits is taken."""
NAMES = tuple(dict.fromkeys(shape.name for shape in SHAPES))


def recognised(first: Mapping[str, Any], given: Mapping[str, str], *, graded: bool) -> Shape:
    """The shape of a file, recognised by its first row.

    first: the first row.
    given: role → path, as the user says; it goes before the shape.
    graded: whether gold answers are wanted.

    Raises UsageError for a role that does not exist, a field that the row does not have, and preferences between two
    answers, which name no gold answer.
    """
    for role, path in given.items():
        if role not in ROLES:
            raise UsageError(f"a file has no role {role!r}", f"Name the fields of: {', '.join(ROLES)}")
        if not _has(first, path):
            raise UsageError(f"there is no field {path!r}", f"Name one of: {shown(first)}")
    shape = next((s for s in SHAPES if _fits(s, first)), None) or _usual(first)
    fixed = {role: _spelled(first, path) for role, path in shape.roles.items()}
    if any(role in GOLD for role in given):
        fixed = {role: path for role, path in fixed.items() if role not in (*GOLD, "index")}
        shape = replace(shape, kind=None)
    elif graded and shape.roles.get("solution") == "completion" and "label" in first:
        raise UsageError("these are preferences, which have no gold answer", "Say which field is: answer=FIELD")
    roles = {role: path for role, path in (fixed | dict(given)).items() if _has(first, path)}
    return replace(shape, roles=roles)


def _usual(first: Mapping[str, Any]) -> Shape:
    lower = {str(name).lower(): str(name) for name in first}
    named = {**ROLES, "image": ("image", "images")}
    roles = {role: next((lower[u] for u in usual if u in lower), "") for role, usual in named.items()}
    if not isinstance(first.get(roles["context"]), str):  # of HotpotQA it is an object, which nobody could leave out
        roles["context"] = ""
    return Shape("usual names", roles={role: name for role, name in roles.items() if name})


def _fits(shape: Shape, first: Mapping[str, Any]) -> bool:
    return all(_has(first, _spelled(first, path)) for path in shape.needs) and shape.when(first)


def _spelled(first: Mapping[str, Any], path: str) -> str:
    """A path with the case of letters that the first part of it has in the file."""
    head, dot, rest = path.partition(".")
    return next((str(name) for name in first if str(name).lower() == head.lower()), head) + dot + rest


def _has(first: Mapping[str, Any], path: str) -> bool:
    if path in first:
        return True
    head, _, tail = path.rpartition(".")
    inner = found(first, head) if head else None
    return tail in inner if isinstance(inner, Mapping) else found(first, path) is not None
