"""What the tools share that generate a page of docs/: each writes it, or with --check fails when it is out of date."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def keep(page: str, text: str) -> int:
    """Write `text` to docs/`page`, or with --check among the arguments only compare it; the exit status."""
    path = ROOT / "docs" / page
    if "--check" not in sys.argv:
        path.write_text(text)
        return 0
    if path.exists() and path.read_text() == text:
        return 0
    print(f"docs/{page} is out of date; run: python tools/{Path(sys.argv[0]).name}", file=sys.stderr)
    return 1
