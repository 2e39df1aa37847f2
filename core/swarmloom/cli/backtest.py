"""`swarmloom backtest ANSWERS`: recorded answers through the kernel of a live run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from swarmloom.cli.output import JsonFlag, QuietFlag
from swarmloom.errors import ConfigurationError

__all__ = ["backtest"]

InputFile = Annotated[
    Path, typer.Argument(help="CSV: one row an item, one column an expert.", show_default=False)
]


def pattern_names(incomplete: str) -> list[str]:
    """Give the installed patterns that begin with what was typed, for shell completion."""
    from swarmloom.config import PluginSettings
    from swarmloom.host import PluginHost

    host = PluginHost(PluginSettings())
    try:
        host.discover()
        return sorted(name for name in host.patterns if name.startswith(incomplete))
    finally:
        host.close()


def backtest(
    context: typer.Context,
    answers: InputFile,
    costs: Annotated[
        Path | None,
        typer.Option(help="Prices: TOML with a table costs, or CSV expert,cost; else 1 each."),
    ] = None,
    graded: Annotated[float, typer.Option(help="Share of the items graded once answered.")] = 0.05,
    target_cost: Annotated[
        float | None, typer.Option(help="Mean cost per item that the consensus steers to.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Cost of a whole pass, a hard limit.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="Mixture of protocols.", autocompletion=pattern_names)
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, TOML.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Passes in different random orders.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first pass.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Items of each pass.")] = None,
    window: Annotated[int, typer.Option(min=1, help="Items answered at the same time.")] = 1,
    item: Annotated[str, typer.Option(help="Column of the item's name.")] = "item",
    gold: Annotated[str, typer.Option(help="Column of the right answer.")] = "gold",
    topic: Annotated[
        str | None,
        typer.Option(help="Column of the topic, '' for none; else topic, category or subject."),
    ] = None,
    options: Annotated[
        str | None, typer.Option(help="Column of the number of options, '' for none.")
    ] = None,
    report: Annotated[Path, typer.Option(help="Folder of the HTML report.")] = Path(
        "swarmloom-report"
    ),
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    resume: Annotated[
        str | None, typer.Option(help="Run to go on with; see `swarmloom runs`.")
    ] = None,
) -> None:
    """Stream recorded answers through a swarm and compare it with simple baselines.

    The swarm pays for every answer and is told the right answers of the graded share alone.
    """
    arguments = context.params
    from swarmloom.backtest.answers import Columns
    from swarmloom.backtest.command import Request, check_budget, prepared
    from swarmloom.cli.backtest_output import announce, progress_display, show

    if resume is not None and seeds > 1:
        raise ConfigurationError("--resume goes with --seeds 1: a run is one pass")
    request = Request(
        answers=answers,
        costs=costs,
        columns=Columns(item, gold, topic, options),
        config=config,
        overrides=_overrides(arguments),
        seeds=range(seed, seed + seeds),
        graded=graded,
        limit=limit,
        report=report,
        resume=resume,
        job=lambda of_seed: _job(arguments, of_seed),
    )
    if not (quiet or json):
        announce(request)
    with prepared(request) as passes:
        with progress_display(quiet or json, seeds) as on_progress:
            result = passes.run(on_progress)
        # Shown first: the result has been paid for, whatever becomes of the report.
        show(request, result, json, quiet)
        passes.report(result)
    check_budget(result)


def _overrides(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give the sections of the configuration that the command line sets."""
    swarm: dict[str, Any] = {"window": arguments["window"]}
    overrides: dict[str, Any] = {"swarm": swarm}
    if arguments["pattern"] is not None:
        swarm["pattern"] = arguments["pattern"]
    if arguments["budget"] is not None:
        overrides["budget"] = {"cost": arguments["budget"]}
    if arguments["target_cost"] is not None:
        overrides["plugins"] = {"config": {"consensus": {"target_cost": arguments["target_cost"]}}}
    return overrides


def _job(arguments: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Give the command that does one pass, for `swarmloom resume`."""
    argv = ["backtest", str(arguments["answers"])]
    settled = {**arguments, "seed": seed, "seeds": 1, "json": False}
    for name, value in settled.items():
        if name in ("answers", "resume", "json", "quiet") or value is None:
            continue
        argv += [f"--{name.replace('_', '-')}", str(value)]
    return {"argv": argv, "cwd": os.getcwd()}
