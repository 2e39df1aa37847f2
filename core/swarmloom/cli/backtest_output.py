"""What `swarmloom backtest` prints: live progress and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from swarmloom.backtest.command import Request, as_data, notes
from swarmloom.backtest.run import Backtest
from swarmloom.backtest.run import Progress as PassProgress
from swarmloom.backtest.scores import Summary
from swarmloom.cli.output import console, emit
from swarmloom.report.from_view import solvers_text
from swarmloom.report.page import report_file

__all__ = [
    "announce",
    "comparison_table",
    "progress_display",
    "shares_line",
    "show",
    "solvers_line",
]

_HEADINGS = ("accuracy", "95 % interval", "cost", "calls")


def announce(request: Request) -> None:
    """Say at once what is going on; loading the protocols takes seconds."""
    passes = f"{len(request.seeds)} passes" if len(request.seeds) > 1 else "one pass"
    console(stderr=True).print(f"Backtest of {request.answers}: {passes}", highlight=False)


@contextmanager
def progress_display(hidden: bool, passes: int) -> Iterator[Callable[[PassProgress], None] | None]:
    """Show live progress on standard error within a ``with`` block.

    Parameters
    ----------
    hidden : bool
        Show nothing.
    passes : int
        How many passes there will be.

    Yields
    ------
    callable or None
        To be called with every `PassProgress`.
    """
    if hidden:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("right {task.fields[right]:.3f}  cost {task.fields[cost]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True)) as display:
        bars: dict[int, object] = {}

        def update(state: PassProgress) -> None:
            if state.seed not in bars:
                name = f"seed {state.seed}" if passes > 1 else "swarm"
                bars[state.seed] = display.add_task(name, total=state.total, right=0.0, cost=0.0)
            display.update(
                bars[state.seed],  # type: ignore[arg-type]
                completed=state.finished,
                right=state.right / state.finished,
                cost=state.cost / state.finished,
            )

        yield update


def show(request: Request, result: Backtest, json: bool, quiet: bool = False) -> None:
    """Print the result: a table, or one JSON document.

    Parameters
    ----------
    request : Request
    result : Backtest
    json, quiet : bool
    """
    emit(as_data(request, result), json, lambda: _summary(request, result), quiet)


def comparison_table(rows: Sequence[Summary], experts: int = 5) -> Table:
    """Lay out the comparison: all but the experts, and the best few of these.

    Parameters
    ----------
    rows : sequence of Summary
        The experts from best to worst.
    experts : int
        How many of them to show.
    """
    several = any(row.seeds > 1 for row in rows)
    table = Table(Column("who answers", no_wrap=True), box=None, header_style="bold")
    for heading in ("accuracy", "cost", "calls") if several else _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    alone = [row for row in rows if row.kind == "expert"]
    shown = {id(row) for row in alone[:experts]}
    for row in rows:
        if row.kind != "expert" or id(row) in shown:
            table.add_row(*_cells(row), style="bold" if row.kind == "swarm" else "")
    left_out = len(alone) - len(shown)
    if left_out > 0:
        table.add_row(f"… {left_out} more experts in the report", style="dim")
    return table


def shares_line(shares: Mapping[str, float]) -> str:
    """Tell each protocol's share in the decisions in one line, the largest first."""
    if not shares:
        return "No protocol took part in the decisions."
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    listed = ", ".join(f"{name} {share:.1%}" for name, share in ordered)
    return f"Shares in the decisions: {listed}"


def solvers_line(solvers: Mapping[str, int]) -> str:
    """Tell in one line how many decisions each solver made."""
    return f"Decisions by solver: {solvers_text(solvers) or 'none'}"


def _cells(row: Summary) -> list[str]:
    if row.seeds > 1:
        accuracy = f"{row.accuracy:.4f} ± {row.accuracy_sd:.4f}"
        return [row.name, accuracy, f"{row.cost:.3f} ± {row.cost_sd:.3f}", f"{row.calls:.2f}"]
    interval = f"{row.low:.3f} – {row.high:.3f}"
    return [row.name, f"{row.accuracy:.4f}", interval, f"{row.cost:.3f}", f"{row.calls:.2f}"]


def _summary(request: Request, result: Backtest) -> Group:
    lines = [
        shares_line(result.shares),
        solvers_line(result.solvers),
        *notes(result, request.graded),
        f"Report: {report_file(request.report)}",
    ]
    return Group(comparison_table(result.rows), Text(""), *(Text(line) for line in lines))
