"""What one model of a search reads of its trees, in the model's own tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clew.models.base import Context, Model
from clew.problem import Message
from clew.search.prefixes import Prefixes, Read
from clew.tree import Node, Segment


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a tree was planted with: a conversation, and the most tokens that a solution below it may have."""

    messages: tuple[Message, ...]
    max_tokens: int


class Contexts:
    """The contexts that one model reads, and which of their tokens the search has computed with it (`prefixes`).

    A prompt is read as the model's own template renders it. A node is read in the tokens that it has where the model
    that wrote it is this one or shares its vocabulary, and otherwise in the tokens that this model makes of the node's
    text alone: so going on from a node never changes how what is before it is read.

    prompts: root id → what it was planted with. model_of: role → the model that plays it.
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

    def plant(self, root: Node, context: Context) -> None:
        """The prompt of a new tree was rendered as `context` by this model."""
        self._rendered[root.id] = context

    def segment(self, node: Node) -> Segment:
        """A node of a solution in this model's tokens."""
        if self._understands(node.role):
            return node.segment
        if node.id not in self._encoded:
            self._encoded[node.id] = self.model.encode(node.segment.text)
        return self._encoded[node.id]

    def read(self, node: Node) -> tuple[Context, list[Read]]:
        """What this model goes on from after `node`: the context, and the path to the node in this model's tokens."""
        root, *rest = node.path()
        base = self.rendered(root)
        segments = [self.segment(each) for each in rest]
        path: list[Read] = [(root, base.token_ids)]
        path += [(each, segment.token_ids) for each, segment in zip(rest, segments, strict=True)]
        return base.extended(segments) if segments else base, path

    def _understands(self, role: str) -> bool:
        writer = self._model_of(role)
        return writer is self.model or (writer.vocabulary is not None and writer.vocabulary == self.model.vocabulary)
