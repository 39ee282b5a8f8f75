"""The registries of methods, scorers, tasks and models, which decorators and entry points fill.

Each kind has its own class of entry with the metadata of that kind. The parameters of an entry are read from its
function (`clew.parameters`) when it is registered, so a mistake in a plug-in is found before anything runs.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages
from typing import Any, Generic, Literal, TypeVar, get_args

from clew.errors import UsageError
from clew.needs import checked_needs
from clew.parameters import Parameter, checked, parameters_of
from clew.problem import Answer, Problem
from clew.tree import Node

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound="Entry")
Aggregate = Callable[[Problem, Sequence[Node], Mapping[str, Any]], Answer]
"""(problem, exchangeable samples in any order, all parameters of the method) → the answer that they give."""

Scale = Literal["probability", "log_probability", "unbounded"]
"""The meaning and the range of a scorer's numbers.

probability: in [0, 1], the probability that the solution is or becomes right (a verifier, a process reward model).
log_probability: at most 0, in nats.
unbounded: any other number, of which only the order is known.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One registered method, scorer, task or model.

    name: what a spec calls it.
    make: the function or class.
    summary: the first line of its docstring.
    parameters: name → parameter that a user may set.
    family: a heading under which related entries are listed.
    paper: its source, as an arXiv id or a citation.
    departs: where it departs from that paper, and why.
    proof: the path of the test that shows its claim, optionally with `::` and the test's name.
    """

    name: str
    make: Callable[..., Any]
    summary: str
    parameters: Mapping[str, Parameter]
    family: str = ""
    paper: str = ""
    departs: str = ""
    proof: str = ""

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given values, converted to the annotated types.

        Raises UsageError for an unknown parameter or a value that it does not accept.
        """
        return checked(self.name, self.parameters, given)

    def completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: the given ones, and the defaults of the others."""
        return {name: p.default for name, p in self.parameters.items() if not p.required} | dict(given)

    def spelled(self, given: Mapping[str, Any]) -> str:
        """The shortest spec for these parameters: those at their default are left out."""
        differing = {k: v for k, v in self.checked(given).items() if v != self.parameters[k].default}
        ordered = {name: differing[name] for name in self.parameters if name in differing}
        return self.name + ("?" + "&".join(f"{k}={spelled(v)}" for k, v in ordered.items()) if ordered else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodEntry(Entry):
    """A method.

    needs: words of `clew.needs`.
    aggregate: for a method that combines exchangeable samples: how they give its answer. A comparison then resamples
        subsets of them instead of trusting the order in which they were completed.
    scores_if: all parameters → whether the method uses its scorers; None where it always does.
    needs_if: all parameters → what the method needs besides `needs`; None for nothing.
    """

    needs: frozenset[str] = frozenset()
    aggregate: Aggregate | None = None
    scores_if: Callable[[Mapping[str, Any]], bool] | None = None
    needs_if: Callable[[Mapping[str, Any]], Collection[str]] | None = None

    def all_needs(self, given: Mapping[str, Any]) -> frozenset[str]:
        """What it needs with these parameters, without the needs of its scorers."""
        return self.needs | frozenset(self.needs_if(self.completed(given)) if self.needs_if is not None else ())

    def scorers(self, given: Mapping[str, Any]) -> list[str]:
        """The specs of the registered scorers that it uses with these parameters."""
        params = self.completed(given)
        if self.scores_if is not None and not self.scores_if(params):
            return []
        named = (params.get(p.name) for p in self.parameters.values() if p.spec == "scorer")
        return [spec for spec in named if isinstance(spec, str)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerEntry(Entry):
    """A scorer.

    needs: words of `clew.needs`.
    of_set: whether a score depends on the other solutions that are scored with it.
    scale: the meaning and the range of its scores.
    """

    needs: frozenset[str] = frozenset()
    of_set: bool = False
    scale: Scale = "unbounded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEntry(Entry):
    """A task.

    dial: what its difficulty means, with the range; empty where it has none.
    grader: how answers are compared with the gold answer.
    verifier: what is checked without the gold answer; empty where nothing is.
    """

    dial: str = ""
    grader: str = ""
    verifier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry(Entry):
    """A model that needs nothing but its parameters, such as a toy."""


class Registry(Generic[E]):
    """All registered entries of one kind, by name.

    kind: the singular that messages use: `method`, `scorer`, `task` or `model`.
    modules: modules, or packages with all that they hold, that register clew's own. They are imported at the first
        look-up, so that `import clew` stays fast.
    """

    def __init__(self, kind: str, *modules: str) -> None:
        self.kind = kind
        self._modules = modules
        self._entries: dict[str, E] = {}
        self._loaded = False

    def add(self, entry: E) -> None:
        """Register an entry. Raises UsageError where another module has registered the same name."""
        old = self._entries.get(entry.name)
        if old is not None and old.make.__module__ != entry.make.__module__:
            raise UsageError(
                f"two {self.kind}s are called {entry.name!r}",
                f"Rename the one in {entry.make.__module__}, or uninstall it",
            )
        self._entries[entry.name] = entry

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for name in self._modules:
            _walk(name)
        for point in entry_points(group=f"clew.{self.kind}s"):
            try:
                point.load()
            except Exception as error:
                said = error.cause if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
                raise UsageError(
                    f"the plug-in {point.value} cannot be loaded: {said}", "Mend it, or uninstall it"
                ) from error

    def __getitem__(self, name: str) -> E:
        self._load()
        if name not in self._entries:
            # `hanoi` is short for `puzzle:hanoi`, however little of the name that is.
            whole = [known for known in self._entries if known.endswith(f":{name}")]
            near = whole or difflib.get_close_matches(name, self._entries, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"no {self.kind} is called {name!r}", f"{hint}`clew list {self.kind}s` shows them all")
        return self._entries[name]

    def resolved(self, spec: str) -> tuple[E, dict[str, Any]]:
        """The entry that `spec` (`name?key=value`) names, and its parameters; these, and specs among them, are checked.

        Raises UsageError for an unknown name or parameter, or a value that is not accepted.
        """
        name, given = parse_spec(spec)
        entry = self[name]
        params = entry.checked(given)
        for key, value in params.items():
            kind = entry.parameters[key].spec
            if kind is not None and isinstance(value, str):
                REGISTRIES[kind].resolved(value)
        return entry, params

    def build(self, spec: str) -> Any:
        """Call the function that `spec` names with its parameters. Raises UsageError as `resolved` does."""
        entry, params = self.resolved(spec)
        return entry.make(**params)

    def spelled(self, spec: str) -> str:
        """The shortest spec with the same meaning. Raises UsageError as `resolved` does."""
        entry, params = self.resolved(spec)
        return entry.spelled(params)

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[E]:
        self._load()
        return iter(sorted(self._entries.values(), key=lambda e: e.name))


def _walk(name: str) -> None:
    """Import a module; of a package, all its modules."""
    module = import_module(name)
    for found in walk_packages(getattr(module, "__path__", ()), f"{name}."):
        import_module(found.name)


# --- specs ------------------------------------------------------------------------------------------------------------


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Read `name?key=value&key=value` as a name and parameters.

    A value with parameters of its own stands in brackets:
    `beam?width=4&scorer=(step_verifier?false_positive=0.1&seed=1)`. A value that is valid JSON (a number, true, null, a
    list) is read as JSON; any other is a text.

    Raises UsageError for a part without `=`.
    """
    name, _, query = spec.partition("?")
    params: dict[str, Any] = {}
    for part in filter(None, split_outside(query, "&")):
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


