"""Which of several paths will be fast next: prediction of round trips from what was seen.

A path that is probed rarely is known by old values. The regression learns for each path how much
the last value, a fast and a slow average, and the last value's freshness are worth, so that it
does what suits the link: the mean of noise, the last value of a level that shifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.placement import link_kernels as kernels
from swarmloom_protocols.checks import generator, positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["Bandit", "Followed", "LinkPredictor", "Method", "Probes", "follow", "follow_by_bandit"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Method = Literal["rls", "last", "ewma", "median"]
Probes = Literal["all", "one", "none"]
Bandit = Literal["discounted_ucb", "epsilon_greedy"]

CODES = {"last": kernels.LAST, "ewma": kernels.EWMA, "median": kernels.MEDIAN, "rls": kernels.RLS}
# Of the bandits: memory of 200 steps, the bonus, and the share of random choices.
DISCOUNT, BONUS, EXPLORE = 0.995, 0.1, 0.1


class LinkPredictor:
    """Predicts each path's next round trip, chooses the best and says which one to probe.

    Parameters
    ----------
    paths : int
    method : {"rls", "last", "ewma", "median"}, optional
        Recursive least squares on (last, EWMA 0.1, EWMA 0.02, fading last) of each path; the last
        value; an exponentially weighted average; the median of the last ten.
    rate : float, optional
        Weight of a new value in "ewma", in (0, 1].
    forgetting : float, optional
        What a past value counts in the regression with each new one, in (0, 1]. Below 1 it follows
        links that change their kind, at the price of never quite settling.

    Raises
    ------
    InputError
        An argument is out of its range.
    """

    def __init__(
        self, paths: int, *, method: Method = "rls", rate: float = 0.1, forgetting: float = 1.0
    ) -> None:
        """Know nothing of any path."""
        self.paths = whole("paths", paths, 1)
        self._code = _code(method)
        self._rate = positive("rate", rate, 1.0)
        self._forgetting = positive("forgetting", forgetting, 1.0)
        self._links = kernels.new_links(self.paths)

    def seen(self, paths: ArrayLike, round_trips: ArrayLike) -> None:
        """Take in what one step showed; every path not named gets a step older.

        Parameters
        ----------
        paths : int or int64[n]
            Different ones; none is allowed.
        round_trips : float or float64[n]
            Any unit, above 0. For a message that was lost give what the loss costs.

        Raises
        ------
        InputError
            An unknown path, one twice, or a round trip that is not finite and above 0; nothing is
            taken in then.
        """
        numbers = [whole("path", path, 0, self.paths - 1) for path in _listed(paths)]
        values = real_array("round_trips", np.atleast_1d(np.asarray(round_trips)))
        if len(set(numbers)) != len(numbers) or values.shape != (len(numbers),):
            raise InputError(
                f"paths, round_trips: {len(numbers)} and {values.size}; allowed: as many values as "
                "paths, no path twice"
            )
        for path, value in zip(numbers, values, strict=True):
            positive(f"round trip of path {path}", float(value))
        seen, latest = np.zeros(self.paths, np.bool_), np.zeros(self.paths)
        seen[numbers], latest[numbers] = True, values
        kernels.observe(self._links, seen, latest, self._rate, self._forgetting)

    def expected(self) -> FloatArray:
        """Return what is expected of each path's next round trip, NaN where nothing is known.

        Returns
        -------
        ndarray of float64, shape (paths,)
        """
        expected = np.empty(self.paths)
        kernels.choose(self._links, self._code, expected)
        return expected

    def choose(self) -> int:
        """Return the path expected to be fastest; one never seen comes before all others."""
        return int(kernels.choose(self._links, self._code, np.empty(self.paths)))

    def probe(self) -> int:
        """Return the path to probe beside the chosen one: that not seen for the longest time."""
        return int(kernels.oldest(self._links, self.choose()))


@dataclass(frozen=True, slots=True)
class Followed:
    """How a rule would have done on a trace.

    Attributes
    ----------
    chosen : ndarray of int64, shape (T,)
        Path of each step.
    cost : ndarray of float64, shape (T,)
        Its round trips.
    best_fixed : ndarray of float64, shape (T,)
        Those of the path that was best throughout, known only afterwards.
    """

    chosen: IntArray
    cost: FloatArray
    best_fixed: FloatArray

    @property
    def ratio(self) -> float:
        """Sum of the costs over that of the best fixed path; below 1 is better than any."""
        return float(self.cost.sum() / self.best_fixed.sum())

    @property
    def regret(self) -> FloatArray:
        """Cost beyond the best fixed path's, summed up to each step."""
        return np.cumsum(self.cost - self.best_fixed)


