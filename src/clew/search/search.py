"""`Search` is what a method receives: the tree, the budget, and the primitives that extend the tree and charge it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from clew.budget import Budget
from clew.errors import UsageError
from clew.ledger import Ledger
from clew.models.base import Model
from clew.problem import Answer, Message, Problem
from clew.result import Proposal
from clew.sampling import END, Sampling, Stream, Until
from clew.search.calls import Calls
from clew.search.extension import point_before, reopened, together
from clew.search.rollouts import WIDTH, rollouts
from clew.search.scoring import Scorers
from clew.tree import GENERATE, Node, Origin, Segment, Tree
from clew.vote import answer_of, vote


class Scorer(Protocol):
    """Says what a node is worth; higher is better. `clew.scorers` has them."""

    @property
    def name(self) -> str:
        """What its scores are recorded as."""
        ...

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """One score for each node, in order."""
        ...


class Search:
    """One problem, one method, one seed: the tree grown so far, and what it has cost.

    Every primitive charges the budget and raises BudgetExhausted once it is spent; nodes made until then stay.
    models: role → model: `generate`, and others that methods ask (`judge`, `draft`). A role without a model of its own
    is played by the generating one and charged under its own name. scorers: those of the run, which closes them; the
    search makes its own otherwise.
    """

    def __init__(
        self,
        problem: Problem,
        models: Mapping[str, Model],
        budget: Budget | None = None,
        *,
        seed: int = 0,
        sampling: Sampling | None = None,
        on_proposal: Callable[[Proposal], None] | None = None,
        scorers: Scorers | None = None,
    ) -> None:
        self.problem = problem.posed().remembering()
        self.models = models
        self.model = models[GENERATE]
        self.sampling = sampling or Sampling()
        self.ledger = Ledger(budget or Budget())
        self.scorers, self._owns_scorers = scorers or Scorers(), scorers is None
        self.seed = seed
        self.tree = Tree()
        self.proposals: list[Proposal] = []
        self.samples: list[Node] = []
        self._on_proposal = on_proposal
        self._calls = Calls(self.problem, models, self.ledger, self.tree)
        self._rewound: dict[tuple[int, int], Node] = {}
        self._asked: dict[bytes, int] = {}
        self._stream = Stream(seed, problem.id)
        self.rng = self._stream.child("method").generator()
        self.root = self._calls.plant(problem.messages, GENERATE, self._stream.child("root"), problem.max_tokens)

    @property
    def budget(self) -> Budget:
        """What the search may spend."""
        return self.ledger.budget

    # --- the seven primitives ---------------------------------------------------------------------------------------

    async def extend(
        self,
        node: Node,
        n: int = 1,
        *,
        until: Until = END,
        sampling: Sampling | None = None,
        role: str | None = None,
        label: str = "",
    ) -> list[Node]:
        """`n` continuations of `node`, as its children.

        role: whose model writes them (None: the one that the tree was planted for). What other models wrote before is
        read in their tokens where the two share a vocabulary, else encoded anew; either way what this model has not
        read yet is charged as prefilled.

        Raises BudgetExhausted when the budget cut any of them (they stay in the tree, finish `cancelled`), and
        ValueError for a node that has ended.
        """
        if node.finished:
            raise ValueError(f"node {node.id} has ended ({node.finish}) and cannot be extended")
        writer = role or node.path()[0].role
        streams, settings = node.reserve(n), sampling or self.sampling
        return await self._calls.run(self._calls.open(node, streams, until, settings, role=writer, label=label))

    async def extend_each(
        self,
        nodes: Sequence[Node],
        *,
        until: Until = END,
        sampling: Sampling | None = None,
        role: str | None = None,
        label: str = "",
    ) -> list[Node]:
        """One child for each node, all in one batch. A node that has ended stands for itself and costs nothing.

        A node that is given k times gets k different children. Raises as `extend` does, after all have come back.
        """
        plan: dict[int, list[int]] = {}
        for i, node in enumerate(nodes):
            if not node.finished:
                plan.setdefault(node.id, []).append(i)
        grown = list(nodes)

        async def one(indices: list[int]) -> None:
            parent = nodes[indices[0]]
            children = await self.extend(parent, len(indices), until=until, sampling=sampling, role=role, label=label)
            for i, child in zip(indices, children, strict=True):
                grown[i] = child

        await self.together(*(one(indices) for indices in plan.values()))
        return grown

    async def insert(self, node: Node, text: str | Segment, *, label: str = "") -> Node:
        """Text that the model did not write here, as a child of `node`. A segment keeps the tokens that it has.

        Below a node that has ended, the solution is re-opened: its end-of-text token, or what a stop string cut off,
        is left out. The text is charged as prefilled tokens when it is first computed.
        """
        role, rest = node.path()[0].role, ""
        if node.finished:
            kept, rest = reopened(node.segment)
            node = self._cut(node, kept)
        if isinstance(text, str):
            segment = self._calls.model(role).encode(rest + text)
        else:
            segment, node = text, await self.insert(node, rest) if rest else node
        stream = self._calls.stream_below(node, "insert")
        return self._calls.add(node, segment, Origin.INSERTED, stream, role=role, label=label)

    async def force(
        self,
        nodes: Sequence[Node],
        texts: Sequence[str | Node] | str | Node,
        *,
        role: str | None = None,
        label: str = "forced",
    ) -> list[Node]:
        """Teacher forcing: a model reads a text after each node, all in one batch. What it thought of every token (see
        `Segment`) stands on the new nodes, which are children of the given ones and can be gone on from.

        texts: one for each node, or one for all: text, or a node whose text is read again, in the tokens that it has
        where the model knows them. role: whose model reads (None: the one that the tree was planted for).

        The texts are charged as prefilled tokens, whole, and together: either all or none is read.

        Raises UsageError for a model that cannot score (`Capability.SCORE`), ValueError for a node that has ended, and
        BudgetExhausted when the budget does not pay for all.
        """
        for node in nodes:
            if node.finished:
                raise ValueError(f"node {node.id} has ended ({node.finish}): no text can follow it")
        if isinstance(texts, (str, Node)):
            texts = [texts] * len(nodes)
        if not nodes:
            return []
        reader = role or nodes[0].path()[0].role
        readings = [self._calls.reading(node, text, reader) for node, text in zip(nodes, texts, strict=True)]
        return await self._calls.read(readings, role=reader, label=label)

    def rewind(
        self, node: Node, *, tokens: int | None = None, chars: int | None = None, steps: int | None = None
    ) -> Node:
        """An older point on the path to `node`: back by so many tokens, to the last token boundary at or before so many
        characters from the end, or back by so many steps (nodes). It shares all before that point and costs nothing.

        Raises ValueError when asked to go back beyond the prompt, or for other than one unit.
        """
        if sum(x is not None for x in (tokens, chars, steps)) != 1:
            raise ValueError("rewind by exactly one of tokens, chars, steps")
        path = node.solution_path
        if steps is not None:
            if not 0 <= steps <= len(path):
                raise ValueError(f"cannot go back {steps} steps: the solution has {len(path)}")
            return list(node.ancestors())[steps]
        if not (tokens or chars):
            return node
        old, kept = point_before(path, tokens=tokens, chars=chars)
        return old if kept == len(old.segment) else self._cut(old, kept)

    async def score(self, nodes: Sequence[Node], scorer: Scorer | str) -> list[float]:
        """What the scorer (or the registered one of that name, `name?key=value`) says of each node.

        The scores are recorded on the nodes under the registered one's shortest spec, or under the scorer's own name.
        """
        judge: Scorer
        name, judge = self.scorers.of(scorer) if isinstance(scorer, str) else (scorer.name, scorer)
        if not nodes:
            return []
        scores = [float(s) for s in await judge(self, nodes)]
        if len(scores) != len(nodes):
            raise ValueError(f"scorer {name} gave {len(scores)} scores for {len(nodes)} nodes")
        for node, value in zip(nodes, scores, strict=True):
            node.scores[name] = value
        return scores

    async def ask(
        self,
        messages: Sequence[Message] | str,
        *,
        role: str = "judge",
        n: int = 1,
        sampling: Sampling | None = None,
        until: Until = END,
        max_tokens: int | None = None,
    ) -> list[Node]:
        """Put a question of its own to the model of a role: `n` replies in a side tree, charged to that role.

        max_tokens: the most tokens a reply may have; as the problem says by default.
        """
        turns = (Message("user", messages),) if isinstance(messages, str) else tuple(messages)
        # Named by what is asked and how often it was before: what else is in flight does not change the draws.
        question = self._stream.child("ask", role, turns)
        before = self._asked[question.key] = self._asked.get(question.key, -1) + 1
        root = self._calls.plant(turns, role, question.child(before), max_tokens or self.problem.max_tokens)
        return await self.extend(root, n, until=until, sampling=sampling)

    def propose(self, answer: Answer) -> None:
        """The answer that the method would give now. The last one is what a search that is cut short returns."""
        proposal = Proposal(answer, self.ledger.usage)
        self.proposals.append(proposal)
        if self._on_proposal is not None:
            self._on_proposal(proposal)

    # --- what most methods do with them ---------------------------------------------------------------------------

    def rollouts(
        self,
        node: Node | None = None,
        n: int | None = None,
        *,
        sampling: Sampling | None = None,
        role: str | None = None,
        width: int = WIDTH,
    ) -> AsyncIterator[Node]:
        """Independent solutions from `node` (the root by default), in the order of their numbers, not of completion.

        As many are in flight as the budget could pay for if all of them grew to full length, at most `width`, and at
        least one. So the solutions that come back are exactly the longest run of numbers that fits the budget, whatever
        the timing, and at most one is ever cut. With `n=None` they go on until the budget is spent; else
        BudgetExhausted is raised when it was spent before the n-th.

        role: whose model writes them (None: the one that the tree was planted for).

        Leaving the loop early gives up what is in flight (recorded and charged): who may do so wants a small width.
        """
        start = node or self.root
        if n is None and not self.budget.as_dict():
            raise UsageError("sampling without a number and without a budget never ends", "Give n, or a budget")
        writer = role or start.path()[0].role
        return rollouts(self._calls, start, n, sampling=sampling or self.sampling, role=writer, width=width)

    async def aggregate(
        self,
        n: int | None,
        combine: Callable[[Sequence[Node]], Answer],
        *,
        scorer: str | None = None,
        temperature: float | None = None,
    ) -> Answer:
        """Draw `n` independent solutions (None: as many as the budget pays for), score each, and combine them.

        They are recorded as the search's exchangeable samples. The combined answer is proposed after each of the first
        16 solutions, then after each sixteenth part more, and in the end, also where the budget ends it: so that
        combining many solutions costs in proportion to their number.
        """
        combined = 0
        try:
            async for leaf in self.rollouts(n=n, sampling=self.at(temperature)):
                if scorer is not None:
                    await self.score([leaf], scorer)
                self.samples.append(leaf)
                if len(self.samples) > combined + combined // 16:
                    self.propose(combine(self.samples))
                    combined = len(self.samples)
        finally:
            if len(self.samples) > combined:
                self.propose(combine(self.samples))
        return self.proposals[-1].answer if self.proposals else Answer(None)

    def at(self, temperature: float | None) -> Sampling:
        """The search's sampling settings at this temperature (None: as they are)."""
        return self.sampling if temperature is None else self.sampling.but(temperature=temperature)

    def answer(self, node: Node, confidence: float | None = None) -> Answer:
        """The answer that one solution states."""
        return answer_of(self.problem, node, confidence=confidence)

    def answers(self, nodes: Sequence[Node]) -> list[Answer]:
        """The answer that each solution states."""
        return [self.answer(node) for node in nodes]

    def pick(self, nodes: Sequence[Node], weights: Sequence[float] | None = None) -> Answer:
        """The (weighted) majority answer of these solutions."""
        return vote(self.problem, nodes, weights)

    async def together(self, *work: Any) -> list[Any]:
        """Run coroutines at once and return their results in order. All have come back before it raises."""
        return await together(*work)

    async def close(self) -> None:
        """The search is over: give up whatever is still in flight, and wait until the models have let go of it.

        What the models keep for going on with it gives way first from now on.
        """
        self.ledger.close()
        await self._calls.close()
        if self._owns_scorers:
            await self.scorers.close()

    # --- underneath -----------------------------------------------------------------------------------------------

    def _cut(self, old: Node, kept: int) -> Node:
        assert old.parent is not None
        if kept == 0:
            return old.parent
        if (old.id, kept) not in self._rewound:
            stream = old.stream.child("rewind", kept)
            self._rewound[old.id, kept] = self._calls.add(
                old.parent,
                old.segment.head(kept),
                old.origin,
                stream,
                role=old.role,
                label="rewind",
                beginning_of=old,
            )
        return self._rewound[old.id, kept]
