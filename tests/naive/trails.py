"""Trails as a list of deposits, read by going through all of them."""

import math
from collections import defaultdict


class NaiveTrails:
    def __init__(self, half_life, topic_prior, expert_prior, trust, caps):
        self.half_life, self.trust, self.caps = half_life, trust, caps
        self.topic_prior, self.expert_prior = topic_prior, expert_prior
        self.now = 0.0
        self.deposits = []

    def deposit(self, topic, expert, depositor, success, failure, time=None):
        when = self.now if time is None else time
        self.deposits.append((topic, expert, depositor, success, failure, when))

    def left(self):
        """Decayed success and failure of each (topic, expert, depositor), before cap and trust."""
        amounts = defaultdict(lambda: [0.0, 0.0])
        for topic, expert, depositor, success, failure, when in self.deposits:
            age = self.now - when
            share = 1.0 if self.half_life is None else 2.0 ** (-age / self.half_life)
            amounts[topic, expert, depositor][0] += success * share
            amounts[topic, expert, depositor][1] += failure * share
        return amounts

    def sums(self, topic=None, expert=None):
        total = [0.0, 0.0]
        for (of_topic, of_expert, depositor), pair in self.left().items():
            if topic in (None, of_topic) and expert in (None, of_expert):
                cap = self.caps.get(depositor, math.inf)
                share = min(1.0, cap / sum(pair)) if sum(pair) > 0 else 1.0
                for kind in (0, 1):
                    total[kind] += pair[kind] * share * self.trust.get(depositor, 1.0)
        return total

    def shrunk(self, pair, expected, prior):
        return (pair[0] + prior * expected) / (sum(pair) + prior)

    def rate(self, topic, expert):
        crew = self.shrunk(self.sums(), 0.5, self.expert_prior)
        of_expert = self.shrunk(self.sums(expert=expert), crew, self.expert_prior)
        of_expert = min(max(of_expert, 1e-6), 1.0 - 1e-6)
        return self.shrunk(self.sums(topic, expert), of_expert, self.topic_prior)


def learned_trust(amounts, cells, depositors, fixed, passes=8):
    """Inverse squared Birge ratios, trail by trail; `fixed` holds None where trust is learned."""
    trust = [1.0 if value is None else value for value in fixed]
    for _ in range(passes):
        summed, total = [0.0] * len(fixed), [0.0] * len(fixed)
        for mine, (cell, who) in enumerate(zip(cells, depositors, strict=True)):
            others = [0.0, 0.0]
            for other, (their_cell, them) in enumerate(zip(cells, depositors, strict=True)):
                if their_cell == cell and other != mine:
                    others[0] += amounts[0][other] * trust[them]
                    others[1] += amounts[1][other] * trust[them]
            size, known = amounts[0][mine] + amounts[1][mine], sum(others)
            if known > 0 and size > 0:
                rate = (others[0] + 0.5) / (known + 1)
                variance = size * rate * (1 - rate) * (known + 1 + size) / (known + 2)
                weight = size * known / (known + 1)
                summed[who] += weight * (amounts[0][mine] - size * rate) ** 2 / variance
                total[who] += weight
        for who, given in enumerate(fixed):
            if given is None:
                ratio = (summed[who] + 1) / (total[who] + 1)
                trust[who] = 1.0 / max(1.0, ratio)
    return trust


def guest_trust(amounts, cells, depositors, references):
    """Trust that rises from 1/4 with comparable observations, over the squared Birge ratio."""
    total, summed = [0.0] * len(references), [0.0] * len(references)
    for mine, (cell, who) in enumerate(zip(cells, depositors, strict=True)):
        there = [i for i, at in enumerate(cells) if at == cell and references[depositors[i]]]
        known = [sum(amounts[kind][i] for i in there) for kind in (0, 1)]
        size, compared = amounts[0][mine] + amounts[1][mine], sum(known)
        if size == 0 or compared == 0:
            continue
        rate = (known[0] + 0.5) / (compared + 1)
        variance = size * rate * (1 - rate) * (compared + 1 + size) / (compared + 2)
        weight = size * compared / (size + compared)
        total[who] += weight
        summed[who] += weight * (amounts[0][mine] - size * rate) ** 2 / variance
    return [
        (2.5 + seen) / (10 + seen) / max(1.0, (gap + 1) / (seen + 1))
        for seen, gap in zip(total, summed, strict=True)
    ]


def pool_shares(size, places, guests, share, floor):
    """Factor of each trail that holds guests to a share of what others say of a place."""
    factors = []
    for place, guest in zip(places, guests, strict=True):
        there = [i for i, at in enumerate(places) if at == place]
        pooled = sum(size[i] for i in there if guests[i])
        limit = max(floor, share * sum(size[i] for i in there if not guests[i]))
        factors.append(min(1.0, limit / max(pooled, 1e-300)) if guest else 1.0)
    return factors
