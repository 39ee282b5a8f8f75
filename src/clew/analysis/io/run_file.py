"""Imported traces as a run file, which everything that reads clew's runs then reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clew.analysis.io.imported import Imported, grouped
from clew.analysis.segment import Span, steps
from clew.budget import Budget, Spend, Usage
from clew.plan import Plan
from clew.problem import Answer, Problem, Status
from clew.result import Proposal, Result
from clew.sampling import Stream
from clew.store import IMPORTED, Store
from clew.tasks.answers import as_canonical, checked, extractor, grader
from clew.tree import Finish, Floats, Node, Origin, Segment, Tree

_WORD = re.compile(r"(?:[^\W\d_]+|\d|[^\w\s]|_)\s*|^\s+")
_SPACE = re.compile(r"\s*")
_UNNAMED = "imported"


def import_run(traces: Sequence[Imported], path: Path, *, kind: str = "auto") -> int:
    """Write traces into a new run file; how many.

    Each step is a node. Traces of one question are searches of one problem, told apart by seed; the model that wrote a
    trace stands for the method. Where the file tells no tokens they are estimated (a word, digit or sign each) and have
    no statistics. kind: how answers are read. What a file states beside the trace as its answer is added as a node.

    Raises UsageError for an unknown kind, StoreError when the file exists or cannot be written.
    """
    groups = grouped(traces)
    problems = {name: _problem(name, group[0], kind) for name, group in groups.items()}
    results = [r for name, group in groups.items() for r in _results(problems[name], group)]
    plan = Plan(
        models={"generate": _UNNAMED},
        task=IMPORTED,
        task_options={"kind": kind},
        methods=tuple(dict.fromkeys(r.method for r in results)),
        budget=Budget(),
        seeds=tuple(sorted({r.seed for r in results})),
        view={"axis": "tokens", "budgets": [max(r.usage.total.tokens for r in results)], "baseline": None},
    )
    with Store.create(path, plan, list(problems.values())) as store:
        for result in results:
            store.keep(result)
    return len(results)


def _problem(name: str, trace: Imported, kind: str) -> Problem:
    known = checked(kind)
    reference = trace.reference
    canonical = None if reference is None else as_canonical(reference, known) or reference
    return Problem(
        name,
        trace.messages,
        family=IMPORTED,
        extract=extractor(known),
        grader=None if canonical is None else grader(canonical, known),
        reference=canonical,
        meta={"kind": known},
    )


def _results(problem: Problem, group: Sequence[Imported]) -> Iterator[Result]:
    seeds: dict[str, int] = {}
    for trace in group:
        method = trace.model or _UNNAMED
        seed = seeds[method] = seeds.get(method, -1) + 1
        tree, leaf = _grown(problem, trace)
        value = problem.extract(leaf.solution)
        grade = trace.grade
        if grade is None and problem.grader is not None:
            grade = problem.grader(value) if value is not None else 0.0
        spend = Spend(generated=trace.used or leaf.tokens, calls=1)
        usage = Usage({(method, "generate"): spend})
        answer = Answer(value, leaf.solution, None, leaf, status=Status.ANSWERED if value else Status.ABSTAINED)
        yield Result(
            problem, method, seed, Budget(), answer, grade, usage, tree, [Proposal(answer, usage)] if value else []
        )


def _grown(problem: Problem, trace: Imported) -> tuple[Tree, Node]:
    tree, stream = Tree(), Stream(IMPORTED)
    prompt = "\n".join(f"{m.role}: {m.text}" for m in trace.messages)
    count = sum(1 for _ in _WORD.finditer(prompt))
    node = tree.add(
        None, Segment(np.full(count, -1, np.int32), prompt, np.zeros(count, np.int32)), Origin.PROMPT, stream
    )
    # A step is whole tokens: those whose first character that is no white space is in it.
    starts, logprobs = _tokens(trace)
    spans = steps(trace.text) or [Span(0, len(trace.text))]
    firsts = [m.end() if (m := _SPACE.match(trace.text, at)) and m.end() < len(trace.text) else at for at in starts]
    owners = np.searchsorted([s.start for s in spans], firsts, "right") - 1
    cuts = [0, *(int(starts[owners >= i][0]) for i in range(1, len(spans)) if (owners >= i).any()), len(trace.text)]
    for start, end in pairwise(cuts):
        inside = (starts >= start) & (starts < end)
        if start == end or not inside.any():
            continue
        last = end == len(trace.text)
        segment = Segment(
            np.full(int(inside.sum()), -1, np.int32),
            trace.text[start:end],
            (starts[inside] - start).astype(np.int32),
            finish=(Finish.END if trace.complete else Finish.LENGTH) if last else Finish.STEP,
            logprob=None if logprobs is None else logprobs[inside],
            exact=False,
        )
        node = tree.add(node, segment, Origin.SAMPLED, stream, born=node.tokens)
    stated = None if trace.answer is None else problem.extract(f"The answer is {trace.answer}")
    if stated is not None and problem.extract(node.solution) != stated:
        text = f"\n\nThe answer is {trace.answer}"
        places = np.array([m.start() for m in _WORD.finditer(text)], np.int32)
        segment = Segment(np.full(len(places), -1, np.int32), text, places, Finish.END, exact=False)
        node = tree.add(node, segment, Origin.INSERTED, stream, label="answer", born=node.tokens)
    return tree, node


def _tokens(trace: Imported) -> tuple[NDArray[np.int64], Floats | None]:
    """Where each token begins, int64[T], and its log-probability, float32[T], where the file tells."""
    if trace.tokens and "".join(text for text, _ in trace.tokens) == trace.text:
        lengths = [0, *(len(text) for text, _ in trace.tokens)]
        return np.cumsum(lengths)[:-1].astype(np.int64), np.array([lp for _, lp in trace.tokens], np.float32)
    return np.array([m.start() for m in _WORD.finditer(trace.text)], np.int64), None
