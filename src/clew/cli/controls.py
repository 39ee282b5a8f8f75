"""Characters that a terminal obeys instead of showing them."""

from __future__ import annotations

import re

COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and new line: ESC and CSI begin a command
    "\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text that follows
    "\ud800-\udfff]"  # half a surrogate pair, which no terminal takes
)


def visible(text: str) -> str:
    """The text with a sign in the place of each character that a terminal would obey instead of showing it."""
    return COMMANDS.sub(lambda found: _sign(found.group()), text)


def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
