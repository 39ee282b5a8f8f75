"""How tokens are drawn: sampling settings, where an extension ends, and the random streams behind it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clew.errors import UsageError

_NO_BIAS: Mapping[int, float] = MappingProxyType({})
_NO_BANS: Mapping[int, frozenset[int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Grammar:
    """A constraint on a whole solution: tokens that would violate it are never drawn.

    kind: what `text` holds: a JSON schema, a regular expression (for the whole solution), or a context-free grammar in
        llguidance's variant of Lark's syntax.
    text: the schema, expression or grammar.

    Raises UsageError for another kind.
    """

    kind: Literal["json", "regex", "lark"]
    text: str

    def __post_init__(self) -> None:
        if self.kind not in ("json", "regex", "lark"):
            raise UsageError(f"there is no kind of grammar called {self.kind!r}", "Choose json, regex or lark")

    @property
    def lark(self) -> str:
        """The grammar in llguidance's syntax.

        Its `no_forcing` keeps llguidance from excluding valid tokens where only one text can follow.
        """
        if self.kind == "json":
            start = f"start: %json {self.text}"
        elif self.kind == "regex":
            # An unescaped slash would end the expression in Lark's syntax, so it is escaped.
            inside = re.sub(r"\\.|/", lambda m: r"\/" if m.group() == "/" else m.group(), self.text, flags=re.DOTALL)
            start = f"start: /{inside}/"
        else:
            start = self.text
        return start if start.lstrip().startswith("%llguidance") else '%llguidance {"no_forcing": true}\n' + start


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn from the model's distribution.

    The filters apply in this order: repetition penalty and logit bias, bans and grammar, temperature, top-k, top-p,
    min-p.

    temperature: divides the logits; 0 is greedy decoding.
    top_k: only the k most probable tokens may be drawn; 0 is off.
    top_p: only the most probable tokens whose probabilities together reach this share may be drawn; 1 is off.
    min_p: tokens less probable than this share of the most probable one are excluded; 0 is off.
    repetition_penalty: above 1 makes tokens of the context less likely to be drawn again; 1 is off.
    logit_bias: token id → number added to its logit.
    bans: offset of a token in this extension → token ids that may not be drawn there.
    top: how many of the most probable tokens to record at each position (`Segment.top_ids`), at most 1024.
    grammar: a constraint on the whole solution, for models with the capability `grammar`.

    Raises UsageError when a value is out of its range.
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=lambda: _NO_BIAS)
    bans: Mapping[int, frozenset[int]] = field(default_factory=lambda: _NO_BANS)
    top: int = 0
    grammar: Grammar | None = None

    def __post_init__(self) -> None:
        checks = {
            "temperature": (self.temperature >= 0, "at least 0"),
            "top_k": (self.top_k >= 0, "at least 0 (0 is off)"),
            "top_p": (0 < self.top_p <= 1, "in (0, 1] (1 is off)"),
            "min_p": (0 <= self.min_p < 1, "in [0, 1) (0 is off)"),
            "repetition_penalty": (self.repetition_penalty > 0, "above 0 (1 is off)"),
            "top": (0 <= self.top <= 1024, "between 0 and 1024"),
        }
        for name, (good, meaning) in checks.items():
            if not good:
                raise UsageError(f"{name}={getattr(self, name)!r} is not possible", f"It must be {meaning}")

    def but(self, **changes: Any) -> Sampling:
        """The same settings with some changed."""
        return replace(self, **changes)


GREEDY = Sampling(temperature=0.0)
"""Always the most probable token."""


@dataclass(frozen=True, slots=True)
class Until:
    """Where an extension ends, if the model does not end the text before.

    step: whether the delimiters of the problem end the extension (`Search` fills them in).
    delimiters: strings that end a step; the first token that completes one is the last of the step, and stays whole
        (finish `step`).
    stop: strings before which the text is cut; the tokens stay whole (finish `stop`).
    max_tokens: the most tokens of this one extension; a node that reaches it can be extended further (finish `step`).
    limit: tokens left for the whole solution (filled in by `Search`); reaching it is a truncation (finish `length`).
    halt: is called after each token with the text of the extension so far; the step ends when it returns True (finish
        `step`). It must be quick, must have no side effects and must not raise: an engine calls it from its own thread,
        between two batches.

    A stop string or delimiter may begin in the solution before this extension (but not in the prompt), so where a
    solution ends does not depend on how it was divided into extensions. Text that completed one delimiter is not part
    of the next: after a step that ended with a blank line, one more line break is not another blank line. Where a stop
    string began in an earlier extension, this extension has no text, and the earlier part of the string stays. Over
    HTTP, delimiters and stop strings are sought in each reply alone.
    """

    step: bool = False
    delimiters: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    limit: int | None = None
    halt: Callable[[str], bool] | None = None

    @property
    def cap(self) -> int | None:
        """The most tokens that one extension may have, or None."""
        caps = [c for c in (self.max_tokens, self.limit) if c is not None]
        return min(caps) if caps else None


END = Until()
"""To the end of the solution."""
STEP = Until(step=True)
"""To the end of the next step."""


def tokens(n: int) -> Until:
    """Where an extension ends that has at most `n` tokens."""
    return Until(max_tokens=n)


class Stream:
    """A counter-based random stream with a name: equal names give equal draws, whatever is drawn elsewhere.

    The engine draws the uniform number for the token at position `t` of child `i` from `stream.child(i)` at counter
    `t`, so neither the batch that a token was computed in nor the order of completion changes what is drawn.
    """

    __slots__ = ("key",)

    def __init__(self, *name: object) -> None:
        self.key = hashlib.blake2b(repr(name).encode(), digest_size=16).digest()

    def child(self, *name: object) -> Stream:
        """The stream below this one with this name."""
        return Stream(self.key, *name)

    def generator(self) -> np.random.Generator:
        """A fresh NumPy generator at the start of this stream."""
        return np.random.Generator(np.random.Philox(key=int.from_bytes(self.key, "little")))

    def uniforms(self, start: int, count: int) -> NDArray[np.float64]:
        """The uniform numbers in [0, 1) at counters `start … start+count-1`, float64[count].

        start: a multiple of four, because Philox yields four numbers a counter.
        """
        bits = np.random.Philox(key=int.from_bytes(self.key, "little"), counter=start // 4)
        return np.random.Generator(bits).random(count)

    @property
    def seed(self) -> int:
        """A 31-bit seed for a server that accepts one."""
        return int.from_bytes(self.key[:4], "little") & 0x7FFFFFFF
