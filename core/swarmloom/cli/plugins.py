"""`swarmloom plugins`: what is installed, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from swarmloom.cli.output import JsonFlag, QuietFlag, emit

if TYPE_CHECKING:
    from swarmloom.host import PluginRecord

__all__ = ["plugins"]

_STYLES = {"active": "green", "disabled": "dim", "quarantined": "red", "other_api": "yellow"}


def plugins(
    config: Annotated[
        Path | None, typer.Option(help="Settings, TOML; they say who is let in.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List the installed plugins: state, source, version, hooks, errors.

    Plugins that the settings allow are imported, others are not.
    """
    from swarmloom.config import load_settings
    from swarmloom.host import PluginHost

    host = PluginHost(load_settings(config).plugins)
    host.discover()
    records = host.report()
    emit([asdict(record) for record in records], json, lambda: _page(records), quiet)
    host.check()


def _page(records: Sequence[PluginRecord]) -> RenderableType:
    table = Table("plugin", "state", "version", "distribution", "source", "hooks", box=None)
    for record in records:
        state = Text(record.state, style=_STYLES[record.state])
        hooks = ", ".join(name.removeprefix("swarmloom_") for name in record.hooks)
        origin = (record.version, record.distribution, record.source, hooks)
        table.add_row(Text(record.name), state, *(Text(text) for text in origin))
    errors = [Text(f"{one.name}: {error}") for one in records for error in one.errors]
    return Group(table, *errors)
