"""Tours, paths and assignments as problems that colonies search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.bio_routing.search import candidates
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.bio_routing.search.tours.distances import Cities, Rounding, distance
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["assignment_problem", "path_problem", "semi_assignment_problem", "tour_problem"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


def tour_problem(
    points: ArrayLike | None = None,
    costs: ArrayLike | None = None,
    *,
    rounding: Rounding = "none",
    lists: NDArray[np.int32] | None = None,
) -> SearchProblem:
    """Return the travelling salesman problem: the shortest round tour through all cities.

    Parameters
    ----------
    points : array-like of float, shape (n, 2), optional
        Cities in the plane; either these or `costs`.
    costs : array-like of float, shape (n, n), optional
        Symmetric distances, finite, from 0.
    rounding : {"none", "nearest", "up", "att"}, optional
        Of the distances of points, as TSPLIB does.
    lists : ndarray of int32, shape (n, k), optional
        Candidate lists of `candidates`; by default the 20 nearest. Clustered cities want
        `candidates.quadrants`.

    Raises
    ------
    InputError
        Cities or lists are wrong; what is wrong is named.
    """
    cities = Cities.of(points, costs, rounding)
    n = len(cities)
    if n < 1:
        raise InputError("a tour needs at least one city")
    if lists is None:
        near = candidates.cheapest(cities.costs) if points is None else candidates.nearest(points)
    else:
        near = np.asarray(lists)
    if near.ndim != 2 or len(near) != n or near.dtype.kind not in "iu":
        raise InputError(f"lists has shape {near.shape} of {near.dtype}; allowed: {n} rows of int")
    if near.size and not 0 <= near.min() <= near.max() < n:
        raise InputError(f"lists name a city beyond 0 to {n - 1}")
    targets = np.ascontiguousarray(near, np.int32)
    return SearchProblem.of(
        np.arange(n + 1) * near.shape[1],
        targets.ravel(),
        _lengths(cities.points, cities.costs, cities.code, targets),
        cities=cities,
        symmetric=True,
    )


@kernel
def _lengths(points: FloatArray, matrix: FloatArray, code: int, lists: IndexArray) -> FloatArray:
    lengths = np.empty(lists.size)
    for entry in range(lists.size):
        node, rank = divmod(entry, lists.shape[1])
        lengths[entry] = distance(points, matrix, code, node, lists[node, rank])
    return lengths


def path_problem(
    sources: ArrayLike,
    targets: ArrayLike,
    costs: ArrayLike,
    *,
    origin: int,
    sink: int,
    n_nodes: int | None = None,
    potential: ArrayLike | None = None,
) -> SearchProblem:
    """Return the problem of a cheapest path without loops over directed links.

    Plain shortest paths are Dijkstra's matter; ants make sense where costs are not sums, by an
    ``evaluate`` of the user's own (`dataclasses.replace` puts it in).

    Parameters
    ----------
    sources, targets : array-like of int, shape (m,)
        Ends of the links; of parallel links the cheapest is kept.
    costs : array-like of float, shape (m,)
        Finite, from 0.
    origin, sink : int
        Where paths begin and end; different nodes.
    n_nodes : int, optional
        By default as far as the links reach.
    potential : array-like of float, shape (n_nodes,), optional
        Cost from each node to the sink, exact or a guess, finite or infinite: an option then counts
        as one over its cost and what is left behind it, so that ants do not go astray.

    Raises
    ------
    InputError
        A link is wrong, or no path leads from `origin` to `sink`.
    """
    tails, heads = _nodes("sources", sources), _nodes("targets", targets)
    prices = real_array("costs", costs)
    if not tails.shape == heads.shape == prices.shape:
        raise InputError("sources, targets and costs must have one entry a link each")
    reach = int(max(tails.max(initial=0), heads.max(initial=0))) + 1
    n = whole("n_nodes", reach if n_nodes is None else n_nodes, reach)
    begin, end = whole("origin", origin, 0, n - 1), whole("sink", sink, 0, n - 1)
    if begin == end:
        raise InputError(f"origin and sink are both node {begin}; allowed: different nodes")
    order = np.lexsort((prices, heads, tails))
    keys = tails[order] * np.int64(n) + heads[order]
    kept = order[np.flatnonzero(np.diff(keys, prepend=-1))]
    starts = np.searchsorted(tails[kept], np.arange(n + 1))
    graph: Any = csr_array((np.ones(kept.size), heads[kept], starts), shape=(n, n))
    if end not in breadth_first_order(graph, begin, return_predecessors=False):
        raise InputError(f"no path leads from node {begin} to node {end}")
    return SearchProblem.of(
        starts,
        heads[kept],
        prices[kept],
        origin=begin,
        sink=end,
        desirability=_towards(potential, heads[kept], prices[kept], n),
    )


def _towards(
    potential: ArrayLike | None, heads: NDArray[np.int64], costs: FloatArray, n: int
) -> FloatArray | None:
    if potential is None:
        return None
    left = real_array("potential", potential)
    if left.shape != (n,) or np.isnan(left).any() or (left < 0.0).any():
        raise InputError(f"potential: allowed: {n} costs from 0, infinite where no path leads on")
    length = costs + left[heads]
    finite = length[np.isfinite(length) & (length > 0.0)]
    least, most = finite.min(initial=1.0), finite.max(initial=1.0)
    return np.asarray(1.0 / np.clip(length, 1e-3 * least, 1e6 * most))


def assignment_problem(
    costs: ArrayLike,
    loads: ArrayLike,
    capacities: ArrayLike,
    *,
    penalty: float | None = None,
    desirability: ArrayLike | None = None,
) -> SearchProblem:
    """Return the generalised assignment problem: an agent for every task, within capacities.

    Parameters
    ----------
    costs, loads : array-like of float, shape (tasks, agents)
        What it costs that an agent takes a task, and what that takes of its capacity.
    capacities : array-like of float, shape (agents,)
        Above 0.
    penalty : float, optional
        Cost of a unit of load beyond a capacity, which lets ants learn from near misses; by default
        the mean cost over the mean load, ten times. `Colony` says whether the best is feasible.
    desirability : array-like of float, shape (tasks, agents), optional
        What an option is worth at first sight; by default one over cost and share of capacity.

    Raises
    ------
    InputError
        A number is wrong, a task fits no agent, or all tasks together cannot fit.
    """
    prices, weights = _table("costs", costs), _table("loads", loads)
    room = real_array("capacities", capacities)
    tasks, agents = prices.shape
    if weights.shape != prices.shape or room.shape != (agents,):
        raise InputError(
            f"costs are {prices.shape}, loads {weights.shape}, capacities {room.shape}; "
            "allowed: (tasks, agents) twice and (agents,)"
        )
    fits = weights <= room
    if not fits.any(axis=1).all():
        raise InputError(f"task {int(np.argmin(fits.any(axis=1)))} fits into no agent's capacity")
    least = np.where(fits, weights, np.inf).min(axis=1).sum()
    if least > room.sum():
        raise InputError(f"all tasks take {least:g} at least; the capacities sum to {room.sum():g}")
    share = weights / np.maximum(room, np.finfo(float).tiny)
    worth = 1.0 / _above(prices) / _above(share) if desirability is None else desirability
    usual = 10.0 * prices.mean() / max(float(weights.mean()), np.finfo(float).tiny)
    return SearchProblem.of(
        np.arange(tasks + 1) * agents,
        np.tile(np.arange(agents), tasks),
        prices.ravel(),
        moves="shuffled",
        loads=weights.ravel(),
        capacities=room,
        penalty=usual if penalty is None else between("penalty", penalty, 0.0),
        desirability=real_array("desirability", worth).ravel(),
    )


def semi_assignment_problem(
    traffic: ArrayLike, distances: ArrayLike, costs: ArrayLike, *, weight: float = 1.0
) -> SearchProblem:
    """Return the quadratic semi-assignment problem: a site for each facility, several at one.

    A solution x costs Σᵢ costs[i, xᵢ] + weight · Σᵢⱼ traffic[i, j] · distances[xᵢ, xⱼ].

    Parameters
    ----------
    traffic : array-like of float, shape (facilities, facilities)
    distances : array-like of float, shape (sites, sites)
    costs : array-like of float, shape (facilities, sites)
        All finite, from 0.
    weight : float, optional
        Cost of a unit of traffic over a unit of distance, from 0.

    Raises
    ------
    InputError
        A number is wrong, or the shapes do not belong together.
    """
    flows, ways, prices = (
        _table(name, table)
        for name, table in (("traffic", traffic), ("distances", distances), ("costs", costs))
    )
    facilities, sites = prices.shape
    if flows.shape != (facilities, facilities) or ways.shape != (sites, sites):
        raise InputError(
            f"traffic is {flows.shape}, distances {ways.shape}, costs {prices.shape}; "
            "allowed: (facilities, facilities), (sites, sites), (facilities, sites)"
        )
    scaled = flows * between("weight", weight, 0.0)
    return SearchProblem.of(
        np.arange(facilities + 1) * sites,
        np.tile(np.arange(sites), facilities),
        prices.ravel(),
        moves="decisions",
        # Costs at first sight mislead: most of the cost is traffic.
        desirability=np.ones(prices.size),
        evaluate=_with_traffic,
        data=(scaled, ways),
    )


@kernel
def _with_traffic(
    cost: float, following: IndexArray, sequence: IndexArray, data: tuple[FloatArray, FloatArray]
) -> float:
    traffic, distances = data
    for i in range(following.size):
        for j in range(following.size):
            cost += traffic[i, j] * distances[following[i], following[j]]
    return cost


def _table(name: str, values: ArrayLike) -> FloatArray:
    table = real_array(name, values)
    if table.ndim != 2 or not table.size:
        raise InputError(f"{name} has shape {table.shape}; allowed: rows and columns")
    wrong = np.argwhere(~(np.isfinite(table) & (table >= 0.0)))
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"{name}[{row}, {column}] is {table[row, column]:g}; allowed: finite, from 0"
        )
    return table


def _above(values: FloatArray) -> FloatArray:
    least = values[values > 0.0].min(initial=np.inf)
    return np.maximum(values, 0.1 * least if least < np.inf else 1.0)


def _nodes(name: str, values: ArrayLike) -> NDArray[np.int64]:
    nodes = np.asarray(values)
    if nodes.ndim != 1 or nodes.dtype.kind not in "iu" or nodes.min(initial=0) < 0:
        raise InputError(f"{name}: allowed: nodes, which count from 0, one a link")
    return nodes.astype(np.int64)
