"""Twelve small models, each a CrewAI agent with a price, read handwritten digits as one swarm.

python examples/digits_panel/run.py

Needs no key, no server and no network. Takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models import Job, Trained

    from swarmloom import Expert, Ledger, Task
    from swarmloom.backtest import Stream
    from swarmloom.backtest.run import Backtest, SeedRun


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    # One image at a time gives a second thread nothing to do; it would only be in the way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print("Loading CrewAI and the protocols, training twelve models …", flush=True)
    # These imports take seconds; the line above is to be seen before.
    from swarmloom.backtest.command import notes, open_ledger
    from swarmloom.backtest.run import conclude
    from swarmloom.cli.backtest_output import (
        comparison_table,
        progress_display,
        shares_line,
        solvers_line,
    )
    from swarmloom.cli.output import console

    settings = settings_for(options, options.seed)
    with open_ledger(settings) as ledger, progress_display(False, options.seeds) as progress:
        seeds = range(options.seed, options.seed + options.seeds)
        result = conclude([one_pass(options, seed, ledger, progress) for seed in seeds])
        report = report_of(result, options, ledger)
    out = console()
    out.print(comparison_table(result.rows, experts=12))
    out.print(f"\n{in_short(result)}", highlight=False)
    out.print(shares_line(result.shares), highlight=False)
    out.print(solvers_line(result.solvers), highlight=False)
    for line in notes(result, options.graded):
        out.print(line, highlight=False)
    out.print(f"Report: {report}", highlight=False, soft_wrap=True)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=0, help="of split, training, order, lottery")
    parser.add_argument("--seeds", type=int, default=1, help="passes, each with its own split")
    parser.add_argument("--images", type=int, help="how many images to read; default: all 1,397")
    parser.add_argument("--graded", type=float, default=0.05, help="share told the right answer")
    parser.add_argument("--target-cost", type=float, default=3.0, help="mean cost of an image")
    parser.add_argument("--window", type=int, default=8, help="images read at the same time")
    parser.add_argument("--report", type=Path, default=Path("swarmloom-report"))
    return parser.parse_args(argv)


def one_pass(options: argparse.Namespace, seed: int, ledger: Ledger, progress: object) -> SeedRun:
    """Train, read every image once, and score."""
    from models import make_job

    from swarmloom import Swarm
    from swarmloom.backtest.run import run_stream, score_run

    job = make_job(seed)
    stream = stream_of(job, options, seed)
    swarm = Swarm(
        [expert(model) for model in job.models], settings_for(options, seed), ledger=ledger
    )
    result = run_stream(swarm, stream, tasks_of(job, stream), on_progress=progress)
    return score_run(stream, swarm, result)


def expert(model: Trained) -> Expert:
    """Make a trained model a CrewAI agent, and the agent an expert with a price."""
    from swarmloom_agents.experts import expert_from_agent
    from swarmloom_agents.llms import ModelLLM
    from swarmloom_agents.offline import crewai, offline_environment

    with offline_environment():
        agent_class = crewai().Agent
    specialist = model.specialist
    agent = agent_class(
        role=specialist.role.capitalize(),
        goal="Name the digit on the image",
        backstory="A small model that sees its own part or version of the image.",
        llm=ModelLLM(estimator=model, cost_per_call=specialist.price),
    )
    return expert_from_agent(agent, name=specialist.name, price=specialist.price)


def stream_of(job: Job, options: argparse.Namespace, seed: int) -> Stream:
    """Draw order and lottery; the table of all answers is for scoring the baselines alone."""
    import numpy as np

    from swarmloom.backtest import draw_stream
    from swarmloom.backtest.answers import make_table

    table = make_table(
        [f"image {number}" for number in range(len(job.truth))],
        job.truth.astype(str).tolist(),
        {m.specialist.name: m.predict(job.images).astype(str).tolist() for m in job.models},
        topics=[f"cluster {topic}" for topic in job.topics],
        options=[10] * len(job.truth),
    )
    prices = np.array([model.specialist.price for model in job.models])
    return draw_stream(table, prices, seed=seed, graded=options.graded, limit=options.images)


def tasks_of(job: Job, stream: Stream) -> list[Task]:
    """Write the tasks: the image is the payload, its cluster the topic."""
    from swarmloom import Task

    return [
        Task(
            item,
            prompt="Which digit is on the image?",
            topic=topic,
            options=10,
            payload=job.images[int(item.removeprefix("image "))],
        )
        for item, topic in zip(stream.table.items, stream.table.topics, strict=True)
    ]


def settings_for(options: argparse.Namespace, seed: int) -> object:
    from swarmloom.config import load_settings

    return load_settings(
        None,
        swarm={"seed": seed, "window": options.window},
        plugins={"config": {"consensus": {"target_cost": options.target_cost}}},
    )


def in_short(result: Backtest) -> str:
    """Compare the swarm with the best single model, and with the best cheap one."""
    swarm = result.rows[0]
    alone = [row for row in result.rows if row.kind == "expert"]
    best = max(alone, key=lambda row: row.accuracy)
    lead = 100 * (swarm.accuracy - best.accuracy)
    said = (
        f"The swarm is {abs(lead):.1f} points {'above' if lead >= 0 else 'below'} its best single "
        f"model, {best.name}, at {swarm.cost / best.cost:.0%} of its cost."
    )
    cheap = [row for row in alone if row.cost <= best.cost / 2]
    if not cheap:
        return said
    rival = max(cheap, key=lambda row: row.accuracy)
    return (
        f"{said} A single model at half that price or less, {rival.name}, "
        f"reads {rival.accuracy:.1%} right at {rival.cost:.3g}."
    )


def report_of(result: Backtest, options: argparse.Namespace, ledger: Ledger) -> Path:
    from swarmloom.backtest.command import notes, report_on

    return report_on(
        result,
        ledger,
        options.report,
        title="Twelve models read digits",
        notes=notes(result, options.graded),
        facts=[("graded share", f"{100 * options.graded:.3g} %")],
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
