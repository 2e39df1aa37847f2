"""Colonies: ants that build solutions, trails that remember the good ones, and a record of both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.construction import Solutions, construct
from swarmloom_protocols.bio_routing.search.policies import Marks, Policy, max_min
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.bio_routing.search.statistics import branching, entropy
from swarmloom_protocols.bio_routing.search.trail_kernels import Renewal, renew
from swarmloom_protocols.bio_routing.search.walk_kernels import CAPACITY, Wear
from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Budget", "Colony", "Progress", "SearchResult"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

# Iterations between two looks at how far the trails have converged.
LOOK_EVERY = 100
# A colony whose mean branching is below one option, or one each way, has converged.
CONVERGED = 1.00001
# The least share of the first solution's cost that a cost counts as: costs may be 0.
LEAST_COST_SHARE = 1e-9


@dataclass(frozen=True)
class Budget:
    """When to stop: at whatever comes first, after an iteration is complete.

    Attributes
    ----------
    iterations : int, optional
        From 1.
    seconds : float, optional
        Of CPU time of this process, above 0.
    evaluations : float, optional
        Solutions built, above 0; an ant whose choices take more evaluations than one each counts
        for as many solutions.
    target : float, optional
        A cost that is good enough. Not enough alone: it may never be reached.
    """

    iterations: int | None = None
    seconds: float | None = None
    evaluations: float | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if self.iterations is None and self.seconds is None and self.evaluations is None:
            raise InputError("budget: give iterations, seconds or evaluations")
        if self.iterations is not None:
            whole("iterations", self.iterations, 1)
        for name, value in (("seconds", self.seconds), ("evaluations", self.evaluations)):
            if value is not None:
                positive(name, value)

    def spent(self, iterations: int, seconds: float, evaluations: float, best: float) -> bool:
        """Tell whether a run is over."""
        return (
            (self.iterations is not None and iterations >= self.iterations)
            or (self.seconds is not None and seconds >= self.seconds)
            or (self.evaluations is not None and evaluations >= self.evaluations)
            or (self.target is not None and best <= self.target)
        )


class Progress(NamedTuple):
    """One line of a run's record.

    Attributes
    ----------
    iteration : int
        Iterations of the colony so far.
    evaluations : float
        Solutions built so far; see `Budget`.
    seconds : float
        CPU time of this process in the runs of the colony so far.
    best : float
        Least cost so far.
    entropy : float
        Mean entropy of a choice, in bits.
    branching : float
        Mean λ-branching of the trails, λ = 0.05.
    """

    iteration: int
    evaluations: float
    seconds: float
    best: float
    entropy: float
    branching: float


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a colony found.

    Attributes
    ----------
    cost : float
        Of the best solution; infinite where no ant has met the rules.
    following : ndarray of int32, shape (n,)
        Target taken at each node, −1 for none.
    sequence : ndarray of int32
        Nodes in the order of decision: the tour, the path.
    overload : float
        Load beyond the capacities, summed over targets; 0 where the solution keeps to them.
    iterations, restarts : int
    evaluations, seconds : float
        Of the colony so far; see `Budget`.
    trace : tuple of Progress
        Every hundredth iteration and the last.
    improvements : ndarray of float64, shape (improvements, 3)
        Evaluations, CPU seconds and cost of each new best.
    """

    cost: float
    following: IndexArray
    sequence: IndexArray
    overload: float
    iterations: int
    restarts: int
    evaluations: float
    seconds: float
    trace: tuple[Progress, ...]
    improvements: FloatArray


@dataclass
class _Best:
    """The best solution over some time."""

    cost: float = np.inf
    following: IndexArray = field(default_factory=lambda: np.empty(0, np.int32))
    sequence: IndexArray = field(default_factory=lambda: np.empty(0, np.int32))

    def take(self, found: Solutions, ant: int) -> bool:
        """Take an ant's solution where it is better."""
        if not found.costs[ant] < self.cost:
            return False
        self.cost = float(found.costs[ant])
        self.following = found.following[ant].copy()
        self.sequence = found.sequences[ant, : found.lengths[ant]].copy()
        return True


