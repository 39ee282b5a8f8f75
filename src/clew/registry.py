"""What clew can be asked for by name: methods, scorers, tasks, models. Filled by decorators and by entry points."""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages
from typing import Any, Generic, TypeVar

from clew.errors import UsageError

T = TypeVar("T", bound=Callable[..., Any])
_BETWEEN = re.compile(r"&(?![^(]*\))")  # an ampersand that is in no brackets


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One registered thing.

    paper: where it comes from. needs: model capabilities or packages without which it cannot run.
    departs: where it departs from its paper. proof: the tests that prove it. traits: what else the kind wants to know.
    """

    name: str
    make: T
    summary: str
    family: str = ""
    paper: str = ""
    needs: frozenset[str] = frozenset()
    departs: str = ""
    proof: str = ""
    traits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The keyword parameters that a user may set."""
        signature = inspect.signature(self.make)
        return {k: p for k, p in signature.parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def check_parameters(self, given: Mapping[str, Any]) -> None:
        """Raise UsageError for a parameter that this entry does not have."""
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise UsageError(f"{self.name} has no parameter {name!r}", f"It takes: {known}")


class Registry(Generic[T]):
    """Names of one kind. `modules` (a package with all that it holds) are imported at the first look-up, so that
    `import clew` stays light."""

    def __init__(self, kind: str, *modules: str) -> None:
        self.kind = kind
        self._modules = modules
        self._entries: dict[str, Entry[T]] = {}
        self._loaded = False

    def register(
        self,
        name: str,
        *,
        family: str = "",
        paper: str = "",
        needs: set[str] | None = None,
        departs: str = "",
        proof: str = "",
        **traits: Any,
    ) -> Callable[[T], T]:
        """Decorator: register a function under `name`. Its docstring's first line is the summary."""

        def add(make: T) -> T:
            if name in self._entries and self._entries[name].make.__module__ != make.__module__:
                raise UsageError(
                    f"two {self.kind}s are called {name!r}", f"Rename the one in {make.__module__}, or uninstall it"
                )
            summary = (inspect.getdoc(make) or "").split("\n", 1)[0]
            self._entries[name] = Entry(
                name, make, summary, family, paper, frozenset(needs or ()), departs, proof, traits
            )
            return make

        return add

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for name in self._modules:
            _walk(name)
        for point in entry_points(group=f"clew.{self.kind}s"):
            point.load()

    def __getitem__(self, name: str) -> Entry[T]:
        self._load()
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"no {self.kind} is called {name!r}", f"{hint}`clew list {self.kind}s` shows them all")
        return self._entries[name]

    def build(self, spec: str) -> Any:
        """Call what `spec` (`name?key=value`) names with its parameters.

        Raises UsageError for an unknown name or parameter.
        """
        name, params = parse_spec(spec)
        entry = self[name]
        entry.check_parameters(params)
        return entry.make(**params)

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[Entry[T]]:
        self._load()
        return iter(sorted(self._entries.values(), key=lambda e: e.name))


def _walk(name: str) -> None:
    """Import a module, and where it is a package, all that it holds."""
    module = import_module(name)
    for found in walk_packages(getattr(module, "__path__", ()), f"{name}."):
        import_module(found.name)


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """`name?key=value&key=value` as a name and parameters. A value that has parameters of its own stands in brackets:
    `beam?width=4&scorer=(step_verifier?false_positive=0.1&seed=1)`.

    Values are read as JSON where they are JSON (numbers, true, null, lists), else kept as text.

    Raises UsageError for a part without `=`.
    """
    name, _, query = spec.partition("?")
    params: dict[str, Any] = {}
    for part in filter(None, _BETWEEN.split(query)):
        key, equals, raw = part.partition("=")
        if not equals:
            raise UsageError(f"{part!r} in {spec!r} is not a parameter", "Write NAME?key=value&key=value")
        if raw.startswith("(") and raw.endswith(")"):
            params[key] = raw[1:-1]
            continue
        try:
            params[key] = json.loads(raw)
        except json.JSONDecodeError:
            params[key] = raw
    return name, params


methods: Registry[Callable[..., Any]] = Registry("method", "clew.methods")
scorers: Registry[Callable[..., Any]] = Registry("scorer", "clew.scorers")
tasks: Registry[Callable[..., Any]] = Registry("task", "clew.tasks")
models: Registry[Callable[..., Any]] = Registry("model", "clew.models.toy", "clew.players")

method = methods.register
scorer = scorers.register
task = tasks.register
model = models.register
