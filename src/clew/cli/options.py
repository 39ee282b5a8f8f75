"""What the commands share: help with examples, options that several of them take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from clew.errors import UsageError


class Examples(click.Command):
    """A command whose help ends with examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"  {line}\n")


class RunFile(click.Path):
    """The path of a run file; `last` is that of the question that was solved last."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        if value == "last":
            from clew.lab.solving import latest

            return latest()
        return super().convert(value, param, ctx)


RUN = RunFile()


def pairs(values: Sequence[str]) -> dict[str, Any]:
    """`key=value` options as a dictionary, numbers and booleans read as such."""
    from clew.registry import parse_spec

    return parse_spec("?" + "&".join(values))[1]


def numbers(text: str) -> list[float]:
    """Comma-separated numbers. Raises UsageError for anything else."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"{text!r} is not a list of numbers", "Write them as 500,1000,2000") from None


key_option = click.option(
    "--key-env", metavar="NAME", default=None, help="The environment variable that holds the key of the model's server."
)


def _load_plugins(ctx: click.Context, param: click.Parameter, files: Sequence[str]) -> None:
    from clew.plugin_files import load_plugin

    for file in files:
        load_plugin(file)


plugin_option = click.option(
    "--plugin",
    metavar="FILE",
    multiple=True,
    callback=_load_plugins,
    expose_value=False,
    help="A Python file with methods, scorers, tasks or models of your own; may be repeated.",
)


role_option = click.option(
    "--role", "roles", multiple=True, metavar="ROLE=SPEC", help="Another model for a role: judge=SPEC; may be repeated."
)


def roles_given(roles: Sequence[str]) -> dict[str, str]:
    """Role → model spec, of `--role` options.

    Raises UsageError for what is not ROLE=SPEC, and for a role given twice.
    """
    given: dict[str, str] = {}
    for one in roles:
        role, equals, spec = one.partition("=")
        if not (role and equals and spec):
            raise UsageError(f"{one!r} does not give a role its model", "Write --role judge=SPEC")
        if role in given:
            raise UsageError(f"the role {role} is given twice", "Give each role one model")
        given[role] = spec
    return given


memory_option = click.option("--memory", default=None, help="The most that each embedded model may take: 900M, 2G.")


def prompt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that poses problems; `prompting_given` takes them out again."""
    for option in (
        click.option("--stop", multiple=True, help="A string that ends a solution; \\n is a line break. Repeatable."),
        click.option("--system", default=None, help="The system prompt."),
        click.option("--max-tokens", type=int, default=None, help="The most tokens of a solution."),
        click.option("--threads", type=click.IntRange(min=1), default=None, help="Threads of the embedded engine."),
        memory_option,
    ):
        command = option(command)
    return command


def prompting_given(options: dict[str, Any]) -> dict[str, Any]:
    """Take `--system`, `--stop` and `--max-tokens` out of a command's options; those that were given."""
    stop = [one.replace("\\n", "\n") for one in options.pop("stop")]
    given = {name: options.pop(name) for name in ("system", "max_tokens")}
    return {name: value for name, value in given.items() if value is not None} | ({"stop": stop} if stop else {})


def engine_given(options: dict[str, Any]) -> dict[str, Any]:
    """Take `--threads` and `--memory` out of a command's options, as options of models; those that were given."""
    given = {name: options.pop(name) for name in ("threads", "memory")}
    return {name: value for name, value in given.items() if value is not None}


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that samples; `sampling_given` takes them out again."""
    for option in (
        click.option("--repetition-penalty", type=float, help="Above 1 discourages repeated tokens."),
        click.option("--min-p", type=float, help="Drop tokens less probable than this share of the best."),
        click.option("--top-p", type=float, help="Nucleus sampling."),
        click.option("--top-k", type=int, help="Only the k most probable tokens."),
        click.option("-t", "--temperature", type=float, help="Sampling temperature (default 0.8)."),
    ):
        command = option(command)
    return command


def sampling_given(options: dict[str, Any]) -> dict[str, Any]:
    """Take the sampling options out of a command's options; those that were given."""
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    given = {name: options.pop(name) for name in names}
    return {name: value for name, value in given.items() if value is not None}
