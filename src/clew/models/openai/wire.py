"""HTTP to one server: pooled connections, retries, and errors that name cause and cure.

It does not use the `openai` client, which takes about 0.9 ms of processor time to build and validate one call, nine
times what the pooled transport underneath needs (`python -m benchmarks.http` measures it).
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import json
import os
import random
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from clew.errors import ModelError, UsageError
from clew.models.openai.address import Address
from clew.models.openai.failures import Absent, Event, Stale, Transient, error_in, failure
from clew.models.openai.frames import ERROR, Frames, Unpacker, checked, parsed, whole

if TYPE_CHECKING:
    import aiohttp
    import yarl

T = TypeVar("T")

_PARTING = 2.0
"""Seconds that closing connections may take at the interpreter's end."""
_LONGEST_WAIT = 120.0
"""The most seconds that a server may ask to wait before another attempt; the call fails where it asks for more."""


def blocking(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end from synchronous code, even while an event loop is running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()


class Wire:
    """The connections to one server, usable from any event loop.

    Each event loop has its own pool of connections. A cancelled request gives its connection back.

    address: the server.
    authorization: the header of that name; empty for none.
    concurrency: the most connections, and so requests in flight, of each event loop.
    timeout: seconds without a byte after which a request counts as lost.
    longest: seconds after which a call is given up, all its attempts together.
    retries: further attempts after the first.
    """

    def __init__(
        self,
        address: Address,
        authorization: str,
        *,
        concurrency: int = 64,
        timeout: float = 120.0,
        longest: float = 3600.0,
        retries: int = 5,
    ) -> None:
        self.host = address.host
        self.base = address.base
        self._root = self.base.removesuffix("/v1")
        self._headers = {"Authorization": authorization} if authorization else {}
        self._secrets = _secrets(authorization)
        proxied = not urllib.request.proxy_bypass(address.hostname)
        self._proxy = urllib.request.getproxies().get(address.scheme) if proxied else None
        self._concurrency = concurrency
        self._timeout = timeout
        self._longest = longest
        self._retries = retries
        self._urls: dict[str, yarl.URL] = {}
        self._pools: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[Any]]] = {}
        _wires.add(self)

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            pool = self._pool(loop)
            # A loop closes its open generators when it ends, so no connection outlives the loop it belongs to.
            self._pools[loop] = (await anext(pool), pool)
        return self._pools[loop][0]

    async def _pool(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[aiohttp.ClientSession]:
        import aiohttp

        session = aiohttp.ClientSession(
            # Servers commonly drop an idle connection after 5 seconds; ours must be the first to do so.
            connector=aiohttp.TCPConnector(limit=self._concurrency, keepalive_timeout=4),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
            auto_decompress=False,  # what is unpacked is bounded: see `frames.Unpacker`
        )
        try:
            yield session
        finally:
            self._pools.pop(loop, None)
            await session.close()

    async def close(self) -> None:
        """Close all connections."""
        here = asyncio.get_running_loop()
        for loop, (_, pool) in list(self._pools.items()):
            if loop is here:
                await pool.aclose()
            elif not loop.is_closed():
                asyncio.run_coroutine_threadsafe(pool.aclose(), loop)

    async def json(self, path: str, body: Mapping[str, Any] | None = None, *, patient: bool = True) -> Event:
        """The parsed reply to one request.

        path: below the server's root where it begins with `/`, else below its `/v1`.
        body: for a POST; None for a GET.
        patient: whether to try again where no connection can be made.

        Raises Refusal for a status that means a mistake in the request, ModelError when the server cannot be reached or
        keeps failing.
        """

        return await self.persist(lambda: self._exchange(path, body, self._whole), patient=patient)

    async def told(self, path: str) -> Event | None:
        """The parsed reply to one GET, tried once, for facts that are not indispensable; None where it fails."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(path, None, self._whole)
        except (Transient, ModelError, TimeoutError):
            return None

    async def stream(self, path: str, body: Mapping[str, Any], take: Callable[[Event], bool]) -> None:
        """Pass the events of a streamed reply to `take`, in one attempt; its False closes the connection.

        path, body: of the request, as for `json`. The whole reply of a server that ignores `stream` is one event.

        Raises Transient when the stream breaks or reports a temporary error, Refusal for a mistake in the request.
        """

        async def read(reply: aiohttp.ClientResponse) -> None:
            if "event-stream" not in reply.headers.get("Content-Type", ""):
                take(await self._whole(reply))
                return
            frames = Frames()
            unpacker = Unpacker(reply.headers.get("Content-Encoding", ""))
            async for chunk in reply.content.iter_any():
                for block in unpacker.feed(chunk):
                    for event in frames.feed(block):
                        if not take(self._good(event)):
                            return
                if frames.done:
                    await _drain(reply)
                    return
            for event in frames.end():
                take(self._good(event))
            if not frames.done:
                raise Transient("the stream broke off before its end")

        await self._exchange(path, body, read)

    async def _whole(self, reply: aiohttp.ClientResponse) -> Event:
        """A whole reply as one event. Raises as `_good` does."""
        return self._good(checked(await whole(reply)))

    def _good(self, event: Event) -> Event:
        """The event itself. Raises what `failures.failure` returns where the event reports an error."""
        error = error_in(event)
        if error is not None:
            raise failure(self.base, None, error, secrets=self._secrets)
        return event

    async def _exchange(
        self, path: str, body: Mapping[str, Any] | None, read: Callable[[aiohttp.ClientResponse], Awaitable[T]]
    ) -> T:
        """Send one request; returns the result of `read` for a reply that is not an error. A reply that is not read to
        its end closes the connection."""
        import aiohttp

        url = self._url(path)
        data = (
            None if body is None else aiohttp.BytesPayload(json.dumps(body).encode(), content_type="application/json")
        )
        session = await self._session()
        answered = False
        try:
            async with session.request("GET" if body is None else "POST", url, data=data, proxy=self._proxy) as reply:
                answered = True
                if reply.status >= 400:
                    said = parsed(await whole(reply, ERROR))
                    wait = reply.headers.get("Retry-After")
                    raise failure(self.base, reply.status, said, secrets=self._secrets, retry_after=wait)
                return await read(reply)
        except TimeoutError as error:
            raise Transient(f"no answer for {self._timeout:g} seconds") from error
        except aiohttp.InvalidURL as error:
            raise UsageError(f"{self.base!r} is not the address of a server", "Write http://HOST:PORT/v1") from error
        except aiohttp.ClientConnectorError as error:
            raise Absent(f"no connection ({error.os_error.strerror or type(error.os_error).__name__})") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            kind = Transient if answered else Stale
            raise kind(f"the connection broke ({type(error).__name__})") from error

    def _url(self, path: str) -> yarl.URL:
        import yarl

        if path not in self._urls:
            self._urls[path] = yarl.URL(f"{self._root}{path}" if path.startswith("/") else f"{self.base}/{path}")
        return self._urls[path]

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, patient: bool = True) -> T:
        """Repeat `attempt` until it does not raise Transient, with exponential backoff and jitter between attempts, or
        longer waits where the server asks for them.

        patient: whether to try again where no connection can be made.

        Raises ModelError when all attempts have failed, or have taken longer than `longest` seconds.
        """
        try:
            async with asyncio.timeout(self._longest) as clock:
                return await self._persist(attempt, patient)
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise ModelError(
                f"{self.base} had not finished a reply after {self._longest:g} seconds",
                "Ask for less at once, or raise the option `longest`",
            ) from error

    async def _persist(self, attempt: Callable[[], Awaitable[T]], patient: bool) -> T:
        for tries in range(self._retries + 1):
            try:
                return await attempt()
            except Transient as error:
                wait = min(30.0, 0.25 * 2**tries) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load only
                wait = max(wait, error.wait or 0.0)
                if isinstance(error, Stale) and tries == 0:
                    wait = 0.0
                hopeless = isinstance(error, Absent) and not patient
                if tries == self._retries or wait > _LONGEST_WAIT or hopeless:
                    raise self._given_up(error, tries + 1) from error
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _given_up(self, error: Transient, attempts: int) -> ModelError:
        if isinstance(error, Absent):
            return ModelError(f"there is no server at {self.base}: {error.cause}", "Start it, or correct the address")
        asked = f"; it asks to wait {error.wait:.0f} seconds" if error.wait and error.wait > _LONGEST_WAIT else ""
        return ModelError(
            f"{self.base} failed {attempts} time{'s' * (attempts > 1)} in a row, the last time with: "
            f"{error.cause}{asked}",
            "Try again later, or with a lower concurrency or a longer timeout",
        )

    def abandon(self) -> None:
        """Close all connections at the interpreter's exit, on the event loops that they belong to."""
        for loop, (session, pool) in list(self._pools.items()):
            if loop.is_running():  # in a thread, as the one of `clew.background`
                with suppress(TimeoutError):
                    asyncio.run_coroutine_threadsafe(pool.aclose(), loop).result(_PARTING)
            elif not loop.is_closed():  # left behind, as a notebook leaves its own
                loop.run_until_complete(pool.aclose())
            else:
                _disown(session)

    def disinherit(self) -> None:
        """Drop the connections of the parent process after a fork; they stay open in the parent."""
        for session, _ in self._pools.values():
            _disown(session)
        self._pools.clear()


def _disown(session: aiohttp.ClientSession) -> None:
    """Mark a session and its connections as closed without using its event loop, which is closed or the parent's."""
    connector = session.connector
    session.detach()
    if connector is not None:
        connector._closed = True


_wires: WeakSet[Wire] = WeakSet()


@atexit.register
def _abandon_all() -> None:
    for wire in list(_wires):
        wire.abandon()


def _disinherit_all() -> None:
    for wire in list(_wires):
        wire.disinherit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disinherit_all)


def _secrets(authorization: str) -> list[str]:
    """Texts that our messages must not repeat: the key, or the login, its password, and its encoded form."""
    kind, _, value = authorization.partition(" ")
    found = [value]
    if kind == "Basic":
        try:
            login = base64.b64decode(value).decode(errors="replace")
        except ValueError:
            login = ""
        found += [login, login.partition(":")[2]]
    return [s for s in found if s]


async def _drain(reply: aiohttp.ClientResponse) -> None:
    """Read the few bytes after the last event, so that the connection can be reused."""
    import aiohttp

    try:
        async with asyncio.timeout(1):
            for _ in range(8):
                if not await reply.content.read(1024):
                    return
    except (TimeoutError, aiohttp.ClientError):
        pass
    reply.close()