def follow(
    trace: ArrayLike,
    *,
    method: Method = "rls",
    probes: Probes = "one",
    rate: float = 0.1,
    forgetting: float = 1.0,
) -> Followed:
    """Replay a trace: choose by prediction at each step, then see what is to be seen.

    Parameters
    ----------
    trace : float64[T, P]
        Round trip of each path at each step, above 0.
    method, rate, forgetting
        As for `LinkPredictor`.
    probes : {"one", "all", "none"}, optional
        What is seen beside the chosen path: the one not seen for the longest time, all, or none.

    Returns
    -------
    Followed

    Raises
    ------
    InputError
        A trace that is not a matrix with at least one path, a value not finite and above 0, or an
        argument out of its range.
    """
    if probes not in get_args(Probes):
        raise InputError(f"probes: {probes!r} is not one of {_names(Probes)}")
    given = _trace(trace)
    rates = positive("rate", rate, 1.0), positive("forgetting", forgetting, 1.0)
    paths = given.shape[1]
    chosen = np.empty(len(given), np.int64)
    others = {"all": paths, "one": 1, "none": 0}[probes]
    kernels.replay(kernels.new_links(paths), given, _code(method), others, *rates, chosen)
    return _followed(given, chosen)


def follow_by_bandit(trace: ArrayLike, bandit: Bandit, rng: np.random.Generator) -> Followed:
    """Replay a trace with a bandit that sees the chosen path alone, for comparison.

    Parameters
    ----------
    trace : float64[T, P]
        As for `follow`.
    bandit : {"discounted_ucb", "epsilon_greedy"}
        Both forget with a discount of 0.995 a step; the second explores a tenth of the steps.
    rng : numpy.random.Generator
        Draws what "epsilon_greedy" explores.

    Returns
    -------
    Followed
    """
    if bandit not in get_args(Bandit):
        raise InputError(f"bandit: {bandit!r} is not one of {_names(Bandit)}")
    given = _trace(trace)
    explore, greedy = np.full(len(given), -1.0), bandit == "epsilon_greedy"
    if greedy:
        draws = generator("rng", rng).random((2, len(given)))
        explore = np.where(draws[0] < EXPLORE, draws[1], -1.0)
    chosen = np.empty(len(given), np.int64)
    kernels.follow_bandit(given, DISCOUNT, 0.0 if greedy else BONUS, explore, chosen)
    return _followed(given, chosen)


def _names(choices: Any) -> str:
    return ", ".join(map(repr, get_args(choices)))


def _code(method: str) -> int:
    if method not in CODES:
        raise InputError(f"method: {method!r} is not one of {_names(Method)}")
    return CODES[method]


def _listed(paths: ArrayLike) -> list[int]:
    given = np.atleast_1d(np.asarray(paths))
    listed: list[int] = given.tolist()
    return listed


def _trace(trace: ArrayLike) -> FloatArray:
    given = real_array("trace", trace)
    if given.ndim != 2 or given.shape[1] == 0:
        raise InputError(f"trace of shape {given.shape}: must be steps by paths")
    bad = ~((given > 0.0) & (given < np.inf))
    if bad.any():
        step, path = np.argwhere(bad)[0]
        shown = given[step, path]
        raise InputError(f"trace: step {step}, path {path} is {shown:g}; allowed: finite, above 0")
    return given


def _followed(trace: FloatArray, chosen: IntArray) -> Followed:
    best = int(trace.sum(axis=0).argmin())
    return Followed(chosen, trace[np.arange(len(trace)), chosen], trace[:, best].copy())
