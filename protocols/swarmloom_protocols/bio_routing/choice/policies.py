"""Choosing the expert for each task as it comes: one call for the colony's rule and its rivals.

`Chooser` keeps what a dispatcher knows: tasks under way, counted from the moment they are sent, and
pheromone by topic and expert, deposited as tasks finish. The policy "auto" is the index (mean
success, discounted, times health, less the wait), which did best in the simulated crews of
`swarmloom_protocols.bio_routing.choice.simulation`; with several dispatchers that hear of each
other's load by reports alone it draws from a soft-max, so that they do not all send to the same
expert.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.decisions import (
    FIELDS,
    Explanation,
    conclude,
    decide,
    score_rows,
)
from swarmloom_protocols.bio_routing.choice.limits import Bounds, Limits, refusal
from swarmloom_protocols.bio_routing.choice.pheromone import (
    DECISIONS,
    Weights,
    default_discount,
    evaporate,
    new_store,
    pheromone_of,
    reliabilities,
)
from swarmloom_protocols.bio_routing.choice.policy_kernels import CODES
from swarmloom_protocols.bio_routing.choice.trail_rules import AVERAGED, Reinforcement
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["POLICIES", "Chooser", "Ticket"]

Float64Array = npt.NDArray[np.float64]

POLICIES = ("auto", *CODES)

# Decisions that can be explained: the last ones.
HISTORY = 4096
# Of seconds and costs, so that sums of them stay finite.
MOST = 1e15
# Soft-max temperature of several dispatchers, in units of success rate.
_SHARED_TEMPERATURE = 0.05


class Ticket(NamedTuple):
    """What `Chooser.pick` hands out and `Chooser.done` takes back.

    Attributes
    ----------
    number : int
        Counts from 0.
    topic, expert
        As the caller names them.
    """

    number: int
    topic: Any
    expert: Any


class Chooser:
    """Choose the expert of each task, count what is under way, learn from what comes back.

    Not safe for concurrent writers: the caller holds the lock.

    Parameters
    ----------
    experts : int or sequence of hashable
        How many, or their names.
    slots : int or array-like of int, shape (experts,)
        Tasks (≥ 1) that an expert works on at once; what exceeds them waits.
    topics : int or sequence of hashable
        How many, or their names.
    policy : str
        One of `POLICIES`.
    dispatchers : int
        How many choosers (≥ 1) send to these experts, each knowing of the others' tasks by
        `snapshot` alone. A task that this one sends then stands for dispatchers / 2 between
        reports, for others see the same free expert.
    limits : Limits, optional
        What every task demands.
    rng : numpy.random.Generator, optional
        Draws ties, soft-max, Thompson's samples and random choices; by default of seed 0.
    reinforcement : Reinforcement
        The rule of the policy "trail".
    temperature : float, optional
        Of the soft-max over scores (≥ 0); 0 takes the best. By default 0.05 for "auto" with
        several dispatchers, else 0.
    discount, prior, load_weight, cost_weight, health_step, health_memory, latency_step, bonus
        See `pheromone.Weights`; the discount is 1 − 1/max(500, 5 · experts) by default, and
        `latency_step` is its `step`.

    Raises
    ------
    InputError
        An argument is out of its range; the message names it.
    """

    def __init__(
        self,
        experts: int | Sequence[Hashable],
        slots: npt.ArrayLike,
        topics: int | Sequence[Hashable],
        *,
        policy: str = "auto",
        dispatchers: int = 1,
        limits: Limits | None = None,
        rng: np.random.Generator | None = None,
        reinforcement: Reinforcement = AVERAGED,
        temperature: float | None = None,
        discount: float | None = None,
        prior: float = 2.0,
        load_weight: float = 0.4,
        cost_weight: float = 0.0,
        health_step: float = 0.1,
        health_memory: float = 0.999,
        latency_step: float = 0.1,
        bonus: float = 0.1,
    ) -> None:
        self._experts, self._topics = _Names("expert", experts), _Names("topic", topics)
        if policy not in POLICIES:
            raise InputError(f"policy is {policy!r}; allowed: {', '.join(POLICIES)}")
        others = whole("dispatchers", dispatchers, 1)
        if temperature is None:
            temperature = _SHARED_TEMPERATURE if policy == "auto" and others > 1 else 0.0
        if discount is None:
            discount = default_discount(len(self._experts))
        self._weights = Weights(
            discount=positive("discount", discount, 1.0),
            prior=positive("prior", prior),
            load_weight=between("load_weight", load_weight, 0.0),
            cost_weight=between("cost_weight", cost_weight, 0.0),
            health_step=between("health_step", health_step, 0.0, 1.0),
            health_memory=positive("health_memory", health_memory, 1.0),
            step=positive("latency_step", latency_step, 1.0),
            bonus=between("bonus", bonus, 0.0),
            temperature=between("temperature", temperature, 0.0),
            persistence=reinforcement.persistence,
            success=reinforcement.success,
            swift=reinforcement.swift,
            failure=reinforcement.failure,
        )
        self.policy = "index" if policy == "auto" else policy
        self._code = CODES[self.policy]
        self._bounds = (limits or Limits()).bounds
        draws = np.random.default_rng(0) if rng is None else generator("rng", rng)
        # A float64 holds whole numbers to 2⁵³.
        seed = float(draws.integers(2**53))
        self._settings = np.array([*self._weights, *self._bounds, max(1.0, others / 2.0), seed])
        room = _slots(slots, len(self._experts))
        self._store = new_store(room, len(self._topics), reinforcement.start)
        self._masks = np.ones((2, room.size), dtype=np.bool_)
        self._rows = np.zeros((4, room.size))
        self._history = np.full((HISTORY, FIELDS), -1.0)
        self._open: dict[int, tuple[int, int, float]] = {}

    # -- a task's way -----------------------------------------------------------------------------

    def pick(
        self, topic: Any, *, allowed: npt.ArrayLike | None = None, limits: Limits | None = None
    ) -> Ticket:
        """Choose the expert of a task and count the task as sent.

        Parameters
        ----------
        topic : hashable
            Its name, or its row where topics have no names.
        allowed : array-like of bool, shape (experts,), optional
            Who may take the task; all by default.
        limits : Limits, optional
            What this task demands, in place of what every task does.

        Returns
        -------
        Ticket

        Raises
        ------
        NoRouteError
            No expert is allowed, or none keeps the limits; the message names the limit.
        InputError
            There is no such topic, or `allowed` has another shape.
        """
        row = self._topics.row(topic)
        given = self._masks[0] if allowed is None else self._mask(allowed)
        if limits is not None:
            self._settings[13:16] = limits.bounds
        try:
            number = int(self._store.clock[DECISIONS])
            expert = decide(
                self._code,
                *self._store,
                self._settings,
                row,
                given,
                self._masks,
                self._rows,
                self._history,
            )
            if expert < 0:
                raise self._refused(row, given)
        finally:
            if limits is not None:
                self._settings[13:16] = self._bounds
        wait = float(self._history[number % HISTORY, 1])
        self._open[number] = (row, expert, wait)
        return Ticket(number, topic, self._experts.names[expert])

    def done(self, ticket: Ticket, ok: float, seconds: float, cost: float | None = None) -> None:
        """Learn from a finished task and take it out of the count.

        Parameters
        ----------
        ticket : Ticket
            Of `pick`; each is done once.
        ok : float or bool
            Success in [0, 1]; 0 for an error, a time-out or a wrong answer.
        seconds : float
            From sending to answer, 0 to 10¹⁵; the wait that was expected at sending is taken out.
        cost : float, optional
            In any unit, from 0 to 10¹⁵.

        Raises
        ------
        InputError
            The ticket is not open, or a value is out of its range; nothing is changed.
        """
        topic, expert, wait = self._opened(ticket)
        success = between("ok", ok, 0.0, 1.0)
        worked = between("seconds", seconds, 0.0, MOST) / (1.0 + wait)
        spent = -1.0 if cost is None else between("cost", cost, 0.0, MOST)
        del self._open[ticket.number]
        conclude(
            *self._store,
            self._settings,
            topic,
            expert,
            success,
            worked,
            spent,
            self._rows[0],
        )

    def snapshot(self, in_flight: npt.ArrayLike) -> None:
        """Take a report of the tasks under way at each expert, whoever sent them.

        Until the next one, own tasks sent and finished are added and taken off.

        Parameters
        ----------
        in_flight : array-like of int, shape (experts,)

        Raises
        ------
        InputError
            It has another shape, or holds what is not finite or below 0.
        """
        load = real_array("in_flight", in_flight)
        if load.shape != self._rows[0].shape:
            raise InputError(f"in_flight has shape {load.shape}, not {self._rows[0].shape}")
        wrong = np.flatnonzero(~(np.isfinite(load) & (load >= 0.0)))
        if wrong.size:
            who = self._experts.names[wrong[0]]
            raise InputError(f"in_flight of {who!r} is {load[wrong[0]]}; allowed: finite, from 0")
        self._rows[0] = load

    def explain(self, ticket: Ticket) -> Explanation:
        """Say why a task went to its expert.

        Parameters
        ----------
        ticket : Ticket
            One of the last 4,096, open or done.

        Raises
        ------
        InputError
            The ticket is older, or not of this chooser.
        """
        number = whole("ticket", ticket.number, 0)
        record = self._history[number % HISTORY]
        if record[0] != number:
            raise InputError(f"ticket {number} is not one of the last {HISTORY} decisions")
        return Explanation.read(record, self.policy, self._topics.names, self._experts.names)

    def scores(self, topics: Sequence[Any], *, in_turn: bool = False) -> Float64Array:
        """Give what the policy compares for tasks that somebody else will assign.

        Nothing counts as sent. "random" and "round_robin" compare nothing: 0.

        Parameters
        ----------
        topics : sequence of hashable, length T
            Topic of each task.
        in_turn : bool
            Each task counts in the load of its best expert before the next is scored; without,
            all see the same load.

        Returns
        -------
        ndarray of float64, shape (T, experts)
            -inf for experts that are withdrawn or do not keep the limits.

        Raises
        ------
        InputError
            There is no such topic.
        """
        rows = np.array([self._topics.row(topic) for topic in topics], dtype=np.int64)
        table = np.empty((rows.size, len(self._experts)))
        score_rows(
            self._code,
            *self._store,
            self._settings,
            rows,
            in_turn,
            self._masks,
            self._rows,
            table,
        )
        return table

    # -- experts that leave and return ------------------------------------------------------------

    def withdraw(self, expert: Any) -> None:
        """Send nothing more to an expert until it is readmitted; its open tickets stay open."""
        self._masks[0, self._experts.row(expert)] = False

    def readmit(self, expert: Any) -> None:
        """Send to an expert again; what was learned of it has been kept."""
        self._masks[0, self._experts.row(expert)] = True

    def evaporate(self, finished: int) -> None:
        """Let as much be forgotten as `finished` tasks (≥ 0) would have made.

        For times in which none finishes, as when no expert keeps the limits.
        """
        passed = float(whole("finished", finished, 0))
        evaporate(pheromone_of(*self._store), self._weights, passed)

    # -- what is known ----------------------------------------------------------------------------

    @property
    def load(self) -> Float64Array:
        """Tasks taken to be under way at each expert, shape (experts,)."""
        load: Float64Array = self._rows[0].copy()
        return load

    def reliability(self) -> Float64Array:
        """Return p̂ · min(1, h / 0.8), shape (topics, experts)."""
        return reliabilities(pheromone_of(*self._store), self._weights)

    # -- inside -----------------------------------------------------------------------------------

    def _mask(self, allowed: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        given = np.asarray(allowed)
        shape = self._rows[0].shape
        if given.dtype != np.bool_ or given.shape != shape:
            raise InputError(
                f"allowed: {given.dtype} of shape {given.shape}; allowed: bool of shape {shape}"
            )
        return np.require(given, requirements=["C", "W"])

    def _refused(self, row: int, given: npt.NDArray[np.bool_]) -> NoRouteError:
        return refusal(
            pheromone_of(*self._store),
            self._weights,
            row,
            self._rows[0],
            Bounds(*self._settings[13:16].tolist()),
            self._masks[0] & given,
            self._experts.names,
        )

    def _opened(self, ticket: Ticket) -> tuple[int, int, float]:
        if ticket.number not in self._open:
            raise InputError(f"ticket {ticket.number} is not open: unknown, or done before")
        return self._open[ticket.number]


class _Names:
    """Rows of names, or of their numbers where only a count is given."""

    def __init__(self, kind: str, given: Any) -> None:
        self.kind = kind
        named = isinstance(given, Sequence) and not isinstance(given, str)
        self.names: Sequence[Any] = list(given) if named else range(whole(f"{kind}s", given, 1))
        self._rows = {name: row for row, name in enumerate(self.names)}
        if not self.names or len(self._rows) < len(self.names):
            raise InputError(
                f"{kind}s: {len(self.names)} names; allowed: at least one, no two alike"
            )

    def __len__(self) -> int:
        return len(self.names)

    def row(self, name: Any) -> int:
        """Return the row of a name, or raise `InputError`."""
        row = self._rows.get(name)
        if row is None:
            shown = ", ".join(map(repr, self.names[:8])) + (" …" if len(self.names) > 8 else "")
            raise InputError(f"{self.kind} {name!r} is not known; allowed: {shown}")
        return row


def _slots(slots: npt.ArrayLike, experts: int) -> Float64Array:
    room = real_array("slots", slots)
    if room.shape not in ((), (experts,)):
        raise InputError(f"slots has shape {room.shape}; allowed: one number, or {experts}")
    if not (np.isfinite(room).all() and room.min() >= 1.0):
        raise InputError("slots: allowed: finite, from 1")
    return np.full(experts, room)
