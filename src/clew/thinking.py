"""Thinking blocks (`<think>…</think>` and the like): answers are read only from the text after them."""

from __future__ import annotations

import re

# The tags that reasoning models are known to write.
_THINKING = ("think", "thinking", "thought", "reasoning", "reflection", "scratchpad", "seed:think")
THINK_OPEN = re.compile(rf"<(?:{'|'.join(_THINKING)})>|\[THINK\]|◁think▷", re.IGNORECASE)
THINK_CLOSE = re.compile(rf"</(?:{'|'.join(_THINKING)})>|\[/THINK\]|◁/think▷", re.IGNORECASE)


def visible(text: str) -> str | None:
    """The text after the last thinking block; None while a block is still open. Text without a block stays whole.

    A closing tag without an opening one ends a block that the prompt opened.
    """
    closed = 0
    for match in THINK_CLOSE.finditer(text):
        closed = match.end()
    if THINK_OPEN.search(text, closed):
        return None
    return text[closed:]


def left_open(prompt: str) -> bool:
    """Whether a prompt ends with the tag that opens a thinking block, as templates of reasoning models write it."""
    tail = prompt[-_TAIL:].rstrip()
    return any(match.end() == len(tail) for match in THINK_OPEN.finditer(tail))


_TAIL = 200  # characters of a prompt's end in which the tag is sought
