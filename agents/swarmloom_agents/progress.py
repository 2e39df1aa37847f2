"""What `swarmloom run` shows: live progress, and the table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from swarmloom.events import EventKind
from swarmloom.types import Event

__all__ = ["LiveProgress", "run_table"]

_SHOWN_CHARACTERS = 60


class LiveProgress:
    """Shows a run's events as they come: a bar, and a line for what deserves one.

    Parameters
    ----------
    total : int
        Tasks of the run.
    console : rich.console.Console
        Where to show it.
    """

    def __init__(self, total: int, console: Console) -> None:
        self._display = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[calls]} calls, cost {task.fields[cost]:.2f}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._bar = self._display.add_task("tasks", total=total, calls=0, cost=0.0)
        self._calls, self._cost = 0, 0.0

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if event.kind == EventKind.BALLOT:
            self._count(event.task, event.data)
        elif event.kind == EventKind.OUTCOME:
            self._display.advance(self._bar)
        elif event.kind in (EventKind.PLUGIN_QUARANTINED, EventKind.MIXTURE_CHANGED):
            self._say(f"{event.kind}: {_short(event.data)}", "yellow")

    def _count(self, task: str, ballot: Mapping[str, Any]) -> None:
        self._calls += 1
        self._cost += ballot["cost"]
        self._display.update(self._bar, calls=self._calls, cost=self._cost)
        if ballot["error"]:
            error = " ".join(ballot["error"].split())
            self._say(f"{ballot['expert']} failed at {task}: {error}", "red")
        else:
            self._say(f"{ballot['expert']}: {_short(ballot['answer'])}", "green")

    def _say(self, text: str, style: str) -> None:
        self._display.console.print(Text(text, style=style))


def run_table(report: Mapping[str, Any]) -> RenderableType:
    """Lay a run's report out for people.

    Parameters
    ----------
    report : mapping
        As `swarmloom run --json` writes it.
    """
    table = Table("task", "expert", "answer", "failures", "cost", title=f"run {report['run']}")
    for row in report["tasks"]:
        table.add_row(
            Text(_short(row["prompt"] or row["task"])),
            Text(", ".join(row["experts"])),
            Text(_short(row["answer"] or "-")),
            str(len(row["failures"])),
            f"{row['cost']:.2f}",
        )
    spent = f"{report['calls']} calls, cost {report['cost']:.2f}, {report['seconds']:.1f} s"
    shares = ", ".join(f"{name} {share:.0%}" for name, share in report["shares"].items())
    parts: list[RenderableType] = [table, Text(spent)]
    if shares:
        parts.append(Text(f"shares in the decisions: {shares}"))
    if report.get("others"):
        parts.append(Text(f"{len(report['others'])} tasks were done by other processes"))
    parts += [Text(f"Warning: {text}", style="yellow") for text in report["warnings"]]
    if "answer" in report:
        parts += [Text(""), Text(report["answer"])]
    return Group(*parts)


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
