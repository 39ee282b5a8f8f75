"""The parameters of methods, scorers, tasks and models: read from annotations, checked once, described to the user.

An annotation is `int`, `float`, `bool`, `str`, `Literal[…]`, or a sequence or union of these. `Annotated` adds bounds
(`Range`), that a text may not be empty (`Filled`), that it names something registered (`Spec`), or a description that
many parameters share (`Meaning`).
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from clew.errors import UsageError


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number; None is no bound.

    low, high: the least and the greatest number allowed.
    above, below: numbers that must be exceeded, or not be reached.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        said = (("at least", self.low), ("at most", self.high), ("above", self.above), ("below", self.below))
        if self.low is not None and self.high is not None:
            return f"from {self.low:g} to {self.high:g}"
        return " and ".join(f"{word} {bound:g}" for word, bound in said if bound is not None)


@dataclass(frozen=True, slots=True)
class Filled:
    """The text may not be empty."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The text names something registered, with parameters of its own (`name?key=value`).

    kind: the registry: `method`, `scorer`, `task` or `model`.
    """

    kind: str

    def __str__(self) -> str:
        return f"a {self.kind}, as name or name?key=value"


@dataclass(frozen=True, slots=True)
class Meaning:
    """The description of a parameter that many functions share; a line of the function's docstring replaces it."""

    text: str


Count = Annotated[int, Range(low=1)]
"""A whole number, at least 1."""
Share = Annotated[float, Range(low=0, high=1)]
"""A number from 0 to 1."""
Text = Annotated[str, Filled()]
"""A text that is not empty."""
Seed = Annotated[int, Meaning("The number that all random choices are derived from.")]
"""A seed of random choices."""
Temperature = Annotated[float, Range(low=0), Meaning("The sampling temperature; the run's own unless it is given.")]
"""A sampling temperature, at least 0."""
Samples = Annotated[int, Range(low=1), Meaning("Solutions to draw; as many as the budget pays for unless it is given.")]
"""A number of solutions to draw, at least 1."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a registered function.

    hint: its annotation.
    default: `inspect.Parameter.empty` where a value must be given.
    meaning: what it means, in one line; empty where the function does not say.
    """

    name: str
    hint: Any
    default: Any
    meaning: str

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is inspect.Parameter.empty

    @property
    def wants(self) -> str:
        """The values that it accepts, in words."""
        return _described(self.hint)

    @property
    def spec(self) -> str | None:
        """The registry that its text refers to; None where the text is not a spec."""
        return next((note.kind for note in _notes(self.hint) if isinstance(note, Spec)), None)

    def checked(self, owner: str, value: Any) -> Any:
        """`value`, converted to the annotated type.

        owner: the name of the method, scorer, task or model, for the message. Raises UsageError for a value that the
        parameter does not accept.
        """
        try:
            return _fitted(self.hint, value)
        except ValueError:
            shown = value if isinstance(value, str) else json.dumps(value, default=repr)
            raise UsageError(f"{owner} cannot take {self.name}={shown}", f"{self.name} is {self.wants}") from None


