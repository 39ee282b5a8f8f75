"""What a server was found to do, as plain data that is kept, shown and handed to the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

SAMPLED = ("temperature", "top_p", "temperature with top_p", "seed")
"""What a server may refuse of a request that draws, as `Probe.refused` calls it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server was found to do.

    server: `llama.cpp`, `vllm` or ''. context_length in tokens, params in weights: None where it does not tell.
    limit_field: what it calls the most tokens of a reply. streams: whether it streams. logprobs: whether it gives the
    log-probability of each token, top_logprobs: and of how many alternatives. token_ids: whether tokens come with ids.
    many: whether it accepts n>1. seeds: whether equal seeds give equal text and others other text. usage: `exact`,
    `one choice only` (counts one choice of n), or `missing`. samplers: whether it takes top_k, min_p and the like.
    tokenise: whether it tokenises text. render: how it renders a conversation (`apply-template`, `tokenize`, '').
    raw: what its raw completions take as a rendered prompt (`tokens`, `text`, '').
    prefill: how a chat goes on from a begun assistant turn (`continues`, `echoes` what it was given first, `final
    message` when asked to in the way of vLLM, '' not at all). forces: teacher forcing by echo with log-probabilities.
    caches: whether it was seen to reuse a prompt that it has computed before; tells_caches: whether its usage tells.
    vision: whether it says it sees images.
    refused: parameters that it answers with a refusal, and that are left out therefore: some of `SAMPLED` (temperature:
    one other than 1), `stream_options`.
    """

    url: str
    model: str
    server: str = ""
    context_length: int | None = None
    params: float | None = None
    limit_field: str = "max_tokens"
    streams: bool = False
    logprobs: bool = False
    top_logprobs: int = 0
    token_ids: bool = False
    many: bool = False
    seeds: bool = False
    usage: str = "missing"
    samplers: bool = False
    tokenise: bool = False
    render: str = ""
    raw: str = ""
    prefill: str = ""
    forces: bool = False
    caches: bool = False
    tells_caches: bool = False
    vision: bool = False
    refused: tuple[str, ...] = ()

    @property
    def continuation(self) -> str:
        """How a partial solution is continued, '' when it cannot be."""
        if self.raw:
            return f"raw completion of {'its tokens' if self.raw == 'tokens' else 'the rendered text'}"
        return f"assistant prefill ({self.prefill})" if self.prefill else ""

    @property
    def together(self) -> bool:
        """Whether the continuations of one call share a request: only where they cannot each have a seed."""
        return self.many and not self.seeds and self.streams

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Probe:
        """The inverse of `as_dict`. Raises TypeError or KeyError for other data."""
        return Probe(**{f.name: data[f.name] for f in fields(Probe)} | {"refused": tuple(data["refused"])})

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "continuation": self.continuation}

    def rows(self) -> list[tuple[str, str]]:
        """What was found, in words, for a table."""
        top = f"yes, of {self.top_logprobs} alternatives" if self.top_logprobs else "of the chosen token only"
        return [
            ("server", self.server or "unknown"),
            ("model", self.model),
            ("context", f"{self.context_length} tokens" if self.context_length else "not told"),
            ("continues a partial solution", f"yes, by {self.continuation}" if self.continuation else "no"),
            ("tokens", ("with ids" if self.token_ids else "without ids") + (", streamed" if self.streams else "")),
            ("log-probabilities", top if self.logprobs else "no"),
            ("n in one request", "accepted" if self.many else "refused: parallel requests instead"),
            ("seeds", "repeatable" if self.seeds else "not honoured"),
            ("usage", {"exact": "reported truthfully"}.get(self.usage, self.usage)),
            ("top-k, min-p, repetition penalty", _yes(self.samplers)),
            ("tokeniser", _yes(self.tokenise)),
            ("teacher forcing", _yes(self.forces)),
            ("prompt cache", self._cache()),
            ("refused, so left out", ", ".join(self.refused) or "nothing that clew sends"),
        ]

    def _cache(self) -> str:
        if self.caches:
            return "seen at work"
        if self.tells_caches:
            return "not seen: each call is charged for its whole prompt"
        flag = "; start the server with --enable-prompt-tokens-details" if self.server == "vllm" else ""
        return f"not reported: each call is charged for its whole prompt{flag}"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
