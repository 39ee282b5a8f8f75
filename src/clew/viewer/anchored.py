"""The importance of each token for the answer: that of its sentence, where `clew anchors` has kept it in the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.store import Reader
from clew.store.reader import damage_told
from clew.tree import Origin
from clew.viewer.shape import Shape


@dataclass(frozen=True, slots=True, eq=False)
class Anchored:
    """The sentences of one solution and where its nodes stand in it; falsy where nothing is known.

    starts, ends: int64[S], characters of the solution. importance: S values, None where unknown. places: node → where
    its text begins in the solution.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    importances: tuple[float | None, ...]
    places: dict[int, int]

    def __bool__(self) -> bool:
        return bool(self.importances)

    @staticmethod
    def of(reader: Reader, result: int, shape: Shape, answer: int | None) -> Anchored:
        """Read the anchors of a search: those of the solution that gave the answer, else of another solution.

        reader: of the run file. result: the number of the search. shape: of its tree. answer: the node that ends the
        answer's solution.
        """
        rows = list(reader.select("anchors", ("node", "sentences"), "WHERE result = ? ORDER BY node", (result,)))
        if not rows:
            return Anchored(np.zeros(0, np.int64), np.zeros(0, np.int64), (), {})
        leaf, sentences = next((row for row in rows if row[0] == answer), rows[0])
        with damage_told(reader.path):
            if not 0 <= leaf < len(shape.parents):
                raise ValueError(f"it has anchors of a node {leaf} that is not there")
        places: dict[int, int] = {}
        at = 0
        for node in shape.path(leaf):
            tail = "WHERE result = ? AND id = ?"
            ((origin, text),) = reader.select("nodes", ("origin", "text"), tail, (result, node))
            if origin != Origin.PROMPT:
                places[node] = at
                at += len(text)
        return Anchored(
            np.array([s["start"] for s in sentences], np.int64),
            np.array([s["end"] for s in sentences], np.int64),
            tuple(s["counterfactual"] for s in sentences),
            places,
        )

    def importance(
        self, node: int, text: str, offsets: NDArray[np.int32], inside: NDArray[np.intp]
    ) -> list[float | None] | None:
        """The importance of some tokens of a node; None where the solution does not go through this node.

        A token has the importance of the sentence that holds its first character other than white space.

        node: its id. text: of the whole node. offsets: int32[T], where each of its tokens begins in the text. inside:
        int64[K], which of its tokens are asked for.
        """
        if node not in self.places:
            return None
        found: list[float | None] = []
        ends = np.append(offsets[1:], len(text))
        for start, end in zip(offsets[inside].tolist(), ends[inside].tolist(), strict=True):
            piece = text[start:end]
            said = piece.lstrip()
            # A token of white space alone belongs to the sentence in which it begins.
            at = self.places[node] + start + (len(piece) - len(said) if said else 0)
            i = int(np.searchsorted(self.starts, at, "right")) - 1
            found.append(self.importances[i] if i >= 0 and at < self.ends[i] else None)
        return found
