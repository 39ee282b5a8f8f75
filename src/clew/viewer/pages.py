"""What the page may request, as plain JSON: `Pages.answer(path)`. Run files are read by pages, never a whole tree.

A list comes as columns of equal length with `next`, where the following page begins (None at the end).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from clew.errors import ClewError, UsageError
from clew.problem import Problem
from clew.store import Reader, stored_problems
from clew.store.format import log_of
from clew.store.reader import damage_told
from clew.viewer.report import Comparisons
from clew.viewer.search_pages import Extract, SearchPages, right

CHUNK = 2000
"""The most rows of one answer."""
SEARCHES = 8
"""For so many searches the shape of the tree is kept between requests."""


class Missing(ClewError):
    """The path names a run, a search or a node that does not exist."""


class Pages:
    """The data of some runs for the page. Thread-safe: each run answers one request at a time.

    paths: the run files.
    problems: ids of the problems to show; all by default. Comparisons are of all problems, whatever is shown.
    comparisons: of the same files, made for other pages; else these pages make their own.

    Raises StoreError when a file is missing, foreign, or of another schema version, UsageError for a problem that no
    run has.
    """

    def __init__(
        self, paths: Sequence[Path], problems: Sequence[str] = (), *, comparisons: Comparisons | None = None
    ) -> None:
        self.paths = paths
        self.comparisons = comparisons or Comparisons(paths)
        self.runs: list[RunPages] = []
        self._shares = comparisons is not None
        try:
            for path in paths:
                self.runs.append(RunPages(path, problems))
            for name in problems:
                if not any(run.has(name) for run in self.runs):
                    raise UsageError(f"no run has a problem {name!r}", "`clew show RUN` lists them")
        except ClewError:
            self.close()
            raise

    def close(self) -> None:
        """Close the files, and give up the comparisons that are being made, unless other pages share them."""
        if not self._shares:
            self.comparisons.close()
        for run in self.runs:
            run.close()

    def answer(self, path: str) -> Any:
        """The data at a path such as `runs/0/results?after=12`.

        Raises Missing where the path leads to nothing, and ClewError where the data cannot be read.
        """
        asked = urlsplit(path)
        query = {k: values[-1] for k, values in parse_qs(asked.query).items()}
        match asked.path.split("/"):
            case ["runs"]:
                return [{"index": i, **run.told()} for i, run in enumerate(self.runs)]
            case ["runs", run, "report"]:
                return self.comparisons.of(self._number(run))
            case ["runs", first, "against", second]:
                return self.comparisons.of(self._number(first), self._number(second))
            case ["runs", run, *rest]:
                return self.runs[self._number(run)].answer(rest, query)
        raise Missing(f"there is nothing at {asked.path}", "Begin at the first page")

    def _number(self, run: str) -> int:
        number = _whole(run)
        if not 0 <= number < len(self.runs):
            raise Missing(f"there is no run {run}", "The page lists them")
        return number


class RunPages:
    """The data of one run, or of some of its problems."""

    def __init__(self, path: Path, problems: Sequence[str] = ()) -> None:
        self.path = path
        self._only = json.dumps(list(problems)) if problems else None
        self._reader = Reader.open(path)
        self._lock = threading.Lock()
        try:
            self._reader.verify_pages()
            self.plan = self._reader.plan
            self.created = self._reader.created
        except ClewError:
            self._reader.close()
            raise
        self._closed = False
        self._version = -1
        self._kept: dict[int, SearchPages] = {}
        self._problems_by_id: dict[str, Problem] | None = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._reader.close()

    def answer(self, asked: Sequence[str], query: dict[str, str]) -> Any:
        """The data at a path within this run.

        asked: the parts of the path after the run's number. query: the parameters after its question mark.
        """
        with self._open():
            match asked:
                case ["problems"]:
                    return self._problems(_whole(query.get("after", "-1")))
                case ["results"]:
                    return self._results(_whole(query.get("after", "-1")))
                case ["results", number, *rest]:
                    return self._of_search(_whole(number), rest, query)
        raise Missing(f"there is nothing at {'/'.join(asked)}", "Begin at the first page")

    def told(self) -> dict[str, Any]:
        """The facts about the run: its plan, and how many problems, searches and nodes it has."""
        with self._open():
            only = "WHERE ?1 IS NULL OR {} IN (SELECT value FROM json_each(?1))"
            problems = sum(1 for _ in self._reader.select("problems", ("rowid",), only.format("id"), (self._only,)))
            nodes = [n for (n,) in self._reader.select("results", ("nodes",), only.format("problem"), (self._only,))]
        plan = self.plan
        return {
            "name": self.path.name,
            "title": f"{plan.task} · {', '.join(dict.fromkeys(plan.models.values()))}",
            "created": self.created,
            "task": plan.task,
            "models": dict(plan.models),
            "methods": list(plan.methods),
            "seeds": list(plan.seeds),
            "budget": plan.budget.as_dict(),
            "axis": plan.view["axis"],
            "budgets": list(plan.view["budgets"]),
            "problems": problems,
            "results": len(nodes),
            "nodes": sum(nodes),
            "bytes": sum(p.stat().st_size for p in (self.path, log_of(self.path)) if p.exists()),
            "chunk": CHUNK,
            "sampling": dict(plan.sampling),
        }

    def has(self, problem: str) -> bool:
        """Whether the run has a problem of this id."""
        with self._lock:
            return any(self._reader.select("problems", ("rowid",), "WHERE id = ?", (problem,)))

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise ClewError(f"{self.path.name} was closed", "Open it again")
            yield

    def _problems(self, after: int) -> dict[str, Any]:
        names = ("id", "family", "difficulty", "question", "reference")
        tail = "WHERE rowid > ?2 AND (?1 IS NULL OR id IN (SELECT value FROM json_each(?1))) ORDER BY rowid LIMIT ?3"
        rows = self._reader.select("problems", ("rowid", *names), tail, (self._only, after + 1, CHUNK + 1))
        told = ((row[0] - 1, *row[1:4], _cut(row[4], 300), _cut(row[5], 100)) for row in rows)
        return columns(("number", *names), told, "number")

    def _results(self, after: int) -> dict[str, Any]:
        methods = {m: i for i, m in enumerate(self.plan.methods)}
        numbers = {name: number - 1 for name, number in self._reader.select("problems", ("id", "rowid"))}
        names = ("id", "problem", "method", "seed", "status", "value", "grade", "confidence", "nodes", "error", "usage")
        tail = (
            "NOT INDEXED WHERE id > ?2 AND (?1 IS NULL OR problem IN (SELECT value FROM json_each(?1)))"
            " ORDER BY id LIMIT ?3"
        )
        told = []
        for number, problem, method, seed, status, value, grade, confidence, nodes, error, usage in self._reader.select(
            "results", names, tail, (self._only, after, CHUNK + 1)
        ):
            self._reader.verify(number, tree=False)
            with damage_told(self.path):
                place = (numbers[problem], methods.get(method, -1), seed)
            said, total = (status, _cut(value, 100), grade, right(grade), confidence), usage.total
            told.append((number, *place, *said, total.tokens, total.generated, total.seconds, nodes, error))
        shown = ("id", "problem", "method", "seed", "status", "value", "grade", "right", "confidence")
        return columns((*shown, "tokens", "generated", "seconds", "nodes", "error"), told, "id")

    def _of_search(self, number: int, asked: Sequence[str], query: dict[str, str]) -> Any:
        search = self._search(number)
        match asked:
            case []:
                return search.told()
            case ["timeline"]:
                return search.timeline(self._grade)
            case ["nodes"]:
                return search.skeleton(_whole(query.get("after", "-1")), CHUNK, self._extract(search.problem))
            case ["nodes", node]:
                found = search.node(_whole(node), max(0, _whole(query.get("from", "0"))))
                if found is None:
                    raise Missing(f"search {number} has no node {node}", "Its tree has their numbers")
                return found
        raise Missing(f"there is nothing at {'/'.join(asked)}", "Begin at the first page")

    def _search(self, number: int) -> SearchPages:
        version = self._reader.version()
        if version != self._version or len(self._kept) > SEARCHES:
            # A search that failed and was run again may have its old number.
            self._kept, self._version = {}, version
        if number not in self._kept:
            found = SearchPages.of(self._reader, number)
            if found is None:
                raise Missing(f"{self.path.name} has no search {number}", "The list of searches has their numbers")
            self._kept[number] = found
        return self._kept[number]

    def _grade(self, problem: str, value: str | None) -> float | None:
        """The grade by the task of the plan; None where the task has no grader or cannot be loaded."""
        known = self._problem(problem)
        return None if known is None else known.grade(value)

    def _extract(self, problem: str) -> Extract | None:
        """The function that reads an answer from a solution to this problem; None where its task cannot be loaded."""
        known = self._problem(problem)
        return None if known is None else known.extract

    def _problem(self, problem: str) -> Problem | None:
        """The problem with its grader, which is code of its task and not in the file; None where that cannot load."""
        if self._problems_by_id is None:
            try:
                self._problems_by_id = {p.id: p for p in stored_problems(self._reader)}
            except ClewError:
                self._problems_by_id = {}
        return self._problems_by_id.get(problem)


def columns(names: Sequence[str], rows: Iterable[Sequence[Any]], key: str, limit: int = CHUNK) -> dict[str, Any]:
    """Rows turned into columns, at most `limit` of them; `next` is the `key` of the last one where there are more."""
    kept = list(rows)
    more = len(kept) > limit
    found: dict[str, Any] = {name: [row[i] for row in kept[:limit]] for i, name in enumerate(names)}
    return found | {"next": found[key][-1] if more else None}


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]


def _whole(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -(2**63)
    if abs(number) >= 2**63:
        raise Missing(f"{text!r} is not the number of a search or node", "Numbers are whole")
    return number
