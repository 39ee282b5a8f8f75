"""A server on loopback that sends whatever bytes a test wants, at the pace that it wants."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable

Send = Callable[[], AsyncIterator[bytes]]


def response(body: bytes, kind: str = "text/event-stream", status: int = 200, headers: str = "") -> bytes:
    """A whole HTTP response that ends with the connection."""
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{headers}Connection: close\r\n\r\n".encode() + body


class Raw:
    """Answers every request with the bytes of `answer`, and closes the connection. `heads`: what was asked, headers
    and all; `url`: where it listens."""

    def __init__(self, answer: bytes | Send = b"") -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.url = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            self.heads.append(head)
            if isinstance(self.answer, bytes):
                writer.write(self.answer)
            else:
                async for part in self.answer():
                    writer.write(part)
                    await writer.drain()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has hung up, as it should on some of these answers
        finally:
            writer.close()

    def __enter__(self) -> Raw:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        async def start() -> None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
            started.set()

        def run() -> None:
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        async def stop() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
