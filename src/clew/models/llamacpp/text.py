"""From tokens to text: pieces, and characters across tokens."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clew.models.llamacpp.binding import Weights
from clew.tree import Ints

Bools = NDArray[np.bool_]


class Vocabulary:
    """The tokens of a model.

    pieces: what each token says, b'' for control tokens. ends: bool[V], whether a token ends the text.
    """

    def __init__(self, weights: Weights) -> None:
        lib, size = weights.lib, weights.vocab_size
        self.pieces: list[bytes] = [weights.piece(i) for i in range(size)]
        self.ends: Bools = np.array([lib.llama_vocab_is_eog(weights.vocab, i) for i in range(size)], np.bool_)
        for i in np.flatnonzero(self.ends):
            self.pieces[i] = b""
        self._lengths = np.array([len(p) for p in self.pieces], np.int32)

    def bytes_of(self, ids: Sequence[int]) -> bytes:
        """What the tokens say, as bytes."""
        pieces = self.pieces
        return b"".join([pieces[i] for i in ids if i >= 0])

    def text_of(self, ids: Ints, before: bytes, *, final: bool) -> tuple[str, Ints]:
        """The text of `ids` and where in it each token begins, int32[T].

        before: bytes of a character that earlier tokens began (see `unfinished`). A character that the last token
        only begins is left to the next extension, unless this one is `final`.
        """
        data = self.bytes_of(ids.tolist())
        if not before and data.isascii():
            lengths = self._lengths[ids]
            return data.decode("ascii"), (np.cumsum(lengths) - lengths).astype(np.int32)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(before)
        offsets = np.zeros(len(ids), np.int32)
        parts = [text]
        at = len(text)
        for i, token in enumerate(ids.tolist()):
            offsets[i] = at
            part = decoder.decode(self.pieces[token])
            parts.append(part)
            at += len(part)
        if final:
            parts.append(decoder.decode(b"", final=True))
        return "".join(parts), offsets

    def unfinished(self, ids: Ints) -> bytes:
        """The bytes at the end of a context that begin a UTF-8 character without ending it."""
        tail = self.bytes_of(ids[-4:].tolist())[-3:]
        for start in range(1, len(tail) + 1):
            byte = tail[-start]
            if byte >= 0xC0:
                needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                return tail[-start:] if needed > start else b""
            if byte < 0x80:
                break
        return b""
