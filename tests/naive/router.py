"""Estimates of experts, every one of them brought up to date after every call."""

import math


class NaiveEstimates:
    def __init__(self, topics, experts, discount, prior, health_step, health_memory, latency_step):
        self.discount, self.prior = discount, prior
        self.health_step, self.health_memory = health_step, health_memory
        self.latency_step = latency_step
        self.right = [[0.0] * experts for _ in range(topics)]
        self.judged = [[0.0] * experts for _ in range(topics)]
        self.answers, self.calls = [0.0] * experts, [0.0] * experts
        self.health = [1.0] * experts
        self.latency = [None] * experts
        self.latency_age = [0] * experts

    def right_rate(self, topic, expert):
        right = self.right[topic][expert] + self.prior / 2
        return right / (self.judged[topic][expert] + self.prior)

    def answering_rate(self, expert):
        return (self.answers[expert] + self.prior) / (self.calls[expert] + self.prior)

    def reliability(self, topic, expert):
        return self.answering_rate(expert) * self.right_rate(topic, expert)

    def pooled(self, expert):
        right = sum(row[expert] for row in self.right) + self.prior / 2
        judged = sum(row[expert] for row in self.judged) + self.prior
        return self.answering_rate(expert) * right / judged

    def learn(self, topic, expert, latency, answered, right, weight):
        """Learn from one call; `right` is None where an answer was not judged."""
        if not answered or right is None:
            weight = 0.0
        expected = self.right_rate(topic, expert)
        found = expected if right is None else right
        ratio = 1 + weight * (found / expected - 1) if answered else 0.0
        ratio /= self.answering_rate(expert)
        self.age()
        self.calls[expert] += 1
        self.answers[expert] += answered
        self.health[expert] += self.health_step * (ratio - self.health[expert])
        self.right[topic][expert] += weight * found
        self.judged[topic][expert] += weight
        if answered and found > 0:
            before = self.latency[expert]
            step = self.latency_step * found
            self.latency[expert] = latency if before is None else before + step * (latency - before)
            self.latency_age[expert] = 0

    def age(self):
        for row in (*self.right, *self.judged, self.answers, self.calls):
            for column in range(len(row)):
                row[column] *= self.discount
        self.health = [1 - (1 - health) * self.health_memory for health in self.health]
        self.latency_age = [age + 1 for age in self.latency_age]

    def expected_latency(self, expert):
        known = [latency for latency in self.latency if latency is not None]
        mean = math.fsum(known) / len(known) if known else 0.0
        if self.latency[expert] is None:
            return mean
        return mean + (self.latency[expert] - mean) * self.discount ** self.latency_age[expert]