class Colony:
    """Ants that search one problem and remember by trails.

    Parameters
    ----------
    problem : SearchProblem
        What to search.
    policy : Policy, optional
        How to learn; `max_min` by default.
    rng : numpy.random.Generator
        Source of all numbers: the same seed gives the same run on any number of threads, as long
        as no budget of seconds ends it.
    ants : int, optional
        Solutions built in an iteration, at least 1.
    pick : kernel, optional
        How an option is taken from weights; see `walk_kernels.pick`.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Raises
    ------
    InputError
        An argument is out of range.
    MemoryLimitError
        The ants need more memory than the machine has.

    Examples
    --------
    >>> import numpy as np
    >>> from swarmloom_protocols.bio_routing.search.standard_problems import tour_problem
    >>> cities = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    >>> colony = Colony(tour_problem(cities), rng=np.random.default_rng(0))
    >>> colony.run(Budget(iterations=5)).cost
    4.0
    """

    def __init__(
        self,
        problem: SearchProblem,
        policy: Policy | None = None,
        *,
        rng: np.random.Generator,
        ants: int = 25,
        pick: Callable[..., Any] | None = None,
        device: Device = "auto",
    ) -> None:
        self.problem = problem
        self.policy = max_min() if policy is None else policy
        self.iterations = 0
        self.restarts = 0
        self.evaluations = 0.0
        self._rng = generator("rng", rng)
        self._pick = pick
        self._device = device
        self._seconds = 0.0
        self._found = Solutions.empty(whole("ants", ants, 1), problem.n_nodes)
        self._best, self._since_restart = _Best(), _Best()
        self._improved_at = 0
        self._improvements: list[tuple[float, float, float]] = []
        self._desirability = _relative(problem, self.policy.beta)
        self._trails = np.ones(problem.sources.size)
        self._choice = self._desirability.copy()
        self._wear: Wear | None = None
        self._begin()

    @property
    def trails(self) -> FloatArray:
        """A view of the trail of every option, read-only, float64 of shape (e,).

        Options are in the order of ``problem.graph.targets``; the unit is what the first solution
        leaves with weight 1.
        """
        view = self._trails.view()
        view.flags.writeable = False
        return view

    def trail_matrix(self) -> csr_array:
        """Return the trails as a sparse matrix, from node to target."""
        graph = self.problem.graph
        shape = self.problem.n_nodes, graph.capacities.size
        return csr_array((self._trails.copy(), graph.targets, graph.starts), shape=shape)

    def set_trails(self, trails: NDArray[np.float64]) -> None:
        """Put trails in the place of the present ones, as those of an earlier colony.

        Parameters
        ----------
        trails : array-like of float, shape (e,)
            Finite, from 0; bounds of the policy are applied.

        Raises
        ------
        InputError
            They are not as above; the trails are then unchanged.
        """
        given = real_array("trails", trails)
        if given.shape != self._trails.shape or not (np.isfinite(given) & (given >= 0.0)).all():
            raise InputError(
                f"trails of shape {given.shape}; allowed: {self._trails.shape}, finite, from 0"
            )
        self._trails[:] = given
        self._renew(np.empty((0, self.problem.n_nodes), np.int32), np.empty(0), kept=1.0)

    def bounds(self) -> tuple[float, float]:
        """Return the least and the greatest trail that the policy allows now."""
        n = max(1, self.problem.n_nodes)
        return self.policy.bounds(self._quality(self._best.cost), n, self.problem.mean_options)

    def progress(self) -> Progress:
        """Return where the colony stands."""
        starts = self.problem.graph.starts
        return Progress(
            self.iterations,
            self.evaluations,
            self._seconds,
            self._best.cost,
            entropy(starts, self._choice),
            branching(starts, self._trails),
        )

    def run(
        self, budget: Budget, *, on_progress: Callable[[Progress], None] | None = None
    ) -> SearchResult:
        """Search until a budget is spent; further runs go on from there with a budget of their own.

        Parameters
        ----------
        budget : Budget
            When to stop.
        on_progress : callable, optional
            Called with each line of the trace.
        """
        first_iteration, first_evaluation = self.iterations, self.evaluations
        first_second, start = self._seconds, time.process_time()
        trace: list[Progress] = []
        while True:
            self.step()
            self._seconds = first_second + time.process_time() - start
            spent = budget.spent(
                self.iterations - first_iteration,
                self._seconds - first_second,
                self.evaluations - first_evaluation,
                self._best.cost,
            )
            if spent or self.iterations % LOOK_EVERY == 0:
                trace.append(self.progress())
                if on_progress is not None:
                    on_progress(trace[-1])
            if spent:
                return self._result(tuple(trace))

    def step(self) -> None:
        """Let all ants build one solution each, and the trails learn from them."""
        self._build()
        ant = int(np.argmin(self._found.costs))
        self._since_restart.take(self._found, ant)
        if self._best.take(self._found, ant):
            self._improved_at = self.iterations
            self._improvements.append((self.evaluations, self._seconds, self._best.cost))
        self._mark(self.policy.marks(self._found.costs, self.iterations))
        self.iterations += 1
        if self.policy.bounded and self.iterations % LOOK_EVERY == 0:
            self._restart_if_converged()

    def _begin(self) -> None:
        """Set the first trails by greedy solutions, which also give the unit of quality."""
        self._reference = 1.0
        self._build(greediness=1.0)
        ant = int(np.argmin(self._found.costs))
        if self._best.take(self._found, ant):
            self._since_restart.take(self._found, ant)
            self._improvements.append((self.evaluations, 0.0, self._best.cost))
            self._reference = self._best.cost
        else:
            self._reference = float(self.problem.graph.costs.sum())
        self._reference = self._reference or 1.0
        self._trails[:] = self.policy.first_trail(max(1, self.problem.n_nodes))
        if self.policy.wear > 0.0:
            self._wear = self._worn()
        self._renew(np.empty((0, self.problem.n_nodes), np.int32), np.empty(0), kept=1.0)

    def _build(self, greediness: float | None = None) -> None:
        seed = int(self._rng.integers(1 << 32))
        construct(
            self.problem,
            self._choice,
            len(self._found),
            seed,
            greediness=self.policy.greediness if greediness is None else greediness,
            wearing=self._wear,
            pick=self._pick,
            into=self._found,
            device=self._device,
        )
        if self.problem.improve is not None:
            found = self._found
            self.problem.improve(found.following, found.sequences, found.lengths, found.costs)
        self._check_costs()
        self.evaluations += len(self._found) if self._pick is None else self._charged()

    def _charged(self) -> float:
        """Return how many plain solutions those of an iteration count for."""
        decided = np.maximum(1, (self._found.following >= 0).sum(axis=1))
        return float(np.maximum(1.0, self._found.queries / decided).sum())

    def _check_costs(self) -> None:
        costs = self._found.costs
        if not costs.min() >= 0.0:
            ant = int(np.argmin(costs >= 0.0))
            raise InputError(f"evaluate returned {costs[ant]} for ant {ant}; allowed: from 0")

    def _quality(self, cost: float) -> float:
        """Return what a solution of a cost leaves with weight 1; 1 for one not found yet."""
        if cost == np.inf:
            return 1.0
        return self._reference / max(cost, LEAST_COST_SHARE * self._reference)

    def _mark(self, marks: Marks) -> None:
        rows = [self._found.following[marks.ants]]
        amounts = [
            weight * self._quality(float(self._found.costs[ant]))
            for ant, weight in zip(marks.ants, marks.weights, strict=True)
        ]
        for kept, weight in ((self._best, marks.best), (self._since_restart, marks.since_restart)):
            if weight > 0.0 and kept.cost < np.inf:
                rows.append(kept.following[None, :])
                amounts.append(weight * self._quality(kept.cost))
        self._renew(np.concatenate(rows), np.array(amounts), kept=1.0 - self.policy.evaporation)

    def _renew(self, following: IndexArray, amounts: FloatArray, kept: float) -> None:
        low, high = self.bounds()
        if self._wear is not None and self.policy.bounded:
            self._wear = self._wear._replace(floor=low)
        everywhere = self.policy.kind != "ant colony system"
        problem = self.problem
        renew(
            problem.sources,
            problem.graph.targets,
            self._desirability,
            following,
            amounts,
            Renewal(kept, everywhere, problem.symmetric, low, high, self.policy.alpha),
            self._trails,
            self._choice,
            device=self._device,
        )

    def _worn(self) -> Wear:
        floor = self.policy.first_trail(max(1, self.problem.n_nodes))
        twins = _twins(self.problem) if self.problem.symmetric else None
        none = np.full(self._trails.size, -1, np.int32)
        return Wear(
            self.policy.wear,
            floor,
            self.policy.alpha,
            self._trails,
            self._desirability,
            none if twins is None else twins,
        )

    def _restart_if_converged(self) -> None:
        if self.iterations - self._improved_at <= self.policy.patience:
            return
        most = CONVERGED * (2.0 if self.problem.symmetric else 1.0)
        if branching(self.problem.graph.starts, self._trails) < most:
            self.restarts += 1
            self._since_restart = _Best()
            self._improved_at = self.iterations
            self._trails[:] = self.bounds()[1]
            self._renew(np.empty((0, self.problem.n_nodes), np.int32), np.empty(0), kept=1.0)

    def _result(self, trace: tuple[Progress, ...]) -> SearchResult:
        best = self._best
        return SearchResult(
            best.cost,
            best.following.copy(),
            best.sequence.copy(),
            _overload(self.problem, best.following),
            self.iterations,
            self.restarts,
            self.evaluations,
            self._seconds,
            trace,
            np.array(self._improvements).reshape(-1, 3),
        )


