"""Construction by ants and renewal of trails, option by option in plain Python."""

import math

import numpy as np

from tests.naive import philox32

ONCE, CAPACITY, CLOSED, DECISIONS, SHUFFLED = 1, 2, 4, 8, 16


def tour_ant(points, lists, choice, seed, ant, greediness=0.0):
    """A closed tour over Euclidean distances; `choice` has the shape of `lists`."""
    n = len(points)
    here = int(philox32.uniform(seed, ant, n) * float(n))
    tour, cost = [here], 0.0
    while len(tour) < n:
        weights = [
            0.0 if target in tour else float(weight)
            for target, weight in zip(lists[here], choice[here], strict=True)
        ]
        if sum(weights) > 0.0:
            there = int(lists[here][spin(weights, seed, ant, len(tour) - 1, n, greediness)])
        else:
            left = [city for city in range(n) if city not in tour]
            there = min(left, key=lambda city: math.dist(points[here], points[city]))
        cost += math.dist(points[here], points[there])
        tour.append(there)
        here = there
    return tour, cost + math.dist(points[here], points[tour[0]])


def spin(weights, seed, ant, step, n, greediness=0.0):
    if greediness > 0.0 and philox32.uniform(seed, ant, 2 * n + step) < greediness:
        return int(np.argmax(np.array(weights, np.float32)))
    sums = np.cumsum(np.array(weights, np.float32), dtype=np.float32).astype(float)
    number = philox32.uniform(seed, ant, step // 2, step % 2)
    return int(np.argmax(sums > float(number) * sums[-1]))


def path_ant(links, choice, origin, sink, seed, ant):
    """A walk without loops; `links` maps a node to its targets and their costs."""
    path, cost = [origin], 0.0
    while path[-1] != sink:
        here = path[-1]
        targets = [target for target, _ in links[here]]
        weights = [
            0.0 if target in path else float(weight)
            for target, weight in zip(targets, choice[here], strict=True)
        ]
        if not sum(weights) > 0.0:
            return path, math.inf
        rank = spin(weights, seed, ant, len(path) - 1, len(links))
        cost += links[here][rank][1]
        path.append(targets[rank])
    return path, cost


def assignment_ant(costs, loads, capacities, penalty, choice, seed, ant):
    """An agent for every task, in an order of the ant's own."""
    tasks, agents = costs.shape
    order = list(range(tasks))
    for last in range(tasks - 1, 0, -1):
        other = int(philox32.uniform(seed, ant, tasks + last) * float(last + 1))
        order[last], order[other] = order[other], order[last]
    room, total, taken = list(capacities), 0.0, [-1] * tasks
    for step, task in enumerate(order):
        fits = [loads[task, agent] <= room[agent] for agent in range(agents)]
        weights = [float(choice[task, agent]) * fits[agent] for agent in range(agents)]
        if any(fits):
            agent = spin(weights, seed, ant, step, tasks)
        else:
            over = [loads[task, agent] - max(room[agent], 0.0) for agent in range(agents)]
            agent = int(np.argmin(over))
            total += penalty * over[agent]
        total += costs[task, agent]
        room[agent] -= loads[task, agent]
        taken[task] = agent
    return taken, total


def renewed(sources, targets, following, amounts, trails, kept, everywhere, both, low, high):
    marked = {}
    for row, amount in zip(following, amounts, strict=True):
        pairs = {(node, int(target)) for node, target in enumerate(row)}
        pairs |= {(target, node) for node, target in pairs} if both else set()
        for pair in pairs:
            marked.setdefault(pair, []).append(amount)
    fresh = []
    for node, target, trail in zip(sources, targets, trails, strict=True):
        deposit = sum(marked.get((int(node), int(target)), []))
        changed = trail * kept + deposit if everywhere or deposit else trail
        fresh.append(min(max(changed, low), high))
    return np.array(fresh, float)
