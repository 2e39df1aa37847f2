"""The group of all commands. Listing them imports none: names and help texts are a static table."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

import swarmloom
from swarmloom.errors import InterruptedRunError, PluginError, SwarmloomError

__all__ = ["COMMANDS", "COMMAND_GROUP", "command_names", "run"]

COMMAND_GROUP = "swarmloom.commands.v1"

# Name: where it is (a function or a Typer application), and its line in the list.
COMMANDS = {
    "backtest": ("swarmloom.cli.backtest:backtest", "Recorded answers through a live swarm."),
    "config": ("swarmloom.cli.config:app", "Check a configuration, show where values come from."),
    "explain": ("swarmloom.cli.explain:explain", "Why a task went to whom it went."),
    "hooks": ("swarmloom.cli.hooks:hooks", "The hook reference."),
    "plan": ("swarmloom.cli.plan:plan", "The memory a swarm will take."),
    "plugins": ("swarmloom.cli.plugins:plugins", "Installed plugins and how they stand."),
    "report": ("swarmloom.cli.report:report", "The HTML page of a run."),
    "resume": ("swarmloom.cli.resume:resume", "Go on with a run that was interrupted."),
    "runs": ("swarmloom.cli.runs:runs", "Runs on record."),
}
# Help of the commands that swarmloom itself brings by entry point.
_OWN_HELP = {"run": "Run a crew, coordinated."}

_EPILOG = (
    "Exit codes: 0 done, 1 another error, 2 bad usage, configuration or input, 3 plugins, "
    "4 ledger, 5 budget, 6 experts, 7 device or memory, 130 interrupted."
)


def command_names() -> dict[str, str]:
    """Give the names of all commands with their help lines; built-in ones win."""
    brought = {name: _help_of(point) for name, point in _brought().items()}
    own = {name: text for name, (_, text) in COMMANDS.items()}
    return dict(sorted({**brought, **own}.items()))


def _brought() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    points = sorted(entry_points(group=COMMAND_GROUP), key=_precedence)
    for point in points:
        found.setdefault(point.name, point)
    return found


def _precedence(point: EntryPoint) -> tuple[bool, str]:
    distribution = point.dist.name if point.dist else ""
    return distribution != "swarmloom", distribution


def _help_of(point: EntryPoint) -> str:
    distribution = point.dist.name if point.dist else point.module
    return _OWN_HELP.get(point.name) or f"Brought by {distribution}."


def _load(name: str) -> Any:
    """Import what a command's name stands for."""
    if name in COMMANDS:
        module, attribute = COMMANDS[name][0].split(":")
        return getattr(importlib.import_module(module), attribute)
    point = _brought()[name]
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"command {name!r} ({point.value}) cannot be imported: {error}"
        ) from error


def _as_command(name: str, loaded: Any) -> Any:
    if not isinstance(loaded, typer.Typer):
        application = typer.Typer(add_completion=False)
        application.command(name)(loaded)
        loaded = application
    command = typer.main.get_command(loaded)
    command.name = name
    return command


class _LazyGroup(TyperGroup):
    """Knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(command_names())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        text = command_names().get(cmd_name)
        return None if text is None else TyperCommand(cmd_name, help=text)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name = args[0]
        if name not in command_names():
            near = get_close_matches(name, command_names(), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return name, _as_command(name, _load(name)), args[1:]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # Typer would end the process without a word.
            raise InterruptedRunError("interrupted") from None


app = typer.Typer(
    cls=_LazyGroup,
    name="swarmloom",
    no_args_is_help=True,
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"swarmloom {swarmloom.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Swarmloom: a coordination layer for crews of experts."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave the process with its exit code; `swarmloom.cli.main` calls it."""
    from swarmloom.cli.output import fail

    try:
        app(list(arguments) if arguments is not None else None, prog_name="swarmloom")
    except SystemExit as ended:
        code = ended.code
    except SwarmloomError as error:
        code = fail(error)
    except KeyboardInterrupt:
        code = fail(InterruptedRunError("interrupted"))
    if arguments is None and code == InterruptedRunError.exit_code:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End the process at once: Python would wait for calls in threads, and their results fail."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
