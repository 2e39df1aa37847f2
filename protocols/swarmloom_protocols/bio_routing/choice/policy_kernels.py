"""The policies by which experts are chosen, each a row of scores, and the choice from it.

Every policy but the last four takes λ · wait off its estimate of success: without it the best
expert's queue grows without bound.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom.random_streams import uniform
from swarmloom_protocols.bio_routing.choice.pheromone import (
    COST_SUM,
    COSTS,
    DECISIONS,
    HEALTH_SCALE,
    LAST,
    LATENCIES,
    LATENCY_SUM,
    SCALE,
    WELL_FROM,
    Pheromone,
    Vector,
    Weights,
    mean_of,
)

__all__ = ["CODES", "choose", "pick", "scores_of"]

Mask = NDArray[np.bool_]

INDEX = 0
UCB = 1
THOMPSON = 2
LINUCB = 3
TRAIL = 4
SHORTEST_QUEUE = 5
POWER_OF_TWO = 6
ROUND_ROBIN = 7
RANDOM = 8
CODES = {
    "index": INDEX,
    "ucb": UCB,
    "thompson": THOMPSON,
    "linucb": LINUCB,
    "trail": TRAIL,
    "shortest_queue": SHORTEST_QUEUE,
    "power_of_two": POWER_OF_TWO,
    "round_robin": ROUND_ROBIN,
    "random": RANDOM,
}

# Numbers drawn for one decision, one expert: enough for any rejection that will ever be seen.
_DRAWS = 1 << 20


@kernel
def _waits(pheromone: Pheromone, load: Vector, waits: Vector) -> None:
    """Write the expected wait of a task sent now, in mean latencies."""
    clock, slots = pheromone.clock, pheromone.slots
    latency, freshness = pheromone.latency, pheromone.freshness
    scale = clock[SCALE]
    mean = mean_of(clock, LATENCY_SUM, LATENCIES)
    # Where no latency is known, or all are 0, all count alike.
    scale, mean = (scale, mean) if mean > 0.0 else (0.0, 1.0)
    for expert in range(waits.size):
        # An estimate that nobody renews returns to the mean of all.
        relative = 1.0 + (latency[expert] / mean - 1.0) * freshness[expert] * scale
        waits[expert] = max(0.0, load[expert] + 1.0 - slots[expert]) / slots[expert] * relative


@kernel
def _prices(pheromone: Pheromone, weights: Weights, waits: Vector) -> None:
    """Turn waits into what is taken off the success rate: λ · wait, and the cost."""
    cost, priced = pheromone.cost, pheromone.priced
    mean = mean_of(pheromone.clock, COST_SUM, COSTS)
    weight, mean = (weights.cost_weight, mean) if mean > 0.0 else (0.0, 1.0)
    for expert in range(waits.size):
        # An expert whose cost is not known counts for the mean.
        spent = (cost[expert] - mean) / mean * priced[expert] * weight
        waits[expert] = weights.load_weight * waits[expert] + spent


@kernel
def _index(
    pheromone: Pheromone, weights: Weights, topic: int, prices: Vector, scores: Vector
) -> None:
    """Discounted mean times health, less the price: p̂ · min(1, h / 0.8) − λ · wait."""
    right, seen, ill = pheromone.right[topic], pheromone.seen[topic], pheromone.ill
    scale, healing = pheromone.clock[SCALE], pheromone.clock[HEALTH_SCALE]
    prior = weights.prior
    for expert in range(scores.size):
        rate = (right[expert] * scale + 0.5 * prior) / (seen[expert] * scale + prior)
        scores[expert] = rate * min(1.0, (1.0 - ill[expert] * healing) / WELL_FROM) - prices[expert]


@kernel
def _ucb(
    pheromone: Pheromone, weights: Weights, topic: int, prices: Vector, scores: Vector
) -> None:
    """Discounted upper confidence bound (Garivier & Moulines 2011), less the price."""
    right, seen = pheromone.right[topic], pheromone.seen[topic]
    scale, prior = pheromone.clock[SCALE], weights.prior
    for expert in range(scores.size):
        count = seen[expert] * scale + prior
        rate = (right[expert] * scale + 0.5 * prior) / count
        scores[expert] = rate + weights.bonus / math.sqrt(count) - prices[expert]


@kernel
def _normal(seed: np.uint64, stream: np.uint64, counter: int) -> float:
    """Return a standard normal number (Box & Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(seed, stream, counter)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, stream, counter + 1))


