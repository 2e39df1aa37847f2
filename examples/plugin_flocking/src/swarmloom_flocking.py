"""Flocking: experts that answer alike form flocks; learn from the flock, ask outside it.

Experts come in kinds: the same base model, the same training, the same view of the data. Those of a
kind make the same mistakes, so that the second answer of a kind says little that the first did not,
and a majority of one kind is one vote counted thrice. The answers themselves show who is of a kind,
without any truth: this protocol counts who agrees with whom beyond chance and applies two of the
rules by which birds flock (Reynolds: Flocks, herds and schools, SIGGRAPH 1987):

- separation: who answers like those that have answered a task already is asked last;
- alignment: an outcome counts for the whole flock, so that the first outcomes on a new topic say
  something about many experts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from swarmloom import Ballot, Outcome, Proposal, ProtocolConfig, Round, hookimpl

__all__ = ["Flocking", "FlockingConfig", "likeness", "novelty", "pooled_rates"]

Array = npt.NDArray[np.float64]


class FlockingConfig(ProtocolConfig):
    """Settings of the flocking protocol."""

    separation: float = Field(
        default=3.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the log-probability that an expert says anything new about a task.",
    )
    alignment: float = Field(
        default=0.3,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the log-odds that an expert is right on the task's topic; low, as "
        "other protocols say that too.",
    )
    common_tasks: float = Field(
        default=4.0,
        gt=0,
        allow_inf_nan=False,
        description="Tasks answered by both after which two experts' agreement counts half.",
    )
    prior: float = Field(
        default=4.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that an expert's rate over all topics counts for on each topic.",
    )
    ungraded_weight: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Observations that the verdict on an ungraded answer counts for; a graded "
        "answer and a failed call count for one.",
    )
    half_life: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Finished tasks after which an observation counts half; unset: they stay.",
    )


def likeness(agreed: Array, met: Array, common_tasks: float) -> Array:
    """Tell how much alike experts answer, beyond chance.

    Parameters
    ----------
    agreed, met : ndarray, shape (experts, experts)
        Tasks on which two experts gave the same answer, and tasks that both answered; symmetric,
        the diagonal is not read.
    common_tasks : float
        Tasks by which a likeness is shrunk towards 0.

    Returns
    -------
    ndarray, shape (experts, experts)
        In [0, 1), 0 on the diagonal. Cohen's kappa ``(a - c) / (1 - c)`` (Educational and
        Psychological Measurement 20, 1960), where chance c is the crew's mean agreement, times
        ``n / (n + common_tasks)``; negative ones are 0.
    """
    apart = 1.0 - np.eye(len(met))
    total = (met * apart).sum()
    chance = min(0.99, (agreed * apart).sum() / total) if total else 0.0
    # n · (a - c) / (1 - c) / (n + s), with a = agreed / n
    kappa = (agreed - chance * met) / (1.0 - chance) / (met + common_tasks)
    result: Array = np.clip(kappa, 0.0, 0.99) * apart
    return result


def novelty(alike: Array, asked: Sequence[int]) -> Array:
    """Give the log-probability that each expert's answer repeats none of those at hand.

    Parameters
    ----------
    alike : ndarray, shape (experts, experts)
        Probability that one repeats the other.
    asked : sequence of int
        Experts that have answered.

    Returns
    -------
    ndarray, shape (experts,)
        At most 0; all 0 where nobody has answered.
    """
    logs: Array = np.log1p(-alike[list(asked)]).sum(axis=0)
    return logs


def pooled_rates(wins: Array, losses: Array, alike: Array, prior: float) -> Array:
    """Estimate success rates from each expert's outcomes and those of the ones it is like.

    Parameters
    ----------
    wins, losses : ndarray, shape (topics, experts)
        Discounted successes and failures.
    alike : ndarray, shape (experts, experts)
        What an outcome of one counts for the other.
    prior : float
        Observations that an expert's rate over all topics counts for.

    Returns
    -------
    ndarray, shape (topics, experts)
        In (0, 1); an expert's rate over all topics where there are no outcomes.
    """
    pool = alike + np.eye(len(alike))
    crew = (wins.sum() + 1.0) / (wins.sum() + losses.sum() + 2.0)
    all_wins, all_losses = wins.sum(axis=0) @ pool, losses.sum(axis=0) @ pool
    usual = (all_wins + prior * crew) / (all_wins + all_losses + prior)
    own_wins, own_losses = wins @ pool, losses @ pool
    rates: Array = (own_wins + prior * usual) / (own_wins + own_losses + prior)
    return rates


class Flocking:
    """Separation and alignment, behind the hooks `navigate` and `evolve`."""

    name: ClassVar[str] = "flocking"
    Config: ClassVar[type[ProtocolConfig]] = FlockingConfig

    def __init__(self, config: FlockingConfig) -> None:
        self._config = config
        self._topics: dict[str, int] = {}
        self._experts: dict[str, int] = {}
        self._crew: list[int] = []
        # Successes and failures, topics × experts; agreements and meetings, experts × experts.
        self._wins, self._losses = np.zeros((0, 0)), np.zeros((0, 0))
        self._agreed, self._met = np.zeros((0, 0)), np.zeros((0, 0))
        # A snapshot may be taken from another thread while a run goes on.
        self._lock = threading.Lock()

    @hookimpl
    def swarmloom_initialize(self, swarm: Any) -> None:
        """Learn who belongs to the crew; what is known of those who stay or return is kept."""
        with self._lock:
            names = [expert.name for expert in swarm.experts]
            self._crew = [self._experts.setdefault(n, len(self._experts)) for n in names]
            self._grow()

    @hookimpl
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Prefer who is right on the topic and not like those who have answered the task."""
        with self._lock:
            rows = [self._row(task.topic) for task in round.tasks]
            if not rows or not self._wins.any():
                return None
            crew = np.ix_(self._crew, self._crew)
            alike = likeness(self._agreed[crew], self._met[crew], self._config.common_tasks)
            wins, losses = self._wins[:, self._crew], self._losses[:, self._crew]
            rates = pooled_rates(wins, losses, alike, self._config.prior)[rows]
        asked = [[ballot.expert for ballot in _answers(ballots)] for ballots in round.ballots]
        new = np.array([novelty(alike, experts) for experts in asked])
        odds = np.log(rates / (1.0 - rates))
        affinity = self._config.alignment * odds + self._config.separation * new
        return Proposal(affinity.astype(np.float32))

    @hookimpl
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Count who was right, and who agreed with whom."""
        with self._lock:
            self._forget(len(outcomes))
            for outcome in outcomes:
                self._count_credit(outcome)
                self._count_agreement(_answers(outcome.ballots))

    def _forget(self, tasks: int) -> None:
        if self._config.half_life is not None:
            for table in (self._wins, self._losses, self._agreed, self._met):
                table *= 0.5 ** (tasks / self._config.half_life)

    def _count_credit(self, outcome: Outcome) -> None:
        row = self._row(outcome.task.topic)
        for ballot in outcome.ballots:
            certain = outcome.truth is not None or not ballot.succeeded
            weight = 1.0 if certain else self._config.ungraded_weight
            credit = min(1.0, outcome.credit(ballot))
            self._wins[row, self._crew[ballot.expert]] += weight * credit
            self._losses[row, self._crew[ballot.expert]] += weight * (1.0 - credit)

    def _count_agreement(self, ballots: Sequence[Ballot]) -> None:
        for one, other in combinations(ballots, 2):
            pair = self._crew[one.expert], self._crew[other.expert]
            for place in (pair, pair[::-1]):
                self._met[place] += 1.0
                self._agreed[place] += one.answer == other.answer

    def _row(self, topic: str) -> int:
        row = self._topics.setdefault(topic, len(self._topics))
        self._grow()
        return row

    def _grow(self) -> None:
        topics, experts = len(self._topics), len(self._experts)
        rows, columns = max(0, topics - len(self._wins)), experts - self._wins.shape[1]
        if rows or columns:
            # Twice the topics at a time, so that growing stays linear.
            more = ((0, rows and rows + topics), (0, columns))
            self._wins, self._losses = np.pad(self._wins, more), np.pad(self._losses, more)
            self._agreed = np.pad(self._agreed, (0, columns))
            self._met = np.pad(self._met, (0, columns))

    @hookimpl
    def swarmloom_snapshot(self) -> Mapping[str, Any]:
        """Give all counts with the names of their rows and columns."""
        with self._lock:
            return {
                "topics": list(self._topics),
                "experts": list(self._experts),
                "wins": self._wins[: len(self._topics)].copy(),
                "losses": self._losses[: len(self._topics)].copy(),
                "agreed": self._agreed.copy(),
                "met": self._met.copy(),
            }

    @hookimpl
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `swarmloom_snapshot` gave."""
        with self._lock:
            crew = [list(self._experts)[column] for column in self._crew]
            self._topics = {name: row for row, name in enumerate(state["topics"])}
            self._experts = {name: column for column, name in enumerate(state["experts"])}
            self._wins, self._losses = np.array(state["wins"]), np.array(state["losses"])
            self._agreed, self._met = np.array(state["agreed"]), np.array(state["met"])
            self._crew = [self._experts.setdefault(n, len(self._experts)) for n in crew]
            self._grow()


def _answers(ballots: Sequence[Ballot]) -> list[Ballot]:
    return [ballot for ballot in ballots if ballot.succeeded]


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[Flocking]], None]) -> None:
    """Bring the protocol."""
    register(Flocking)
