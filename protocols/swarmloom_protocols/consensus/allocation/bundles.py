"""Bundle bidding (CBBA): agents without a centre take tasks and settle conflicts by talk.

H.-L. Choi, L. Brunet and J. P. How, "Consensus-based decentralized auctions for robust task
allocation", IEEE Transactions on Robotics 25, 2009: every agent adds the tasks of largest marginal
gain on which it is not outbid, tells its neighbours the highest bids that it knows, and drops what
it lost and all it took later. Where gains never grow with the bundle, the outcome is that of the
greedy choice over all agents and tasks, which is worth at least half the optimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.allocation.arguments import matrix_of, units_of
from swarmloom_protocols.consensus.gossip.networks import neighbours_of

__all__ = ["BundleResult", "bundle_bidding", "discounted"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Gain = Callable[[int, Sequence[int], int], float]

NOBODY = -1


@dataclass(frozen=True, slots=True)
class BundleResult:
    """Who took what.

    Attributes
    ----------
    assignment : ndarray of int64, shape (tasks,)
        Agent of each task, −1 where nobody gains by it.
    bundles : tuple of tuple of int
        Tasks of each agent in the order in which it took them.
    value : float
        Sum of the gains.
    rounds : int
        Rounds of messages until nothing changed.
    messages : int
        Lists of bids sent.
    """

    assignment: IntArray
    bundles: tuple[tuple[int, ...], ...]
    value: float
    rounds: int
    messages: int


def discounted(values: ArrayLike, factor: float) -> Gain:
    """Return gains that fall with the bundle: value times ``factor`` to the size of the bundle.

    Parameters
    ----------
    values : float64[agents, tasks]
        At least 0.
    factor : float
        0 to 1; with 1 the gains are the values.
    """
    matrix = matrix_of("values", values)
    if not (np.isfinite(matrix).all() and (matrix >= 0.0).all()):
        raise InputError("values: must be a matrix, agents by tasks, finite and not negative")
    share = between("factor", factor, 0.0, 1.0)

    def gain(agent: int, bundle: Sequence[int], task: int) -> float:
        return float(matrix[agent, task] * share ** len(bundle))

    return gain


class _Agent:
    """One bidder: what it holds, and what it has heard."""

    def __init__(self, name: int, n_agents: int, n_tasks: int, capacity: int) -> None:
        self.name, self.capacity = name, capacity
        self.bundle: list[int] = []
        self.gains: list[float] = []
        self.bids = np.zeros(n_tasks)
        self.winners = np.full(n_tasks, NOBODY)
        self.heard = np.zeros(n_agents, np.int64)

    def build(self, gain: Gain) -> None:
        """Add the task of largest gain on which nobody bids more, while there is room."""
        while len(self.bundle) < self.capacity:
            gains = np.array([self._offer(gain, task) for task in range(len(self.bids))])
            if gains.max(initial=0.0) <= 0.0:
                return
            task = int(np.argmax(gains))
            self.bundle.append(task)
            self.gains.append(float(gains[task]))
            self.bids[task], self.winners[task] = gains[task], self.name

    def _offer(self, gain: Gain, task: int) -> float:
        if task in self.bundle:
            return 0.0
        worth, rival = gain(self.name, self.bundle, task), self.winners[task]
        if not math.isfinite(worth):
            raise InputError(
                f"gain({self.name}, {self.bundle}, {task}) is {worth}: must be finite; 0 or less "
                "where the agent does not want the task"
            )
        best = worth > self.bids[task] or (worth == self.bids[task] and self.name < rival)
        return worth if best or rival == NOBODY else 0.0

    def drop_lost(self) -> bool:
        """Drop the first task that another won and all taken after it; say whether any was."""
        for place, task in enumerate(self.bundle):
            if self.winners[task] != self.name:
                for later in self.bundle[place + 1 :]:
                    if self.winners[later] == self.name:
                        self.bids[later], self.winners[later] = 0.0, NOBODY
                del self.bundle[place:], self.gains[place:]
                return True
        return False

    def hear(self, other: _Agent, bids: FloatArray, winners: IntArray, heard: IntArray) -> bool:
        """Take over or reset what a neighbour knows better; say whether anything changed."""
        adopt, reset = _judged(self, other.name, bids, winners, heard)
        before = self.bids.copy(), self.winners.copy()
        self.bids[adopt], self.winners[adopt] = bids[adopt], winners[adopt]
        self.bids[reset], self.winners[reset] = 0.0, NOBODY
        return not (np.array_equal(before[0], self.bids) and (before[1] == self.winners).all())


def _newer(ours: IntArray, theirs: IntArray, about: IntArray) -> BoolArray:
    """Tell where the other has heard later of the agents named; of nobody it never has."""
    later: BoolArray = (about != NOBODY) & (theirs[about] > ours[about])
    return later


def _judged(
    agent: _Agent, sender: int, bids: FloatArray, winners: IntArray, heard: IntArray
) -> tuple[BoolArray, BoolArray]:
    """Apply the rules of the paper's Table 1 to all tasks: what to adopt, and what to reset."""
    me, mine, theirs = agent.name, agent.winners, winners
    higher = (bids > agent.bids) | ((bids == agent.bids) & (theirs < mine))
    about_theirs = _newer(agent.heard, heard, theirs)
    about_mine = _newer(agent.heard, heard, mine)
    older = (theirs != NOBODY) & (agent.heard[theirs] > heard[theirs])
    i_have, they_have = mine == me, mine == sender
    nobody, third = mine == NOBODY, (mine != me) & (mine != sender) & (mine != NOBODY)
    says_self, says_me, says_none = theirs == sender, theirs == me, theirs == NOBODY
    says_third = ~(says_self | says_me | says_none)
    same = third & (theirs == mine)
    differs = third & ~same
    adopt = says_self & ((i_have & higher) | they_have | nobody | (third & (about_mine | higher)))
    adopt |= says_third & (
        (i_have & about_theirs & higher)
        | (they_have & about_theirs)
        | (same & about_theirs)
        | (differs & about_theirs & (about_mine | higher))
        | (nobody & about_theirs)
    )
    adopt |= says_none & (they_have | (third & about_mine))
    reset = says_me & (they_have | (third & about_mine))
    reset |= says_third & ((they_have & ~about_theirs) | (differs & about_mine & older))
    return adopt, reset & ~adopt


