"""What all commands share: consoles, JSON, errors."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from swarmloom.errors import InterruptedRunError, SwarmloomError

__all__ = ["JsonFlag", "QuietFlag", "console", "emit", "fail"]

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors.")]


def console(*, stderr: bool = False) -> Console:
    """Make a console on standard output or standard error.

    Colours follow the terminal and ``NO_COLOR``; away from a terminal, lines are not broken.
    """
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=10_000, soft_wrap=True)


def emit(data: Any, json: bool, render: Callable[[], RenderableType], quiet: bool = False) -> None:
    """Show a command's result.

    Parameters
    ----------
    data : object
        The result as JSON-ready data; paths and the like are written as strings.
    json : bool
        Whether one JSON document is wanted on standard output.
    render : callable
        Makes what people read; not called for JSON.
    quiet : bool
        Show nothing unless `json`.
    """
    if json:
        sys.stdout.write(json_module.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    elif not quiet:
        console().print(render(), highlight=False)


def fail(error: SwarmloomError) -> int:
    """Write an error to standard error and give its exit code."""
    interrupted = isinstance(error, InterruptedRunError)
    text = str(error) if interrupted else f"error: {error}"
    console(stderr=True).print(text, style="red", markup=False, highlight=False)
    return error.exit_code
