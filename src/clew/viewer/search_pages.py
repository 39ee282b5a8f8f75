"""What the page may request of one search: its answer, its tree without texts, one node's text, and its timeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clew.analysis.behaviours import tag_step
from clew.analysis.fates import fate, first_holder
from clew.problem import is_right
from clew.store import Reader, Unpacker
from clew.store.reader import damage_told
from clew.tree import Finish, Origin
from clew.viewer.anchored import Anchored
from clew.viewer.shape import Shape, shape_of

TEXT = 20_000
"""The most characters of one page of text."""
SKELETON_TEXT = 150_000
"""A page of a skeleton ends after nodes of so many characters: the rules of behaviours take 2 s for a million."""
ANSWERED = 400_000
"""For one page of a skeleton at most so many characters of whole solutions are searched for stated answers."""
CUT = 100
"""An answer is cut to so many characters."""
TAGGED = 50_000
"""The behaviours of a node are those of its first so many characters."""
_BEGINNING = 120
_STATS = ("logprob", "entropy", "certainty", "proposal_logprob")
_LOOKED_AT = 200

Grade = Callable[[str, str | None], float | None]
"""A problem's id and an answer → the grade; None without a grader."""


Extract = Callable[[str], str | None]
"""The text of a solution → the answer that it states."""


def right(grade: float | None) -> bool | None:
    """Whether an answer of this grade counts as right; None where it is not graded."""
    return None if grade is None else is_right(grade)