def split_outside(text: str, separator: str) -> list[str]:
    """The parts of `text` between separators (one character) that are in no brackets: specs hold specs and lists."""
    parts, depth = [""], 0
    for character in text:
        depth = max(0, depth + (character in "([{") - (character in ")]}"))
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def spelled(value: Any) -> str:
    """A parameter's value as a text that `parse_spec` reads as the same value."""
    if not isinstance(value, str):
        return json.dumps(value)
    if "?" in value or "&" in value:
        return f"({value})"
    return value if parse_spec(f"x?v={value}")[1] == {"v": value} else json.dumps(value)


# --- the four kinds ---------------------------------------------------------------------------------------------------

methods: Registry[MethodEntry] = Registry("method", "clew.methods")
scorers: Registry[ScorerEntry] = Registry("scorer", "clew.scorers")
tasks: Registry[TaskEntry] = Registry("task", "clew.tasks")
models: Registry[ModelEntry] = Registry("model", "clew.models.toy", "clew.players")
REGISTRIES: Mapping[str, Registry[Any]] = {r.kind: r for r in (methods, scorers, tasks, models)}


def method(
    name: str,
    *,
    family: str = "",
    paper: str = "",
    needs: Collection[str] = (),
    departs: str = "",
    proof: str = "",
    aggregate: Aggregate | None = None,
    scores_if: Callable[[Mapping[str, Any]], bool] | None = None,
    needs_if: Callable[[Mapping[str, Any]], Collection[str]] | None = None,
) -> Callable[[F], F]:
    """Decorator: register an async function over a `Search` as a method.

    name: what a spec calls it. The other parameters are the fields of `MethodEntry`.

    Raises UsageError for a need that nothing offers, and for parameters whose annotations cannot be read.
    """
    about = {"family": family, "paper": paper, "departs": departs, "proof": proof}
    own = {"needs": checked_needs(name, needs), "aggregate": aggregate, "scores_if": scores_if, "needs_if": needs_if}
    return _registering(methods, MethodEntry, name, about | own)


