"""Choice of experts from the whole history at every decision, and a crew simulated with `heapq`."""

import heapq
import math
from collections import deque

import numpy as np


class NaiveColony:
    """Every finished task is kept; every number is summed anew."""

    def __init__(self, slots, topics, weights):
        self.slots, self.topics, self.weights = list(slots), topics, weights
        self.finished = []
        self.health = [1.0] * len(self.slots)
        self.latency = [None] * len(self.slots)
        self.measured_at = [0] * len(self.slots)
        self.cost = [None] * len(self.slots)
        start = (weights.failure + weights.swift) / 2
        self.trail = [[start] * len(self.slots) for _ in range(topics)]
        self.load = [0.0] * len(self.slots)

    def learn(self, topic, expert, success, seconds, cost=None):
        w = self.weights
        step = w.health_step * (success / self.rate(topic, expert) - self.health_now(expert, 1))
        self.health = [1 - (1 - h) * w.health_memory for h in self.health]
        self.health[expert] += step
        mean = self.mean(self.latency)
        good = w.success if mean > 0 and seconds > mean else w.swift
        deposit = w.failure + success * (good - w.failure)
        self.trail[topic][expert] *= w.persistence
        self.trail[topic][expert] += (1 - w.persistence) * deposit
        self.finished.append((topic, expert, success))
        if success > 0:
            self.latency[expert] = self.moved(self.latency[expert], seconds)
            self.measured_at[expert] = len(self.finished)
        if cost is not None:
            self.cost[expert] = self.moved(self.cost[expert], cost)

    def moved(self, before, value):
        return value if before is None else before + self.weights.step * (value - before)

    def health_now(self, expert, ahead):
        return 1 - (1 - self.health[expert]) * self.weights.health_memory**ahead

    @staticmethod
    def mean(values):
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else 0.0

    def counts(self, topic, expert):
        right = seen = 0.0
        for age, (k, e, success) in enumerate(reversed(self.finished)):
            if (k, e) == (topic, expert):
                right += success * self.weights.discount**age
                seen += self.weights.discount**age
        return right, seen

    def rate(self, topic, expert):
        right, seen = self.counts(topic, expert)
        return (right + self.weights.prior / 2) / (seen + self.weights.prior)

    def price(self, expert):
        w, mean = self.weights, self.mean(self.latency)
        relative = 1.0
        if mean > 0 and self.latency[expert] is not None:
            kept = w.discount ** (len(self.finished) - self.measured_at[expert])
            relative = 1 + (self.latency[expert] / mean - 1) * kept
        wait = max(0, self.load[expert] + 1 - self.slots[expert]) / self.slots[expert] * relative
        dear = self.mean(self.cost)
        spent = 0.0
        if dear > 0 and self.cost[expert] is not None:
            spent = w.cost_weight * (self.cost[expert] - dear) / dear
        return w.load_weight * wait + spent

    def score(self, policy, topic, expert):
        return getattr(self, policy)(topic, expert)

    def index(self, topic, expert):
        return self.rate(topic, expert) * min(1.0, self.health[expert] / 0.8) - self.price(expert)

    def ucb(self, topic, expert):
        count = self.counts(topic, expert)[1] + self.weights.prior
        bonus = self.weights.bonus / math.sqrt(count)
        return self.rate(topic, expert) + bonus - self.price(expert)

    def linucb(self, topic, expert):
        normal, gained = np.eye(self.topics + 1), np.zeros(self.topics + 1)
        for age, (k, e, success) in enumerate(reversed(self.finished)):
            if e == expert:
                features = np.zeros(self.topics + 1)
                features[[0, k + 1]] = 1
                kept = self.weights.discount**age
                normal += kept * np.outer(features, features)
                gained += kept * (success - 0.5) * features
        features = np.zeros(self.topics + 1)
        features[[0, topic + 1]] = 1
        inverse = np.linalg.inv(normal)
        spread = math.sqrt(features @ inverse @ features)
        mean = 0.5 + features @ inverse @ gained
        return mean + self.weights.bonus * spread - self.price(expert)

    def trails(self, topic, expert):
        return self.trail[topic][expert] / (1 + self.price(expert))

    def shortest_queue(self, topic, expert):
        return -self.load[expert] / self.slots[expert]


def crew_at_work(world, chooser):
    """Send every task of a world by a chooser; return who got each, when it ended, if right."""
    tasks, experts = len(world.arrivals), len(world.slots)
    waiting, busy = [deque() for _ in range(experts)], [0] * experts
    tickets, endings = {}, []
    chosen, finishes, right = np.zeros(tasks, int), np.zeros(tasks), np.zeros(tasks, bool)

    def serve(expert, now):
        while waiting[expert] and busy[expert] < world.slots[expert]:
            task = waiting[expert].popleft()
            busy[expert] += 1
            epoch = np.searchsorted(world.changes, now, side="right") - 1
            ill = (world.begins[expert] <= now) & (now < world.ends[expert])
            kind = world.kinds[expert][ill].max(initial=0)
            seconds = world.service[epoch, expert] * world.noise[task]
            seconds = {0: seconds, 1: 5.0, 2: 0.05 * seconds, 3: 5.0 * seconds}[kind]
            skill = world.skill[epoch, world.topics[task], expert]
            finishes[task] = now + seconds
            right[task] = kind in (0, 3) and world.luck[task] < skill
            heapq.heappush(endings, (finishes[task], task))

    def finish():
        now, task = heapq.heappop(endings)
        expert = chosen[task]
        busy[expert] -= 1
        chooser.done(tickets.pop(task), bool(right[task]), now - world.arrivals[task])
        serve(expert, now)

    for task, now in enumerate(world.arrivals):
        while endings and endings[0][0] <= now:
            finish()
        tickets[task] = chooser.pick(int(world.topics[task]))
        chosen[task] = tickets[task].expert
        waiting[chosen[task]].append(task)
        serve(chosen[task], now)
    while endings:
        finish()
    return chosen, finishes, right
