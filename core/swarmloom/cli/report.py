"""`swarmloom report RUN`: the HTML page of a run on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmloom.cli.output import JsonFlag, QuietFlag, emit
from swarmloom.cli.runs import LedgerFile, open_existing

__all__ = ["report"]


def report(
    run: Annotated[str, typer.Argument(help='A run\'s id, the beginning of one, or "last".')],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder, or file ending in .html.")
    ] = Path("swarmloom-report"),
    config: Annotated[
        Path | None, typer.Option(help="Settings, TOML; they say which plugins' panels to show.")
    ] = None,
    ledger: LedgerFile = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write the report of a run: what it cost, who decided, whom it asked, how sure it was.

    Accuracy is that of the graded tasks; a backtest's own report scores every item.
    """
    from swarmloom.config import load_settings
    from swarmloom.host import PluginHost
    from swarmloom.ledger.records import warning_texts
    from swarmloom.report import report_data, write_report

    with open_existing(ledger) as opened:
        view = opened.view(opened.find(run))
    host = PluginHost(load_settings(config).plugins)
    host.discover()
    try:
        path = write_report(output, report_data(view, panels=host.panels))
    finally:
        host.close()
    warnings = warning_texts(view.warnings)
    data = {"run": view.id, "report": str(path), "warnings": warnings}
    lines = [f"Report of {view.id}: {path}", *(f"Warning: {text}" for text in warnings)]
    emit(data, json, lambda: "\n".join(lines), quiet)
