"""The router's estimates, every one of them brought up to date after every call."""

import math


class NaiveRouter:
    def __init__(self, topics, experts, discount, prior, health_step, health_memory, latency_step):
        self.discount, self.prior = discount, prior
        self.health_step, self.health_memory = health_step, health_memory
        self.latency_step = latency_step
        self.success = [[0.0] * experts for _ in range(topics)]
        self.count = [[0.0] * experts for _ in range(topics)]
        self.health = [1.0] * experts
        self.latency = [None] * experts
        self.latency_age = [0] * experts

    def reliability(self, topic, expert):
        successes = self.success[topic][expert] + self.prior / 2
        return successes / (self.count[topic][expert] + self.prior)

    def learn(self, topic, expert, success, latency, weight):
        expected = self.reliability(topic, expert)
        for row in (*self.success, *self.count):
            for column in range(len(row)):
                row[column] *= self.discount
        self.success[topic][expert] += weight * success
        self.count[topic][expert] += weight
        self.health = [1 - (1 - health) * self.health_memory for health in self.health]
        move = success / expected - self.health[expert]
        self.health[expert] += self.health_step * weight * move
        self.latency_age = [age + 1 for age in self.latency_age]
        if weight * success > 0:
            before = self.latency[expert]
            step = self.latency_step * weight * success
            self.latency[expert] = latency if before is None else before + step * (latency - before)
            self.latency_age[expert] = 0

    def expected_latency(self, expert):
        known = [latency for latency in self.latency if latency is not None]
        mean = math.fsum(known) / len(known) if known else 0.0
        if self.latency[expert] is None:
            return mean
        return mean + (self.latency[expert] - mean) * self.discount ** self.latency_age[expert]


def fastest_way(links, source, target, max_latency, min_reliability):
    """Try every simple path; `links` maps (source, target) to (latency, reliability)."""
    best = None
    stack = [((source,), 0.0, 1.0)]
    while stack:
        path, latency, reliability = stack.pop()
        if path[-1] == target:
            key = (latency, -reliability)
            fits = latency <= max_latency and reliability >= min_reliability and reliability > 0
            if fits and (best is None or key < best):
                best = key
            continue
        for (start, end), (more, share) in links.items():
            if start == path[-1] and end not in path:
                stack.append(((*path, end), latency + more, reliability * share))
    return None if best is None else (best[0], -best[1])
