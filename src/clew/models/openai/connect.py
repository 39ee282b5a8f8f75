"""`connect`, which makes a model from the address of a server."""

from __future__ import annotations

from typing import Annotated

from clew.budget import Cost
from clew.errors import UsageError
from clew.models.openai.address import authorization, parse_address
from clew.models.openai.model import OpenAIModel
from clew.models.openai.probe import probe
from clew.models.openai.wire import Wire
from clew.parameters import Count, Range, checked, parameters_of

Seconds = Annotated[float, Range(above=0)]
"""A duration in seconds, above 0."""
Amount = Annotated[float, Range(low=0)]
"""A number, at least 0."""


def connect(
    url: str,
    *,
    model: str | None = None,
    key_env: str | None = None,
    api_key: str | None = None,
    concurrency: Count = 64,
    timeout: Seconds = 120.0,
    longest: Seconds = 3600.0,
    retries: Annotated[int, Range(low=0)] = 5,
    top_logprobs: Annotated[int, Range(low=1, high=20)] = 5,
    params: Amount | None = None,
    usd_input: Amount | None = None,
    usd_cached: Amount | None = None,
    usd_output: Amount | None = None,
    fresh: bool = False,
) -> OpenAIModel:
    """The model that a server offers. At first use the server is probed (`clew doctor URL` shows the result).

    url: `http(s)://HOST:PORT/v1`; `#MODEL` or `?model=MODEL&key_env=NAME` may follow.
    model: its name on the server; not needed when the server has only one.
    key_env: the environment variable that holds the server's key. Without it the file of keys (`address.key_file`) is
        asked for this host; OPENAI_API_KEY is sent to api.openai.com alone.
    api_key: the key itself, for programs; it is never written to a file.
    concurrency: the most requests in flight.
    timeout: seconds without a byte after which a request counts as lost.
    longest: seconds after which a call is given up, all its attempts together.
    retries: further attempts after a failure that may be temporary.
    top_logprobs: alternatives to ask for at each position. Entropy and certainty are computed from them; servers are
        slower with many.
    params: the model's weights, for FLOPs; by default what the server reports.
    usd_input: US dollars per million prompt tokens.
    usd_cached: US dollars per million prompt tokens that the server reads from its cache; usd_input by default.
    usd_output: US dollars per million generated tokens.
    fresh: probe the server again instead of reading what was found before.

    Raises UsageError for a malformed address, several models to choose from, or a missing key; ModelError when the
    server cannot be reached or refuses.
    """
    checked(
        "connect",
        parameters_of(connect),
        {"concurrency": concurrency, "timeout": timeout, "longest": longest, "retries": retries}
        | {"top_logprobs": top_logprobs},
    )
    address = parse_address(url)
    others = sorted(address.options.keys() - {"model", "key_env"})
    if others:
        raise UsageError(f"{', '.join(others)} cannot be part of the address", "Give it to `connect` as a parameter")
    key_env = key_env or address.options.get("key_env")
    found = probe(url, model=model, api_key=api_key, key_env=key_env, timeout=timeout, fresh=fresh)
    header = authorization(address, api_key=api_key, key_env=key_env)
    wire = Wire(address, header, concurrency=concurrency, timeout=timeout, longest=longest, retries=retries)
    cost = Cost(
        params or found.params or 0.0,
        usd_input=usd_input,
        usd_cached=usd_cached,
        usd_output=usd_output,
        caches=found.caches,
        batches=found.together,
    )
    return OpenAIModel(wire, found, cost, top_logprobs=min(top_logprobs, found.top_logprobs))