def parameters_of(make: Callable[..., Any]) -> dict[str, Parameter]:
    """The keyword-only parameters of a function or class: name → parameter, in order.

    Raises UsageError for an annotation that is missing or cannot be read.
    """
    target = make.__init__ if inspect.isclass(make) else make
    keywords = {
        name: p for name, p in inspect.signature(make).parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for name, p in keywords.items():
        if p.annotation is inspect.Parameter.empty:
            raise UsageError(f"the parameter {name!r} has no annotation", f"Write {name}: int, say, in its definition")
    noted = SimpleNamespace(__annotations__={name: p.annotation for name, p in keywords.items()})
    try:
        hints = get_type_hints(noted, globalns=vars(inspect.getmodule(target)), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise UsageError(
            f"an annotation cannot be read ({error})", "Import what it names outside `if TYPE_CHECKING`"
        ) from error
    said = _meanings(inspect.getdoc(make) or "", keywords)
    return {
        name: Parameter(name, hints[name], p.default, said.get(name) or _shared_meaning(hints[name]))
        for name, p in keywords.items()
    }


def checked(owner: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, converted to the annotated types.

    owner: the name of the method, scorer, task or model, for the message.
    parameters: name → parameter, as `parameters_of` returns them.
    given: name → value.

    Raises UsageError for an unknown parameter, for a missing required one, and for a value that is not accepted.
    """
    for name in given:
        if name not in parameters:
            raise UsageError(f"{owner} has no parameter {name!r}", f"It takes: {', '.join(parameters) or 'none'}")
    for name, parameter in parameters.items():
        if parameter.required and name not in given:
            raise UsageError(f"{owner} needs {name}", f"{name} is {parameter.wants}")
    return {name: parameters[name].checked(owner, value) for name, value in given.items()}


# --- reading annotations ----------------------------------------------------------------------------------------------


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _notes(hint: Any) -> list[Any]:
    """What `Annotated` adds to this annotation, and to the members of a union."""
    if get_origin(hint) is Annotated:
        return [*get_args(hint)[1:], *_notes(_bare(hint))]
    return [note for part in get_args(hint) for note in _notes(part)] if _is_union(hint) else []


def _shared_meaning(hint: Any) -> str:
    return next((note.text for note in _notes(hint) if isinstance(note, Meaning)), "")


def _described(hint: Any) -> str:
    bounds = " and ".join(str(note) for note in _notes(hint) if isinstance(note, Range)) if not _is_union(hint) else ""
    spec = next((str(note) for note in _notes(hint) if isinstance(note, Spec)), None)
    if spec is not None:
        return spec + (" (or left out)" if _is_union(_bare(hint)) and NoneType in get_args(_bare(hint)) else "")
    hint = _bare(hint)
    if _is_union(hint):
        parts = [part for part in get_args(hint) if part is not NoneType]
        said = ", or ".join(dict.fromkeys(_described(part) for part in parts))
        return f"{said} (or left out)" if len(parts) < len(get_args(hint)) else said
    if get_origin(hint) is Literal:
        *others, last = [str(value) for value in get_args(hint)]
        return f"{', '.join(others)} or {last}" if others else last
    if get_origin(hint) in (Sequence, list, tuple) or hint in (list, tuple):
        inner = [part for part in get_args(hint) if part is not Ellipsis]
        return f"a list, each {_described(inner[0])}" if inner else "a list"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if hint in words:
        return f"{words[hint]}{', ' if bounds else ''}{bounds}"
    return "an object (key: value)" if get_origin(hint) in (Mapping, dict) else getattr(hint, "__name__", str(hint))


def _fitted(hint: Any, value: Any) -> Any:
    """`value`, converted to the type `hint`. Raises ValueError for a value that does not fit it."""
    if get_origin(hint) is Annotated:
        fitted = _fitted(_bare(hint), value)
        for note in get_args(hint)[1:]:
            if isinstance(note, Range) and isinstance(fitted, int | float) and fitted not in note:
                raise ValueError(value)
            if isinstance(note, Filled) and not fitted:
                raise ValueError(value)
        return fitted
    if _is_union(hint):
        # Numbers are tried before texts: 4 fits `int` as it is, and `str` only after a conversion to "4".
        for part in sorted(get_args(hint), key=lambda part: _bare(part) is str):
            try:
                return _fitted(part, value)
            except ValueError:
                continue
        raise ValueError(value)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError(value)
        return value
    if hint is Any:
        return value
    return _plain(hint, value)


def _plain(hint: Any, value: Any) -> Any:
    if hint in (None, NoneType):
        good, fitted = value is None, None
    elif hint is bool:
        good, fitted = isinstance(value, bool), value
    elif hint is int:
        good, fitted = isinstance(value, int) and not isinstance(value, bool), value
    elif hint is float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        fitted = float(value) if good else value
    elif hint is str:
        # `parse_spec` reads JSON where it can, so the number 12 may have been meant as the text "12".
        good = isinstance(value, str | int | float)
        fitted = value if isinstance(value, str) else json.dumps(value)
    elif get_origin(hint) in (Sequence, list, tuple) or hint in (list, tuple):
        inner = [part for part in get_args(hint) if part is not Ellipsis]
        good = isinstance(value, list | tuple) and bool(value)
        fitted = [_fitted(inner[0], item) for item in value] if good and inner else value
    elif get_origin(hint) in (Mapping, dict):
        good, fitted = isinstance(value, Mapping), value
    else:
        # A protocol or a class: an object given in Python.
        good, fitted = not isinstance(value, str | int | float | list | dict | None), value
    if not good:
        raise ValueError(value)
    return fitted


def _meanings(doc: str, names: Mapping[str, Any]) -> dict[str, str]:
    """Parameter → its description in a docstring, which begins with `name: …` or `name, other: …` where a line or a
    sentence begins."""
    if not names:
        return {}
    word = "|".join(map(re.escape, names))
    mark = re.compile(rf"(?:^|(?<=[.;] )|(?<=[.;]\n))\s*((?:{word})(?:, (?:{word}))*): ", re.MULTILINE)
    found: dict[str, str] = {}
    for paragraph in doc.split("\n\n"):
        marks = list(mark.finditer(paragraph))
        for this, following in zip(marks, [*marks[1:], None], strict=False):
            text = " ".join(paragraph[this.end() : following.start() if following else None].split())
            for name in this.group(1).split(", "):
                found[name] = text.rstrip(";")
    return found
