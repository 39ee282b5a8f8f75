"""How a search reaches its models: what each one reads, what that is charged, and what is in flight."""

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
from clew.search.extension import Extension, Running, carried_out, resolved
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
    """The calls of one search: every one is charged before it is made, and what comes back is added to the tree.

    models: role → model; a role that is not among them is played by the generating one, and charged under its own name.
    """

    def __init__(self, problem: Problem, models: Mapping[str, Model], ledger: Ledger, tree: Tree) -> None:
        self._problem = problem
        self._models = models
        self._ledger = ledger
        self._tree = tree
        self._prompts: dict[int, Prompt] = {}
        self._contexts: dict[int, Contexts] = {}
        self._running: Running = {}
        self._inserted: Counter[tuple[int, str]] = Counter()

    def model(self, role: str) -> Model:
        """The model that plays a role."""
        return self._models.get(role) or self._models[GENERATE]

    def plant(self, messages: Sequence[Message], role: str, stream: Stream, max_tokens: int) -> Node:
        """The root of a new tree: a conversation, to be gone on with by the model of `role`."""
        context = self.model(role).render(messages)
        text = context.prompt or "\n".join(f"{m.role}: {m.text}" for m in messages)
        segment = Segment(context.token_ids, text, np.zeros(len(context), np.int32))
        root = self.add(None, segment, Origin.PROMPT, stream, role=role)
        self._prompts[root.id] = Prompt(tuple(messages), max_tokens)
        self.contexts(role).plant(root, context)
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
        """A new node of the tree, born now."""
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

    def contexts(self, role: str) -> Contexts:
        """What the model of a role reads. Roles that one model plays share what it has computed."""
        model = self.model(role)
        if id(model) not in self._contexts:
            self._contexts[id(model)] = Contexts(model, self._prompts, self.model)
        return self._contexts[id(model)]

    def affords(self, in_flight: Sequence[Gauge], start: Node, role: str) -> bool:
        """Whether one more full-length continuation of `start` could be paid for beside those in flight."""
        cap = self._problem.max_tokens - start.tokens
        worst = sum(cap - g.generated for g in in_flight)
        contexts = self.contexts(role)
        return self._ledger.affords(contexts.model.cost, len(contexts.read(start)[0]), worst + cap)

    def open(
        self, node: Node, streams: Sequence[Stream], until: Until, sampling: Sampling, *, role: str, label: str = ""
    ) -> Extension:
        """Pay for a continuation of `node` by the model of `role` for each stream, or for the first few if the budget
        ends there.

        Raises BudgetExhausted when not even one could be paid for.
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
        """Carry a call out; its continuations are children of the node that it goes on from.

        Raises BudgetExhausted, after they have been added, when the budget cut any of them.
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
        """`text`, to be read after `node` by the model of `role`: in the tokens that it has where that model knows
        them, else in those that the model makes of it."""
        stream = self.stream_below(node, "forced")
        if isinstance(text, str):
            return Reading(node, self.model(role).encode(text), None, stream)
        repeats = text if text.parent is node else None
        return Reading(node, self.contexts(role).segment(text), repeats, stream)

    async def read(self, readings: Sequence[Reading], *, role: str, label: str) -> list[Node]:
        """Have the model of `role` read texts after nodes, all in one batch; they are children of those nodes.

        All are paid for or none. What is read is charged whole, also where its tokens were computed before: an engine
        keeps what it needs to go on from them, not what it thought of each.

        Raises UsageError where the model cannot score a text, BudgetExhausted when the budget does not pay for all, or
        is spent by others meanwhile.
        """
        model, contexts = self.model(role), self.contexts(role)
        require(model, Capability.SCORE)
        paths = [contexts.read(reading.node) for reading in readings]
        charges: list[tuple[int, int]] = []
        held: list[Node] = []
        # Texts after one node share its path: the first of them pays for it.
        for reading, (context, path) in zip(readings, paths, strict=True):
            fresh = contexts.prefixes.fresh(path)
            charges.append((fresh + len(reading.segment), len(context) - fresh))
            held += contexts.prefixes.add_path(path)
        try:
            gauges = self._ledger.open_all(model.name, role, model.cost, charges)
        except BudgetExhausted:
            contexts.prefixes.discard(held)
            raise
        call = model.score([context for context, _ in paths], [r.segment for r in readings], gauges=gauges)
        segments, cancelled = await carried_out(call, gauges, self._running)
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
        """Give up what is in flight, and wait until the models have let go of it."""
        for gauges in self._running.values():
            for gauge in gauges:
                gauge.close()
        while self._running:
            await asyncio.wait(list(self._running))
            await asyncio.sleep(0)  # the extensions that waited for these record what came back