def scorer(
    name: str,
    *,
    family: str = "",
    paper: str = "",
    needs: Collection[str] = (),
    departs: str = "",
    proof: str = "",
    of_set: bool = False,
    scale: Scale = "unbounded",
) -> Callable[[F], F]:
    """Decorator: register a function or class that makes a scorer.

    name: what a spec calls it. The other parameters are the fields of `ScorerEntry`.

    Raises UsageError as `method` does, and for a scale that does not exist.
    """
    if scale not in get_args(Scale):
        raise UsageError(f"the scorer {name!r} declares the scale {scale!r}", f"Choose {', '.join(get_args(Scale))}")
    about = {"family": family, "paper": paper, "departs": departs, "proof": proof}
    own = {"needs": checked_needs(name, needs), "of_set": of_set, "scale": scale}
    return _registering(scorers, ScorerEntry, name, about | own)


def task(
    name: str,
    *,
    family: str = "",
    paper: str = "",
    departs: str = "",
    proof: str = "",
    dial: str = "",
    grader: str = "",
    verifier: str = "",
) -> Callable[[F], F]:
    """Decorator: register a function or class that makes a task.

    name: what a spec calls it. The other parameters are the fields of `TaskEntry`.

    Raises UsageError for unreadable annotations.
    """
    about = {"family": family, "paper": paper, "departs": departs, "proof": proof}
    own = {"dial": dial, "grader": grader, "verifier": verifier}
    return _registering(tasks, TaskEntry, name, about | own)


def model(name: str, *, family: str = "", paper: str = "", departs: str = "", proof: str = "") -> Callable[[F], F]:
    """Decorator: register a function that makes a model.

    name: what a spec calls it. The other parameters are the fields of `Entry`.

    Raises UsageError for unreadable annotations.
    """
    about = {"family": family, "paper": paper, "departs": departs, "proof": proof}
    return _registering(models, ModelEntry, name, about)


def _registering(
    registry: Registry[E], entry: Callable[..., E], name: str, fields: Mapping[str, Any]
) -> Callable[[F], F]:
    """A decorator that registers a function under this name; `fields` are those that the function does not tell."""

    def add(make: F) -> F:
        registry.add(entry(**_read(registry.kind, name, make), **fields))
        return make

    return add


def _read(kind: str, name: str, make: Callable[..., Any]) -> dict[str, Any]:
    """The fields of an entry that are read from the function itself."""
    try:
        parameters = parameters_of(make)
    except UsageError as error:
        raise UsageError(f"the {kind} {name!r} cannot be registered: {error.cause}", error.cure) from error
    summary = (inspect.getdoc(make) or "").split("\n", 1)[0]
    return {"name": name, "make": make, "summary": summary, "parameters": parameters}
