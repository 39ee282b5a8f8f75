"""Requests to a server: endpoint and body, in the form that this server takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clew.errors import ModelError, UsageError
from clew.models.base import Context
from clew.models.openai.facts import Probe
from clew.problem import Message
from clew.sampling import Sampling, Stream

_PENALISED = 8192
"""Tokens that a repetition penalty looks back where the length of the context is unknown."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its length and its seed.

    path: the endpoint.
    body: what is sent.
    before: the text of the solution so far.
    echo: text of ours that the reply may repeat at its beginning.
    sampling: how the server really draws: parameters that it refuses are at their default.
    """

    path: str
    body: dict[str, Any]
    before: str
    echo: str
    sampling: Sampling

    def sized(self, found: Probe, most: int | None, streams: Sequence[Stream]) -> dict[str, Any]:
        """The complete body.

        found: what the server can do.
        most: the most tokens of a continuation; None for no limit.
        streams: one for each continuation; a single one gives the seed.
        """
        body = dict(self.body)
        if most is not None:
            body["max_tokens" if self.path == "completions" else found.limit_field] = most
        if len(streams) > 1:
            body["n"] = len(streams)
        elif "seed" not in found.refused:
            body["seed"] = streams[0].seed
        return body


def request(name: str, found: Probe, context: Context, sampling: Sampling, *, top: int) -> Request:
    """The request for continuations of a context.

    name: the model's name, for messages.
    found: what the server can do.
    sampling: how tokens are to be drawn.
    top: alternatives to ask for at each position.

    Raises UsageError for sampling parameters that the server does not offer, and ModelError where a partial solution is
    to be continued and the server cannot.
    """
    body: dict[str, Any] = {"model": found.model}
    echo = ""
    if found.raw == "tokens" and context.token_ids.size and context.token_ids.min() >= 0:
        path, body["prompt"] = "completions", context.token_ids.tolist()
    elif found.raw and context.prompt:
        path, body["prompt"] = "completions", context.prompt + context.text
    else:
        path, body["messages"] = "chat/completions", plain(context.messages)
        if context.text:
            body["messages"].append({"role": "assistant", "content": context.text})
            echo = context.text if found.prefill == "echoes" else ""
            if found.prefill == "final message":
                body |= {"add_generation_prompt": False, "continue_final_message": True}
            elif not found.prefill:
                raise ModelError(
                    f"{name} cannot continue a partial solution",
                    "Use a method that samples whole solutions, or a server with raw completions (llama.cpp, vLLM)",
                )
    shown = min(max(top, sampling.top), found.top_logprobs)
    if found.logprobs and path == "completions":
        body["logprobs"] = shown
    elif found.logprobs:
        body |= {"logprobs": True, "top_logprobs": shown}
    if found.streams:
        body["stream"] = True
        if found.usage != "missing" and "stream_options" not in found.refused:
            body["stream_options"] = {"include_usage": True}
    if sampling.logit_bias:
        body["logit_bias"] = {str(k): v for k, v in sampling.logit_bias.items()}
    drawn = _offered(found, sampling)
    body |= {k: getattr(drawn, k) for k in _sent(found, drawn)}
    return Request(path, body | _beyond(name, found, sampling), context.text, echo, drawn)


def _offered(found: Probe, sampling: Sampling) -> Sampling:
    """How the server draws when it is asked for `sampling`: parameters that it refuses are at their default of 1."""
    refused = found.refused
    if "temperature" in refused:
        sampling = sampling.but(temperature=1.0)
    if "top_p" in refused or ("temperature with top_p" in refused and sampling.temperature != 1):
        sampling = sampling.but(top_p=1.0)
    return sampling


def _sent(found: Probe, drawn: Sampling) -> list[str]:
    """Which of temperature and top_p to send: both where the server takes both, since its defaults may differ."""
    sent = [name for name in ("temperature", "top_p") if name not in found.refused]
    if len(sent) == 2 and "temperature with top_p" in found.refused:
        return ["temperature"] if drawn.top_p == 1 else ["top_p"]
    return sent


def _beyond(name: str, found: Probe, sampling: Sampling) -> dict[str, Any]:
    """The fields beyond the OpenAI interface."""
    if sampling.bans:
        raise UsageError("a server cannot ban tokens at single positions", "Use the embedded engine")
    if not found.samplers:
        if sampling.top_k or sampling.min_p or sampling.repetition_penalty != 1:
            raise UsageError(
                f"{name} takes no top_k, min_p or repetition_penalty", "Leave them out; temperature and top_p work"
            )
        return {}
    # They are sent even when off, because servers have their own defaults.
    more: dict[str, Any] = {"top_k": sampling.top_k or -1, "min_p": sampling.min_p}
    if sampling.repetition_penalty != 1:
        more |= {"repetition_penalty": sampling.repetition_penalty, "repeat_penalty": sampling.repetition_penalty}
        more["repeat_last_n"] = found.context_length or _PENALISED
    if found.server == "llama.cpp":
        # With it the server counts every token, also one whose text waits for the rest of a character.
        more["timings_per_token"] = True
        more["samplers"] = ["penalties", "temperature", "top_k", "top_p", "min_p"]
    elif found.server == "vllm" and found.token_ids:
        more["return_token_ids"] = True
    return more


def plain(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as plain data for JSON."""
    return [
        {"role": m.role, "content": m.content if isinstance(m.content, str) else [dict(p) for p in m.content]}
        for m in messages
    ]
