"""The best split of all, as a linear program, and the prices that prove it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, kron

from swarmloom.errors import SwarmloomError
from swarmloom_protocols.bio_routing.networks.demands import Traffic
from swarmloom_protocols.bio_routing.networks.destination_flows import FoundFlows

__all__ = ["optimal_flows"]

FloatArray = NDArray[np.float64]

# Variables from which interior points are quicker than the dual simplex method.
LARGE = 20_000


def optimal_flows(traffic: Traffic) -> FoundFlows:
    """Minimise the largest utilisation by HiGHS, with one flow a destination.

    Parameters
    ----------
    traffic : Traffic
        What is to be split.

    Returns
    -------
    FoundFlows
        Its bound is computed anew from the solver's prices.

    Raises
    ------
    SwarmloomError
        The solver gave up; the message is its own.
    """
    net, n_roots = traffic.network, len(traffic.pairs.roots)
    flows = np.zeros((n_roots, net.n_links))
    if not traffic.deliverable > 0.0:
        return FoundFlows(flows, 0.0)
    links = np.flatnonzero(net.link_works)
    # In units of the mean demand, so that the solver's tolerance is small beside each.
    unit = traffic.deliverable / np.count_nonzero(traffic.reached)
    balance, wanted = _conservation(traffic, unit)
    objective = np.zeros(balance.shape[1])
    objective[-1] = 1.0
    solver: Any = linprog
    result = solver(
        objective,
        A_ub=_capacities(traffic),
        b_ub=np.zeros(len(links)),
        A_eq=balance,
        b_eq=wanted,
        method="highs-ipm" if balance.shape[1] > LARGE else "highs-ds",
    )
    if result.status != 0:
        raise SwarmloomError(f"the linear program has not been solved: {result.message}")
    flows[:, links] = unit * result.x[:-1].reshape(n_roots, len(links))
    prices = np.zeros(net.n_links)
    prices[links] = np.maximum(-result.ineqlin.marginals, 0.0)
    return FoundFlows(flows, traffic.lower_bound(prices))


def _conservation(traffic: Traffic, unit: float) -> tuple[Any, FloatArray]:
    """Return that what leaves a node for a root, less what comes, is what the node sends it."""
    net, roots = traffic.network, traffic.pairs.roots
    links = np.flatnonzero(net.link_works)
    columns = np.arange(len(links))
    incidence = csr_array(
        (
            np.repeat([1.0, -1.0], len(links)),
            (np.r_[net.sources[links], net.targets[links]], np.r_[columns, columns]),
        ),
        shape=(net.n_nodes, len(links)),
    )
    others = np.ones((len(roots), net.n_nodes), dtype=bool)
    others[np.arange(len(roots)), roots] = False
    balance = csr_array(kron(eye_array(len(roots)), incidence, format="csr"))[others.ravel()]
    # The last variable, the largest utilisation, is in no balance.
    widened = hstack([balance, csr_array((balance.shape[0], 1))], format="csr")
    return csr_array(widened), traffic.amounts[others] / unit


def _capacities(traffic: Traffic) -> Any:
    """Return that what passes a link is at most its capacity times the largest utilisation.

    The utilisation is in units of the mean demand over the mean capacity: the solver takes
    coefficients far below 1 for 0.
    """
    net, n_roots = traffic.network, len(traffic.pairs.roots)
    capacities = net.capacities[net.link_works]
    capacities = capacities / capacities.mean()
    passing = kron(np.ones((1, n_roots)), eye_array(len(capacities)), format="csr")
    return csr_array(hstack([passing, csr_array(-capacities[:, None])], format="csr"))
