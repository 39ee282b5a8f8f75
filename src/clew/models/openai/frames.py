"""Parsing of replies into events. Every size is bounded, so that no reply, however hostile, fills the memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clew.errors import ModelError
from clew.models.openai.failures import Event, Transient

if TYPE_CHECKING:
    import aiohttp

LINE = 8 << 20
"""The most bytes of one streamed event. A token with twenty alternatives takes some 3,000; a server that sends its
whole reply as one event takes more."""
BODY = 256 << 20
"""The most bytes of one reply, unpacked. Teacher forcing of 32,000 tokens with 20 alternatives takes some 100 MB."""
ERROR = 1 << 20
"""The most bytes of a reply that reports an error."""
_BLOCK = 1 << 20
"""The most bytes that are unpacked at once."""

# Once for every streamed token: `json.loads` would do the same with three calls more.
_decode = json.JSONDecoder().raw_decode


def parsed(data: bytes) -> Event | None:
    """The JSON object in these bytes; None where there is none. An array is read as `{"data": array}`."""
    try:
        text = data.decode().strip()
        event, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    if end != len(text):
        return None
    if isinstance(event, list):
        return {"data": event}
    return event if isinstance(event, dict) else None


def checked(data: bytes) -> Event:
    """The JSON object in these bytes, as `parsed` reads it. Raises Transient where there is none."""
    event = parsed(data)
    if event is None:
        raise Transient("the reply was not valid JSON")
    return event


class Frames:
    """Parses a stream of server-sent events. done: whether the server has marked the end of the stream."""

    def __init__(self) -> None:
        self.done = False
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end within these bytes.

        Raises Transient for an event that is not JSON, ModelError for one beyond `LINE` bytes.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LINE:
            raise too_long(LINE)
        return [event for line in lines if (event := self._event(line)) is not None]

    def end(self) -> list[Event]:
        """The event that the end of the stream completes, if there is one."""
        rest, self._rest = self._rest, b""
        event = self._event(rest)
        return [] if event is None else [event]

    def _event(self, line: bytes) -> Event | None:
        if self.done or not line.startswith(b"data:"):
            return None
        data = line[5:].strip()
        self.done = data == b"[DONE]"
        return None if self.done or not data else checked(data)


def too_long(limit: int) -> ModelError:
    """The exception for a reply beyond its bound in bytes."""
    return ModelError(
        f"the server sent more than {limit >> 20} MB in one reply", "Check that this is an OpenAI-compatible server"
    )


class Unpacker:
    """Decompresses one reply, a bounded block at a time, and counts its bytes.

    packing: its `Content-Encoding`.
    limit: the most bytes that it may have, unpacked.

    Raises ModelError for an encoding other than gzip and deflate.
    """

    def __init__(self, packing: str, limit: int = BODY) -> None:
        self._left = self._limit = limit
        self._unpack = None
        kind = packing.strip().lower()
        if kind in ("gzip", "x-gzip", "deflate"):
            self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif kind not in ("", "identity"):
            raise ModelError(
                f"the server compresses its replies as {kind[:20]!r}, which was not asked for",
                "Turn compression off in the server, or in the proxy before it",
            )

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The unpacked bytes. Raises ModelError beyond the limit, Transient for damaged data."""
        for block in [chunk] if self._unpack is None else self._blocks(chunk):
            self._left -= len(block)
            if self._left < 0:
                raise too_long(self._limit)
            yield block

    def _blocks(self, chunk: bytes) -> Iterator[bytes]:
        assert self._unpack is not None
        try:
            while block := self._unpack.decompress(chunk, _BLOCK):
                yield block
                chunk = self._unpack.unconsumed_tail
        except zlib.error as error:
            raise Transient("the reply was packed and is damaged") from error


async def whole(reply: aiohttp.ClientResponse, limit: int = BODY) -> bytes:
    """All bytes of a reply, unpacked. Raises as `Unpacker` does."""
    unpacker = Unpacker(reply.headers.get("Content-Encoding", ""), limit)
    return b"".join([block async for chunk in reply.content.iter_any() for block in unpacker.feed(chunk)])
