"""The crew's own assignment as one voice in the mixture, and the door to `coordinating`.

An author who wrote ``agent=researcher`` knows something. The swarm takes it as a belief that
outcomes can change: the agent is the right one with prior log-odds `prior_log_odds`, a Beta
distribution whose posterior follows the successes and failures of that agent on that topic.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from swarmloom.markers import hookimpl
from swarmloom.protocol import ProtocolConfig
from swarmloom.types import Outcome, Proposal, Round

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = ["CrewAIProtocol", "CrewConfig", "unknown_names"]

# Pseudo-successes of the prior: one failure then costs nearly all of a strong prior.
_PRIOR_SUCCESSES = 2.0


class CrewConfig(ProtocolConfig):
    """How a CrewAI crew is coordinated."""

    respect_assigned: Literal["prior", "fixed", "ignore"] = Field(
        default="prior",
        description="What a task's own `agent=` counts: a prior that outcomes can overcome, "
        "fixed (no other agent may take the task), or nothing.",
    )
    prior_log_odds: float = Field(
        default=6.0,
        ge=0,
        description="Log-odds that the assigned agent is the right one before anything is known.",
    )
    executor: Literal["stock", "fast"] = Field(
        default="stock",
        description="Executor of agents that have no tools, memory, knowledge, planning or "
        "delegation: CrewAI's own, or one model call without its step events.",
    )
    task_log: bool = Field(
        default=True,
        description="Whether CrewAI writes its own log of task outputs, which `crew.replay` needs "
        "and which takes longer with every task.",
    )
    capacity: int = Field(
        default=16,
        ge=1,
        description="Tasks that one agent works on at the same time, on copies of it.",
    )
    token_price: float | None = Field(
        default=None,
        ge=0,
        description="Cost of one token; without it a call costs its declared price.",
    )
    answers: int = Field(
        default=1,
        ge=1,
        description="Agents that answer each task at most: above 1 each task goes to several, one "
        "after the other, and the verdict on their answers is its output.",
    )
    alone: tuple[str, ...] = Field(
        default=(),
        description="Names of tasks that one agent does, whatever `answers` says.",
    )
    alone_with_tools: bool = Field(
        default=True,
        description="Whether one agent does a task if it, or an agent that may do it, has tools: "
        "with several answers, what a tool does is done several times.",
    )
    memory: Path | None = Field(
        default=None,
        description="SQLite file of a memory for crews that have none of their own: each task's "
        "prompt tells what came of tasks like it, entries fade and gain strength with use, and "
        "no model is called for it. Several crews and processes may share the file. A relative "
        "path in a configuration file starts at that file.",
    )
    memory_half_life: float | None = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Days after which an entry of `memory` that nobody recalls is worth half.",
    )


def unknown_names(config: CrewConfig, names: Sequence[str | None]) -> list[str]:
    """Say which names in `alone` no task has: what that task does would be done several times.

    Parameters
    ----------
    config : CrewConfig
    names : sequence of str or None
        Of the crew's tasks.

    Returns
    -------
    list of str
        A sentence each, with the name that was probably meant.
    """
    known = [name for name in names if name]
    return [
        f"alone names {unknown!r}, but no task of the crew has that name{_near(unknown, known)}"
        for unknown in sorted(set(config.alone) - set(known))
    ]


def _near(name: str, known: list[str]) -> str:
    if nearest := difflib.get_close_matches(name, known, n=1):
        return f"; did you mean {nearest[0]!r}?"
    return f"; they are {', '.join(map(repr, known))}" if known else "; none has a name"


class CrewAIProtocol:
    """Speaks for the crew's author in the mixture and attaches the swarm to crews."""

    name: ClassVar[str] = "crewai"
    Config: ClassVar[type[ProtocolConfig]] = CrewConfig
    # What the crew's author wrote counts under every pattern that does not say otherwise.
    default_weight: ClassVar[float] = 1.0

    def __init__(self, config: CrewConfig) -> None:
        self.config = config
        self._names: tuple[str, ...] = ()
        self._tally: dict[tuple[str, str], list[float]] = {}

    @hookimpl
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Learn the experts' names."""
        self._names = tuple(expert.name for expert in swarm.experts)

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Speak for the agent that the crew's author gave a task to."""
        index_of = {name: index for index, name in enumerate(self._names)}
        affinity = np.zeros(round.allowed.shape, dtype=np.float32)
        spoken = False
        for row, task in enumerate(round.tasks):
            expert = index_of.get(getattr(task.payload, "assigned", None) or "")
            if expert is not None:
                affinity[row, expert] = self.log_odds(task.topic, self._names[expert])
                spoken = True
        return Proposal(affinity) if spoken else None

    def log_odds(self, topic: str, expert: str) -> float:
        """Log-odds that an assigned expert is the right one for its tasks of a topic.

        Parameters
        ----------
        topic, expert : str

        Returns
        -------
        float
            ``ln((a + successes) / (b + failures))`` with ``a = 2`` and
            ``b = a · exp(-prior_log_odds)``: the odds of a Beta posterior's mean.
        """
        successes, failures = self._tally.get((topic, expert), (0.0, 0.0))
        prior_failures = _PRIOR_SUCCESSES * math.exp(-self.config.prior_log_odds)
        return math.log((_PRIOR_SUCCESSES + successes) / (prior_failures + failures))

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Count who succeeded and who failed on which topic."""
        for outcome in outcomes:
            for ballot in outcome.ballots:
                credit = outcome.credit(ballot) if outcome.truth else float(ballot.succeeded)
                key = (outcome.task.topic, self._names[ballot.expert])
                tally = self._tally.setdefault(key, [0.0, 0.0])
                tally[0] += credit
                tally[1] += 1.0 - credit

    @hookimpl
    def swarmloom_coordinate(
        self, swarm: Swarm, crew: object
    ) -> AbstractContextManager[object] | None:
        """Attach the swarm to a CrewAI crew; None for anything else."""
        if not any(cls.__module__ == "crewai.crew" for cls in type(crew).__mro__):
            return None
        from swarmloom_agents.coordination import coordinate

        return coordinate(swarm, crew, self.config)

    @hookimpl
    def swarmloom_snapshot(self) -> Mapping[str, Any]:
        """Give the tallies."""
        return {"tally": [[topic, expert, *t] for (topic, expert), t in self._tally.items()]}

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take the tallies back."""
        self._tally = {(row[0], row[1]): [float(row[2]), float(row[3])] for row in state["tally"]}
