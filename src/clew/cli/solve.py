"""`clew solve`: a few lines around `clew.api.solve`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli.options import (
    Examples,
    engine_given,
    key_option,
    pairs,
    plugin_option,
    prompt_options,
    prompting_given,
    role_option,
    roles_given,
    sampling_given,
    sampling_options,
)
from clew.cli.output import print_json, to_stderr, to_stdout
from clew.cli.results import result_data, say_unasked
from clew.errors import ModelError, StoreError, UsageError

if TYPE_CHECKING:
    from clew.result import Result


@click.command(
    cls=Examples,
    examples=(
        'clew solve "Tom has 3 boxes of 4 pens and loses 2. How many are left?"',
        'clew solve "…" --method best_of_n --param n=8 --budget 4000 --show',
        'clew solve "…" --model http://127.0.0.1:8080/v1 --json',
        'clew solve "…" --examples word --shots 3 --max-tokens 120',
        "clew solve - < question.txt",
        "clew solve --file questions.jsonl --out answers.jsonl",
    ),
)
@click.argument("question", required=False)
@click.option("-m", "--model", default=None, help="A name, a .gguf, a server's URL[#MODEL], or toy:… (smollm2-135m).")
@key_option
@click.option("--method", default="consensus", show_default=True, help="A method, as name or name?key=value.")
@click.option("-b", "--budget", type=int, default=None, help="Tokens to spend (default 2000).")
@click.option("-p", "--param", multiple=True, help="key=value for the method; may be repeated.")
@click.option("--kind", default="auto", show_default=True, help="How the answer is read off: auto, math, number, …")
@role_option
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--examples", metavar="TASK", default=None, help="A task or data file: its worked examples come first.")
@click.option("--shots", type=int, default=None, help="--examples: how many of them.")
@click.option("--file", type=click.Path(path_type=Path), default=None, help="A data file of questions, all answered.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="Where the answers to --file go.")
@click.option("--field", multiple=True, help="--file: question=FIELD, choices=FIELD, id=FIELD; may be repeated.")
@click.option(
    "--concurrency", type=click.IntRange(1), default=32, show_default=True, help="--file: questions in flight."
)
@click.option("--show", is_flag=True, help="Print the tree, each sample's answer, the vote, and what was spent.")
@click.option("--no-log", is_flag=True, help="Keep no run file (else `clew show last` has it).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@prompt_options
@sampling_options
@plugin_option
def solve(
    question: str | None,
    model: str | None,
    key_env: str | None,
    param: Sequence[str],
    roles: Sequence[str],
    examples: str | None,
    shots: int | None,
    file: Path | None,
    out: Path | None,
    field: Sequence[str],
    concurrency: int,
    show: bool,
    no_log: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Solve one problem within a token budget, or each of those in a --file.

    QUESTION is the text itself; `-`, or none where something is piped in, stands for standard input. Without an answer
    nothing goes to standard output, and the exit status is 1. Ctrl-C prints the best answer so far. Each search is kept
    in a run file of its own: `clew show last` shows the latest, `clew view last` opens it in the browser.

    --file takes any data file that `clew compare` reads: .jsonl, .ndjson, .json, .csv, .tsv, .parquet, packed as .gz or
    .zst or not; in the shape of GSM8K, MATH, AIME, ARC, MMLU-Pro, OlympiadBench, verl or TRL, or with the usual names
    of fields. Gold answers are not needed. Each answer is a line of --out as soon as it is there, and the same command
    goes on where an earlier one stopped."""
    from clew import api
    from clew.cli.questions import question_given, solve_file
    from clew.lab.experiment import DEFAULT_MODEL, method_spec
    from clew.models import keyed
    from clew.sampling import Sampling
    from clew.tasks import examples as examples_of

    sampling, prompting, engine = sampling_given(options), prompting_given(options), engine_given(options)
    spec = keyed(model or DEFAULT_MODEL, key_env)
    budget = api.DEFAULT_BUDGET if (tokens := options.pop("budget")) is None else tokens
    if shots is not None and examples is None:
        raise UsageError("--shots needs worked examples", "Name where they come from: --examples TASK, or a data file")
    before = examples_of(examples, shots) if examples is not None else ()
    if (file is None) != (out is None):
        raise UsageError("--file and --out go together", "Write --file questions.jsonl --out answers.jsonl")
    if file is not None and out is not None:
        if question is not None or show:
            raise UsageError("--file takes the place of a question, and shows no tree", "Leave the other out")
        solve_file(
            file,
            out,
            model=spec,
            engine=engine,
            roles=roles_given(roles),
            method=method_spec(options["method"], pairs(param)),
            budget=budget,
            seed=options["seed"],
            kind=options["kind"],
            sampling=sampling,
            before=before,
            prompting=prompting,
            fields=pairs(field),
            concurrency=concurrency,
            as_json=as_json,
        )
        return
    result = _solved(
        question_given(question),
        before,
        no_log,
        model=spec,
        budget=budget,
        roles=roles_given(roles),
        params=pairs(param),
        sampling=Sampling(**sampling),
        model_options=engine,
        **prompting,
        **options,
    )
    say_unasked(roles_given(roles), [result])
    if as_json:
        print_json(result_data(result))
    else:
        _print_answer(result, show)
    if result.answer.value is None:
        sys.exit(1)


def _solved(question: str, before: Sequence[Any], no_log: bool, **options: Any) -> Result:
    """Solve a question, showing how it goes; what was found until then is printed where it ends early."""
    from clew import api
    from clew.cli.thinking import Thinking
    from clew.lab.solving import new_path
    from clew.problem import Message

    path = None if no_log else new_path(question)
    turns = [*before, Message("user", question)]
    say = to_stderr()
    thinking = Thinking(say, options["budget"])
    try:
        with thinking.shown():
            return api.solve(turns, out=path, on_progress=thinking, **options)
    except KeyboardInterrupt:
        thinking.give_up("interrupted", path)
        raise
    except ModelError:
        thinking.give_up("the model failed", path)
        raise
    except StoreError as error:
        thinking.give_up("the run file was not written", None)
        raise StoreError(error.cause, f"{error.cure}, name another folder by CLEW_STATE, or give --no-log") from None


def _print_answer(result: Result, show: bool) -> None:
    """The answer alone on standard output; what is said of it on standard error."""
    from clew.lab.advice import hint
    from clew.lab.solving import crowding

    console, answer, total = to_stdout(), result.answer, result.usage.total
    if show:
        from clew.cli.tables import usage_table, votes_table
        from clew.cli.tree import solution_tree

        console.print(solution_tree(result))
        if answer.votes:
            console.print(votes_table(result))
        console.print(usage_table(result))
    if answer.value is None:
        to_stderr().print("no answer", style="bold")
    else:
        console.print(answer.value, style="bold", soft_wrap=True)
    sure = f", confidence {answer.confidence:.2f}" if answer.confidence is not None else ""
    to_stderr().print(
        f"{answer.status}{sure} · {total.tokens:,} tokens ({total.generated:,} generated) · {total.seconds:.1f} s",
        style="dim",
    )
    for note in filter(None, (hint(result), crowding(result))):
        to_stderr().print(note, style="dim", highlight=False, soft_wrap=True)
