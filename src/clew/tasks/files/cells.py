"""Reads one cell of a data file as a text, a conversation, or answers; a cell that is none of these is refused."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from clew.errors import UsageError
from clew.problem import Message, Role
from clew.tasks.files.rows import parsed

_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def refused(what: str, cause: str, cure: str) -> UsageError:
    """The error for a cell that cannot be read.

    what: the name of the field.
    cause: what is wrong, as the rest of a sentence that begins with the field.
    cure: what to do.
    """
    return UsageError(f"{what} {cause}", cure)


def shown(names: Iterable[Any]) -> str:
    """Names out of a file, for a message: at most 12, at most 40 characters of each, nothing that is not printable."""
    some = ["".join(c if c.isprintable() else "\ufffd" for c in str(name)[:40]) for name in islice(names, 13)]
    return ", ".join(some[:12]) + (", …" if len(some) > 12 else "")


def found(data: Mapping[str, Any], path: str) -> Any:
    """The cell of a row at a path; None where there is none.

    data: the row.
    path: the name of a field, or names and numbers with dots between them (`reward_model.ground_truth`, `choices.0`),
        which lead also into JSON that is kept as text, as in a CSV.
    """
    if path in data:
        return data[path]
    value: Any = data
    for part in path.split("."):
        value = _unfolded(value)
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _unfolded(value: Any) -> Any:
    """The value of a text that is JSON of a list or an object; any other value itself."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            return parsed(value)
        except ValueError:
            return value
    return value


def plain(value: Any, what: str) -> str | None:
    """The text of a cell, stripped; None where it is empty, null or NaN. Half a surrogate pair becomes U+FFFD.

    Raises UsageError for bytes, and for a list or an object, with the names of its parts.
    """
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, str):
        if not value.isascii():
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        raise refused(what, "holds bytes, not text", "Store it as text, or name another field")
    if isinstance(value, Mapping):
        parts = shown(f"{what}.{key}" for key in value)
        raise refused(what, "holds an object, not text", f"Name a part of it: {parts}")
    if isinstance(value, list):
        raise refused(what, f"holds a list of {len(value)}, not text", f"Name one of its items, as in {what}.0")
    raise refused(what, f"holds a {type(value).__name__}, not text", "Store it as text, or name another field")


def several(value: Any, what: str) -> list[str]:
    """The texts of a cell that is a text or a list of texts, without those that are empty.

    value: the cell.
    what: the name of the field, for messages.

    Raises UsageError as `plain` does.
    """
    items = _unfolded(value)  # of texts only: [1, 2] and [0, 1) are answers themselves
    if not (isinstance(items, list) and (items is value or all(isinstance(item, str) for item in items))):
        items = [value]
    texts = [plain(item, what) for item in items]
    return [text for text in texts if text is not None]


def is_conversation(value: Any) -> bool:
    """Whether a cell is a list of chat messages, or JSON of one."""
    turns = _unfolded(value)
    return isinstance(turns, list) and bool(turns) and all(isinstance(m, Mapping) and "role" in m for m in turns)


def is_true(value: Any) -> bool:
    """Whether a cell says true, be it as text."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def conversation(value: Any, what: str) -> tuple[Message, ...]:
    """The turns of a cell: those of a list of chat messages, or one turn of the user. An empty cell has none.

    value: the cell.
    what: the name of the field, for messages.

    Raises UsageError for a role that clew does not know, and for contents that are neither text nor links to images.
    """
    if not is_conversation(value):
        text = plain(value, what)
        if text is not None and re.match(r"\[\{'(?:role|content)':", text):
            cause = "holds messages as Python prints them, which cannot be read back for sure"
            raise refused(what, cause, "Write the file as JSON lines or Parquet")
        return () if text is None else (Message("user", text),)
    turns = []
    for turn in _unfolded(value):
        role = _ROLES.get(turn["role"]) if isinstance(turn["role"], str) else None
        if role is None:
            cause = f"has a message of the role {shown([turn['role']])!r}"
            raise refused(what, cause, f"Use {', '.join(_ROLES)}, or leave the row out")
        content = _content(turn.get("content"), what)
        if not content:
            raise refused(what, "has a message without content", "Fill it in, or leave the row out")
        turns.append(Message(role, content))
    return tuple(turns)


def _content(value: Any, what: str) -> str | Sequence[Mapping[str, Any]]:
    """A text, or OpenAI's content parts where one of them is an image."""
    if not isinstance(value, list):
        return plain(value, what) or ""
    parts: list[Mapping[str, Any]] = []
    for part in value:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            parts.append({"type": "text", "text": plain(part.get("text"), what) or ""})
        elif kind == "image_url":
            url = plain(found(part, "image_url.url"), what)
            parts.append({"type": "image_url", "image_url": {"url": url}})
        else:
            raise refused(what, "has a message with other parts than texts and links to images", "Leave the row out")
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts).strip()
    return parts


def solution_text(value: Any, what: str) -> str | None:
    """The worked solution in a cell: a text, the last turn of the assistant, or the first of a list of texts.

    value: the cell.
    what: the name of the field, for messages.
    """
    if is_conversation(value):
        turns = [m for m in conversation(value, what) if m.role == "assistant"]
        return turns[-1].text if turns else None
    return next(iter(several(value, what)), None)
