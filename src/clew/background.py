"""The event loop behind the sync calls, in a thread of its own, and the models that stay loaded between calls."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from clew.models.base import Model

T = TypeVar("T")


class _Background:
    """One event loop in a thread of its own: the sync calls work in scripts, notebooks and running event loops, and
    models stay loaded between calls (each frees what it holds when the interpreter ends)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.models: dict[str, Model] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="clew", daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            # What is in flight gives up at its next token and is recorded; only then is the interrupt passed on.
            asyncio.run_coroutine_threadsafe(_settle(), self._loop).result(timeout=30)
            raise


async def _settle() -> None:
    me = asyncio.current_task()
    others = [t for t in asyncio.all_tasks() if t is not me]
    if others:
        await asyncio.wait(others, timeout=20)


_background = _Background()


def _begin_anew() -> None:
    """In a forked process: threads do not come along, so neither do the event loop and what runs on it."""
    global _background
    _background = _Background()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def run_in_background(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine where the kept models live, and wait for it."""
    return _background.run(work)


def run_afresh(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, also where an event loop is running (a notebook): there in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def get_model(model: str | Model, options: Mapping[str, Any] | None = None) -> Model:
    """A model for a spec (kept loaded for the next call), or the model itself.

    Raises UsageError or ModelError as `clew.load` does.
    """
    if not isinstance(model, str):
        return model
    from clew.models import load

    key = f"{model} {sorted((options or {}).items())}"
    if key not in _background.models:
        _background.models[key] = load(model, **(options or {}))
    return _background.models[key]
