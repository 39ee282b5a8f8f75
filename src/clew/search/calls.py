"""The calls of a search to its models: each is charged before it is made, and its result becomes nodes of the tree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clew.errors import BudgetExhausted
from clew.ledger import Gauge, Ledger
from clew.models.base import Model, require
from clew.needs import Capability
from clew.problem import Message, Problem
from clew.sampling import Sampling, Stream, Until
from clew.search.contexts import Contexts, Prompt
from clew.search.extension import Extension, Running, await_call, resolved
from clew.tree import GENERATE, Finish, Node, Origin, Segment, Tree


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that a model shall read after a node (see `Search.force`).

    node: what the text follows.
    segment: the text in the reader's tokens.
    repeats: the child of `node` whose text this is, if it is one's.
    stream: the random stream of the new node.
    """

    node: Node
    segment: Segment
    repeats: Node | None
    stream: Stream


class Calls:
    """The calls of one search to its models.

    problem: the problem, which decides where steps and solutions end.
    models: the model of each role. A role without a model of its own is played by the generating model, and charged
        under its own name.
    ledger: what the calls are charged to.
    tree: what their results are added to.
    """

    def __init__(self, problem: Problem, models: Mapping[str, Model], ledger: Ledger, tree: Tree) -> None:
        self._problem = problem
        self._models = models
        self._ledger = ledger
        self._tree = tree
        self._prompts: dict[int, Prompt] = {}
        self._contexts: dict[int, Contexts] = {}
        self._running: Running = {}
        self._rewound: dict[tuple[int, int], Node] = {}
        self._inserted: Counter[tuple[int, str]] = Counter()

    def model(self, role: str) -> Model:
        """The model that plays a role."""
        return self._models.get(role) or self._models[GENERATE]

    def add_root(self, messages: Sequence[Message], role: str, stream: Stream, max_tokens: int) -> Node:
        """Add the root of a new tree, whose text is a conversation, and return it.

        messages: the conversation.
        role: the role whose model writes below this root where a call does not say otherwise.
        stream: the random stream of the root.
        max_tokens: the most tokens that a solution below this root may have.
        """
        context = self.model(role).render(messages)
        text = context.prompt or "\n".join(f"{m.role}: {m.text}" for m in messages)
        segment = Segment(context.token_ids, text, np.zeros(len(context), np.int32))
        root = self.add(None, segment, Origin.PROMPT, stream, role=role)
        self._prompts[root.id] = Prompt(tuple(messages), max_tokens)
        self.contexts(role).add_root(root, context)
        return root

    def add(
        self,
        parent: Node | None,
        segment: Segment,
        origin: Origin,
        stream: Stream,
        *,
        role: str,
        label: str = "",
        beginning_of: Node | None = None,
    ) -> Node:
        """Add a node to the tree, with the tokens spent until now, and return it (see `Tree.add`)."""
        return self._tree.add(
            parent,
            segment,
            origin,
            stream,
            role=role,
            label=label,
            born=self._ledger.tokens,
            beginning_of=beginning_of,
        )

    def stream_below(self, node: Node, kind: str) -> Stream:
        """The random stream of the next node of this kind that is put below `node` without being sampled.

        Numbered by the order of asking, as `Node.reserve` numbers samples: how many of those have come back by now
        does not matter, so timing decides nothing.
        """
        key = (node.id, kind)
        self._inserted[key] += 1
        return node.stream.child(kind, self._inserted[key] - 1)

    def beginning(self, node: Node, kept: int) -> Node:
        """The node that holds the first `kept` tokens of `node`, in its place; for none of them, its parent.

        It is added to the tree once, whoever asks for it.
        """
        assert node.parent is not None
        if kept == 0:
            return node.parent
        if (node.id, kept) not in self._rewound:
            stream, segment = node.stream.child("rewind", kept), node.segment.head(kept)
            self._rewound[node.id, kept] = self.add(
                node.parent, segment, node.origin, stream, role=node.role, label="rewind", beginning_of=node
            )
        return self._rewound[node.id, kept]

    def contexts(self, role: str) -> Contexts:
        """The contexts that the model of a role reads. Roles that the same model plays share them."""
        model = self.model(role)
        if id(model) not in self._contexts:
            self._contexts[id(model)] = Contexts(model, self._prompts, self.model)
        return self._contexts[id(model)]

    def affords(self, in_flight: Sequence[Gauge], start: Node, role: str) -> bool:
        """Whether the budget pays for one more full-length continuation of a node beside those in flight.

        in_flight: the gauges of the continuations of `start` that are still growing, each to full length at worst.
        start: the node.
        role: the role whose model writes.
        """
        cap = self._problem.max_tokens - start.tokens
        worst = sum(cap - g.generated for g in in_flight)
        contexts = self.contexts(role)
        return self._ledger.affords(contexts.model.cost, len(contexts.read(start)[0]), worst + cap)

    def open(
        self, node: Node, streams: Sequence[Stream], until: Until, sampling: Sampling, *, role: str, label: str = ""
    ) -> Extension:
        """Pay for a call that samples continuations of a node, one for each stream, and return the call.

        If the budget does not pay for all of them, the call is for the first few.

        node: the partial solution that is continued.
        streams: the random stream of each continuation.
        until: where each of them ends, as the method says.
        sampling: how tokens are drawn.
        role: the role whose model writes.
        label: why the new nodes exist.

        Raises BudgetExhausted when the budget does not pay for one.
        """
        root = node.path()[0]
        contexts, model = self.contexts(role), self.model(role)
        context, path = contexts.read(node)
        # The problem's stop strings end its solutions, whoever writes them; a reply to a question has none.
        stop = self._problem.stop if root.role == GENERATE else ()
        spare = self._prompts[root.id].max_tokens - node.tokens
        gauges: list[Gauge] = []
        for _ in streams:
            fresh = contexts.prefixes.fresh(path)
            try:
                gauge = self._ledger.open(
                    model.name, role, model.cost, fresh=fresh, reused=len(context) - fresh, beside=bool(gauges)
                )
            except BudgetExhausted:
                if not gauges:
                    raise
                break
            gauges.append(gauge)
            contexts.prefixes.add_path(path)
        until = resolved(until, steps=self._problem.steps, stop=stop, spare=spare)
        return Extension(node, model, context, until, sampling, label, role, streams, gauges)

    async def run(self, extension: Extension) -> list[Node]:
        """Make a call that is paid for, and return its continuations, as new children of the node.

        Raises BudgetExhausted, after they have been added to the tree, when the budget cut any of them.
        """
        segments, cancelled = await extension.call(self._running)
        children = [
            self.add(extension.node, segment, Origin.SAMPLED, stream, role=extension.role, label=extension.label)
            for segment, stream in zip(segments, extension.streams, strict=False)
        ]
        prefixes = self.contexts(extension.role).prefixes
        for child in children:
            prefixes.add(child, child.segment.token_ids)
        if cancelled is not None:
            raise cancelled
        if extension.cut or any(c.finish is Finish.CANCELLED for c in children):
            raise BudgetExhausted
        return children

    def reading(self, node: Node, text: str | Node, role: str) -> Reading:
        """A text, encoded for the model of a role that is to read it after a node.

        node: the node that the text follows.
        text: the text; or a node, whose text is read in the tokens that it has where the model knows them.
        role: the role whose model reads.
        """
        stream = self.stream_below(node, "forced")
        if isinstance(text, str):
            return Reading(node, self.model(role).encode(text), None, stream)
        repeats = text if text.parent is node else None
        return Reading(node, self.contexts(role).segment(text), repeats, stream)

    async def read(self, readings: Sequence[Reading], *, role: str, label: str) -> list[Node]:
        """Let a model read texts after nodes, all in one batch, and return them as new children of those nodes.

        Either all of them are paid for or none. A text is charged in full, also where its tokens were computed before:
        an engine caches what it needs to extend a context, not the statistics of each token in it.

        readings: the texts.
        role: the role whose model reads.
        label: why the new nodes exist.

        Raises UsageError for a model that cannot score texts, and BudgetExhausted when the budget does not pay for all
        of them, or when other calls spend it meanwhile.
        """
        model, contexts = self.model(role), self.contexts(role)
        require(model, Capability.SCORE)
        paths = [contexts.read(reading.node) for reading in readings]
        charges: list[tuple[int, int]] = []
        computed: list[Node] = []
        # 1. What each text costs. Texts after the same node share its path, which is charged with the first of them.
        for reading, (context, path) in zip(readings, paths, strict=True):
            fresh = contexts.prefixes.fresh(path)
            charges.append((fresh + len(reading.segment), len(context) - fresh))
            computed += contexts.prefixes.add_path(path)
        # 2. Pay for all of them, or for none.
        try:
            gauges = self._ledger.open_all(model.name, role, model.cost, charges)
        except BudgetExhausted:
            contexts.prefixes.discard(computed)
            raise
        # 3. Read them, and add each to the tree. A text that repeats a node has computed that node for this model too.
        call = model.score([context for context, _ in paths], [r.segment for r in readings], gauges=gauges)
        segments, cancelled = await await_call(call, gauges, self._running)
        children = []
        for reading, segment in zip(readings, segments, strict=True):
            child = self.add(reading.node, segment, Origin.INSERTED, reading.stream, role=role, label=label)
            contexts.prefixes.add(child, segment.token_ids)
            if reading.repeats is not None and child.finish is Finish.STEP:
                contexts.prefixes.add(reading.repeats, segment.token_ids)
            children.append(child)
        if cancelled is not None:
            raise cancelled
        if any(child.finish is Finish.CANCELLED for child in children):
            raise BudgetExhausted
        return children

    async def close(self) -> None:
        """Cancel what is in flight, and wait until the models have released it."""
        for gauges in self._running.values():
            for gauge in gauges:
                gauge.close()
        while self._running:
            await asyncio.wait(list(self._running))
            await asyncio.sleep(0)  # lets those that awaited these calls record what came back
