"""Where `clew solve` takes its questions from: an argument, standard input, or a file whose answers go to another."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clew.cli.output import echo, print_json, to_stderr
from clew.errors import UsageError
from clew.problem import Message

LONGEST = 2**24
"""The most bytes of a question that is read from standard input."""


def question_given(question: str | None) -> str:
    """The question: the argument, or what standard input holds where the argument is `-` or where there is none.

    Raises UsageError where there is none at all, and for input that is not text.
    """
    if question is not None and question != "-":
        return question
    if sys.stdin is None or (question is None and sys.stdin.isatty()):
        raise UsageError("no question is given", 'Write clew solve "…", pipe one in, or name a --file of them')
    content = sys.stdin.buffer.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise UsageError(f"the question has more than {LONGEST:,} bytes", "Shorten it")
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 ({error.reason})", "Give it as UTF-8 text") from None


def solve_file(
    file: Path,
    out: Path,
    *,
    model: str,
    engine: Mapping[str, Any],
    roles: Mapping[str, str],
    method: str,
    budget: int,
    seed: int,
    kind: str,
    sampling: Mapping[str, Any],
    before: Sequence[Message],
    prompting: Mapping[str, Any],
    fields: Mapping[str, str],
    concurrency: int,
    as_json: bool,
) -> None:
    """Answer the questions of a file that `out` has no answer to, and say how many there are now.

    before: turns before each question. prompting: see `Problem.prompted`. engine: further options of every model."""
    from clew.background import get_model, run_in_background
    from clew.budget import Budget
    from clew.cli.tables import run_progress
    from clew.lab.answering import AnswersFile, answer_all, to_answer
    from clew.lab.experiment import by_role
    from clew.models import public
    from clew.sampling import Sampling
    from clew.tasks.files import read_questions

    questions = [
        replace(problem, messages=(*before, *problem.messages)).prompted(**prompting)
        for problem in read_questions(file, fields=fields, kind=kind)
    ]
    models = {role: get_model(spec, engine) for role, spec in by_role(model, roles).items()}
    limit = Budget(tokens=budget)
    trials = to_answer(questions, models, method=method, budget=limit, seed=seed)
    settings = {
        "model": public(model),
        "roles": {role: public(spec) for role, spec in roles.items()},
        "method": method,
        "budget": budget,
        "seed": seed,
        "kind": kind,
        "sampling": dict(sampling),
        **prompting,
        **({"before": [[turn.role, turn.text] for turn in before]} if before else {}),
    }
    say = to_stderr()
    with AnswersFile(out, questions, settings) as answers:
        done = len(answers.answered)
        say.print(f"{len(questions) - done} of {len(questions)} questions to answer, kept in {out}", style="dim")
        with run_progress(say, len(questions), done) as watcher:
            try:
                failed = run_in_background(
                    answer_all(
                        trials,
                        answers,
                        models,
                        budget=limit,
                        sampling=Sampling(**sampling),
                        concurrency=concurrency,
                        watcher=watcher,
                    )
                )
            except KeyboardInterrupt:
                kept = f"interrupted; {len(answers.answered)} of {len(questions)} answers are kept in {out}"
                say.print(f"{kept}. The same command goes on", highlight=False, soft_wrap=True)
                raise
        without = sum(not found for found in answers.answered.values())
    if as_json:
        print_json({"out": str(out), "questions": len(questions), "without_answer": without, "failed": failed})
    else:
        echo(out)
        say.print(f"{len(questions) - failed - without} answers, {without} questions without one", highlight=False)
    if failed:
        say.print(f"{failed} searches failed; the same command tries them again", style="yellow")
        sys.exit(1)
