"""From an address to a model."""

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
Amount = Annotated[float, Range(low=0)]


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

    url: `http(s)://HOST:PORT/v1`; `#MODEL` or `?model=MODEL&key_env=NAME` may follow. model: its name there; not needed
    when the server has only one. key_env: the environment variable that holds its key; without one, and without a line
    for this host in the file of keys (`address.key_file`), no key is sent, but OPENAI_API_KEY to api.openai.com.
    api_key: the key itself, for programs; it is written down nowhere.
    concurrency: requests in flight at most. timeout: seconds of silence after which a request counts as lost. longest:
    seconds after which a call is given up, with all its attempts. retries: further attempts after a failure that may
    pass. top_logprobs: how many alternatives to ask for at each position (1 to 20): entropy and certainty come from
    them, and servers grow slower with many. params: the model's weights, for FLOPs. usd_*: dollars per million tokens.
    fresh: probe again.

    Raises UsageError for a bad URL, several models to choose from, or a key that is not there; ModelError when there is
    no server or it refuses.
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
        raise UsageError(f"{', '.join(others)} cannot stand in the address here", "Give it to `connect` by name")
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
