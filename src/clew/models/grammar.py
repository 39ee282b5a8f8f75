"""Grammars as token masks, through llguidance: which tokens may come next if the text is to be of the grammar.

All tokens that can follow are allowed, not only those that the tokeniser would use for a text that is already decided:
a mask changes a distribution by nothing but what the grammar excludes.
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

    matcher: llguidance's own state.
    vocab: V, the number of tokens.
    ends: the tokens that end a text.
    """

    def __init__(self, matcher: LLMatcher, vocab: int, ends: Sequence[int]) -> None:
        self._matcher = matcher
        self._vocab = vocab
        self._ends = ends

    def copy(self) -> Constraint:
        """The same state, to go another way."""
        return Constraint(self._matcher.deep_copy(), self._vocab, self._ends)

    def allowed(self) -> Bools:
        """Which tokens may come next, bool[V]; the tokens that end the text where it is complete.

        None may where the vocabulary has no way on: a dead end, which llguidance takes for the end of the text.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        mask: Bools = np.unpackbits(bits, count=self._vocab, bitorder="little").astype(bool)
        if not self._matcher.is_accepting():
            mask[list(self._ends)] = False
        return mask

    def advance(self, token: int) -> None:
        """Take in the token that came."""
        self._matcher.consume_token(token)


class Masks:
    """The grammars of one vocabulary.

    pieces: what each token says, V of them; b'' for those that say nothing. ends: the tokens that end a text.
    """

    def __init__(self, pieces: Sequence[bytes], ends: Sequence[int]) -> None:
        self._given = pieces
        self._ends = list(ends)
        self._tokenizer: LLTokenizer | None = None
        self._begun: dict[Grammar, Constraint] = {}

    def after(self, grammar: Grammar, text: bytes) -> Constraint:
        """The grammar's state after `text`, a solution so far.

        Raises UsageError when llguidance is missing, for a grammar that is none, and when no text of the grammar begins
        so.
        """
        tokenizer = self._made()
        from llguidance import LLMatcher

        if grammar not in self._begun:
            matcher = LLMatcher(tokenizer, grammar.lark, log_level=0)
            if matcher.is_error():
                reason = " ".join(matcher.get_error().split())
                raise UsageError(f"the {grammar.kind} grammar is not understood ({reason})", "See llguidance's syntax")
            self._begun[grammar] = Constraint(matcher, len(self._given), self._ends)
        state = self._begun[grammar].copy()
        if text:
            ids = tokenizer.tokenize_bytes(text)
            if state._matcher.try_consume_tokens(ids) < len(ids):
                raise UsageError(
                    f"nothing of the {grammar.kind} grammar begins with {text[-40:].decode(errors='replace')!r}",
                    "The grammar is of the whole solution",
                )
        return state

    def _made(self) -> LLTokenizer:
        if self._tokenizer is None:
            try:
                from llguidance import LLTokenizer, TokenizerWrapper
            except ImportError as error:
                raise UsageError("grammars need llguidance", how_to_install("grammar")) from error
            # llguidance takes what begins with 0xff for a token that no text holds.
            pieces = [piece or b"\xff[%d]" % i for i, piece in enumerate(self._given)]
            self._tokenizer = LLTokenizer(TokenizerWrapper(_Pieces(pieces, self._ends)), eos_token=self._ends)
        return self._tokenizer


class _Pieces:
    """A vocabulary as llguidance wants it. How it splits a text does not matter: any tokens that spell it do."""

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
