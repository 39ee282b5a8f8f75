"""The command line: all commands, and how errors are told."""

from __future__ import annotations

import io
import sys

import click

from clew.cli.audit import audit
from clew.cli.output import echo
from clew.cli.rescore import rescore
from clew.cli.runs import compare, export, resume, show
from clew.cli.solve import solve
from clew.cli.tools import advise, doctor, list_, pull
from clew.cli.traces import anchors, edit, import_, stats
from clew.cli.view import view
from clew.errors import ClewError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="clew")
def cli() -> None:
    """clew: spend a stated compute budget on reasoning with a language model, and see what each technique buys."""


_RUNS = (solve, compare, resume, show, rescore, export, view)
_TRACES = (stats, audit, import_, edit, anchors)
for command in (*_RUNS, *_TRACES, list_, advise, pull, doctor):
    cli.add_command(command)


def main() -> None:
    """The entry point: one clear line and exit status 2 for whatever the user can mend; 130 for Ctrl-C."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        echo(shown.getvalue().rstrip("\n"), err=True)
        sys.exit(2)
    except ClewError as error:
        echo(f"clew: {error}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
