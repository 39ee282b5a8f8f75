"""HTTP to one server: pooled connections, retries, and errors that name cause and cure.

Below the `openai` client on purpose: building and validating one call there takes about 0.9 ms of processor time, nine
times what the pooled transport underneath needs (`python -m benchmarks.http` measures it).
"""

from __future__ import annotations

import asyncio
import base64
import email.utils
import json
import random
import re
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from clew.errors import ContextOverflow, ModelError, UsageError

if TYPE_CHECKING:
    import aiohttp
    import yarl

T = TypeVar("T")
Event = dict[str, Any]

RETRIED = frozenset({408, 409, 429})
"""Statuses that are retried, besides all from 500 on but 501."""

_LONGEST_WAIT = 120.0
_ABSENT = "no connection"
# Once for every streamed token: `json.loads` would do the same with three calls more.
_decode = json.JSONDecoder().raw_decode
_OVERFLOW = re.compile(r"exceed_context|context.{0,20}(length|size|window)", re.IGNORECASE)


class Refusal(ModelError):
    """The server understood and said no. status: the HTTP status."""

    def __init__(self, cause: str, cure: str, status: int) -> None:
        super().__init__(cause, cure)
        self.status = status


class Transient(Exception):
    """A failure that another attempt may not meet. wait: seconds that the server asked for; None if it did not."""

    def __init__(self, cause: str, wait: float | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.wait = wait


class Stale(Transient):
    """A connection that broke before any answer: mostly a kept one that the server had closed in the meantime."""


def blocking(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end from ordinary code, also where an event loop is running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()


class Wire:
    """One server. Works from any event loop: each has its own pool of at most `concurrency` connections, which is also
    the limit on requests in flight; a cancelled request gives its place back.

    timeout: seconds of silence after which a request counts as lost. retries: further attempts after the first.

    Raises UsageError for a URL that is none.
    """

    def __init__(
        self, url: str, *, api_key: str | None, concurrency: int = 64, timeout: float = 120.0, retries: int = 5
    ) -> None:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is not the address of a server", "Write http://HOST:PORT/v1")
        path = parts.path.rstrip("/") or "/v1"
        login, _, self.host = parts.netloc.rpartition("@")
        self.base = urllib.parse.urlunsplit((parts.scheme, self.host, path, "", ""))
        self._root = self.base.removesuffix("/v1")
        self._secrets = [s for s in (api_key, parts.password) if s]
        self._headers: dict[str, str] = {}
        if login:
            basic = base64.b64encode(urllib.parse.unquote(login).encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}"
        elif api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        proxied = not urllib.request.proxy_bypass(parts.hostname)
        self._proxy = urllib.request.getproxies().get(parts.scheme) if proxied else None
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._urls: dict[str, yarl.URL] = {}
        self._pools: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[Any]]] = {}

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
        """The parsed reply to one request (GET without a body). A path that begins with `/` is looked up at the
        server's root, another one below its `/v1`. Unless `patient`, a server that is not there is not waited for.

        Raises Refusal for a status that is our fault, ModelError when the server cannot be reached or keeps failing.
        """

        async def read(reply: aiohttp.ClientResponse) -> Event:
            return self._parsed(await reply.read())

        return await self.persist(lambda: self._exchange(path, body, read), patient=patient)

    async def stream(self, path: str, body: Mapping[str, Any], take: Callable[[Event], bool]) -> None:
        """Hand the events of a streamed reply to `take`, one attempt, and hang up when it returns False. A server that
        ignores `stream` gives its whole reply as one event.

        Raises Transient when the stream breaks or tells of an error that may pass, Refusal for one that is our fault.
        """

        async def read(reply: aiohttp.ClientResponse) -> None:
            if "event-stream" not in reply.headers.get("Content-Type", ""):
                take(self._parsed(await reply.read()))
                return
            rest = b""
            async for chunk in reply.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if not line.startswith(b"data:"):
                        continue
                    data = line[5:].strip()
                    if data == b"[DONE]":
                        await _drain(reply)
                        return
                    event = self._parsed(data)
                    if "error" in event:
                        self._fail(_told(event["error"])[1] or 500, event, None)
                    if not take(event):
                        return
            raise Transient("the stream broke off before its end")

        await self._exchange(path, body, read)

    async def _exchange(
        self, path: str, body: Mapping[str, Any] | None, read: Callable[[aiohttp.ClientResponse], Awaitable[T]]
    ) -> T:
        """One request; what `read` makes of a reply that is no error. Leaving it unread closes the connection."""
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
                    self._fail(reply.status, _loads(await reply.read()), reply.headers.get("Retry-After"))
                return await read(reply)
        except TimeoutError as error:
            raise Transient(f"no answer for {self._timeout:g} seconds") from error
        except aiohttp.InvalidURL as error:
            raise UsageError(f"{self.base!r} is not the address of a server", "Write http://HOST:PORT/v1") from error
        except aiohttp.ClientConnectorError as error:
            raise Transient(f"{_ABSENT} ({error.os_error.strerror or type(error.os_error).__name__})") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            kind = Transient if answered else Stale
            raise kind(f"the connection broke ({type(error).__name__})") from error

    def _url(self, path: str) -> yarl.URL:
        import yarl

        if path not in self._urls:
            self._urls[path] = yarl.URL(f"{self._root}{path}" if path.startswith("/") else f"{self.base}/{path}")
        return self._urls[path]

    def _parsed(self, data: bytes) -> Event:
        event = _loads(data)
        if event is None:
            raise Transient("the reply was not valid JSON")
        return event

    def _fail(self, status: int, reply: Event | None, retry_after: str | None) -> None:
        said, _ = _told((reply or {}).get("error", reply))
        for secret in self._secrets:
            said = said.replace(secret, "***")
        told = f"{self.base} answered {status}" + (f": {said[:300].rstrip('.')}" if said else "")
        if status in RETRIED or (status >= 500 and status != 501):
            raise Transient(f"HTTP {status}" + (f" ({said[:200]})" if said else ""), _seconds(retry_after))
        if status in (401, 403):
            raise Refusal(told, "Give a valid key: set OPENAI_API_KEY (or CLEW_API_KEY)", status)
        if status in (400, 413, 422) and _OVERFLOW.search(json.dumps(reply)):
            raise ContextOverflow(told, "Shorten the prompt, or give the server a longer context")
        cure = (
            "Is this the address of an OpenAI-compatible server, and the model's name right?" if status == 404 else ""
        )
        raise Refusal(told, cure or "Run `clew doctor URL` to see what this server accepts", status)

    async def persist(self, attempt: Callable[[], Awaitable[T]], *, patient: bool = True) -> T:
        """`attempt` until it does not raise Transient, with exponential backoff and jitter between attempts, and at
        least as long a wait as the server asks for.

        Raises ModelError when all attempts failed.
        """
        for tries in range(self._retries + 1):
            try:
                return await attempt()
            except Transient as error:
                wait = min(30.0, 0.25 * 2**tries) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load only
                wait = max(wait, error.wait or 0.0)
                if isinstance(error, Stale) and tries == 0:
                    wait = 0.0
                absent = error.cause.startswith(_ABSENT)
                if tries == self._retries or wait > _LONGEST_WAIT or (absent and not patient):
                    raise self._given_up(error, tries + 1) from error
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _given_up(self, error: Transient, attempts: int) -> ModelError:
        if error.cause.startswith(_ABSENT):
            return ModelError(f"there is no server at {self.base}: {error.cause}", "Start it, or correct the address")
        asked = f"; it asks to wait {error.wait:.0f} seconds" if error.wait and error.wait > _LONGEST_WAIT else ""
        return ModelError(
            f"{self.base} failed {attempts} time{'s' * (attempts > 1)} in a row, the last time with: "
            f"{error.cause}{asked}",
            "Try again later, or with a lower concurrency or a longer timeout",
        )


async def _drain(reply: aiohttp.ClientResponse) -> None:
    """Read what follows the last event, so that the connection can be used again."""
    import aiohttp

    if reply.content.at_eof():
        return
    try:
        async with asyncio.timeout(1):
            await reply.content.read()
    except (TimeoutError, aiohttp.ClientError):
        reply.close()


def _loads(data: bytes) -> Event | None:
    try:
        text = data.decode().strip()
        event, end = _decode(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) and end == len(text) else None


def _told(error: Any) -> tuple[str, int | None]:
    """The message and the code of an error object, in whichever of the usual shapes it comes."""
    if isinstance(error, dict):
        code = error.get("code")
        said = error.get("message") or error.get("detail") or ""
        return str(said), int(str(code)) if str(code).isdigit() else None
    return str(error or ""), None


def _seconds(header: str | None) -> float | None:
    """A Retry-After header, which holds seconds or a date, as seconds from now."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
        except ValueError:
            return None
