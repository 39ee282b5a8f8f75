"""The result of probing a server, as plain data that is kept, shown, and used by the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

SAMPLED = ("temperature", "top_p", "temperature with top_p", "seed")
"""Sampling parameters that a server may refuse, as `Probe.refused` names them."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server was found to do.

    url: its address, without login.
    model: the model's name there.
    server: `llama.cpp`, `vllm`, or empty where unknown.
    context_length: tokens of its context; None where it does not report it.
    params: weights of its model; None where it does not report them.
    limit_field: the request's field for the most tokens of a reply.
    streams: whether it streams replies.
    logprobs: whether it reports the log-probability of each token.
    top_logprobs: for how many alternatives at each position it does.
    token_ids: whether it reports the ids of tokens.
    many: whether it accepts n > 1.
    seeds: whether equal seeds give equal texts, and different seeds different ones.
    usage: `exact`, `one choice only` (it counts one of n choices), or `missing`.
    samplers: whether it takes top_k, min_p and repetition_penalty.
    tokenise: whether it tokenises text.
    render: the endpoint that renders a conversation: `apply-template`, `tokenize`, or empty for none.
    raw: what its raw completions take as a rendered prompt: `tokens`, `text`, or empty for nothing.
    prefill: how a chat continues an assistant turn that has begun: it `continues` it, `echoes` the beginning first,
        needs vLLM's option for the `final message`, or empty where it cannot.
    forces: whether it does teacher forcing, by an echo of the prompt with log-probabilities.
    caches: whether it was seen to reuse a prompt that it had computed before.
    tells_caches: whether its usage reports cached tokens.
    vision: whether it says that it reads images.
    refused: parameters that it refuses, which are therefore not sent: some of `SAMPLED` (`temperature` means one other
        than 1), and `stream_options`.
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
        """How a partial solution is continued, in words; empty where it cannot be."""
        if self.raw:
            return f"raw completion of {'its tokens' if self.raw == 'tokens' else 'the rendered text'}"
        return f"assistant prefill ({self.prefill})" if self.prefill else ""

    @property
    def together(self) -> bool:
        """Whether the continuations of one call share a request, as they do where they cannot each have a seed."""
        return self.many and not self.seeds and self.streams

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Probe:
        """The inverse of `as_dict`. Raises TypeError or KeyError for other data."""
        return Probe(**{f.name: data[f.name] for f in fields(Probe)} | {"refused": tuple(data["refused"])})

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "continuation": self.continuation}

    def rows(self) -> list[tuple[str, str]]:
        """The rows of the table that `clew doctor URL` prints: (what, finding)."""
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
