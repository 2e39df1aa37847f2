"""A crew with clones and a liar: one agent, majority, a guardrail, and consensus for every task.

python examples/crew_verdict/run.py              offline, no key
python examples/crew_verdict/run.py --tasks 60   more questions

Nine agents answer sums. Four are honest and mostly right; four are one weak model under four
roles, right and wrong together; one lies. The answers are drawn beforehand, so that each way of
deciding faces the same ones.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from crewai import Agent, Crew

HONEST = {"Ada": 0.9, "Blaise": 0.85, "Carl": 0.85, "Dorothy": 0.8}
CLONES = ("Clone 1", "Clone 2", "Clone 3", "Clone 4")
LIAR = "Liar"
WEAK = 0.3


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tasks", type=int, default=24, help="questions in all")
    parser.add_argument("--seed", type=int, default=1, help="of the agents' luck")
    options = parser.parse_args(argv)
    print(f"{options.tasks} questions, decided in {len(WAYS)} ways. Loading CrewAI …", flush=True)
    logging.getLogger("swarmloom").setLevel(logging.ERROR)  # Its warnings are in the report.
    questions = make_questions(options.tasks)
    luck = draw_luck(options.tasks, options.seed)
    print(f"{'way of deciding':<44}{'right':>8}{'calls a task':>14}")
    for name, decide in WAYS.items():
        print(f"{name:<44}", end="", flush=True)  # Shown while it runs.
        answers, calls = decide(questions, luck)
        right = sum(answer == truth for answer, (_, truth) in zip(answers, questions, strict=True))
        print(f"{right:>5}/{len(questions)}{calls / len(questions):>13.1f}", flush=True)


def make_questions(count: int) -> list[tuple[str, str]]:
    """Write sums, each with its right answer."""
    return [(f"{n + 2} + {3 * n + 1} = ?", str(4 * n + 3)) for n in range(count)]


def draw_luck(count: int, seed: int) -> dict[str, list[bool]]:
    """Draw who is right on which question; the clones are right and wrong together."""
    rng = np.random.default_rng(seed)
    luck = {name: (rng.random(count) < skill).tolist() for name, skill in HONEST.items()}
    weak = (rng.random(count) < WEAK).tolist()
    return {**luck, **dict.fromkeys(CLONES, weak), LIAR: [False] * count}


def make_crew(
    questions: Sequence[tuple[str, str]], luck: dict[str, list[bool]], counted: list[str]
) -> Crew:
    """Build the crew: a task a question, all of them given to a clone.

    Parameters
    ----------
    questions : sequence of (str, str)
    luck : dict of str to list of bool
        Whether each agent is right on each question.
    counted : list of str
        Takes a name for each call of a model.
    """
    from crewai import Crew, Task

    places = {question: place for place, (question, _) in enumerate(questions)}

    def said(name: str) -> Callable[[Any], str]:
        def answer(request: Any) -> str:
            counted.append(name)
            place = places[request.task.description]
            truth = int(questions[place][1])
            if luck[name][place]:
                return str(truth)
            # Each honest mistake is its own; the clones and the liar have one each.
            return str(truth + 7 + (sum(map(ord, name)) % 50 if name in HONEST else 1))

        return answer

    agents = [make_agent(name, said(name)) for name in luck]
    tasks = [
        Task(description=text, expected_output="A number", agent=agents[-2], context=[])
        for text, _ in questions
    ]
    return Crew(agents=agents, tasks=tasks, verbose=False)


def make_agent(name: str, answer: Callable[[Any], str]) -> Agent:
    from crewai import Agent

    from swarmloom_agents import FunctionLLM

    model = "offline/weak-model" if name in CLONES else f"offline/{name}"
    llm = FunctionLLM(function=answer, model=model)
    return Agent(role=name, goal="Add up", backstory="You answer sums.", llm=llm)


def one_agent(questions: Any, luck: Any) -> tuple[list[str], int]:
    """Run the crew as it is."""
    counted: list[str] = []
    output = make_crew(questions, luck, counted).kickoff()
    return [task.raw for task in output.tasks_output], len(counted)


def majority(questions: Any, luck: Any) -> tuple[list[str], int]:
    """Ask all nine and count votes: the kernel's own verdict, without the consensus plugin."""
    return coordinated(questions, luck, ["crewai", "patterns"], {}, quorum=9)


def guardrail(questions: Any, luck: Any) -> tuple[list[str], int]:
    """Put one guardrail over all tasks; the first eight teach it whom to trust."""
    from swarmloom_agents import consensus_guardrail

    counted: list[str] = []
    crew = make_crew(questions, luck, counted)
    guard = consensus_guardrail(crew.agents, warm_up=8, undecided="accept")
    for task in crew.tasks:
        # As written in the task: Task(..., guardrail=guard).
        task.guardrail = task._guardrail = guard
    output = crew.kickoff()
    return [task.raw for task in output.tasks_output], len(counted)


def consensus(questions: Any, luck: Any) -> tuple[list[str], int]:
    """Leave the crew as it is and have the swarm ask several agents for each task."""
    return coordinated(
        questions, luck, ["consensus", "crewai", "patterns"], {"method": "trust"}, quorum=3
    )


def coordinated(
    questions: Any, luck: Any, plugins: list[str], settings: dict[str, Any], quorum: int
) -> tuple[list[str], int]:
    """Run the crew under a swarm that may ask all nine agents."""
    from swarmloom import Settings, Swarm

    counted: list[str] = []
    crew = make_crew(questions, luck, counted)
    # The agents only think: one call of the model does, without CrewAI's executor around it.
    config = {"crewai": {"answers": 9, "executor": "fast"}, "consensus": settings}
    with (
        Swarm(
            settings=Settings(
                swarm={"quorum": quorum}, plugins={"enable": plugins, "config": config}
            )
        ) as swarm,
        swarm.coordinating(crew),
    ):
        output = crew.kickoff()
    return [task.raw for task in output.tasks_output], len(counted)


WAYS = {
    "one agent, as the crew is written": one_agent,
    "majority of all nine": majority,
    "guardrail, trust learned on the way": guardrail,
    "consensus for every task": consensus,
}

if __name__ == "__main__":
    main()
