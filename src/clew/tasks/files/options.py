"""The options of a row, in each form that data files have them, and the right one among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clew.tasks.answers import as_canonical
from clew.tasks.files.cells import plain, refused
from clew.tasks.files.rows import parsed

MOST = 26
_FORM = 'Write ["first", "second"], {"A": "first", "B": "second"}, or first|second'


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a question.

    texts: what each option says, in the order in which they are shown.
    labels: what the file calls each; empty where it does not say.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()


def asked(question: str, choices: Sequence[str]) -> str:
    """A question with its options below it, one a line.

    question: the text of the question.
    choices: the texts of the options.
    """
    return "\n".join([question, *(f"{letter(i)}) {c}" for i, c in enumerate(choices))])


def letter(index: int) -> str:
    """The letter of an option, counted from 0."""
    return chr(ord("A") + index)


def options_of(value: Any, what: str) -> Options:
    """Read the options of a cell.

    They may be a list of texts, an object of labels and texts, an object with the lists `text` and `label` (ARC), or a
    list of objects that have both; in a text, JSON of these, or options with bars between them. Options whose labels
    are all letters or all numbers are put in the order of the labels.

    value: the cell.
    what: the name of the field, for messages.

    Raises UsageError for anything else.
    """
    if isinstance(value, str):
        try:
            value = parsed(value)
        except ValueError:
            value = value.split("|")
    labels: list[Any] = []
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        value, labels = value["text"], value.get("label") or []
    elif isinstance(value, dict):
        # Parquet fills the rows that have fewer options with nulls.
        pairs = [(label, text) for label, text in value.items() if text is not None]
        value, labels = [text for _, text in pairs], [label for label, _ in pairs]
    elif isinstance(value, list) and value and all(isinstance(v, dict) and "text" in v for v in value):
        value, labels = [v["text"] for v in value], [v.get("label") for v in value]
    if not isinstance(value, list) or not 2 <= len(value) <= MOST:
        raise refused(what, f"is not a list of 2 to {MOST} options", _FORM)
    if not isinstance(labels, list):
        raise refused(what, "does not have a list of labels", _FORM)
    texts = [plain(v, what) for v in value]
    known = [plain(v, what) for v in labels]
    if None in texts or None in known:
        raise refused(what, "has an option that is empty", "Fill it in, or leave the row out")
    if known and (len(known) != len(texts) or len(set(known)) != len(known)):
        raise refused(what, "does not have one label for each option", _FORM)
    pairs = list(zip((str(k) for k in known), (str(t) for t in texts), strict=True)) if known else []
    if pairs and all(label.isdecimal() and len(label) < 10 for label, _ in pairs):
        pairs.sort(key=lambda pair: int(pair[0]))
    elif pairs and all(len(label) == 1 and label.isalpha() for label, _ in pairs):
        pairs.sort(key=lambda pair: pair[0].upper())
    if pairs:
        return Options(tuple(text for _, text in pairs), tuple(label for label, _ in pairs))
    return Options(tuple(str(t) for t in texts))


def chosen(gold: str, options: Options, *, by_text: bool) -> str | None:
    """The letter of the right option; None where the gold answer names none.

    gold: a label, a letter, a number from 0, or a text, as the file has it.
    options: the options of the question.
    by_text: whether `gold` is the text of an option where it could also be a label (texts may be numbers or letters).
    """
    if by_text and gold in options.texts:
        return letter(options.texts.index(gold))
    for known, wanted in ((options.labels, gold), ([k.casefold() for k in options.labels], gold.casefold())):
        if wanted in known:
            return letter(list(known).index(wanted))
    if gold.isdecimal() and len(gold) <= 2 and int(gold) < len(options.texts):
        return letter(int(gold))
    if len(gold) == 1 and "A" <= gold < letter(len(options.texts)):
        return gold
    if gold in options.texts:
        return letter(options.texts.index(gold))
    return as_canonical(gold, "choice", choices=options.texts)