class SearchPages:
    """The data of one search. It keeps numbers about the tree in memory, no text and no statistics."""

    def __init__(self, reader: Reader, number: int, row: Sequence[Any]) -> None:
        self._reader = reader
        self.number = number
        self.problem, self.method, self.seed, self.count, self.status, self.chosen, self.grade, value = row
        held = reader.select("proposals", ("value", "node"), "WHERE result = ? ORDER BY number", (number,))
        self.leaf = first_holder(value, self.chosen, held)

    @staticmethod
    def of(reader: Reader, number: int) -> SearchPages | None:
        """The search of this number, where there is one. Raises StoreError where it does not have its checksums."""
        reader.verify(number)
        names = ("problem", "method", "seed", "nodes", "status", "node", "grade", "value")
        row = next(reader.select("results", names, "WHERE id = ?", (number,)), None)
        return None if row is None else SearchPages(reader, number, row)

    @cached_property
    def shape(self) -> Shape:
        """The shape of its tree."""
        return shape_of(self._reader, self.number, self.count, self.leaf)

    @cached_property
    def anchored(self) -> Anchored:
        """The importance of its sentences, where the run has it."""
        return Anchored.of(self._reader, self.number, self.shape, self.chosen)

    def told(self) -> dict[str, Any]:
        """The search, its problem and its answer, without the tree."""
        names = ("family", "difficulty", "question", "messages", "reference", "meta")
        ((family, difficulty, question, messages, reference, meta),) = self._reader.select(
            "problems", names, "WHERE id = ?", (self.problem,)
        )
        value, text, confidence, votes, usage, error = self._result(
            "value", "text", "confidence", "votes", "usage", "error"
        )
        shape = self.shape
        return {
            "id": self.number,
            "problem": {
                "id": self.problem,
                "family": family,
                "difficulty": difficulty,
                "question": question,
                "messages": [{"role": m.role, "content": _said(m.content)} for m in messages],
                "reference": reference,
                "meta": finite(meta),
            },
            "method": self.method,
            "seed": self.seed,
            "status": self.status,
            "value": value,
            "text": text[:TEXT],
            "confidence": confidence,
            "votes": finite(votes),
            "node": self.leaf,
            "grade": self.grade,
            "usage": usage.as_dict(),
            "error": error,
            "nodes": self.count,
            "distinct_tokens": shape.distinct,
            "score_names": list(shape.score_names),
            "best_path": list(shape.best),
            "has": {"entropy": self._has_entropy(), "importance": bool(self.anchored)},
            "max": {
                "depth": int(shape.depth.max(initial=0)),
                "tokens": shape.most_tokens,
                "born": shape.most_born,
            },
        }

    def skeleton(self, after: int, limit: int, extract: Extract | None) -> dict[str, Any]:
        """At most `limit` nodes after node `after`, in order of creation.

        limit: at most so many nodes a page. extract: reads the answer that a solution states; without it the only
        answers shown are those that the method proposed.
        """
        shape = self.shape
        found: dict[str, list[Any]] = {name: [] for name in _SKELETON}
        scores: list[dict[str, float]] = []
        read, last, more = 0, after, False
        unpack = self._reader.unpacker()
        tail = "WHERE result = ? AND id > ? ORDER BY id"
        for row in self._reader.select("nodes", (*_PLAIN, "text", "scores", "stats"), tail, (self.number, after)):
            if len(scores) == limit or read > SKELETON_TEXT:
                more = True
                break
            *plain, text, said, stats = row
            last, origin, finish = row[0], row[3], row[5]
            plain[7] = self._fate(last, finish, plain[7])
            arrays = self._unpacked(stats, unpack)
            means = [None if origin == Origin.PROMPT else _mean(arrays.get(name)) for name in ("entropy", "logprob")]
            values = (*plain, *means, tags(origin, text), text[:_BEGINNING], len(text))
            for name, value in zip(_SKELETON, values, strict=True):
                found[name].append(value)
            scores.append(said)
            read += len(text)
        named = {name: [s.get(name) for s in scores] for name in shape.score_names}
        ended = [n for n, finish in zip(found["id"], found["finish"], strict=True) if finish in _ENDED]
        stated = self._stated(ended, extract) | self._proposed()
        answers = [None if (held := stated.get(n)) is None else held[:CUT] for n in found["id"]]
        return found | {"answer": answers, "scores": finite(named), "next": last if more else None}

    def _proposed(self) -> dict[int, str]:
        """Node → the answer that the method proposed from it."""
        tail = "WHERE result = ? ORDER BY number"
        rows = self._reader.select("proposals", ("node", "value"), tail, (self.number,))
        return {node: value for node, value in rows if node is not None and value is not None}

    def _stated(self, nodes: Sequence[int], extract: Extract | None) -> dict[int, str]:
        """Node → the answer that the solution which ends there states; of the tree of solutions, not of side trees."""
        found: dict[int, str] = {}
        if extract is None:
            return found
        read = 0
        for node in nodes:
            path = self.shape.path(node)
            if path[0] != 0:
                continue
            tail = "WHERE result = ? AND id IN (SELECT value FROM json_each(?)) AND origin != ? ORDER BY id"
            rows = self._reader.select("nodes", ("text",), tail, (self.number, json.dumps(path), Origin.PROMPT))
            solution = "".join(text for (text,) in rows)
            read += len(solution)
            if read > ANSWERED:
                break
            value = extract(solution)
            if value is not None:
                found[node] = value
        return found

    def node(self, number: int, start: int) -> dict[str, Any] | None:
        """A page of one node's text from character `start` on, with its tokens; None where there is no such node."""
        names = ("origin", "finish", "label", "fate", "exact", "text", "scores", "stats")
        row = next(self._reader.select("nodes", names, "WHERE result = ? AND id = ?", (self.number, number)), None)
        if row is None:
            return None
        origin, finish, label, said, exact, text, scores, stats = row
        arrays = self._unpacked(stats, self._reader.unpacker())
        offsets = arrays["offsets"]
        end = page_end(offsets, start, len(text))
        piece = text[start:end]
        # Tokens without text begin at the end of the text: they belong to its last page.
        inside = np.flatnonzero((offsets >= start) & ((offsets < end) | (end >= len(text))))
        return {
            "id": number,
            "from": start,
            "text": piece,
            "next": end if end < len(text) else None,
            "chars": len(text),
            "tokens": {
                "offset": as_javascript_counts(piece, offsets[inside] - start),
                "id": arrays["token_ids"][inside].tolist(),
                **{name: numbers(arrays[name][inside]) if name in arrays else None for name in _STATS},
                "importance": self.anchored.importance(number, text, offsets, inside),
                "top": _top(arrays, inside),
            },
            "scores": finite(scores),
            "label": label,
            "finish": finish,
            "fate": self._fate(number, finish, said),
            "origin": origin,
            "exact": bool(exact),
            "behaviours": tags(origin, text),
        }

    def timeline(self, grade: Grade) -> dict[str, Any]:
        """What the search would have answered at which moment, and what it spent on each role and model.

        grade: grades the answers before the last one, whose grade the run has kept.
        """
        value, usage = self._result("value", "usage")
        known = {value: self.grade}
        proposals = []
        names = ("number", "value", "confidence", "node", "usage")
        tail = "WHERE result = ? ORDER BY number"
        for number, held, confidence, node, spent in self._reader.select("proposals", names, tail, (self.number,)):
            if held not in known:
                known[held] = grade(self.problem, held) if self.grade is not None else None
            graded = known[held]
            total = spent.total
            proposals.append(
                {
                    "number": number,
                    "value": held,
                    "confidence": confidence,
                    "node": node,
                    "tokens": total.tokens,
                    "generated": total.generated,
                    "seconds": total.seconds,
                    "right": right(graded),
                }
            )
        parts = usage.as_dict()["parts"]
        spend = {f"{p['role']}/{p['model']}": {k: v for k, v in p.items() if k not in _KEYS} for p in parts}
        return {"proposals": proposals, "spend": spend}

    def _fate(self, node: int, finish: str, said: str) -> str:
        shape = self.shape
        best, leaf, rewound = (bool(known[node]) for known in (shape.on_best, shape.leaf, shape.rewound))
        return fate(said, finish, self.status, best=best, leaf=leaf, rewound=rewound)

    def _has_entropy(self) -> bool:
        unpack = self._reader.unpacker()
        tail = "WHERE result = ? AND origin = ? AND tokens > 0 ORDER BY id LIMIT ?"
        rows = self._reader.select("nodes", ("stats",), tail, (self.number, Origin.SAMPLED, _LOOKED_AT))
        return any(_mean(self._unpacked(stats, unpack).get("entropy")) is not None for (stats,) in rows)

    def _result(self, *names: str) -> tuple[Any, ...]:
        return next(self._reader.select("results", names, "WHERE id = ?", (self.number,)))

    def _unpacked(self, stats: bytes, unpack: Unpacker) -> dict[str, Any]:
        with damage_told(self._reader.path):
            return unpack(stats)


