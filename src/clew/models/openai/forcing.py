"""Teacher forcing on a server that echoes the prompt with the log-probability of each token."""

from __future__ import annotations

from typing import Any

import numpy as np

from clew.errors import ModelError
from clew.ledger import Gauge
from clew.models.base import Context
from clew.models.openai.growth import assemble
from clew.models.openai.reply import choices_of, pieces, text_of, usage_of
from clew.models.openai.wire import Wire
from clew.sampling import Sampling
from clew.tree import Finish, Segment


async def echoed(
    wire: Wire, path: str, body: dict[str, Any], context: Context, given: Segment, gauge: Gauge
) -> Segment:
    """The statistics that a server gives to a text after a context.

    The echoed tokens that belong to the text are found by their number where both sides have token ids, else by their
    characters.

    wire: the server.
    path, body: the request that would continue the context; body["logprobs"] is the number of alternatives to ask for.
    context: what comes before the text.
    given: the text.
    gauge: counts the tokens that the server computed.

    Raises ModelError where the server does not echo the text.
    """
    prompt = body["prompt"]
    by_tokens = isinstance(prompt, list) and bool((given.token_ids >= 0).all())
    whole: Any = prompt + given.token_ids.tolist() if by_tokens else context.prompt + context.text + given.text
    top = max(1, body["logprobs"])
    body = {**body, "prompt": whole, "echo": True, "max_tokens": 1, "stream": False, "logprobs": top}
    body.pop("stream_options", None)
    reply = await wire.json(path, body)
    choice = next((choice for _, choice in choices_of(reply)), {})
    got = pieces(choice, text_of(choice)[1])
    if by_tokens:
        mine = got[len(prompt) : len(prompt) + len(given)]
        mine = [p._replace(id=int(i)) for p, i in zip(mine, given.token_ids, strict=False)]
    else:
        ends = np.cumsum([len(p.text) for p in got])
        before, after = len(whole) - len(given.text), len(whole)
        mine = [p for p, end in zip(got, ends, strict=True) if before < end <= after]
    if not mine:
        raise ModelError(f"{body['model']} did not repeat the text to be scored", "Run `clew doctor URL` again")
    told = usage_of(reply)
    gauge.computed(max(0, (len(got) if told.prompt is None else told.prompt) - (told.cached or 0)))
    offsets = np.cumsum([0, *(len(p.text) for p in mine)]).clip(0, len(given.text))
    return assemble(mine, given.text, offsets[:-1].tolist(), Finish.STEP, Sampling(temperature=1.0, top=top))
