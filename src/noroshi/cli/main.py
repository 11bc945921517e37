"""The command line: finds the command, and gives every error one sentence and an exit code.

Commands are imported when they are called, so that help is quick and one that cannot be imported costs only
itself. Exit 0: done and held; 1: ran, but an expectation failed; 2: the input is unusable. With `--json`
standard output holds one JSON document, also for an error. `--debug`, anywhere, shows tracebacks.

    main(["log", "verify", "jpn"])       # 0
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from noroshi.cli.output import INTERRUPTED, UNUSABLE, fail, show, tell, usage_document
from noroshi.errors import LocalError, NoroshiError

COMMANDS = {
    "demo": "Play one real crisis through three partners' nodes, live or in seconds.",
    "exercise": "Run, check and list exercises.",
    "structure": "Check, show, compare and draw command structures.",
    "node": "Make, run and check one partner's node.",
    "relay": "Carry alerts over the last hops, and see who has received them.",
    "log": "Verify, read and export a node's record.",
    "alert": "Sign, ask for and take back public alerts; approve their words.",
    "areas": "Check an agency's own areas; bring them to a node.",
    "release": "Check release policies; explain who got what, and why.",
    "notice": "Announce planned launches, and see which watch knows of them.",
    "cap": "Check, convert and sign messages of the Common Alerting Protocol.",
    "cot": "Check and convert events of Cursor on Target.",
    "track": "Track objects from files of detections; hold reported flights against free fall.",
    "review": "Make a review of the records of an exercise.",
    "bench": "Measure, against the named peers.",
}
"""Every command and its line of help; one whose module is not there is left out."""


class LazyCommands(TyperGroup):
    """A group whose commands are modules of `noroshi.cli`, imported when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands that are there."""
        return [name for name in COMMANDS if importlib.util.find_spec(f"noroshi.cli.{name}") is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None when there is none."""
        return load_command(cmd_name) if cmd_name in self.list_commands(ctx) else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


app = typer.Typer(
    cls=LazyCommands,
    help="Warn one another within a second, decide together, release only what may be released.",
    epilog="Add --debug to any command to see tracebacks.",
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Without a command there is nothing to do; what is common to all is done in `main`."""


def load_command(name: str) -> Any:
    """The command of one module: its `app`, or the function that has its name. Raises LocalError."""
    try:
        module = importlib.import_module(f"noroshi.cli.{name}")
    except ImportError as error:
        raise LocalError(
            f"load the command `{name}`",
            cause=str(error),
            hint="install noroshi with all it needs (`make setup`)",
        ) from error
    commands = getattr(module, "app", None)
    if commands is None:
        commands = typer.Typer(add_completion=False)
        commands.command(name)(getattr(module, name))
    command = typer.main.get_command(commands)
    command.name = name
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug, as_json = "--debug" in given, "--json" in given
    given = [one for one in given if one != "--debug"]
    try:
        ended = typer.main.get_command(app)(given, prog_name="noroshi", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else UNUSABLE
    except typer.TyperException as error:  # a wrong option, or one too many
        words = error.format_message()
        getattr(error, "show", lambda: tell(words))()  # with its usage, where it knows the command
        if as_json:
            show(usage_document(words), (), as_json)
        return error.exit_code
    except typer.Abort:
        return INTERRUPTED
    except NoroshiError as error:
        if debug:
            traceback.print_exc()
        return fail(error, as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing is left to be said to it
        return 0
    except Exception as error:  # noqa: BLE001  # the last place that can turn a defect into a sentence
        if debug:
            traceback.print_exc()
        defect = f"{type(error).__name__}: {error}"
        return fail(
            LocalError("finish", cause=f"a defect ({defect})", hint="report it with --debug's output"),
            as_json,
        )
    return ended if isinstance(ended, int) else 0


def run() -> None:
    """The installed command."""
    sys.exit(main())


if __name__ == "__main__":
    run()
