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
    """What a solution as a whole has to be.

    kind: what `text` is: a JSON schema, a regular expression (of the whole solution), or a context-free grammar in
    llguidance's variant of Lark's syntax.

    Raises UsageError for another kind.
    """

    kind: Literal["json", "regex", "lark"]
    text: str

    def __post_init__(self) -> None:
        if self.kind not in ("json", "regex", "lark"):
            raise UsageError(f"grammar kind {self.kind!r} is not known", "Choose json, regex or lark")

    @property
    def lark(self) -> str:
        """The grammar in llguidance's syntax; without forced tokens, so that a mask excludes nothing else."""
        if self.kind == "json":
            start = f"start: %json {self.text}"
        elif self.kind == "regex":
            # A slash would end the expression; one that is escaped already stays as it is.
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
    `temperature=0` is greedy decoding. `top_k=0`, `top_p=1`, `min_p=0` and `repetition_penalty=1` are off.

    grammar: what the solution as a whole has to be; tokens that leave it are banned (models that can GRAMMAR).
    bans: for the token at offset `i` of this extension, the token ids that may not be drawn there.
    top: how many of the most probable tokens to record at each position (`Segment.top_ids`).

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


@dataclass(frozen=True, slots=True)
class Until:
    """Where an extension ends, if the model does not end the text before.

    step: end a step, by the delimiters that the problem names (filled in by `Search`).
    delimiters: the step ends with the first token that completes one of these strings, that token whole; finish `step`.
    stop: the text is cut before the first of these strings; finish `stop`. The tokens stay whole.
    max_tokens: a cap for this one extension; reaching it ends a step (finish `step`): the node can be extended further.
    limit: tokens left for the whole solution (filled in by `Search`); reaching it is a truncation (finish `length`).
    halt: asked after each token with the text of the extension so far; the step ends when it says so (finish `step`).
        It must be quick, without effects, and must not raise: an engine asks from its own thread, between two batches.

    A stop string or delimiter may have begun in the solution before this extension (not in the prompt), so where a
    solution ends does not depend on how it was divided into extensions. What an earlier delimiter took up counts no
    more: after a step that ended with a blank line, one more line break completes no second one. A stop string that
    began before leaves this extension without text; what was there of it before stays. Over HTTP each reply is still
    looked through by itself.
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
STEP = Until(step=True)


def tokens(n: int) -> Until:
    """Extend by at most `n` tokens."""
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

        `start` must be a multiple of four (Philox yields four words a counter).
        """
        bits = np.random.Philox(key=int.from_bytes(self.key, "little"), counter=start // 4)
        return np.random.Generator(bits).random(count)

    @property
    def seed(self) -> int:
        """A 31-bit seed for a server that accepts one."""
        return int.from_bytes(self.key[:4], "little") & 0x7FFFFFFF
