"""From an address to a model."""

from __future__ import annotations

from clew.budget import Cost
from clew.errors import UsageError
from clew.models.openai.model import OpenAIModel
from clew.models.openai.probe import key_for, probe
from clew.models.openai.wire import Wire


def connect(
    url: str,
    *,
    model: str | None = None,
    api_key: str | None = None,
    concurrency: int = 64,
    timeout: float = 120.0,
    retries: int = 5,
    top_logprobs: int = 5,
    params: float | None = None,
    usd_input: float | None = None,
    usd_cached: float | None = None,
    usd_output: float | None = None,
    fresh: bool = False,
) -> OpenAIModel:
    """The model that a server offers. At first use the server is probed (`clew doctor URL` shows the result).

    model: its name there; not needed when the server has only one. api_key: OPENAI_API_KEY or CLEW_API_KEY by default.
    concurrency: requests in flight at most. timeout: seconds of silence after which a request counts as lost.
    retries: further attempts after a failure that may pass. top_logprobs: how many alternatives to ask for at each
    position (1 to 20): entropy and certainty come from them, and servers grow slower with many. params: the model's
    weights, for FLOPs. usd_*: dollars per million tokens. fresh: probe again.

    Raises UsageError for a bad URL or several models to choose from; ModelError when there is no server or it refuses.
    """
    if concurrency < 1 or retries < 0 or timeout <= 0 or not 1 <= top_logprobs <= 20:
        raise UsageError(
            "concurrency, timeout, retries or top_logprobs is out of range",
            "Give concurrency >= 1, timeout > 0, retries >= 0, top_logprobs between 1 and 20",
        )
    key = key_for(api_key)
    found = probe(url, model=model, api_key=key, timeout=timeout, fresh=fresh)
    wire = Wire(url, api_key=key, concurrency=concurrency, timeout=timeout, retries=retries)
    cost = Cost(params or found.params or 0.0, usd_input=usd_input, usd_cached=usd_cached, usd_output=usd_output)
    return OpenAIModel(wire, found, cost, top_logprobs=min(top_logprobs, found.top_logprobs))
