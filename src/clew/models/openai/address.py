"""The address of a server, and the key that is sent there. A key goes only to the host that it was named for."""

from __future__ import annotations

import base64
import os
import re
import tomllib
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from clew.errors import UsageError
from clew.registry import parse_spec

_VENDOR = ("https", "api.openai.com", "OPENAI_API_KEY")
_logins: dict[str, str] = {}
"""Server → the login that an address in this process held. Run files get the address without it (`public`)."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a server's address.

    scheme: `http` or `https`.
    host: with the port.
    base: the address up to `/v1`, without login and options.
    options: those of `?key=value`, and `#MODEL` as `model`.
    login: `name:password`; empty without one.
    """

    scheme: str
    host: str
    base: str
    options: dict[str, Any]
    login: str = field(default="", repr=False)

    @property
    def hostname(self) -> str:
        """The host without its port."""
        return urllib.parse.urlsplit(f"//{self.host}").hostname or ""


def parse_address(url: str) -> Address:
    """Parse the address of a server.

    url: `http(s)://HOST:PORT/v1`; `#MODEL` or `?model=MODEL&key_env=NAME` may follow.

    Raises UsageError for a malformed address, with a message that does not repeat secrets in it.
    """
    bare, _, name = url.partition("#")
    bare, _, query = bare.partition("?")
    shown = re.split(r"[?#]", re.sub(r"//.*@", "//***@", url))[0]
    try:
        parts = urllib.parse.urlsplit(bare if "://" in bare else f"http://{bare}")
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.path:
        raise UsageError(f"{shown!r} is not the address of a server", "Write http://HOST:PORT/v1")
    if any("=" not in part for part in query.split("&") if part):
        raise UsageError(
            f"the options after the '?' of {shown} are not of the form key=value",
            "Write http://HOST:PORT/v1?model=NAME",
        )
    options = parse_spec(f"?{query}")[1]
    if "api_key" in options:
        raise UsageError(
            "a key does not belong into an address, which is kept in run files",
            "Put it into an environment variable, and name that: --key-env NAME",
        )
    if name and options.get("model", name) != name:
        raise UsageError(f"{shown} names two models", "Write the name once, behind '#' or '?model='")
    if name:
        options["model"] = name
    login, _, host = parts.netloc.rpartition("@")
    base = urllib.parse.urlunsplit((parts.scheme, host, parts.path.rstrip("/") or "/v1", "", ""))
    options = {k: str(v) if k in ("model", "key_env") else v for k, v in options.items()}
    return Address(parts.scheme, host, base, options, urllib.parse.unquote(login))


def public(spec: str) -> str:
    """An address without its login, as it may be written into files.

    This process remembers the login, so that the address without it still works here. Another process takes the login
    from the environment (see `authorization`).

    Raises UsageError as `parse_address` does.
    """
    address = parse_address(spec)
    if not address.login:
        return spec
    _logins[f"{address.scheme}://{address.host}"] = address.login
    head, _, rest = spec.partition("://")
    ends = min((at for c in "/?#" if (at := rest.find(c)) >= 0), default=len(rest))
    return f"{head}://{address.host}{rest[ends:]}"


def keyed(url: str, key_env: str) -> str:
    """The address with the name of the environment variable that holds its key."""
    bare, number_sign, name = url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}key_env={key_env}{number_sign}{name}"


def authorization(address: Address, *, api_key: str | None = None, key_env: str | None = None) -> str:
    """The `Authorization` header for a server; empty without a key.

    The first of these is taken: `api_key`; the variable `key_env`; the login in the address; the variable that the
    user's file of keys names for this host; OPENAI_API_KEY, for https://api.openai.com alone.

    address: the server.
    api_key: the key itself.
    key_env: the name of an environment variable that holds the key, or a whole header (`Basic …`, `Bearer …`).

    Raises UsageError for a variable that is not set, a key with impossible characters, and an unreadable file of keys.
    """
    login = address.login or _logins.get(f"{address.scheme}://{address.host}", "")
    if api_key is None and key_env is None and login:
        return "Basic " + base64.b64encode(login.encode()).decode()
    key = api_key
    if key is None:
        named = key_env or _named(address)
        key = _variable(named) if named else ""
    if not key.isascii() or not key.isprintable():
        raise UsageError("the key holds characters that cannot be sent in a header", "Copy it again")
    return key if not key or key.startswith(("Basic ", "Bearer ")) else f"Bearer {key}"


def _named(address: Address) -> str:
    """The variable that the file of keys, or else the vendor's convention, names for this server; empty for none."""
    names = _key_file()
    named = names.get(address.host) or names.get(address.hostname)
    if named:
        return named
    scheme, host, variable = _VENDOR
    here = (address.scheme, address.host) == (scheme, host) and bool(os.environ.get(variable))
    return variable if here else ""


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise UsageError(
            "key_env is not the name of an environment variable",
            "Put the key into a variable, and give its name",
        )
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"the environment variable {name} is not set", f"Set {name} to the server's key")
    return value


def key_file() -> Path:
    """The path of the user's file of keys, a TOML file with lines such as `"llm.example.org" = "EXAMPLE_KEY"`.

    A line gives a host, with its port if it has one, and the environment variable that holds its key.
    """
    return platformdirs.user_config_path("clew", appauthor=False) / "keys.toml"


def _key_file() -> dict[str, str]:
    path = key_file()
    try:
        named = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error})", 'Its lines are "HOST" = "VARIABLE"') from error
    if not all(isinstance(v, str) for v in named.values()):
        raise UsageError(f"{path} does not name a variable for each host", 'Its lines are "HOST" = "VARIABLE"')
    return named
