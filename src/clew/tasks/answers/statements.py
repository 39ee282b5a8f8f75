r"""Finds where a solution states its answer: after `####` or "the answer is", in `\boxed{}` or `<answer>`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

LONGEST = 400
"""Characters of the longest answer that is read; longer ones are not answers."""
_STATEMENTS = 32  # how many of the last statements are read

_MARK = re.compile(
    r"(?P<hashes>\#{4}[ \t]*)(?=\S)"
    r"|\\f?box(?:ed)?\s*(?P<box>[{\d])"
    r"|<answer>(?P<tag>)"
    r"|\banswer\b(?P<words>[^.:=\n]{0,60}?)(?:\*\*)?\s{0,8}(?:\b(?:is|are|be|equals)\b(?!\s{1,8}not\b)|[:=])",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
ASIDE = re.compile(r",\s{1,8}(?!and\b|or\b)(?=[a-z]{2,}\b)|(?<!\s)[\s(,]{1,8}(?:because|since|as|so that|given that)\b")
"""Where a sentence goes on to something that is no longer the answer: `3, because 4 x 2 = 8`."""
_INNER = rf".{{1,{2 * LONGEST}}}?"  # bounded, so that openings that are never closed cost no more than this each
INLINE = re.compile(
    rf"\$\$({_INNER})\$\$|\$(?!\s)([^$\n]{{1,{2 * LONGEST}}}?)(?<!\s)\$(?!\d)|\\\(({_INNER})\\\)|\\\[({_INNER})\\\]",
    re.DOTALL,
)
_LEAD = re.compile(r"\s*:?(?:\s|\*\*)*")  # between "the answer is" and the answer


def _braced(text: str, start: int) -> str | None:
    """What stands between the brace at `start` and its partner; None where it is never closed."""
    depth = 0
    for i in range(start, min(len(text), start + 2 * LONGEST)):
        if text[i] == "\\":
            continue
        if text[i] in "{}" and not (i and text[i - 1] == "\\"):
            depth += 1 if text[i] == "{" else -1
            if depth == 0:
                return text[start + 1 : i]
    return None


def statements(text: str) -> Iterator[tuple[str, bool]]:
    r"""What `text` explicitly states as its answer, the last first: after `####`, "answer is", "answer:", in
    `\boxed{}` or `<answer>`.

    Yields each statement to the end of its line, and whether it is delimited (nothing but the answer).
    """
    for match in reversed(deque(_MARK.finditer(text), maxlen=_STATEMENTS)):
        rest = text[match.end() : match.end() + 2 * LONGEST]
        if match.group("box") == "{":
            inner = _braced(text, match.end() - 1)
            if inner is not None and inner.strip():
                yield inner.strip(), True
        elif match.group("box"):
            yield match.group("box") + re.match(r"[\d.,]*", rest)[0].rstrip(".,"), True  # type: ignore[index]
        elif match.group("tag") is not None:
            inner = re.split(r"</answer>", rest, maxsplit=1, flags=re.IGNORECASE)[0].strip()
            if inner:
                yield inner, True
        elif not (match.group("words") or "").strip().lower().endswith("not"):
            rest = rest[_LEAD.match(rest).end() :]  # type: ignore[union-attr]
            if rest:
                yield rest.split("\n", 1)[0].strip(), False


def stated(text: str) -> str | None:
    """The last statement, else the last line that is not empty; None where there is neither."""
    for statement, _ in statements(text):
        return statement
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else None
