"""Plain references for packet ants: walks, trails of a round, exact fronts, hypervolume."""

import itertools

import numpy as np

from tests.naive.philox32 import uniform


def walk(network, source, target, weights, seed, ant, most_links):
    """One ant: a random depth-first search, as recursion."""
    draws = itertools.count()
    entered = {source}

    def onward(node, path):
        if node == target:
            return path
        while len(path) < most_links:
            ahead = [
                link
                for link in range(network.n_links)
                if network.link_works[link]
                and network.sources[link] == node
                and network.targets[link] not in entered
            ]
            total = np.float32(0.0)
            for link in ahead:
                total = np.float32(total + weights[link])
            if not total > 0.0:
                break
            threshold = np.float32(uniform(seed, ant, next(draws)) * total)
            sums = list(itertools.accumulate((weights[link] for link in ahead), np.add))
            rank = next((i for i, s in enumerate(sums) if s > threshold), len(ahead) - 1)
            entered.add(network.targets[ahead[rank]])
            found = onward(network.targets[ahead[rank]], [*path, ahead[rank]])
            if found is not None:
                return found
        return None

    return onward(source, [])


def walked(network, sources, targets, rows, weights, seed, most_links):
    paths = np.full((len(sources), most_links), -1, np.int32)
    for ant, (source, target, row) in enumerate(zip(sources, targets, rows, strict=True)):
        if target >= 0:
            path = walk(network, source, target, weights[row], seed, ant, most_links) or []
            paths[ant, : len(path)] = path
    return paths


def laid(network, paths, amounts, trails, *, kept, floor, cap, relative):
    """Trails to one destination after a round; `amounts` are of each link of each path."""
    trails = kept * trails
    for path, laid_on in zip(paths, amounts, strict=True):
        for link, amount in zip(path, laid_on, strict=True):
            if relative:
                siblings = (network.sources == network.sources[link]) & network.link_works
                trails[siblings] *= 1.0 - amount
            trails[link] += amount
    return np.clip(trails, floor, cap)


def pareto_front(network, costs, source, target):
    """All vectors of additive costs to which no path is superior (Martins 1984), by labels."""
    labels = {node: [] for node in range(network.n_nodes)}
    queue = [(source, (0.0,) * len(costs))]
    labels[source].append(queue[0][1])
    while queue:
        node, vector = queue.pop(0)
        if vector not in labels[node]:
            continue
        for link in np.flatnonzero((network.sources == node) & network.link_works):
            end = int(network.targets[link])
            new = tuple(v + c[link] for v, c in zip(vector, costs, strict=True))
            if any(all(a <= b for a, b in zip(old, new, strict=True)) for old in labels[end]):
                continue
            labels[end] = [
                old for old in labels[end] if not all(a <= b for a, b in zip(new, old, strict=True))
            ] + [new]
            queue.append((end, new))
    return sorted(labels[target])


def hypervolume(points, reference):
    """Area that points of two costs dominate below a reference."""
    area, height = 0.0, reference[1]
    for x, y in sorted(points):
        if x < reference[0] and y < height:
            area += (reference[0] - x) * (height - y)
            height = y
    return area
