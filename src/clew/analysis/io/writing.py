"""A run file in the formats of other tools."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from clew.analysis.io.inspect_log import log_of, write_log
from clew.analysis.io.otel import spans_of
from clew.errors import StoreError
from clew.problem import Problem
from clew.search import GENERATE
from clew.store import Reader

FORMATS = ("inspect", "otel")


def export_traces(store: Reader, problems: Sequence[Problem], form: str, folder: Path) -> dict[str, int]:
    """Write a run to `folder`; path → number of searches.

    `inspect`: a log for each method, `METHOD.eval`. `otel`: OTLP/JSON, `spans.jsonl`, a search a line.
    Each file appears whole or not at all. Raises StoreError for an unwritable folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (_inspect if form == "inspect" else _otel)(store, problems, folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written ({error.strerror})", "Name another folder by --out") from error


def _inspect(store: Reader, problems: Sequence[Problem], folder: Path) -> dict[str, int]:
    plan, counts = store.plan, {}
    for method in plan.methods:
        results = [r for r in store.results(problems) if r.method == method]
        if results:
            path = folder / f"{re.sub(r'[^A-Za-z0-9._=-]+', '-', method).strip('-')}.eval"
            log = log_of(results, task=plan.task, model=plan.models[GENERATE], created=store.created, method=method)
            _whole(path, lambda part, log=log: write_log(log, part))  # type: ignore[misc]
            counts[str(path)] = len(results)
    return counts


def _otel(store: Reader, problems: Sequence[Problem], folder: Path) -> dict[str, int]:
    path, count = folder / "spans.jsonl", 0
    model, created = store.plan.models[GENERATE], store.created

    def write(part: Path) -> None:
        nonlocal count
        with part.open("w", encoding="utf-8") as file:
            for result in store.results(problems):
                request = spans_of(result, run=str(created), model=model, created=created)
                file.write(json.dumps(request, ensure_ascii=False) + "\n")
                count += 1

    _whole(path, write)
    return {str(path): count}


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    part = path.with_name("part-" + path.name)
    write(part)
    part.replace(path)