def _relative(problem: SearchProblem, beta: float) -> NDArray[np.float32]:
    """Return desirability to the power of β over the greatest of the node's, as weights."""
    worth = problem.desirability
    starts = problem.graph.starts
    most = np.zeros(problem.n_nodes)
    held = np.diff(starts) > 0
    most[held] = np.maximum.reduceat(worth, starts[:-1][held]) if worth.size else 0.0
    powered = (worth / most[problem.sources]) ** beta
    return np.maximum(powered, 1e-30).astype(np.float32)


def _twins(problem: SearchProblem) -> IndexArray:
    """Return the option back of each option, −1 where there is none."""
    n, targets = problem.n_nodes, problem.graph.targets.astype(np.int64)
    keys = problem.sources * np.int64(n) + targets
    order = np.argsort(keys)
    wanted = targets * n + problem.sources
    at = np.minimum(np.searchsorted(keys[order], wanted), max(0, keys.size - 1))
    found = order[at] if keys.size else at
    return np.where(keys[found] == wanted, found, -1).astype(np.int32)


def _overload(problem: SearchProblem, following: IndexArray) -> float:
    graph = problem.graph
    if not graph.rules & CAPACITY or not following.size:
        return 0.0
    taken = following[problem.sources] == graph.targets
    used = np.bincount(graph.targets[taken], graph.loads[taken], graph.capacities.size)
    return float(np.maximum(used - graph.capacities, 0.0).sum())
