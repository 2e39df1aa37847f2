"""Kernels of link prediction: each path's next round trip from its past ones.

The regression is recursive least squares (L. Ljung, System Identification, 2nd edition 1999,
section 11.2), on deviations from the path's mean relative to it, so that units do not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = [
    "FEATURES",
    "Links",
    "choose",
    "follow_bandit",
    "new_links",
    "observe",
    "oldest",
    "replay",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LAST, EWMA, MEDIAN, RLS = range(4)
WINDOW = 10
# Rates of the averages that the regression sees, and by what a value fades with each step unseen.
FAST, SLOW, FADE = 0.1, 0.02, 0.9
FEATURES = 4
# Variance of the coefficients before the first value: about a tenth of one value's weight.
PRIOR = 10.0
# Forgetting stops where so much is forgotten that coefficients would drift off.
MOST_VARIANCE = 1e4


class Links(NamedTuple):
    """What is known of P paths.

    Attributes
    ----------
    values, age : int64[P]
        How many values were seen, and steps since the last one.
    last, fast, slow, mean, average : float64[P]
        The last value, averages of rates 0.1 and 0.02, the mean of all, and the average of the
        rate asked for.
    window : float64[P, 10]
        The last ten values, a ring.
    weight : float64[P, 4]
        Coefficients of the regression.
    variance : float64[P, 4, 4]
        Their covariance over the noise's variance.
    """

    values: IntArray
    age: IntArray
    last: FloatArray
    fast: FloatArray
    slow: FloatArray
    mean: FloatArray
    average: FloatArray
    window: FloatArray
    weight: FloatArray
    variance: FloatArray


def new_links(paths: int) -> Links:
    """Return the state before the first value; the slow average is the first guess."""
    weight = np.zeros((paths, FEATURES))
    weight[:, 2] = 1.0
    return Links(
        np.zeros(paths, np.int64),
        np.zeros(paths, np.int64),
        np.zeros(paths),
        np.zeros(paths),
        np.zeros(paths),
        np.zeros(paths),
        np.zeros(paths),
        np.zeros((paths, WINDOW)),
        weight,
        np.tile(PRIOR * np.eye(FEATURES), (paths, 1, 1)),
    )


@kernel
def _features(links: Links, path: int, into: FloatArray) -> None:
    """Fill the relative deviations of last value, averages, and of the last value as it fades."""
    mean = links.mean[path]
    into[0] = (links.last[path] - mean) / mean
    into[1] = (links.fast[path] - mean) / mean
    into[2] = (links.slow[path] - mean) / mean
    into[3] = into[0] * FADE ** links.age[path]


@kernel
def _regressed(links: Links, path: int, features: FloatArray) -> float:
    _features(links, path, features)
    deviation = 0.0
    for place in range(len(features)):
        deviation += links.weight[path, place] * features[place]
    mean: float = links.mean[path]
    return max(mean * (1.0 + deviation), 0.0)


@kernel
def _expected(links: Links, path: int, method: int, features: FloatArray) -> float:
    expected: float = links.last[path]
    if method == EWMA:
        expected = links.average[path]
    elif method == MEDIAN:
        expected = float(np.median(links.window[path, : min(links.values[path], WINDOW)]))
    elif method == RLS:
        expected = _regressed(links, path, features)
    return expected


@kernel
def choose(links: Links, method: int, expected: FloatArray) -> int:
    """Fill what is expected of each path, NaN where nothing is known; return the best path.

    A path of which nothing is known comes first.
    """
    best, least = 0, np.inf
    features = np.empty(FEATURES)
    for path in range(len(expected)):
        if links.values[path] == 0:
            expected[path] = np.nan
            if least > -np.inf:
                best, least = path, -np.inf
            continue
        expected[path] = _expected(links, path, method, features)
        if expected[path] < least:
            best, least = path, expected[path]
    return best


@kernel
def oldest(links: Links, chosen: int) -> int:
    """Return which path but the chosen one was not seen for the longest time."""
    found, most = chosen, -1
    for path in range(len(links.age)):
        if path != chosen and links.age[path] > most:
            found, most = path, links.age[path]
    return found


@kernel
def _learn(links: Links, path: int, value: float, forgetting: float) -> None:
    features = np.empty(FEATURES)
    _features(links, path, features)
    weight, variance = links.weight[path], links.variance[path]
    error = (value - links.mean[path]) / links.mean[path]
    gain, spread, trace = np.zeros(FEATURES), 0.0, 0.0
    for row in range(FEATURES):
        error -= weight[row] * features[row]
        trace += variance[row, row]
        for column in range(FEATURES):
            gain[row] += variance[row, column] * features[column]
        spread += gain[row] * features[row]
    kept = forgetting if trace < MOST_VARIANCE else 1.0
    for row in range(FEATURES):
        weight[row] += gain[row] * error / (kept + spread)
        for column in range(FEATURES):
            lost = gain[row] * gain[column] / (kept + spread)
            variance[row, column] = (variance[row, column] - lost) / kept


@kernel
def _see(links: Links, path: int, value: float, rate: float, forgetting: float) -> None:
    if links.values[path] > 0:
        _learn(links, path, value, forgetting)
    links.window[path, links.values[path] % WINDOW] = value
    links.values[path] += 1
    # The first values count as a mean: an average must not begin at the first one alone.
    least = 1.0 / links.values[path]
    links.last[path] = value
    links.fast[path] += max(FAST, least) * (value - links.fast[path])
    links.slow[path] += max(SLOW, least) * (value - links.slow[path])
    links.average[path] += max(rate, least) * (value - links.average[path])
    links.mean[path] += least * (value - links.mean[path])


@kernel
def observe(
    links: Links, seen: BoolArray, values: FloatArray, rate: float, forgetting: float
) -> None:
    """Take in one step's values of the paths seen; the others grow older."""
    for path in range(len(seen)):
        if seen[path]:
            _see(links, path, values[path], rate, forgetting)
            links.age[path] = 0
        else:
            links.age[path] += 1


