"""The kernel's own answer for each hook that needs one: it works with any subset of plugins."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np

from swarmloom.execution import Executor
from swarmloom.manager_tools import KERNEL_TOOLS
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool
from swarmloom.types import Assignment, Ballot, IntArray, Mixture, Round, Verdict

__all__ = ["KernelDefaults", "greedy_decision", "majority_verdict"]


def greedy_decision(round: Round, mixture: Mixture) -> IntArray:
    """Give each task its best expert, the clearest choices first, under the experts' capacities.

    Ties go to the cheaper expert, then by lot. O(T·E·log(T·E)) time.

    Parameters
    ----------
    round : Round
        For capacities, calls in flight, prices and the lot.
    mixture : Mixture
        Affinities, shape (T, E), −inf where not allowed.

    Returns
    -------
    ndarray of int64, shape (T,)
        Expert of each task, −1 where none is free.
    """
    n_tasks, n_experts = mixture.affinity.shape
    chosen = np.full(n_tasks, -1, dtype=np.int64)
    room = np.array([expert.capacity for expert in round.experts]) - round.in_flight
    candidates = np.flatnonzero(np.isfinite(mixture.affinity.ravel()))
    keys = (
        round.rng.random(len(candidates)),
        round.prices[candidates % n_experts],
        -mixture.affinity.ravel()[candidates],
    )
    waiting = n_tasks
    for pair in candidates[np.lexsort(keys)]:
        task, expert = divmod(int(pair), n_experts)
        if chosen[task] < 0 and room[expert] > 0:
            chosen[task] = expert
            room[expert] -= 1
            waiting -= 1
            if waiting == 0:
                break
    return chosen


def majority_verdict(task: str, ballots: Sequence[Ballot], quorum: int) -> Verdict:
    """Count votes and stop as soon as the leader cannot be caught up with.

    Parameters
    ----------
    task : str
        The task's id.
    ballots : sequence of Ballot
        Answers so far, failures included.
    quorum : int
        How many answers are bought at most.

    Returns
    -------
    Verdict
        The earliest of the most frequent answers; the posterior is the share of the votes.
    """
    votes = Counter(ballot.answer for ballot in ballots if ballot.succeeded and ballot.answer)
    if not votes:
        return Verdict(task, None, {}, stop=False)
    total = votes.total()
    ranked = votes.most_common(2)
    lead = ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0)
    posterior = {answer: count / total for answer, count in votes.items()}
    return Verdict(task, ranked[0][0], posterior, stop=lead > quorum - total)


class KernelDefaults:
    """Greedy decision, majority verdict and local execution, asked after every plugin.

    Parameters
    ----------
    executor : Executor
        Runs the experts' functions.
    quorum : int
        Answers that the majority buys at most.
    """

    def __init__(self, executor: Executor, quorum: int) -> None:
        self._executor = executor
        self._quorum = quorum

    @hookimpl
    def swarmloom_register_tools(self, register: Callable[[ManagerTool], None]) -> None:
        """Bring the tools that work on any swarm."""
        for tool in KERNEL_TOOLS:
            register(tool)

    @hookimpl(trylast=True)
    def swarmloom_decide(self, round: Round, mixture: Mixture) -> Assignment:
        """Decide greedily."""
        return Assignment(greedy_decision(round, mixture), "greedy")

    @hookimpl(trylast=True)
    def swarmloom_execute(self, round: Round, assignment: Assignment) -> AsyncIterator[Ballot]:
        """Call the experts' own functions."""
        return self._executor.execute(round, assignment)

    @hookimpl(trylast=True)
    def swarmloom_judge(self, round: Round) -> list[Verdict]:
        """Judge by majority."""
        return [
            majority_verdict(task.id, ballots, min(task.quorum or self._quorum, self._quorum))
            for task, ballots in zip(round.tasks, round.ballots, strict=True)
        ]