def bundle_bidding(
    gain: Gain,
    n_tasks: int,
    capacity: Sequence[int] | IntArray,
    graph: Any,
    *,
    most_rounds: int = 10_000,
) -> BundleResult:
    """Let agents share out tasks among themselves by messages to their neighbours.

    Parameters
    ----------
    gain : callable
        ``gain(agent, bundle, task)``: what a task adds to an agent's bundle, which is in the order
        of taking; `discounted` makes one. It must never grow with the bundle (else the rounds may
        not end). 0 or less: the agent does not want it.
    n_tasks : int
    capacity : int64[agents]
        Most tasks of each agent.
    graph : networkx.Graph or adjacency matrix or int
        Who hears whom: undirected and connected; a number of agents for all hearing all.
    most_rounds : int
        Rounds after which to give up.

    Returns
    -------
    BundleResult

    Raises
    ------
    InputError
        A gain that is not finite, a graph that is not connected, not symmetric or of another size,
        a negative capacity, or no end of the rounds, which gains that grow with the bundle cause.
    """
    room = units_of("capacity", capacity).tolist()
    links = _checked_links(graph, len(room))
    whole("n_tasks", n_tasks, 0)
    agents = [_Agent(name, len(room), n_tasks, most) for name, most in enumerate(room)]
    messages = 0
    for number in range(1, most_rounds + 1):
        for agent in agents:
            agent.build(gain)
        messages += sum(map(len, links))
        if not _talk(agents, links, number):
            return _result(agents, n_tasks, number, messages)
    raise InputError(f"gain: no agreement after {most_rounds} rounds; gains must not grow")


def _talk(agents: Sequence[_Agent], links: Sequence[Sequence[int]], number: int) -> bool:
    """Exchange one round of messages, all sent before any is heard; say whether news came."""
    said = [(one.bids.copy(), one.winners.copy(), one.heard.copy()) for one in agents]
    changed = False
    for agent in agents:
        for name in links[agent.name]:
            changed |= agent.hear(agents[name], *said[name])
        for name in links[agent.name]:
            np.maximum(agent.heard, said[name][2], out=agent.heard)
        agent.heard[links[agent.name]] = number
        changed |= agent.drop_lost()
    return changed


def _checked_links(graph: Any, n_agents: int) -> list[list[int]]:
    links = neighbours_of(graph)
    if links.nodes != n_agents:
        raise InputError(f"graph of {links.nodes} agents, capacities of {n_agents}")
    if isinstance(graph, int | np.integer):
        return [[name for name in range(n_agents) if name != one] for one in range(n_agents)]
    bounds = links.first
    return [links.others[bounds[i] : bounds[i + 1]].tolist() for i in range(n_agents)]


def _result(agents: Sequence[_Agent], n_tasks: int, rounds: int, messages: int) -> BundleResult:
    assignment = np.full(n_tasks, NOBODY)
    for agent in agents:
        assignment[agent.bundle] = agent.name
    value = sum(sum(agent.gains) for agent in agents)
    bundles = tuple(tuple(agent.bundle) for agent in agents)
    return BundleResult(assignment, bundles, value, rounds, messages)