@kernel
def replay(
    links: Links,
    trace: FloatArray,
    method: int,
    probes: int,
    rate: float,
    forgetting: float,
    chosen: IntArray,
) -> None:
    """Choose a path at each step of a trace, seeing it and the `probes` oldest others."""
    expected = np.empty(trace.shape[1])
    seen = np.empty(trace.shape[1], np.bool_)
    for step in range(len(trace)):
        path = choose(links, method, expected)
        chosen[step] = path
        seen[:] = probes >= trace.shape[1] - 1
        if probes == 1:
            seen[oldest(links, path)] = True
        seen[path] = True
        observe(links, seen, trace[step], rate, forgetting)


@kernel
def follow_bandit(
    trace: FloatArray, discount: float, bonus: float, explore: FloatArray, chosen: IntArray
) -> None:
    """Choose by a bandit that sees the chosen path alone.

    Discounted UCB (A. Garivier and E. Moulines, "On upper-confidence bound policies for switching
    bandit problems", ALT 2011) on costs relative to the mean seen. Where a number of `explore` is
    at least 0 it picks the path instead, for ε-greedy choice with `bonus` 0.
    """
    paths = trace.shape[1]
    count, total = np.zeros(paths), np.zeros(paths)
    for step in range(len(trace)):
        known = max(count.sum(), 1.0)
        scale = max(total.sum() / known, 1e-300)
        path, least = 0, np.inf
        for other in range(paths):
            index = -np.inf
            if count[other] > 1e-6:
                width = bonus * scale * np.sqrt(np.log(known) / count[other])
                index = total[other] / count[other] - width
            if index < least:
                path, least = other, index
        if explore[step] >= 0.0:
            path = int(explore[step] * paths)
        chosen[step] = path
        for other in range(paths):
            count[other] *= discount
            total[other] *= discount
        count[path] += 1.0
        total[path] += trace[step, path]
