"""The report as one self-contained HTML page."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from swarmloom import __version__
from swarmloom.errors import InputError
from swarmloom.reading import why_unreadable
from swarmloom.report import figures
from swarmloom.report.data import ReportData
from swarmloom.report.svg import as_svg, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Section", "check_report", "render", "report_file", "sections", "write_report"]


@dataclass(frozen=True, slots=True)
class Section:
    """One figure of the page.

    Attributes
    ----------
    name : str
        Unique within the page; the anchor.
    title : str
    alt : str
        What the figure shows, in words and figures, for those who cannot see it.
    svg : str
    """

    name: str
    title: str
    alt: str
    svg: str


def write_report(path: Path | str, data: ReportData) -> Path:
    """Write the page.

    Parameters
    ----------
    path : path-like
        The HTML file, or a folder in which `report.html` is written; made where it is missing.
    data : ReportData

    Returns
    -------
    Path
        The file written, absolute. It replaces an older one only when complete.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    target = report_file(path)
    page = render(data)
    unfinished = target.with_suffix(f".{os.getpid()}.tmp")
    with _reported(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_text(page, encoding="utf-8")
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return target


def report_file(path: Path | str) -> Path:
    """Give the file that `write_report` writes, absolute."""
    path = Path(path).absolute()
    return path if path.suffix in (".html", ".htm") else path / "report.html"


def check_report(path: Path | str) -> None:
    """Try whether a report can be written, and leave everything as it was.

    Parameters
    ----------
    path : path-like
        As for `write_report`.

    Raises
    ------
    InputError
        When it cannot.
    """
    target = report_file(path)
    made = [folder for folder in target.parents if not folder.exists()]
    with _reported(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError
            with tempfile.TemporaryFile(dir=target.parent):
                pass
        finally:
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = why_unreadable(error)
        raise InputError(f"{target}: the report cannot be written: {reason}") from error


def render(data: ReportData) -> str:
    """Make the page's text.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    str
        HTML that refers to nothing outside itself.
    """
    environment = Environment(
        loader=PackageLoader("swarmloom", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("template.html.j2").render(
        data=data,
        facts=[*data.facts, *_totals(data)],
        sections=list(sections(data)),
        settings=json.dumps(data.settings, indent=2, default=str),
        version=__version__,
    )


def sections(data: ReportData) -> Iterator[Section]:
    """Draw the figures for which there is something to show.

    Parameters
    ----------
    data : ReportData

    Yields
    ------
    Section
    """
    with style():
        if data.rows:
            yield _comparison(data)
        if len(data.cost):
            yield _stream(data)
        if len(data.shares.values) and data.shares.protocols:
            yield _shares(data)
        if data.asked.calls.any():
            yield _asked(data)
        if (np.isfinite(data.right) & np.isfinite(data.confidence)).any():
            yield _calibration(data)
        if len(data.calls):
            yield _calls(data)


def _totals(data: ReportData) -> list[tuple[str, str]]:
    if not len(data.cost):
        return [("tasks", "0")]
    known = np.isfinite(data.right)
    totals = [
        ("tasks", f"{len(data.cost):,}, of which {int(data.graded.sum()):,} graded"),
        ("calls", f"{int(data.calls.sum()):,} ({data.calls.mean():.2f} per task)"),
        ("cost", f"{data.cost.sum():,.2f} ({data.cost.mean():.3f} per task)"),
    ]
    if known.any():
        of_known = f" on the {int(known.sum()):,} tasks whose truth is known"
        totals.append(("accuracy", f"{data.right[known].mean():.4f}{of_known}"))
    return totals


def _section(name: str, title: str, alt: str, figure: Figure) -> Section:
    return Section(name, title, alt, as_svg(figure, name))


def _comparison(data: ReportData) -> Section:
    best = max(
        (row for row in data.rows if row.kind == "expert"), key=lambda r: r.accuracy, default=None
    )
    parts = [
        f"the {row.name} reaches {row.accuracy:.3f} at {row.cost:.3g}"
        for row in data.rows
        if row.kind == "swarm"
    ]
    if best is not None:
        parts.append(f"the best expert, {best.name}, {best.accuracy:.3f} at {best.cost:.3g}")
    alt = f"Accuracy against mean cost per task: {'; '.join(parts)}. All points: see the table."
    return _section(
        "accuracy-cost", "Accuracy against cost", alt, figures.accuracy_against_cost(data.rows)
    )


def _stream(data: ReportData) -> Section:
    known = data.right[np.isfinite(data.right)]
    half = len(data.cost) // 2
    alt = (
        f"Running means over {len(data.cost):,} tasks: cost {data.cost[:half].mean():.3g} in the "
        f"first half, {data.cost[half:].mean():.3g} in the second"
        if half
        else f"Cost of the only task: {data.cost[0]:.3g}"
    )
    if len(known) > 1:
        middle = len(known) // 2
        alt += (
            f"; accuracy {known[:middle].mean():.3f} in the first half of the tasks whose truth is "
            f"known, {known[middle:].mean():.3f} in the second"
        )
    return _section(
        "stream", "Over the stream", f"{alt}.", figures.over_the_stream(data.right, data.cost)
    )


def _shares(data: ReportData) -> Section:
    means = data.shares.values.mean(axis=0)
    order = np.argsort(-means, kind="stable")
    listed = ", ".join(f"{data.shares.protocols[i]} {means[i]:.0%}" for i in order)
    alt = (
        f"Each protocol's share in {len(data.shares.values):,} decisions over time; mean: {listed}."
    )
    return _section("shares", "Who decided", alt, figures.shares_over_time(data.shares))


def _asked(data: ReportData) -> Section:
    shown = figures.strongest(data.asked)
    totals = shown.calls.sum(axis=0)
    busiest = ", ".join(
        f"{shown.experts[i]} {totals[i]:,}" for i in np.argsort(-totals, kind="stable")[:3]
    )
    left_out = (
        len(data.asked.topics) - len(shown.topics),
        len(data.asked.experts) - len(shown.experts),
    )
    alt = f"Share of each topic's calls that went to each expert; most calls: {busiest}."
    if any(left_out):
        alt += f" Left out: {left_out[0]} topics and {left_out[1]} experts with fewer calls."
    return _section("asked", "Whom it asked", alt, figures.who_was_asked(shown))


def _calibration(data: ReportData) -> Section:
    known = np.isfinite(data.right) & np.isfinite(data.confidence)
    stated, observed = data.confidence[known].mean(), data.right[known].mean()
    alt = (
        f"Stated confidence against the share of right answers, {int(known.sum()):,} tasks: "
        f"{stated:.3f} stated on average, {observed:.3f} observed."
    )
    return _section(
        "calibration",
        "Is its confidence right?",
        alt,
        figures.calibration(data.confidence, data.right),
    )


def _calls(data: ReportData) -> Section:
    alt = (
        f"Calls per task: {data.calls.mean():.2f} on average, "
        f"{int(data.calls.min())} to {int(data.calls.max())}."
    )
    return _section("calls", "Calls per task", alt, figures.calls_per_task(data.calls))
