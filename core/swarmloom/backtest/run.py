"""Backtests: a table of recorded answers streamed through the kernel of a live run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.answers import AnswerTable
from swarmloom.backtest.baselines import baseline_scores, expert_scores, learning_cost
from swarmloom.backtest.scores import Score, Summary, combine, summarise
from swarmloom.backtest.stream import Stream, draw_stream
from swarmloom.config import Settings
from swarmloom.errors import InputError
from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from swarmloom.ledger.records import budget_limit, solver_counts
from swarmloom.protocol import ReportPanel
from swarmloom.run import RunResult
from swarmloom.swarm import Swarm
from swarmloom.types import Event, Expert, Outcome, Task

__all__ = [
    "Backtest",
    "Progress",
    "SeedRun",
    "backtest",
    "conclude",
    "run_stream",
    "score_run",
    "swarm_score",
    "table_experts",
    "table_tasks",
]


@dataclass(slots=True)
class Progress:
    """How far a backtest has come; for those who watch.

    Attributes
    ----------
    seed : int
        Of the pass that runs.
    total, finished, right : int
        Items of this pass, those answered, those answered right.
    calls : int
        Calls of this pass.
    cost : float
        Cost of this pass.
    """

    seed: int
    total: int
    finished: int = 0
    right: int = 0
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class SeedRun:
    """One pass over the table.

    Attributes
    ----------
    stream : Stream
        The items in their order.
    result : RunResult
        What the kernel says of the run.
    swarm : Score
        The swarm, item by item.
    others : tuple of Score
        The baselines, then every expert alone.
    plugins : tuple of mapping
        Name, state, version and failures of each plugin.
    panels : tuple of ReportPanel
        Sections that plugins bring to the report.
    solvers : mapping of str to int
        How many decisions each solver made, the busiest first.
    limit : str
        The limit of the budget that ended items: "calls", "cost" or "seconds"; "" for none.
    """

    stream: Stream
    result: RunResult
    swarm: Score
    others: tuple[Score, ...]
    plugins: tuple[Mapping[str, Any], ...] = ()
    panels: tuple[ReportPanel, ...] = ()
    solvers: Mapping[str, int] = field(default_factory=dict)
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a backtest came to.

    Attributes
    ----------
    runs : tuple of SeedRun
        One for each seed.
    rows : tuple of Summary
        The swarm first, then the baselines, then the experts from best to worst.
    shares : mapping of str to float
        Each protocol's share in the decisions, mean over the seeds.
    solvers : mapping of str to int
        How many decisions each solver made in all, the busiest first.
    learning_cost : float
        Mean cost per item of the answers that the choosing baselines are given for free.
    """

    runs: tuple[SeedRun, ...]
    rows: tuple[Summary, ...]
    shares: Mapping[str, float]
    learning_cost: float
    solvers: Mapping[str, int] = field(default_factory=dict)

    @property
    def limit(self) -> str:
        """The limit of the budget that ended items of any pass, "" for none."""
        return next((run.limit for run in self.runs if run.limit), "")


def backtest(
    table: AnswerTable,
    costs: npt.NDArray[np.float64],
    settings: Settings | None = None,
    *,
    seeds: Sequence[int] = (0,),
    graded: float = 0.05,
    limit: int | None = None,
    ledger: Ledger | None = None,
    plugins: Sequence[tuple[str, object]] = (),
    on_progress: Callable[[Progress], None] | None = None,
    job: Callable[[int], Mapping[str, Any]] | None = None,
    resume: str | None = None,
) -> Backtest:
    """Stream recorded answers through a swarm and compare it with the baselines.

    Every seed draws its own order, its own grading lottery and a new swarm.

    Parameters
    ----------
    table : AnswerTable
        n ≥ 1 items, E ≥ 1 experts.
    costs : ndarray of float64, shape (E,)
        Price of a call, in the unit of the budget.
    settings : Settings, optional
        The swarm's; the seed in it is replaced.
    seeds : sequence of int
        At least one, each ≥ 0.
    graded : float
        Share of the items whose right answer is told once they were answered.
    limit : int, optional
        Items of each pass.
    ledger : Ledger, optional
        Where the runs are recorded; in memory by default.
    plugins : sequence of (str, object)
        Plugins beside the installed ones.
    on_progress : callable, optional
        Hears of every finished item.
    job : callable, optional
        ``job(seed)`` gives what is recorded as the run's job.
    resume : str, optional
        Run to go on with; for a single seed.

    Returns
    -------
    Backtest

    Raises
    ------
    InputError
        When an argument is outside its range, or several seeds are to resume one run.
    """
    if not seeds or (resume is not None and len(seeds) > 1):
        raise InputError(
            f"backtest: {len(seeds)} seeds given; allowed: one, or more if none is resumed"
        )
    runs = []
    for seed in seeds:
        stream = draw_stream(table, costs, seed=seed, graded=graded, limit=limit)
        swarm = Swarm(
            table_experts(stream), _seeded(settings, seed), plugins=plugins, ledger=ledger
        )
        result = run_stream(
            swarm, stream, on_progress=on_progress, job=job(seed) if job else None, resume=resume
        )
        runs.append(score_run(stream, swarm, result))
    return conclude(runs)


