"""Toy models that answer prompts: a function gives the reply to a conversation, or the weights of several replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clew.models.toy import ToyModel
from clew.problem import Message

Replies = Callable[[tuple[Message, ...], str], str | Mapping[str, float]]
"""(conversation, reply written so far) → the whole reply, or whole reply → its weight."""

Lines = dict[str, dict[str, float]]
"""The last line → next line → its weight. A line without a line break ends the text."""
PRINTABLE = "".join(map(chr, range(32, 127))) + "\n"
"""All characters that a talker writes unless told otherwise."""


def talker(replies: Replies, alphabet: Sequence[str]) -> ToyModel:
    """A model that writes replies character by character.

    replies: gives its replies.
    alphabet: all characters that occur in them.
    """
    vocab = sorted(set(alphabet))
    index = {c: i for i, c in enumerate(vocab)}

    def source(messages: tuple[Message, ...], ids: tuple[int, ...], text: str) -> list[float]:
        weights = [0.0] * (len(vocab) + 1)
        told = replies(messages, text)
        for reply, weight in ({told: 1.0} if isinstance(told, str) else told).items():
            if reply.startswith(text):
                rest = reply[len(text) :]
                weights[index[rest[0]] if rest else -1] += weight
        if not any(weights):
            weights[-1] = 1.0
        return weights

    return ToyModel(vocab, source, name="talker")


def asked(messages: Sequence[Message]) -> str:
    """The texts of all turns of a conversation."""
    return "\n".join(m.text for m in messages)


def writer(book: Lines) -> ToyModel:
    """A model that writes line by line.

    book: what may follow each line; the first lines stand under the empty text.
    """

    def replies(messages: tuple[Message, ...], text: str) -> dict[str, float]:
        whole = text.split("\n")[:-1]
        done = "".join(f"{line}\n" for line in whole)
        return {done + line: weight for line, weight in book.get(whole[-1] if whole else "", {}).items()}

    return talker(replies, PRINTABLE)
