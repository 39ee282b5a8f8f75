"""Grammars as token masks, by llguidance: the tokens that may come next if the text is to match a grammar.

Every token that the grammar permits is allowed, also where the next characters are certain and a tokeniser would use
other tokens for them. So a mask removes from a distribution only what the grammar excludes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clew.errors import UsageError, how_to_install
from clew.sampling import Grammar

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

Bools = NDArray[np.bool_]


class Constraint:
    """The state of a grammar after some text.

    matcher: the state in llguidance.
    vocab: V, the number of tokens of the vocabulary.
    ends: ids of the tokens that end a text.
    """

    def __init__(self, matcher: LLMatcher, vocab: int, ends: Sequence[int]) -> None:
        self._matcher = matcher
        self._vocab = vocab
        self._ends = ends

    def copy(self) -> Constraint:
        """An independent copy, for another branch."""
        return Constraint(self._matcher.deep_copy(), self._vocab, self._ends)

    def allowed(self) -> Bools:
        """The tokens that may come next, bool[V]; the ends of the text are among them only where it is complete.

        All are False where no token of the vocabulary can follow: a dead end, which llguidance itself reports as an end
        of the text.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        mask: Bools = np.unpackbits(bits, count=self._vocab, bitorder="little").astype(bool)
        if not self._matcher.is_accepting():
            mask[list(self._ends)] = False
        return mask

    def advance(self, token: int) -> None:
        """Advance the state by the token that was drawn."""
        self._matcher.consume_token(token)


class Masks:
    """Makes the token masks of grammars for one vocabulary.

    pieces: [V], the text of each token; b'' for tokens without text.
    ends: ids of the tokens that end a text.
    """

    def __init__(self, pieces: Sequence[bytes], ends: Sequence[int]) -> None:
        self._given = pieces
        self._ends = list(ends)
        self._tokenizer: LLTokenizer | None = None
        self._begun: dict[Grammar, Constraint] = {}

    def after(self, grammar: Grammar, text: bytes) -> Constraint:
        """The state of a grammar after `text`, the solution so far.

        Raises UsageError when llguidance is missing, for a malformed grammar, and when no text that matches the grammar
        begins with `text`.
        """
        tokenizer = self._made()
        from llguidance import LLMatcher

        if grammar not in self._begun:
            matcher = LLMatcher(tokenizer, grammar.lark, log_level=0)
            if matcher.is_error():
                reason = " ".join(matcher.get_error().split())
                raise UsageError(
                    f"llguidance does not accept the {grammar.kind} grammar ({reason})", "Correct the grammar"
                )
            self._begun[grammar] = Constraint(matcher, len(self._given), self._ends)
        state = self._begun[grammar].copy()
        if text:
            ids = tokenizer.tokenize_bytes(text)
            if state._matcher.try_consume_tokens(ids) < len(ids):
                raise UsageError(
                    f"no text that matches the {grammar.kind} grammar begins as the solution, which ends with "
                    f"{text[-40:].decode(errors='replace')!r}",
                    "Write the grammar for the whole solution, inserted text included",
                )
        return state

    def _made(self) -> LLTokenizer:
        if self._tokenizer is None:
            try:
                from llguidance import LLTokenizer, TokenizerWrapper
            except ImportError as error:
                raise UsageError("grammars need llguidance", how_to_install("grammar")) from error
            # A token that begins with the byte 0xff never occurs in text, by llguidance's convention.
            pieces = [piece or b"\xff[%d]" % i for i, piece in enumerate(self._given)]
            self._tokenizer = LLTokenizer(TokenizerWrapper(_Pieces(pieces, self._ends)), eos_token=self._ends)
        return self._tokenizer


class _Pieces:
    """A vocabulary in the form that llguidance expects. It may split a text into any tokens that spell it."""

    def __init__(self, pieces: list[bytes], ends: list[int]) -> None:
        self.tokens = pieces
        self.eos_token_id = ends[0]
        self.bos_token_id = None
        self.special_token_ids: list[int] = []
        self._ids = {piece: i for i, piece in reversed(list(enumerate(pieces)))}
        self._longest = max(map(len, pieces))

    def __call__(self, text: Any) -> list[int]:
        data = text.encode() if isinstance(text, str) else bytes(text)
        ids, at = [], 0
        while at < len(data):
            size = next((n for n in range(self._longest, 0, -1) if data[at : at + n] in self._ids), 0)
            if not size:
                break
            ids.append(self._ids[data[at : at + size]])
            at += size
        return ids
