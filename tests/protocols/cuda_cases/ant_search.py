"""Construction by ants and renewal of trails."""

import numpy as np

from swarmloom_protocols.bio_routing.search.candidates import nearest
from swarmloom_protocols.bio_routing.search.construction import construct
from swarmloom_protocols.bio_routing.search.standard_problems import (
    assignment_problem,
    tour_problem,
)
from swarmloom_protocols.bio_routing.search.trail_kernels import Renewal, renew
from tests.naive import ant_walks
from tests.protocols.cuda_cases.case import Case

CITIES, LISTED = 9, 3


def colony(rng, size):
    points = rng.random((CITIES, 2))
    choice = rng.random((CITIES, LISTED)).astype(np.float32)
    costs, loads = rng.random((6, 3)), rng.random((6, 3))
    weights = rng.random((6, 3)).astype(np.float32)
    return points, choice, costs, loads, weights, size, int(rng.integers(2**32))


def build(points, choice, costs, loads, weights, ants, seed, device):
    """Tours and assignments of all ants, side by side with what they cost."""
    if not ants:
        return np.empty((0, CITIES + 8))
    tours = tour_problem(points, lists=nearest(points, LISTED))
    built = construct(tours, choice.ravel(), ants, seed, greediness=0.2, device=device)
    crews = assignment_problem(costs, loads, np.full(3, 1.2), penalty=5.0)
    placed = construct(crews, weights.ravel(), ants, seed, device=device)
    return np.column_stack([built.sequences, built.costs, placed.following, placed.costs])


def build_naively(points, choice, costs, loads, weights, ants, seed):
    lists = nearest(points, LISTED)
    rows = []
    for ant in range(ants):
        tour, length = ant_walks.tour_ant(points, lists, choice, seed, ant, 0.2)
        taken, cost = ant_walks.assignment_ant(
            costs, loads, np.full(3, 1.2), 5.0, weights, seed, ant
        )
        rows.append([*tour, length, *taken, cost])
    return np.array(rows, float).reshape(ants, CITIES + 8)


def trail(rng, size):
    n = 12
    pairs = rng.permutation([i * n + j for i in range(n) for j in range(n) if i != j])[:size]
    sources, targets = (part.astype(np.int32) for part in np.divmod(np.sort(pairs), n))
    following = np.array([rng.permutation(n) for _ in range(4)], np.int32)
    amounts, trails = rng.random(4), rng.lognormal(0.0, 2.0, sources.size)
    return sources, targets, following, amounts, trails, 0.7, bool(size % 2), True, 0.05, 3.0


def renewed(sources, targets, following, amounts, trails, *rule, device):
    fresh, choice = trails.copy(), np.empty(trails.size, np.float32)
    ones = np.ones(trails.size, np.float32)
    rule = Renewal(*rule, 2.0)
    renew(sources, targets, ones, following, amounts, rule, fresh, choice, device=device)
    np.testing.assert_allclose(choice, fresh**2, rtol=1e-6)
    return fresh


CASES = {
    "swarmloom_protocols.bio_routing.search.walk_cuda.construct": Case(
        build, build_naively, colony
    ),
    "swarmloom_protocols.bio_routing.search.trail_cuda.renew": Case(
        renewed, ant_walks.renewed, trail
    ),
}
