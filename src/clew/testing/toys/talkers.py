"""Toy models that answer prompts: a function says what the reply to a conversation is, or how likely each reply is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clew.models.toy import ToyModel
from clew.problem import Message

Replies = Callable[[tuple[Message, ...], str], str | Mapping[str, float]]
"""The conversation and what is written of the reply so far → the whole reply, or the weight of each."""

Lines = dict[str, dict[str, float]]
"""The last line → the next ones with their weights. A line without a break ends the text."""
PRINTABLE = "".join(map(chr, range(32, 127))) + "\n"


def talker(replies: Replies, alphabet: Sequence[str]) -> ToyModel:
    """A model whose tokens are characters and that says what `replies` says. `alphabet`: all characters it uses."""
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
    """All that was said to the model."""
    return "\n".join(m.text for m in messages)


def writer(book: Lines) -> ToyModel:
    """Writes line by line: the last line → the next ones with their weights; a line without a break ends the text."""

    def replies(messages: tuple[Message, ...], text: str) -> dict[str, float]:
        whole = text.split("\n")[:-1]
        done = "".join(f"{line}\n" for line in whole)
        return {done + line: weight for line, weight in book.get(whole[-1] if whole else "", {}).items()}

    return talker(replies, PRINTABLE)
