"""`Search`, which a method receives: the tree, the budget, and the primitives that extend the tree and charge it."""

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
from clew.search.extension import kept_on_reopening, rewind_point, together
from clew.search.rollouts import WIDTH, rollouts
from clew.search.scoring import Scorers
from clew.tree import GENERATE, Node, Origin, Segment, Tree
from clew.vote import answer_of, vote


class Scorer(Protocol):
    """Gives each node a number; higher is better. `clew.scorers` has the registered ones."""

    @property
    def name(self) -> str:
        """The name under which its scores are recorded on the nodes."""
        ...

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """One score for each node, in order."""
        ...


class Search:
    """One problem, one method and one seed: the tree as far as it has been extended, and what that has cost.

    Every primitive charges the budget and raises BudgetExhausted once it is spent; the nodes made until then stay.

    problem: the problem to solve. The method sees it without its grader, reference and worked solution.
    models: the model of each role: `generate`, and the roles that methods ask, such as `judge` and `draft`. A role
        without a model of its own is played by the generating model, and charged under its own name.
    budget: what the search may spend; None is no limit.
    seed: the number that all random choices of this search are derived from.
    sampling: how tokens are drawn where a call does not say otherwise.
    on_proposal: called with each proposal when it is made.
    scorers: the scorers of the run, which closes them. None: the search makes its own and closes them.
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
        self._asked: dict[bytes, int] = {}
        self._stream = Stream(seed, problem.id)
        self.rng = self._stream.child("method").generator()
        self.root = self._calls.add_root(problem.messages, GENERATE, self._stream.child("root"), problem.max_tokens)

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
        """Sample `n` continuations of `node` and return them, as its new children.

        node: the partial solution that is continued.
        n: the number of continuations.
        until: where each of them ends: `END` at the end of the solution, `STEP` at the next step, `tokens(k)` after k.
        sampling: how tokens are drawn; None: as the search says.
        role: the role whose model writes; None: the role of the tree's root. Text that another model wrote is read in
            that model's tokens where the two share a vocabulary, and is encoded anew where they do not. Either way,
            what the writing model has not read yet is charged as prefilled tokens.
        label: why the nodes exist, for whoever looks at the tree.

        Raises BudgetExhausted when the budget cut any of the continuations (they stay in the tree with the finish
        `cancelled`), and ValueError for a node that has ended.
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
        """Sample one continuation of each node, all in one batch, and return them in the order of the nodes.

        A node that has ended is returned as it is and costs nothing. A node that is given k times gets k children.

        nodes: the partial solutions that are continued.
        until, sampling, role, label: as in `extend`.

        Raises BudgetExhausted as `extend` does, after all continuations have come back.
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
        """Append text that the model did not write here, and return it as a new child of `node`.

        Below a node that has ended, the solution is re-opened: its end-of-text token, or the token in which a stop
        string cut the text, is left out, and the new node's parent is the node before it. The text is charged as
        prefilled tokens when a model first reads it.

        node: the partial solution that the text is appended to.
        text: the text, or a segment, which keeps the tokens that it has.
        label: why the node exists, for whoever looks at the tree.
        """
        role, rest = node.path()[0].role, ""
        if node.finished:
            kept, rest = kept_on_reopening(node.segment)
            node = self._calls.beginning(node, kept)
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
        """Let a model read a text after each node (teacher forcing), all in one batch.

        Returns one new node for each text, a child of the given node. It holds the statistics that the model gives
        each token of the text (see `Segment`), and can be extended further. The texts are charged as prefilled tokens,
        in full, and together: either all of them are read or none.

        nodes: the partial solutions after which a text is read.
        texts: one text for each node, or one for all. A node stands for its own text, which is read in the tokens that
            it has where the reading model knows them.
        role: the role whose model reads; None: the role of the tree's root.
        label: why the new nodes exist, for whoever looks at the tree.

        Raises UsageError for a model that cannot score (`Capability.SCORE`), ValueError for a node that has ended, and
        BudgetExhausted when the budget does not pay for all texts.
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
        """Return an earlier point on the path to `node`. It shares everything before that point and costs nothing.

        Exactly one of the three amounts is given.

        node: the partial solution whose end is undone.
        tokens: how many tokens to go back.
        chars: how many characters to go back, and from there on to the last token boundary at or before that point.
        steps: how many nodes of the path to go back.

        Raises ValueError for a point before the end of the prompt, and for more or fewer than one amount.
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
        old, kept = rewind_point(path, tokens=tokens, chars=chars)
        return old if kept == len(old.segment) else self._calls.beginning(old, kept)

    async def score(self, nodes: Sequence[Node], scorer: Scorer | str) -> list[float]:
        """Score each node, record the scores on the nodes, and return them in the order of the nodes.

        nodes: the partial or whole solutions.
        scorer: a scorer, whose scores are recorded under its name, or the spec of a registered one
            (`name?key=value`), whose scores are recorded under its shortest spec.

        Raises UsageError for an unknown scorer and for one that the model or the problem cannot serve, and ValueError
        for a scorer that does not give one score for each node.
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
        """Ask the model of a role a question and return its replies, the nodes of a tree of their own.

        messages: the conversation to reply to, or the text of one user message.
        role: the role whose model replies, and to which the question is charged.
        n: the number of replies.
        sampling: how tokens are drawn; None: as the search says.
        until: where a reply ends.
        max_tokens: the most tokens that a reply may have; None: as many as a solution of the problem may have.
        """
        root = self.add_root(messages, role=role, max_tokens=max_tokens)
        return await self.extend(root, n, until=until, sampling=sampling)

    def add_root(
        self, messages: Sequence[Message] | str, *, role: str = "judge", max_tokens: int | None = None
    ) -> Node:
        """Begin a tree of its own with a question for the model of a role, and return its root.

        `extend` and `force` continue it as any node; the question is charged when they first do.

        messages: the conversation to reply to, or the text of one user message.
        role: the role whose model reads the question.
        max_tokens: the most tokens that a reply may have; None: as many as a solution of the problem may have.
        """
        turns = (Message("user", messages),) if isinstance(messages, str) else tuple(messages)
        # The random stream follows from what is asked and how often it was asked before, not from when: so what else
        # is in flight does not change the draws.
        question = self._stream.child("ask", role, turns)
        before = self._asked[question.key] = self._asked.get(question.key, -1) + 1
        return self._calls.add_root(turns, role, question.child(before), max_tokens or self.problem.max_tokens)

    def propose(self, answer: Answer) -> None:
        """Record the answer that the method would give now, with what has been spent until now.

        A search that the budget cuts short returns the last answer that was proposed.
        """
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
        """Sample independent solutions, and hand them out in the order of their numbers, not of their completion.

        As many solutions are in flight as the budget could pay for if all of them grew to full length, at most `width`,
        and at least one. So the solutions that come back are exactly the first ones in the order of their numbers that
        fit the budget together, whatever the timing; short ones are not preferred, and at most one is ever cut.
        Leaving the loop early gives up what is in flight, which is recorded and charged: a caller that may leave early
        passes a small `width`.

        node: the partial solution that all of them continue; None: the root.
        n: the number of solutions; None: as many as the budget pays for.
        sampling: how tokens are drawn; None: as the search says.
        role: the role whose model writes; None: the role of the tree's root.
        width: the most solutions in flight.

        Raises UsageError for neither a number nor a budget, and BudgetExhausted when the budget is spent before the
        n-th solution.
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
        """Sample independent solutions, combine them into one answer, and return it.

        The solutions are recorded as the search's exchangeable samples (`Search.samples`). The combined answer is
        proposed after each of the first 16 solutions, then whenever there are a sixteenth more of them, and once more
        at the end, also where the budget ends the sampling. So the total cost of combining grows in proportion to the
        number of solutions.

        n: the number of solutions; None: as many as the budget pays for.
        combine: gives the answer of all solutions sampled until now.
        scorer: the spec of the scorer that scores each solution on its own; None: none does.
        temperature: the sampling temperature; None: the search's own.

        Raises UsageError and BudgetExhausted as `rollouts` does.
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
        """The search's sampling settings with this temperature; None: unchanged."""
        return self.sampling if temperature is None else self.sampling.but(temperature=temperature)

    def answer(self, node: Node, confidence: float | None = None) -> Answer:
        """The answer that one solution states, with this confidence."""
        return answer_of(self.problem, node, confidence=confidence)

    def answers(self, nodes: Sequence[Node]) -> list[Answer]:
        """The answer that each solution states."""
        return [self.answer(node) for node in nodes]

    def pick(self, nodes: Sequence[Node], weights: Sequence[float] | None = None) -> Answer:
        """The answer that most of these solutions state, each having the given weight (see `clew.vote.vote`)."""
        return vote(self.problem, nodes, weights)

    async def together(self, *work: Any) -> list[Any]:
        """Run coroutines concurrently and return their results in order. It raises only after all have come back."""
        return await together(*work)

    async def close(self) -> None:
        """End the search: cancel what is still in flight, and wait until the models have released it.

        From now on, engines evict what they cached for this search first.
        """
        self.ledger.close()
        await self._calls.close()
        if self._owns_scorers:
            await self.scorers.close()
