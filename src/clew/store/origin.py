"""Whether a run file was begun by this user on this machine. Any other is only data until the user trusts it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from clew.errors import UsageError
from clew.models.pull import cache_dir
from clew.plan import Plan
from clew.store.reader import Reader

_BYTES = 32


def mark_of(plan: Plan) -> str | None:
    """What a run file keeps so that its plan is known again as one made here: an HMAC under a secret in clew's cache.
    None where the secret can be neither read nor made."""
    secret = _secret()
    if secret is None:
        return None
    return hmac.new(secret, json.dumps(plan.as_dict(), sort_keys=True).encode(), hashlib.sha256).hexdigest()


def begun_here(store: Reader) -> bool:
    """Whether the plan of a run file was written by this user here, and is as it was written."""
    kept: Any = store.origin
    mark = mark_of(store.plan)
    return isinstance(kept, str) and mark is not None and hmac.compare_digest(kept.encode(), mark.encode())


def check_trust(store: Reader) -> None:
    """Raise UsageError for a run file from elsewhere, saying which models it would ask and which task it would read."""
    if begun_here(store):
        return
    plan = store.plan
    models = ", ".join(f"{role} {spec}" for role, spec in plan.models.items())
    options = f" with {json.dumps(dict(plan.model_options))}" if plan.model_options else ""
    raise UsageError(
        f"{store.path} was not begun here: to go on is to ask its models ({models}{options}) for its task {plan.task}",
        "If that is what you want, say --trust (in Python trust=True)",
    )


def _secret() -> bytes | None:
    path = cache_dir() / "origin.key"
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes()
    except OSError:
        return None
    return secret if len(secret) == _BYTES else None


def _make(path: Path) -> None:
    """Write a new secret, whole or not at all, that nobody else can read; that of a process that was first stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".origin-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        Path(part).unlink()
