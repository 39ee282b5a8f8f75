"""JSON that nobody has checked, as the types that the code expects; a ValueError says what does not fit, and where."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from clew.errors import ClewError
from clew.parameters import Range

Fit = Callable[[Any], Any]
"""A value → the same as the wanted type. Raises ValueError for what does not fit."""
Weight = Annotated[float, math.inf]
"""A number that may be infinite or NaN (others may not)."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_WHOLE = 2**63
"""No whole number of a run file is as great: SQLite has none, and neither have arrays."""


def parsed(text: str) -> Any:
    """A JSON text as a value whose strings can be written anywhere: half a surrogate pair becomes U+FFFD.

    Raises ValueError for what is not JSON, is nested too deep, or has a number of more digits than Python reads.
    """
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
            value = json.loads(whole.decode("utf-16", "replace"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(error.msg) from None
    return value


@cache
def fit(hint: Any) -> Fit:
    """What makes a JSON value a `hint`: a scalar, a `Literal`, an enumeration, a list, tuple, mapping, union, dataclass
    or TypedDict of such, `Annotated` with a `Range`, or Any."""
    origin = get_origin(hint)
    if hint is Any:
        return lambda value: value
    if origin is Annotated:
        return _annotated(*get_args(hint))
    if origin in (Union, UnionType):
        # What is said of a value that does not fit is what the last part says: that of null comes first.
        return _union([fit(part) for part in sorted(get_args(hint), key=lambda part: part is not NoneType)])
    if origin is Literal:
        return _chosen(get_args(hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _member(hint)
    if origin in (list, tuple, frozenset, Sequence):
        return _items(list if origin is Sequence else origin, fit(get_args(hint)[0]))
    if origin in (dict, Mapping):
        key, inner = get_args(hint)
        return _entries(int if key is int else str, fit(inner))
    if isinstance(hint, type) and is_dataclass(hint):
        required = {f.name for f in fields(hint) if f.default is MISSING and f.default_factory is MISSING}
        return _record(hint, required, get_type_hints(hint, include_extras=True))
    if is_typeddict(hint):
        hints = get_type_hints(hint, include_extras=True)
        optional = {name for name, inner in hints.items() if get_origin(inner) is NotRequired or not hint.__total__}
        return _record(dict, hints.keys() - optional, hints)
    if origin is NotRequired:
        return fit(get_args(hint)[0])
    return _SCALARS[hint]


def _said(value: Any) -> str:
    shown = repr(value) if not isinstance(value, dict | list) else type(value).__name__
    return shown if len(shown) <= 40 else shown[:40] + "…"


def _scalar(types: tuple[type, ...], words: str) -> Fit:
    def fitted(value: Any) -> Any:
        if type(value) not in types:
            raise ValueError(f"{_said(value)} is not {words}")
        return value

    return fitted


def _whole(value: Any) -> int:
    if type(value) is not int or not -_WHOLE <= value < _WHOLE:
        raise ValueError(f"{_said(value)} is not a whole number")
    return value


def _number(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is not int or not -_WHOLE <= value < _WHOLE:
        raise ValueError(f"{_said(value)} is not a number")
    return value


def _weight(value: Any) -> float:
    return value if type(value) is float else _number(value)


_SCALARS: Mapping[Any, Fit] = {
    NoneType: _scalar((NoneType,), "null"),
    bool: _scalar((bool,), "true or false"),
    int: _whole,
    float: _number,
    str: _scalar((str,), "a text"),
    bytes: _scalar((bytes,), "bytes"),
}


def _annotated(hint: Any, *notes: Any) -> Fit:
    if math.inf in notes:
        return _weight
    inner, bounds = fit(hint), [note for note in notes if isinstance(note, Range)]

    def fitted(value: Any) -> Any:
        found = inner(value)
        for bound in bounds:
            if found not in bound:
                raise ValueError(f"{_said(value)} is not {bound}")
        return found

    return fitted


def _union(parts: Sequence[Fit]) -> Fit:
    def fitted(value: Any) -> Any:
        for part in parts[:-1]:
            try:
                return part(value)
            except ValueError:
                continue
        return parts[-1](value)

    return fitted


def _chosen(known: Sequence[Any]) -> Fit:
    def fitted(value: Any) -> Any:
        if type(value) is not str or value not in known:
            raise ValueError(f"{_said(value)} is none of {', '.join(map(str, known))}")
        return value

    return fitted


def _member(kind: type[StrEnum]) -> Fit:
    known = {str(member): member for member in kind}
    chosen = _chosen(tuple(known))
    return lambda value: known[chosen(value)]


def _items(make: Callable[[Iterable[Any]], Any], inner: Fit) -> Fit:
    def fitted(value: Any) -> Any:
        if type(value) is not list:
            raise ValueError(f"{_said(value)} is not a list")
        return make([inner(item) for item in value])

    return fitted


def _entries(key: Callable[[str], Any], inner: Fit) -> Fit:
    def fitted(value: Any) -> Any:
        if type(value) is not dict:
            raise ValueError(f"{_said(value)} is not an object")
        return {key(name): inner(item) for name, item in value.items()}

    return fitted


def _record(make: Callable[..., Any], required: Set[str], hints: Mapping[str, Any]) -> Fit:
    known = {name: fit(hint) for name, hint in hints.items()}

    def fitted(value: Any) -> Any:
        if type(value) is not dict:
            raise ValueError(f"{_said(value)} is not an object")
        if absent := required - value.keys():
            raise ValueError(f"there is no {min(absent)}")
        if unknown := value.keys() - known.keys():
            raise ValueError(f"{_said(min(unknown))} is not known")
        made, name = {}, ""
        try:
            for name, item in value.items():
                made[name] = known[name](item)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        try:
            return make(**made)
        except ClewError as error:
            raise ValueError(error.cause) from None

    return fitted
