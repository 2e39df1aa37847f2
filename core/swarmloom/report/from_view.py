"""Filling a report from the record of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from swarmloom.backtest.scores import Summary
from swarmloom.ledger import RunView
from swarmloom.ledger.records import solver_counts, warning_texts
from swarmloom.protocol import ReportPanel
from swarmloom.report.data import Asked, ReportData, Shares

__all__ = ["report_data", "solvers_text"]


def report_data(
    view: RunView,
    *,
    title: str | None = None,
    truths: Mapping[str, str] | None = None,
    rows: Sequence[Summary] = (),
    notes: Sequence[str] = (),
    facts: Sequence[tuple[str, str]] = (),
    plugins: Sequence[Mapping[str, Any]] | None = None,
    panels: Iterable[ReportPanel] = (),
) -> ReportData:
    """Gather what a report shows.

    Parameters
    ----------
    view : RunView
        The run, finished or not.
    title : str, optional
    truths : mapping of str to str, optional
        Right answers by task, to score with; the swarm itself was told those of the graded tasks
        alone. Without them accuracy is that of the graded tasks.
    rows : sequence of Summary
        A comparison with other ways of answering.
    notes : sequence of str
        What the reader of the comparison has to know.
    facts : sequence of (str, str)
        Further labels and values.
    plugins : sequence of mapping, optional
        Name, state, version and failures of each plugin; by default what the record says of those
        that failed or were switched.
    panels : iterable of ReportPanel
        Sections of plugins; one that raises is named in its place.

    Returns
    -------
    ReportData
    """
    calls = Counter(event.task for event in view.ballots)
    known = truths or {}
    outcomes = view.outcomes
    return ReportData(
        title=title or f"Run {view.id}",
        run_id=view.id,
        right=np.array([_right(e.data, known.get(e.task)) for e in outcomes], dtype=np.float64),
        confidence=np.array([_confidence(e.data) for e in outcomes], dtype=np.float64),
        cost=np.array([event.data["cost"] for event in outcomes], dtype=np.float64),
        calls=np.array([calls[event.task] for event in outcomes], dtype=np.float64),
        graded=np.array([e.data["truth"] is not None for e in outcomes], dtype=np.bool_),
        asked=_asked(view),
        shares=_shares(view),
        rows=rows,
        notes=notes,
        facts=[*facts, *_facts(view)],
        settings=view.settings,
        plugins=_troubled(view) if plugins is None else plugins,
        panels=[(panel.title, html) for panel in panels if (html := _panel(panel, view))],
        warnings=warning_texts(view.warnings),
    )


def _right(data: Mapping[str, Any], truth: str | None) -> float:
    truth = data["truth"] if truth is None else truth
    return float("nan") if truth is None else float(data["answer"] == truth)


def _confidence(data: Mapping[str, Any]) -> float:
    answer = data["answer"]
    return float("nan") if answer is None else float(data["posterior"].get(answer, 0.0))


def _asked(view: RunView) -> Asked:
    experts = tuple(str(expert["name"]) for expert in view.experts)
    counts = Counter((view.tasks[e.task].topic, e.data["expert"]) for e in view.ballots)
    topics = tuple(sorted({topic for topic, _ in counts}))
    return Asked(
        topics,
        experts,
        np.array(
            [[counts[topic, name] for name in experts] for topic in topics], dtype=np.int64
        ).reshape(len(topics), len(experts)),
    )


def _shares(view: RunView) -> Shares:
    given = [event.data["shares"] for event in view.decisions if event.data["shares"]]
    names = tuple(sorted({name for shares in given for name in shares}))
    values = [[shares.get(name, 0.0) for name in names] for shares in given]
    return Shares(names, np.array(values, dtype=np.float64).reshape(len(given), len(names)))


def _facts(view: RunView) -> list[tuple[str, str]]:
    started = datetime.fromtimestamp(view.record.started, tz=UTC)
    return [
        ("started", f"{started:%Y-%m-%d %H:%M} UTC"),
        ("status", view.record.status),
        ("pattern", view.pattern),
        ("seed", str(view.seed)),
        ("experts", str(len(view.experts))),
        ("seconds", f"{view.seconds:.1f}"),
        ("decisions by solver", solvers_text(solver_counts(view.decisions)) or "none"),
    ]


def solvers_text(counts: Mapping[str, int]) -> str:
    """List how many decisions each solver made.

    Examples
    --------
    >>> solvers_text({"argmax": 3402, "assignment": 12})
    'argmax 3,402, assignment 12'
    """
    return ", ".join(f"{solver or 'unnamed'} {count:,}" for solver, count in counts.items())


def _troubled(view: RunView) -> list[dict[str, Any]]:
    """List the plugins that the record speaks of, each with its last state."""
    failures = Counter(e.data.get("plugin", "") for e in view.plugins if e.kind == "plugin_failed")
    states = {event.data.get("plugin", ""): event.kind for event in view.plugins}
    return [
        {
            "name": name,
            "state": str(kind).removeprefix("plugin_"),
            "version": "",
            "failures": failures[name],
        }
        for name, kind in states.items()
    ]


def _panel(panel: ReportPanel, view: RunView) -> str:
    try:
        return panel.render(view)
    except Exception as error:  # A third party's panel may raise anything; the page goes on.
        return f"<p>This section failed: {escape(f'{type(error).__name__}: {error}')}</p>"