def conclude(runs: Sequence[SeedRun]) -> Backtest:
    """Sum up passes over the same table.

    Parameters
    ----------
    runs : sequence of SeedRun
        At least one.

    Returns
    -------
    Backtest
    """
    # Baselines that choose by graded items may be missing for a seed in which none was drawn.
    summaries: dict[tuple[str, str], list[Summary]] = {}
    for run in runs:
        rng = np.random.default_rng(run.stream.seed)
        for score in (run.swarm, *run.others):
            summaries.setdefault((score.kind, score.name), []).append(summarise(score, rng))
    rows = [combine(of_one) for of_one in summaries.values()]
    order = {"swarm": 0, "baseline": 1, "hindsight": 2, "expert": 3}
    names = {name for run in runs for name in run.result.shares}
    return Backtest(
        runs=tuple(runs),
        rows=tuple(sorted(rows, key=lambda row: (order[row.kind], -row.accuracy, row.cost))),
        shares={
            name: float(np.mean([run.result.shares.get(name, 0.0) for run in runs]))
            for name in sorted(names)
        },
        learning_cost=float(np.mean([learning_cost(run.stream) for run in runs])),
        solvers=dict(sum((Counter(run.solvers) for run in runs), Counter()).most_common()),
    )


def table_experts(stream: Stream) -> list[Expert]:
    """Make an expert of each column: it looks its recorded answer up by the task's payload.

    Parameters
    ----------
    stream : Stream

    Returns
    -------
    list of Expert
        They hold answers, never right answers.
    """
    return [
        Expert(
            name,
            _recorded(column, stream.table.labels),
            price=float(price),
            model=name,
            inline=True,
        )
        for name, price, column in zip(
            stream.table.experts, stream.costs, stream.table.codes.T, strict=True
        )
    ]


def table_tasks(table: AnswerTable) -> Iterator[Task]:
    """Make a task of each item, in order; the right answer stays out of it.

    Parameters
    ----------
    table : AnswerTable

    Yields
    ------
    Task
        Its payload is the row number.
    """
    for row, (item, topic, count) in enumerate(
        zip(table.items, table.topics, table.options, strict=True)
    ):
        yield Task(item, prompt=item, topic=topic, options=count, payload=row)


def run_stream(
    swarm: Swarm,
    stream: Stream,
    tasks: Iterable[Task] | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    job: Mapping[str, Any] | None = None,
    resume: str | None = None,
) -> RunResult:
    """Let a swarm answer a stream; it hears the right answers of the graded items alone.

    Parameters
    ----------
    swarm : Swarm
        Of experts that understand the stream's tasks.
    stream : Stream
    tasks : iterable of Task, optional
        Tasks named after the stream's items, for experts that need more than a row number.
    on_progress : callable, optional
        Hears of every finished item.
    job, resume
        As for `Swarm.open_run`.

    Returns
    -------
    RunResult
    """
    table = stream.table
    truths = {
        table.items[row]: table.labels[table.gold[row]] for row in np.flatnonzero(stream.graded)
    }
    watch = _watcher(stream, on_progress) if on_progress else None
    return swarm.run(
        table_tasks(table) if tasks is None else tasks,
        feedback=lambda task, _: truths.get(task.id),
        on_event=watch,
        job=job,
        resume=resume,
    )


def score_run(stream: Stream, swarm: Swarm, result: RunResult) -> SeedRun:
    """Score a run and everything it is compared with.

    Parameters
    ----------
    stream : Stream
        What was run; its table holds every expert's answers.
    swarm : Swarm
        Its ledger, still open, holds the run.
    result : RunResult

    Returns
    -------
    SeedRun
    """
    recorded = swarm.ledger.events
    return SeedRun(
        stream=stream,
        result=result,
        swarm=swarm_score(stream, result),
        others=(*baseline_scores(stream), *expert_scores(stream)),
        plugins=tuple(asdict(record) for record in result.plugins),
        panels=tuple(swarm.host.panels),
        solvers=solver_counts(recorded(result.run_id, kinds=[EventKind.DECISION])),
        limit=budget_limit(recorded(result.run_id, kinds=[EventKind.OUTCOME])),
    )


def swarm_score(stream: Stream, result: RunResult, name: str = "swarm") -> Score:
    """Score a run against the stream's right answers.

    Parameters
    ----------
    stream : Stream
    result : RunResult
    name : str

    Returns
    -------
    Score
        An item that the run did not finish counts as wrong and free.
    """
    table = stream.table
    by_task: dict[str, Outcome] = {outcome.task.id: outcome for outcome in result.outcomes}
    outcomes = [by_task.get(item) for item in table.items]
    answers = [outcome.verdict.answer if outcome else None for outcome in outcomes]
    gold = [table.labels[code] for code in table.gold]
    return Score(
        name,
        "swarm",
        right=np.array([a == g for a, g in zip(answers, gold, strict=True)], dtype=np.float64),
        cost=np.array([o.cost if o else 0.0 for o in outcomes]),
        calls=np.array([float(len(o.ballots)) if o else 0.0 for o in outcomes]),
    )


def _seeded(settings: Settings | None, seed: int) -> Settings:
    settings = settings or Settings()
    return settings.model_copy(update={"swarm": settings.swarm.model_copy(update={"seed": seed})})


def _recorded(column: npt.NDArray[np.int64], labels: Sequence[str]) -> Callable[[Task], str | None]:
    answers = [labels[code] if code >= 0 else None for code in column]
    return lambda task: answers[task.payload]


def _watcher(stream: Stream, on_progress: Callable[[Progress], None]) -> Callable[[Event], None]:
    table = stream.table
    gold = {item: table.labels[code] for item, code in zip(table.items, table.gold, strict=True)}
    progress = Progress(stream.seed, len(table))

    def watch(event: Event) -> None:
        if event.kind == EventKind.BALLOT:
            progress.calls += 1
            progress.cost += event.data["cost"]
        elif event.kind == EventKind.OUTCOME:
            progress.finished += 1
            progress.right += event.data["answer"] == gold[event.task]
            on_progress(progress)

    return watch