@kernel
def _gamma(shape: float, seed: np.uint64, stream: np.uint64, counter: int) -> float:
    """Return a gamma number of shape ≥ 1 (Marsaglia & Tsang 2000), for shape < 1 by a power."""
    boosted = shape if shape >= 1.0 else shape + 1.0
    depth = boosted - 1.0 / 3.0
    width = 1.0 / math.sqrt(9.0 * depth)
    while True:
        normal = _normal(seed, stream, counter)
        cube = (1.0 + width * normal) ** 3
        chance = 1.0 - uniform(seed, stream, counter + 2)
        counter += 3
        if cube > 0.0 and math.log(chance) < 0.5 * normal**2 + depth * (
            1.0 - cube + math.log(cube)
        ):
            break
    number = depth * cube
    if shape < 1.0:
        number *= math.pow(1.0 - uniform(seed, stream, counter), 1.0 / shape)
    return number


@kernel
def _thompson(
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    prices: Vector,
    scores: Vector,
    seed: np.uint64,
) -> None:
    """Draw each success rate from its discounted Beta posterior, less the price."""
    scale, half = pheromone.clock[SCALE], 0.5 * weights.prior
    stream = np.uint64(pheromone.clock[DECISIONS]) + np.uint64(1)
    for expert in range(scores.size):
        right = pheromone.right[topic, expert] * scale
        wrong = max(0.0, pheromone.seen[topic, expert] * scale - right)
        first = 2 * expert * _DRAWS
        up = _gamma(right + half, seed, stream, first)
        down = _gamma(wrong + half, seed, stream, first + _DRAWS)
        scores[expert] = up / (up + down) - prices[expert]


@kernel
def _linucb(
    pheromone: Pheromone, weights: Weights, topic: int, prices: Vector, scores: Vector
) -> None:
    """LinUCB (Li and others 2010) on a constant and the topic's indicator, less the price.

    With these features the normal matrix I + Σ x xᵀ of an expert is an arrow: a row, a column and
    a diagonal. Its inverse is taken by the Schur complement of the diagonal, in O(topics).
    """
    scale = pheromone.clock[SCALE]
    topics = pheromone.seen.shape[0]
    for expert in range(scores.size):
        corner, excess = 1.0, 0.0
        for other in range(topics):
            count = pheromone.seen[other, expert] * scale
            # Of the prior's 1/2 only what exceeds it is regressed.
            gained = pheromone.right[other, expert] * scale - 0.5 * count
            corner += count / (1.0 + count)
            excess += gained / (1.0 + count)
        count = pheromone.seen[topic, expert] * scale
        gained = pheromone.right[topic, expert] * scale - 0.5 * count
        rate = 0.5 + (gained + excess / corner) / (1.0 + count)
        spread = 1.0 / (1.0 + count) + 1.0 / (corner * (1.0 + count) ** 2)
        scores[expert] = rate + weights.bonus * math.sqrt(spread) - prices[expert]


@kernel
def _trail(pheromone: Pheromone, topic: int, prices: Vector, scores: Vector) -> None:
    """Trail times visibility, τ · η, with η = 1 / (1 + price)."""
    trail = pheromone.trail[topic]
    for expert in range(scores.size):
        scores[expert] = trail[expert] / max(1e-9, 1.0 + prices[expert])


@kernel
def _queues(pheromone: Pheromone, load: Vector, scores: Vector) -> None:
    for expert in range(scores.size):
        scores[expert] = -load[expert] / pheromone.slots[expert]


@kernel
def scores_of(
    policy: int,
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    load: Vector,
    seed: np.uint64,
    scores: Vector,
    prices: Vector,
) -> None:
    """Write the scores of all experts for one task, as `pick` compares them."""
    if policy in (SHORTEST_QUEUE, POWER_OF_TWO):
        _queues(pheromone, load, scores)
        return
    if policy > TRAIL:
        scores[:] = 0.0
        return
    _waits(pheromone, load, prices)
    _prices(pheromone, weights, prices)
    if policy == INDEX:
        _index(pheromone, weights, topic, prices, scores)
    elif policy == UCB:
        _ucb(pheromone, weights, topic, prices, scores)
    elif policy == THOMPSON:
        _thompson(pheromone, weights, topic, prices, scores, seed)
    elif policy == LINUCB:
        _linucb(pheromone, weights, topic, prices, scores)
    else:
        _trail(pheromone, topic, prices, scores)


