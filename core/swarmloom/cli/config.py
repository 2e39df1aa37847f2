"""`swarmloom config`: check a configuration, show the one in force."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from swarmloom.cli.output import JsonFlag, QuietFlag, emit

if TYPE_CHECKING:
    from swarmloom.config import Settings

__all__ = ["app", "check", "show"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Check a configuration file, and show where each value comes from."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Settings, TOML.")],
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Check a configuration file against all settings, installed plugins and patterns.

    Exit code 2 and a line for each thing that is wrong: file, key, given value, what is allowed.
    """
    from swarmloom.config import load_settings
    from swarmloom.config_checks import check_settings

    check_settings(load_settings(file))
    emit({"file": str(file), "ok": True}, json, lambda: f"{file}: ok", quiet)


@app.command()
def show(
    config: Annotated[Path | None, typer.Option(help="Settings, TOML.")] = None,
    json: JsonFlag = False,
) -> None:
    """Show every setting in force, those of the installed plugins too, and where it comes from."""
    from swarmloom.config import load_settings
    from swarmloom.config_checks import check_settings

    settings = load_settings(config)
    rows = _rows(settings, check_settings(settings))
    data = [{"key": key, "value": value, "source": source} for key, value, source in rows]
    emit(data, json, lambda: _table(rows))


def _rows(
    settings: Settings, protocols: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Any, str]]:
    from swarmloom.config_errors import key_name
    from swarmloom.config_sources import leaves

    values = settings.model_dump(mode="json")
    values["plugins"]["config"].update(protocols)
    return [
        (key_name(key), value, settings.given_by(key) or "default") for key, value in leaves(values)
    ]


def _table(rows: list[tuple[str, Any, str]]) -> Table:
    table = Table("key", "value", "source", box=None)
    for key, value, source in rows:
        texts = (key, json_module.dumps(value, ensure_ascii=False), source)
        table.add_row(*(Text(text) for text in texts))
    return table
