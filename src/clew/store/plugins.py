"""The plug-in files that a run names."""

from __future__ import annotations

from clew.errors import UsageError
from clew.plugin_files import load_plugin, loaded_plugins
from clew.store.origin import begun_here
from clew.store.reader import Reader


def load_plugins(store: Reader, *, trust: bool = False) -> None:
    """Load the plug-in files that a run was made with, as they were then; those that are loaded already are not.

    trust: load them although the run was not begun here.

    Raises UsageError for a run from elsewhere that is not trusted, and for a file that is gone or was edited since.
    """
    wanted = {path: digest for path, digest in store.plan.plugins.items() if digest not in loaded_plugins().values()}
    if wanted and not trust and not begun_here(store):
        raise UsageError(
            f"{store.path} was not begun here, and was made with code of its own: {', '.join(wanted)}",
            "Look at that code; if you trust it, give it by --plugin FILE, or go on by `clew resume --trust`",
        )
    for path, digest in wanted.items():
        load_plugin(path, sha256=digest)