_KEYS = ("model", "role")
_ENDED = (Finish.END, Finish.STOP)
_PLAIN = ("id", "parent", "beginning_of", "origin", "role", "finish", "label", "fate", "born", "tokens", "cut")
_SKELETON = (*_PLAIN, "entropy", "logprob", "behaviours", "text", "chars")


def page_end(offsets: np.ndarray[Any, np.dtype[np.int32]], start: int, length: int) -> int:
    """The end of the page of text that begins at `start`: the beginning of a token, at most `TEXT` characters on.

    offsets: int32[T], where each token begins. length: of the whole text, characters.
    """
    if length - start <= TEXT:
        return length
    at = int(np.searchsorted(offsets, start + TEXT, "right")) - 1
    return int(offsets[at]) if at >= 0 and offsets[at] > start else start + TEXT


def as_javascript_counts(text: str, places: ArrayLike) -> list[int]:
    """Positions in a text as JavaScript counts them: in UTF-16 units, two for a character beyond the basic plane."""
    wide = np.array([i for i, c in enumerate(text) if c > "\uffff"], np.int64)
    given = np.asarray(places, np.int64)
    return [int(at) for at in given + np.searchsorted(wide, given, "left")]


def tags(origin: str, text: str) -> list[str]:
    """The behaviours of a piece of a solution by the rules of `analysis`; none for a prompt."""
    return [] if origin == Origin.PROMPT else sorted(tag_step(text[:TAGGED]))


def numbers(array: np.ndarray[Any, Any]) -> list[float | None]:
    """float[T] as JSON has it: four decimals, None for NaN and infinities."""
    return [round(x, 4) + 0.0 if np.isfinite(x) else None for x in array.tolist()]


def finite(data: Any) -> Any:
    """The same data with None in place of NaN and infinities, and floats rounded to what a page shows."""
    if isinstance(data, dict):
        return {k: finite(v) for k, v in data.items()}
    if isinstance(data, list):
        return [finite(v) for v in data]
    if isinstance(data, float):
        return float(f"{data:.8g}") if np.isfinite(data) else None
    return data


def _mean(array: np.ndarray[Any, Any] | None) -> float | None:
    known = array[np.isfinite(array)] if array is not None else ()
    return round(float(np.mean(known)), 4) if len(known) else None


def _top(arrays: dict[str, Any], inside: np.ndarray[Any, Any]) -> list[list[list[float | None]]] | None:
    if "top_ids" not in arrays:
        return None
    ids, values = arrays["top_ids"][inside].tolist(), arrays["top_logprob"][inside]
    return [[list(pair) for pair in zip(i, numbers(v), strict=True)] for i, v in zip(ids, values, strict=True)]


def _said(content: str | Sequence[Mapping[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(p.get("text", "") if p.get("type") == "text" else f"[{p.get('type', 'part')}]") for p in content)
