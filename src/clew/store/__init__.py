"""One SQLite file a run: every finished search with its whole tree. The schema is described in docs/traces.md."""

from clew.store.format import IMPORTED, QUESTION, Unpacker, pack
from clew.store.lock import WriterLock
from clew.store.origin import begun_here, check_trust
from clew.store.plugins import load_plugins
from clew.store.problems import check_data, plan_problems, run_problems, stored_problems
from clew.store.reader import Reader
from clew.store.shapes import Maker
from clew.store.writer import Store

__all__ = [
    "IMPORTED",
    "QUESTION",
    "Maker",
    "Reader",
    "Store",
    "Unpacker",
    "WriterLock",
    "begun_here",
    "check_data",
    "check_trust",
    "load_plugins",
    "pack",
    "plan_problems",
    "run_problems",
    "stored_problems",
]
