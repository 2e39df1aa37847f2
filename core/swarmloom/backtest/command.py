"""What `swarmloom backtest` does, from files to report, apart from the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.answers import AnswerTable, Columns, read_answers
from swarmloom.backtest.costs import match_costs, read_costs
from swarmloom.backtest.run import Backtest, Progress, backtest
from swarmloom.config import Settings, load_settings
from swarmloom.errors import BudgetExceededError
from swarmloom.ledger import Ledger
from swarmloom.ledger.interruption import interruptible
from swarmloom.plugin_records import PluginState
from swarmloom.report import report_data, write_report
from swarmloom.report.page import check_report, report_file

__all__ = [
    "Prepared",
    "Request",
    "as_data",
    "check_budget",
    "notes",
    "open_ledger",
    "prepared",
    "report_on",
]

# Up to here a stream is learning for a good part of its length.
_SHORT = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be done.

    Attributes
    ----------
    answers : Path
        Table of recorded answers.
    costs : Path or None
        Prices; 1 for each expert without.
    columns : Columns
    config : Path or None
        Settings file.
    overrides : mapping
        Sections of the settings that win over file and environment.
    seeds : sequence of int
    graded : float
    limit : int or None
    report : Path
        Folder of the report.
    resume : str or None
    job : callable or None
        ``job(seed)`` gives what is recorded as a pass's job.
    """

    answers: Path
    costs: Path | None = None
    columns: Columns = field(default_factory=Columns)
    config: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    graded: float = 0.05
    limit: int | None = None
    report: Path = Path("swarmloom-report")
    resume: str | None = None
    job: Callable[[int], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose files and settings are read; `prepared` makes one.

    Attributes
    ----------
    request : Request
    table : AnswerTable
    costs : ndarray of float64, shape (experts,)
    settings : Settings
    ledger : Ledger
        Open.
    """

    request: Request
    table: AnswerTable
    costs: npt.NDArray[np.float64]
    settings: Settings
    ledger: Ledger

    def run(self, on_progress: Callable[[Progress], None] | None = None) -> Backtest:
        """Make every pass.

        Parameters
        ----------
        on_progress : callable, optional
            Hears of every finished item.
        """
        request = self.request
        return backtest(
            self.table,
            self.costs,
            self.settings,
            seeds=request.seeds,
            graded=request.graded,
            limit=request.limit,
            ledger=self.ledger,
            on_progress=on_progress,
            job=request.job,
            resume=request.resume,
        )

    def report(self, result: Backtest) -> Path:
        """Write the report and give its file.

        Raises
        ------
        InputError
            When it cannot be written.
        """
        request = self.request
        return report_on(
            result,
            self.ledger,
            request.report,
            title=f"Backtest of {request.answers.name}",
            notes=notes(result, request.graded),
            facts=[
                ("answers", str(request.answers)),
                ("graded share", f"{100 * request.graded:.3g} %"),
            ],
        )


@contextmanager
def prepared(request: Request) -> Iterator[Prepared]:
    """Read what a request names and open its ledger, within a ``with`` block.

    Parameters
    ----------
    request : Request

    Yields
    ------
    Prepared

    Raises
    ------
    InputError, ConfigurationError
        Before the first pass, when a file or setting is wrong, or the report could not be written.
    InterruptedRunError
        In place of KeyboardInterrupt.
    """
    table = read_answers(request.answers, request.columns)
    costs = _costs(request, table)
    settings = load_settings(request.config, **request.overrides)
    check_report(request.report)
    with open_ledger(settings) as ledger, interruptible(ledger):
        yield Prepared(request, table, costs, settings, ledger)


def check_budget(result: Backtest) -> None:
    """Tell that items were left without an answer because a limit was reached.

    Parameters
    ----------
    result : Backtest

    Raises
    ------
    BudgetExceededError
        Naming the limit.
    """
    if result.limit:
        raise BudgetExceededError(
            f"budget.{result.limit} is used up: the items after that were not asked"
        )


def as_data(request: Request, result: Backtest) -> dict[str, Any]:
    """Give the whole result JSON-ready.

    Parameters
    ----------
    request : Request
    result : Backtest

    Returns
    -------
    dict
    """
    first = result.runs[0]
    return {
        "answers": str(request.answers),
        "items": len(first.stream.table),
        "experts": len(first.stream.table.experts),
        "graded": request.graded,
        "learning_cost": result.learning_cost,
        "rows": [asdict(row) for row in result.rows],
        "shares": dict(result.shares),
        "solvers": dict(result.solvers),
        "notes": notes(result, request.graded),
        "runs": [
            {
                "seed": run.stream.seed,
                "run": run.result.run_id,
                "accuracy": float(run.swarm.right.mean()),
                "cost": float(run.swarm.cost.mean()),
                "calls": float(run.swarm.calls.mean()),
                "seconds": run.result.seconds,
                "solvers": dict(run.solvers),
                "budget_limit": run.limit or None,
                "plugins": {one["name"]: str(one["state"]) for one in run.plugins},
            }
            for run in result.runs
        ],
        "report": str(report_file(request.report)),
    }


def notes(result: Backtest, graded: float) -> list[str]:
    """Say what has to be known to read the comparison.

    Parameters
    ----------
    result : Backtest
    graded : float
        Share of graded items.

    Returns
    -------
    list of str
    """
    told = any(run.stream.graded.any() for run in result.runs)
    lines = [
        *_plugins_out(result),
        "Every call of the swarm is billed, those it makes to learn included. "
        + (
            f"It was told the right answers to {100 * graded:.3g} % of the items, each after it "
            "had answered."
            if told
            else "It was told no right answer."
        ),
    ]
    if told:
        lines.append(
            "Baselines that choose by the graded share know all experts' answers to it from the "
            "start and for free; buying them would add "
            f"{result.learning_cost:.3g} to their cost per item."
        )
    lines.append(
        "“hindsight” reads every label. Majorities count a tie in expectation; a "
        "cascade asks the cheapest first until two agree, else takes the last answer."
    )
    if len(result.runs) > 1:
        lines.append(
            f"Means of {len(result.runs)} random orders, ± the sample standard deviation; the "
            "report's figures show the first."
        )
    if len(result.runs[0].stream.table) <= _SHORT:
        lines.append(
            "A short stream: in its first hundreds of items a swarm is still learning whom to ask, "
            "and pays for that. Judge it by a longer stream; on a short one, an expert that is "
            "known to be good and cheap may be better alone."
        )
    return lines


def _plugins_out(result: Backtest) -> list[str]:
    """Warn of plugins that took no part to the end: figures without them are other figures."""
    failed = {
        record["name"]: next(iter(record["errors"]), "")
        for run in result.runs
        for record in run.plugins
        if record["state"] == PluginState.QUARANTINED
    }
    return [f"Plugin {name} was taken out: {error}" for name, error in failed.items()]


def report_on(
    result: Backtest,
    ledger: Ledger,
    folder: Path,
    *,
    title: str,
    notes: Sequence[str],
    facts: Sequence[tuple[str, str]],
) -> Path:
    """Write the report: the comparison over all passes, the figures of the first.

    Parameters
    ----------
    result : Backtest
    ledger : Ledger
        Holds its runs.
    folder : Path
        Where to write it.
    title : str
    notes : sequence of str
        What the reader of the comparison has to know.
    facts : sequence of (str, str)
        Labels and values.

    Returns
    -------
    Path
        The page.
    """
    first = result.runs[0]
    table = first.stream.table
    truths = {item: table.labels[code] for item, code in zip(table.items, table.gold, strict=True)}
    data = report_data(
        ledger.view(first.result.run_id),
        title=title,
        truths=truths,
        rows=result.rows,
        notes=notes,
        facts=facts,
        plugins=first.plugins,
        panels=first.panels,
    )
    return write_report(folder, data)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger of the settings within a ``with`` block; in memory where they want none.

    Parameters
    ----------
    settings : Settings

    Yields
    ------
    Ledger
    """
    from swarmloom.ledger import default_path

    path = (settings.ledger.path or default_path()) if settings.ledger.enabled else None
    with Ledger(path) as ledger:
        yield ledger


def _costs(request: Request, table: AnswerTable) -> npt.NDArray[np.float64]:
    if request.costs is None:
        return np.ones(len(table.experts))
    return match_costs(read_costs(request.costs), table.experts, request.costs)
