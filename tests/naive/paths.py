"""Best paths by trying every one that visits no node twice."""

import math


def simple_paths(links, source, target):
    """Yield lists of link numbers; `links` holds (source, target, cost, delay, reliability, …)."""
    stack = [((source,), ())]
    while stack:
        nodes, path = stack.pop()
        if nodes[-1] == target:
            yield list(path)
            continue
        for number, link in enumerate(links):
            if link[0] == nodes[-1] and link[1] not in nodes:
                stack.append(((*nodes, link[1]), (*path, number)))


def sums(links, path):
    """Cost, latency, reliability and capacity of a path, added up in its order."""
    cost, latency, reliability, capacity = 0.0, 0.0, 1.0, math.inf
    for number in path:
        _, _, price, delay, share, width = links[number]
        cost, latency, reliability = cost + price, latency + delay, reliability * share
        capacity = min(capacity, width)
    return cost, latency, reliability, capacity


def constrained(links, source, target, max_latency, min_reliability):
    """Return the (cost, −reliability) of the best path within limits, None where there is none."""
    best = None
    for path in simple_paths(links, source, target):
        cost, latency, reliability, _ = sums(links, path)
        fits = latency <= max_latency and reliability >= min_reliability and reliability > 0
        if fits and (best is None or (cost, -reliability) < best):
            best = cost, -reliability
    return best


def widest(links, source, target):
    """Return the (−capacity, cost) of the best path, None where there is none."""
    found = [sums(links, path) for path in simple_paths(links, source, target)]
    return min(((-one[3], one[0]) for one in found), default=None)


def pareto_front(links, source, target):
    """Return the pairs of cost and latency that no other path beats, sorted."""
    found = {sums(links, path)[:2] for path in simple_paths(links, source, target)}
    return sorted(
        one
        for one in found
        if not any(o != one and o[0] <= one[0] and o[1] <= one[1] for o in found)
    )