# No score is NaN, and the order in which maxima are taken is all the same: vector instructions.
@kernel(fastmath=frozenset({"nnan", "nsz", "reassoc"}))
def _largest(scores: Vector, allowed: Mask) -> float:
    largest = -math.inf
    for expert in range(scores.size):
        score = scores[expert] if allowed[expert] else -math.inf
        largest = score if score > largest else largest
    return largest


@kernel
def _best(scores: Vector, allowed: Mask, chance: float) -> int:
    """Return an allowed place of the largest score, ties by `chance` in [0, 1); -1 for none."""
    largest, ties = _largest(scores, allowed), 0
    for expert in range(scores.size):
        ties += allowed[expert] and scores[expert] == largest
    wanted = int(chance * ties)
    for expert in range(scores.size):
        if scores[expert] == largest and allowed[expert]:
            if wanted == 0:
                return expert
            wanted -= 1
    return -1


@kernel
def _soft_max(
    scores: Vector, allowed: Mask, temperature: float, chance: float, shares: Vector
) -> int:
    """Return an allowed place in proportion to exp(score / temperature); -1 for none."""
    top = _best(scores, allowed, 0.0)
    if top < 0:
        return top
    total = 0.0
    for expert in range(scores.size):
        shares[expert] = 0.0
        if allowed[expert]:
            shares[expert] = math.exp((scores[expert] - scores[top]) / temperature)
            total += shares[expert]
    left = chance * total
    for expert in range(scores.size):
        left -= shares[expert]
        if left < 0.0:
            return expert
    return top


@kernel
def _allowed_at(allowed: Mask, place: int) -> int:
    for expert in range(allowed.size):
        if allowed[expert]:
            place -= 1
            if place < 0:
                return expert
    return -1


@kernel
def _two_choices(scores: Vector, allowed: Mask, first: float, second: float) -> int:
    """Return the better of two different allowed places (Mitzenmacher 2001)."""
    count = allowed.sum()
    if count < 2:
        return _allowed_at(allowed, 0)
    one = int(first * count)
    other = int(second * (count - 1))
    other += other >= one
    one, other = _allowed_at(allowed, one), _allowed_at(allowed, other)
    return one if scores[one] >= scores[other] else other


@kernel
def _next_allowed(clock: Vector, allowed: Mask) -> int:
    for step in range(1, allowed.size + 1):
        expert = (int(clock[LAST]) + step) % allowed.size
        if allowed[expert]:
            clock[LAST] = expert
            return expert
    return -1


@kernel
def choose(
    policy: int,
    scores: Vector,
    allowed: Mask,
    temperature: float,
    clock: Vector,
    seed: np.uint64,
    shares: Vector,
) -> int:
    """Choose by scores as the policy does, -1 where nobody is allowed; `shares` is scratch."""
    decision = np.uint64(2.0 * clock[DECISIONS])
    clock[DECISIONS] += 1.0
    if policy == ROUND_ROBIN:
        return _next_allowed(clock, allowed)
    chance = uniform(seed, np.uint64(0), decision)
    if policy == POWER_OF_TWO:
        second = uniform(seed, np.uint64(0), decision + np.uint64(1))
        return _two_choices(scores, allowed, chance, second)
    if temperature > 0.0:
        return _soft_max(scores, allowed, temperature, chance, shares)
    return _best(scores, allowed, chance)


@kernel
def pick(
    policy: int,
    pheromone: Pheromone,
    weights: Weights,
    topic: int,
    load: Vector,
    allowed: Mask,
    seed: np.uint64,
    scores: Vector,
    prices: Vector,
    shares: Vector,
) -> int:
    """Choose the expert of one task.

    Parameters
    ----------
    policy : int
        One of `CODES`.
    pheromone : Pheromone
        Its count of decisions goes on.
    weights : Weights
    topic : int
        Row of the pheromone.
    load : ndarray of float64, shape (experts,)
        Tasks under way at each expert, as far as the dispatcher knows.
    allowed : ndarray of bool, shape (experts,)
    seed : uint64
        Of the random numbers, which are those of the count of decisions.
    scores, prices : ndarray of float64, shape (experts,)
        Written: the score of each expert, and what is taken off its success rate (not for
        policies that look at queues alone).
    shares : ndarray of float64, shape (experts,)
        Scratch.

    Returns
    -------
    int
        Its row; -1 where nobody is allowed.
    """
    scores_of(policy, pheromone, weights, topic, load, seed, scores, prices)
    return choose(policy, scores, allowed, weights.temperature, pheromone.clock, seed, shares)
