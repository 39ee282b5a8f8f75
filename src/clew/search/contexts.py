"""The contexts that one model of a search reads: the paths of its trees in that model's own tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clew.models.base import Context, Model
from clew.problem import Message
from clew.search.prefixes import Prefixes, Read
from clew.tree import Node, Segment


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of a tree.

    messages: the conversation that its root holds.
    max_tokens: the most tokens that a solution below the root may have.
    """

    messages: tuple[Message, ...]
    max_tokens: int


class Contexts:
    """The contexts that one model reads, and which of their tokens it has computed for this search (`prefixes`).

    A prompt is read as the model's own template renders it. A node is read in the tokens that it has if this model
    wrote it or shares a vocabulary with the model that did. Otherwise its text is encoded on its own, without its
    neighbours, so that extending a node never changes how the text before it is read.

    model: the model that reads.
    prompts: the prompt of each tree, by the id of its root.
    model_of: gives the model that plays a role.
    """

    def __init__(self, model: Model, prompts: Mapping[int, Prompt], model_of: Callable[[str], Model]) -> None:
        self.model = model
        self.prefixes = Prefixes()
        self._prompts = prompts
        self._model_of = model_of
        self._rendered: dict[int, Context] = {}
        self._encoded: dict[int, Segment] = {}

    def rendered(self, root: Node) -> Context:
        """The prompt of a tree as this model reads it."""
        if root.id not in self._rendered:
            self._rendered[root.id] = self.model.render(self._prompts[root.id].messages)
        return self._rendered[root.id]

    def add_root(self, root: Node, context: Context) -> None:
        """Take in the root of a new tree, whose prompt this model has rendered as `context`."""
        self._rendered[root.id] = context

    def segment(self, node: Node) -> Segment:
        """A node of a solution in this model's tokens."""
        if self._understands(node.role):
            return node.segment
        if node.id not in self._encoded:
            self._encoded[node.id] = self.model.encode(node.segment.text)
        return self._encoded[node.id]

    def read(self, node: Node) -> tuple[Context, list[Read]]:
        """How this model reads the path to a node: as a context to extend, and as the tokens of each node on it."""
        root, *rest = node.path()
        base = self.rendered(root)
        segments = [self.segment(each) for each in rest]
        path: list[Read] = [(root, base.token_ids)]
        path += [(each, segment.token_ids) for each, segment in zip(rest, segments, strict=True)]
        return base.extended(segments) if segments else base, path

    def _understands(self, role: str) -> bool:
        """Whether this model can read the tokens that the model of a role wrote."""
        writer = self._model_of(role)
        return writer is self.model or (writer.vocabulary is not None and writer.vocabulary == self.model.vocabulary)
