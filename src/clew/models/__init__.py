"""Models, and `load`, which makes one from a string."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clew.errors import UsageError
from clew.models.pull import EMBEDDED, model_path
from clew.parameters import checked, parameters_of
from clew.registry import models

if TYPE_CHECKING:
    from clew.models.base import Model


_SERVERS = ("http://", "https://")


def load(spec: str, **options: Any) -> Model:
    """Load the model that a string names.

    spec: an embedded model (`smollm2-135m`, after `clew pull`), the path of a .gguf file, `http(s)://HOST/v1` (any
        OpenAI-compatible server; `#MODEL`, or `?model=MODEL` and other options of `connect`, may follow), `toy:…`,
        `hf:ORG/REPO[/FILE]` (fetched as `clew pull` does), or the name of a plugin.
    options: keyword parameters of what makes the model (`LlamaCppModel`, `clew.models.openai.connect`,
        `clew.models.toy.parse`).

    Raises UsageError for an unknown spec, a missing or damaged file, or a missing package.
    """
    if spec.startswith(_SERVERS):
        from clew.models.openai import connect, parse_address

        address = parse_address(spec)
        bare = re.split(r"[?#]", spec)[0]
        return _called(address.base, connect, bare, {**address.options, **options})
    if spec.startswith("toy:"):
        from clew.models.toy import parse

        return parse(spec, **options)
    if spec in EMBEDDED:
        path = model_path(spec)
        if path is None:
            raise UsageError(f"{spec} is not on this machine yet", f"Run: clew pull {spec}")
        return _embedded(path, {"name": spec, **options})
    if spec.startswith("hf:"):
        from clew.models.pull import pull

        return _embedded(pull(spec), {"name": spec, **options})
    if spec.endswith(".gguf"):
        return _embedded(Path(spec).expanduser(), options)
    if spec.partition("?")[0] in models:
        made: Model = models.build(spec)
        return made
    raise UsageError(
        f"no model is called {spec!r}",
        f"Give {', '.join(EMBEDDED)}, a .gguf file, http://HOST/v1, or toy:…; `clew list models` shows more",
    )


def public(spec: str) -> str:
    """A model's spec as it may be written into a run file: without the login in the address of a server.

    This process remembers the login for that server. Raises UsageError for a malformed address.
    """
    if not spec.startswith(_SERVERS):
        return spec
    from clew.models.openai import public as without_login

    return without_login(spec)


def keyed(spec: str, key_env: str | None) -> str:
    """The spec of a server with the name of the environment variable that holds its key.

    key_env: that name; None leaves the spec as it is.

    Raises UsageError for a model that is not on a server.
    """
    if key_env is None:
        return spec
    if not spec.startswith(_SERVERS):
        raise UsageError(f"{spec} is not on a server and needs no key", "Leave --key-env out")
    from clew.models.openai import keyed as with_key

    return with_key(spec, key_env)


def catalogue() -> dict[str, str]:
    """The specs that `load` takes besides those of registered models: spec → a line about it."""
    here = {name: "on this machine" if model_path(name) else f"fetch it: clew pull {name}" for name in EMBEDDED}
    return {name: f"{EMBEDDED[name].summary} ({where})" for name, where in here.items()} | {
        "PATH.gguf": "Any GGUF file, run in this process.",
        "hf:ORG/REPO/FILE.gguf": "A file of the Hugging Face hub, fetched first (extra `hub`).",
        "http(s)://HOST/v1[#MODEL]": "Any OpenAI-compatible server; `clew doctor URL` says what it can do.",
    }


def _embedded(path: Path, options: dict[str, Any]) -> Model:
    from clew.models.llamacpp import LlamaCppModel

    return _called(options.get("name", path.name), LlamaCppModel, path, options)


def _called(owner: str, make: Callable[..., Model], argument: Any, options: dict[str, Any]) -> Model:
    return make(argument, **checked(owner, parameters_of(make), options))
