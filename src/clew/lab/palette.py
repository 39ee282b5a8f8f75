"""The colours of plots, reports, the terminal and the viewer. `palette.json` holds them for all of these."""

from __future__ import annotations

import json
import math
import os
from functools import cache
from pathlib import Path
from typing import Any


@cache
def themes() -> dict[str, dict[str, Any]]:
    """Theme (`light` or `dark`) → name → colour."""
    found: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("palette.json").read_text(encoding="utf-8"))
    return found


def on_both(name: str) -> tuple[str, str]:
    """(colour of this name on a light background, on a dark one)."""
    return themes()["light"][name], themes()["dark"][name]


@cache
def palette() -> dict[str, Any]:
    """Name → colour for the terminal's background, which is assumed to be dark unless COLORFGBG says otherwise."""
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return themes()["light" if ground in ("7", "15") else "dark"]


def on_scale(value: float, low: float, high: float) -> str:
    """The colour of a value on the scale from `low` to `high`; the muted colour for NaN."""
    colours: list[str] = palette()["scale"]
    if not math.isfinite(value):
        return str(palette()["muted"])
    share = (value - low) / (high - low) if high > low else 1.0
    return colours[round(min(max(share, 0.0), 1.0) * (len(colours) - 1))]
