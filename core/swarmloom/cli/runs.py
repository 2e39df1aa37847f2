"""`swarmloom runs`: what the ledger holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from swarmloom.cli.output import JsonFlag, QuietFlag, emit
from swarmloom.errors import InputError
from swarmloom.ledger import Ledger, RunRecord, default_path

__all__ = ["LedgerFile", "as_data", "open_existing", "runs"]

LedgerFile = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        envvar="SWARMLOOM_LEDGER__PATH",
        help="The ledger's file; by default the one in the user's data folder.",
        show_default=False,
    ),
]


def open_existing(path: Path | None) -> Ledger:
    """Open the ledger that a command is to read.

    Parameters
    ----------
    path : Path or None
        None for the default one.

    Raises
    ------
    InputError
        If there is no such file; none is made.
    """
    file = path or default_path()
    if not file.exists():
        raise InputError(f"there is no ledger {file}; nothing has been recorded there")
    return Ledger(file, read_only=True)


def runs(ledger: LedgerFile = None, json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """List the runs on record, the oldest first."""
    with open_existing(ledger) as opened:
        records = opened.runs()
    emit([as_data(record) for record in records], json, lambda: _table(records), quiet)


def as_data(record: RunRecord) -> dict[str, object]:
    """Give a run's line as JSON-ready data."""
    return {
        "id": record.id,
        "started": record.started,
        "status": record.status,
        "tasks": record.tasks,
        "finished": record.finished,
        "calls": record.calls,
        "cost": record.cost,
        "job": dict(record.job),
    }


def _table(records: Sequence[RunRecord]) -> Table:
    table = Table("run", "started", "status", box=None)
    for heading in ("tasks", "finished", "calls", "cost"):
        table.add_column(heading, justify="right")
    for record in records:
        counts = (record.tasks, record.finished, record.calls)
        started = datetime.fromtimestamp(record.started).isoformat(" ", "seconds")
        table.add_row(record.id, started, record.status, *map(str, counts), f"{record.cost:.6g}")
    return table
