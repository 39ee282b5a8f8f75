"""Writes imported traces as a run file, so that every command that reads clew's runs can read them."""

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
from clew.errors import StoreError
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
    """Write traces into a new run file, whole or not at all, and return how many they are.

    Each step is a node. Traces of one question are searches of one problem, told apart by seed; the name of the model
    that wrote a trace stands where the name of the method stands in other runs. Where a trace comes without tokens,
    they are estimated (each word, digit or sign is one) and have no statistics. An answer that the file states beside
    the text is added as a node.

    traces: at least one. path: the run file, which must not exist. kind: how answers are read (see `clew.tasks`).

    Raises UsageError for an unknown kind, StoreError when the file exists or cannot be written.
    """
    if path.exists():
        raise StoreError(f"{path} exists", "Name another file by --out, or remove it")
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
    # Written under another name, and given its own once it is whole.
    part = path.with_name("part-" + path.name)
    try:
        part.unlink(missing_ok=True)
        try:
            with Store.create(part, plan, list(problems.values())) as store:
                for result in results:
                    store.keep(result)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror})", "Name another file by --out") from error
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
        value = problem.answer_in(leaf)
        grade = trace.grade
        if grade is None:
            grade = problem.grade(value)
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
    # A step is whole tokens: those whose first character that is not white space lies in it.
    starts, logprobs = _tokens(trace)
    spans = steps(trace.text) or [Span(0, len(trace.text))]
    firsts = [m.end() if (m := _SPACE.match(trace.text, at)) and m.end() < len(trace.text) else at for at in starts]
    first_tokens = np.searchsorted(firsts, [s.start for s in spans[1:]])
    cuts = [0, *(int(starts[i]) for i in first_tokens if i < len(starts)), len(trace.text)]
    written = 0
    for start, end in pairwise(cuts):
        a, b = (int(i) for i in np.searchsorted(starts, [start, end]))
        if a == b:
            continue
        last = end == len(trace.text)
        segment = Segment(
            np.full(b - a, -1, np.int32),
            trace.text[start:end],
            (starts[a:b] - start).astype(np.int32),
            finish=(Finish.END if trace.complete else Finish.LENGTH) if last else Finish.STEP,
            logprob=None if logprobs is None else logprobs[a:b],
            exact=False,
        )
        node = tree.add(node, segment, Origin.SAMPLED, stream, born=written)
        written += b - a
    stated = None if trace.answer is None else problem.extract(f"The answer is {trace.answer}")
    if stated is not None and problem.answer_in(node) != stated:
        text = f"\n\nThe answer is {trace.answer}"
        places = np.array([m.start() for m in _WORD.finditer(text)], np.int32)
        segment = Segment(np.full(len(places), -1, np.int32), text, places, Finish.END, exact=False)
        node = tree.add(node, segment, Origin.INSERTED, stream, label="answer", born=written)
    return tree, node


def _tokens(trace: Imported) -> tuple[NDArray[np.int64], Floats | None]:
    """Where each token begins, int64[T], and its log-probability, float32[T], where the file tells."""
    if trace.tokens and "".join(text for text, _ in trace.tokens) == trace.text:
        lengths = [0, *(len(text) for text, _ in trace.tokens)]
        return np.cumsum(lengths)[:-1].astype(np.int64), np.array([lp for _, lp in trace.tokens], np.float32)
    return np.array([m.start() for m in _WORD.finditer(trace.text)], np.int64), None
