"""A support desk of five agents answers a customer's mail, coordinated by a swarm.

python examples/support_desk/run.py                              recorded answers, no key
python examples/support_desk/run.py --model openai/gpt-4o-mini   a real model, with its key

The crew in crew.py and config/ is plain CrewAI. The only line of Swarmloom it needs is the
``with`` statement in `answer_mail`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmloom import Event, Task

HERE = Path(__file__).parent


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", help="any model that CrewAI accepts; default: recorded answers")
    parser.add_argument("--mail", type=Path, default=HERE / "mail.txt", help="the customer's mail")
    parser.add_argument("--report", type=Path, default=Path("swarmloom-report"))
    options = parser.parse_args(argv)
    print("Loading CrewAI …", flush=True)
    reply, run, report = answer_mail(options.model, options.mail.read_text("utf-8"), options.report)
    print(f"\n{reply.strip()}\n\nRun {run}; report: {report}")


def answer_mail(model: str | None, mail: str, folder: Path) -> tuple[str, str, Path]:
    """Run the crew under the swarm.

    Parameters
    ----------
    model : str or None
        Any CrewAI model string; None replays recorded answers.
    mail : str
    folder : Path
        Where the report goes.

    Returns
    -------
    tuple of str, str and Path
        The reply, the run's id and the report's page.
    """
    from swarmloom import Swarm
    from swarmloom.report import report_data, write_report

    crew = make_crew(model)
    swarm = Swarm.from_config(swarm={"pattern": "crew"})
    with swarm.coordinating(crew):
        reply = crew.kickoff(inputs={"mail": mail, "customer": "Ms Okafor", "month": "March"}).raw
    run = swarm.ledger.runs()[-1].id
    view = swarm.ledger.view(run)
    for event in view.ballots:
        print(describe(view.tasks[event.task], event))
    data = report_data(view, title="Support desk", panels=swarm.host.panels)
    return reply, run, write_report(folder, data)


def make_crew(model: str | None) -> Any:
    """Build the crew on a real model or on recorded answers."""
    from swarmloom_agents.llms import ReplayLLM
    from swarmloom_agents.offline import crewai, offline_environment, prepare_environment

    if model is None:
        with offline_environment():  # A .env file must not turn this run into a paid one.
            crewai()
    prepare_environment()
    from crew import SupportDesk

    return SupportDesk(model or ReplayLLM.from_file(HERE / "answers.yaml")).crew()


def describe(task: Task, ballot: Event) -> str:
    """Say in one line who was asked and what came of it."""
    failed = ballot.data["error"] is not None
    outcome = "failed, the swarm asks somebody else" if failed else "answered"
    return f"  {task.topic:16} {ballot.data['expert']:20} {outcome}"


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
