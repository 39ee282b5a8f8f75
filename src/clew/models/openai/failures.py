"""Failures of requests: which of them are worth another attempt, and the message for those that are not."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Sequence
from typing import Any

from clew.errors import ContextOverflow, ModelError
from clew.models.openai.address import key_file

Event = dict[str, Any]
"""One parsed reply, or one event of a streamed one."""

RETRIED = frozenset({408, 409, 429})
"""HTTP statuses that are retried, besides those from 500 on except 501."""

_SAID = 300
"""Characters of a server's message that ours repeats at most."""
_OVERFLOW = re.compile(r"exceed_context|context.{0,20}(length|size|window)", re.IGNORECASE)


class Refusal(ModelError):
    """The server refuses the request, so another attempt would not help. status: the HTTP status."""

    def __init__(self, cause: str, cure: str, status: int) -> None:
        super().__init__(cause, cure)
        self.status = status


class Transient(Exception):
    """A failure that may be gone at another attempt.

    cause: what failed.
    wait: seconds that the server asks to wait; None where it does not say.
    """

    def __init__(self, cause: str, wait: float | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.wait = wait


class Stale(Transient):
    """A connection broke before any answer; mostly an idle one that the server had closed in the meantime."""


class Absent(Transient):
    """No connection could be made."""


def error_in(event: Event) -> Event | None:
    """The error object of an event, whatever the HTTP status; None where the event reports no error."""
    if event.get("object") == "error":
        return event
    return {"error": event["error"]} if event.get("error") else None


def failure(
    base: str, status: int | None, reply: Event | None, *, secrets: Sequence[str] = (), retry_after: str | None = None
) -> Exception:
    """The exception to raise for a reply that reports an error.

    base: the server's address.
    status: the HTTP status; None where the reply itself holds the error's status.
    reply: the parsed reply; None where it is not JSON.
    secrets: texts that the message must not repeat.
    retry_after: the value of that header.

    Returns Transient for a failure that may be temporary, ContextOverflow for a prompt that is too long, else Refusal.
    """
    error = (reply or {}).get("error") or reply
    said, code = _told(error)
    for secret in secrets:
        said = said.replace(secret, "***")
    status = status or code or 500
    if status in RETRIED or (status >= 500 and status != 501):
        return Transient(f"HTTP {status}" + (f" ({said})" if said else ""), _seconds(retry_after))
    told = f"{base} answered {status}" + (f": {said.rstrip('.')}" if said else "")
    if status in (401, 403):
        cure = f"Name the environment variable that holds its key: --key-env NAME, or a line in {key_file()}"
        return Refusal(told, cure, status)
    if status in (400, 413, 422) and _OVERFLOW.search(_spelled(error)):
        return ContextOverflow(told, "Shorten the prompt, or give the server a longer context")
    if status == 404:
        cure = "Is this the address of an OpenAI-compatible server, and the model's name right?"
    else:
        cure = "Run `clew doctor URL` to see what this server accepts"
    return Refusal(told, cure, status)


def _told(error: Any) -> tuple[str, int | None]:
    """The message and the HTTP status in an error object of any of the usual shapes."""
    if not isinstance(error, dict):
        return one_line(error or ""), None
    said = error.get("message") or error.get("detail") or ""
    codes = [_spelled(error.get(name)) for name in ("code", "status")]
    return one_line(said), next((int(c) for c in codes if re.fullmatch(r"[45]\d\d", c, re.ASCII)), None)


def _spelled(value: Any) -> str:
    """A value as text; empty for one that is nested too deeply to be printed."""
    try:
        return str(value)
    except RecursionError:
        return ""


def one_line(said: Any) -> str:
    """A server's message on one line, with printable characters only."""
    words = " ".join(_spelled(said).split())
    return "".join(c if c.isprintable() else "?" for c in words)[:_SAID]


def _seconds(header: str | None) -> float | None:
    """A Retry-After header, which holds seconds or a date, as seconds from now."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None
