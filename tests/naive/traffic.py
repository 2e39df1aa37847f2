"""Splitting of traffic in plain loops over dictionaries; paths are tuples of links."""

import math

import networkx as nx


def cheapest_ways(network, root, prices):
    """Cost and next link of each node that has a way to the root, by Bellman and Ford."""
    cost, following = {root: 0.0}, {}
    for _ in range(network.n_nodes):
        for link in range(network.n_links):
            source, target = int(network.sources[link]), int(network.targets[link])
            if not network.link_works[link] or target not in cost:
                continue
            if cost[target] + prices[link] < cost.get(source, math.inf):
                cost[source], following[source] = cost[target] + prices[link], link
    return cost, following


def way(network, following, node, root):
    links = []
    while node != root:
        links.append(following[node])
        node = int(network.targets[links[-1]])
    return tuple(links)


def link_loads(network, demands, trails):
    loads = [0.0] * network.n_links
    for pair, shares in trails.items():
        for path, share in shares.items():
            for link in path:
                loads[link] += demands[pair] * share
    return loads


def soft_max_slope(utilisation, change, stride, beta):
    levels = [u + stride * d for u, d in zip(utilisation, change, strict=True)]
    largest = max(levels)
    return sum(
        math.exp(beta * (level - largest)) * d for level, d in zip(levels, change, strict=True)
    )


def stride_of(utilisation, change, beta):
    if soft_max_slope(utilisation, change, 1.0, beta) <= 0.0:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 0.1 * high and high > 1e-6:
        middle = (low + high) / 2
        if soft_max_slope(utilisation, change, middle, beta) > 0.0:
            high = middle
        else:
            low = middle
    return low


def aims_of(shares, costs, rule):
    cheapest = min(costs.values())
    mean = sum(shares[path] * costs[path] for path in shares)
    aims = {}
    for path, share in shares.items():
        least = rule.offered if costs[path] == cheapest else rule.floor
        dearer = (costs[path] - cheapest) / mean
        aims[path] = max(share, least) * math.exp(-rule.step * dearer)
    total = sum(aims.values())
    return {path: aim / total for path, aim in aims.items()}


def explore(shares, found, cost, costs, rule, most):
    """Offer a pair a path."""
    if costs and cost >= min(costs.values()) * (1.0 - rule.cheaper):
        return
    if len(shares) == most:
        if min(shares.values()) >= rule.offered:
            return
        weakest = min(shares, key=lambda path: shares[path])
        rest = 1.0 - shares.pop(weakest)
        del costs[weakest]
        for path in shares:
            shares[path] /= rest
    shares[found] = 0.0 if shares else 1.0
    costs[found] = cost


def one_round(network, demands, trails, rule, beta, most):
    """Change `trails`, of each pair (source, target) the share of each path, by one round."""
    capacities = network.capacities
    for root in sorted({target for _, target in demands}):
        loads = link_loads(network, demands, trails)
        fullest = max((load / c for load, c in zip(loads, capacities, strict=True)), default=0.0)
        below = [
            load / c / fullest - 1 if fullest else 0.0
            for load, c in zip(loads, capacities, strict=True)
        ]
        prices = [math.exp(beta * b) / c for b, c in zip(below, capacities, strict=True)]
        cost, following = cheapest_ways(network, root, prices)
        aims = {}
        for pair in sorted(pair for pair in demands if pair[1] == root):
            if pair[0] not in cost:
                continue
            shares = trails.setdefault(pair, {})
            costs = {path: sum(prices[link] for link in path) for path in shares}
            found = way(network, following, pair[0], root)
            explore(shares, found, cost[pair[0]], costs, rule, most)
            aims[pair] = aims_of(shares, costs, rule)
        before = [
            u / c for u, c in zip(link_loads(network, demands, trails), capacities, strict=True)
        ]
        after = [
            u / c
            for u, c in zip(link_loads(network, demands, trails | aims), capacities, strict=True)
        ]
        change = [new - old for new, old in zip(after, before, strict=True)]
        fullest = max(before, default=0.0)
        stride = stride_of(before, change, beta / fullest) if fullest else 0.0
        for pair, aim in aims.items():
            trails[pair] = {
                path: share + stride * (aim[path] - share) for path, share in trails[pair].items()
            }


def unreachable_pairs(network, demands):
    """Pairs with a demand and no way, by networkx."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for link in range(network.n_links):
        if network.link_works[link]:
            graph.add_edge(int(network.sources[link]), int(network.targets[link]))
    lost = []
    for source in range(network.n_nodes):
        reached = nx.descendants(graph, source)
        lost += [
            [source, target]
            for target in range(network.n_nodes)
            if demands[source, target] > 0 and target not in reached
        ]
    return lost
