"""The routing score, pair by pair."""

import numpy as np


def index_scores(reliability, topics, health, in_flight, slots, latency, wait_weight=0.4):
    n_experts = len(health)
    mean = sum(float(value) / n_experts for value in latency)
    scores = np.zeros((len(topics), n_experts), np.float32)
    for task, topic in enumerate(topics):
        for expert in range(n_experts):
            waiting = max(0.0, int(in_flight[expert]) + 1 - int(slots[expert])) / int(slots[expert])
            relative = float(latency[expert]) / mean if mean > 0 else 1.0
            chance = reliability[topic][expert] * min(1.0, health[expert])
            scores[task, expert] = chance - wait_weight * waiting * relative
    return scores
