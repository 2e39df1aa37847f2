"""Agents, food and trail of Physarum swarms; each case lets one part of a swarm do all the work."""

import numpy as np

from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm
from tests.naive import physarum
from tests.protocols.cuda_cases.case import Case

STEPS = 2
MODULE = "swarmloom_protocols.stigmergy.physarum.world_cuda"
RULES = {
    "sensor_angle": 0.6,
    "sensor_distance": 3.0,
    "turn_angle": 0.9,
    "step_size": 1.3,
    "deposit": 0.7,
    "decay": 0.05,
    "diffusion": 0.8,
}


def swarm_of(rng, size, shape, food):
    walls = rng.random(shape) < 0.2
    walls[0] = False
    trail = np.where(walls, 0.0, rng.integers(0, 3, shape)).astype(np.float32)
    cells = np.argwhere(~walls)[rng.integers((~walls).sum(), size=size)]
    positions = cells + rng.uniform(-0.5, 0.499, (size, 2))
    headings = rng.standard_normal((size, 2))
    kinds = [("periodic", "reflecting"), ("reflecting", "periodic")][size % 2]
    return positions, headings, trail, walls if size % 3 else walls & False, food, kinds


def all_numbers(places, headings, trail):
    return np.concatenate([np.ravel(places), np.ravel(headings), np.ravel(trail)]).astype(float)


def ours(positions, headings, trail, walls, food, kinds, device):
    swarm = PhysarumSwarm(
        len(positions),
        trail.shape,
        **RULES,
        boundaries={"y": kinds[0], "x": kinds[1]},
        positions=positions,
        headings=headings,
        trail=trail,
        walls=walls,
        food=food,
        seed=9,
        device=device,
    )
    swarm.step(STEPS)
    state = swarm.snapshot()
    return all_numbers(state["places"].T, state["headings"].T, state["trail"])


def theirs(positions, headings, trail, walls, food, kinds):
    same = PhysarumSwarm(
        len(positions),
        trail.shape,
        positions=positions,
        headings=headings,
        seed=9,
        sensor_distance=3.0,
    )
    swarm = physarum.Swarm(
        trail.shape,
        positions,
        same.headings,
        same.snapshot()["seed"].item(),
        **RULES,
        boundaries=kinds,
        trail=trail,
        walls=walls,
        food=food,
    )
    for _ in range(STEPS):
        swarm.step()
    return all_numbers(swarm.places, np.reshape(swarm.headings, (-1, 2)), swarm.trail)


def agents(rng, size):
    return swarm_of(rng, size, (7, 9), np.zeros((0, 3)))


def food(rng, size):
    cells = rng.permutation(11 * 30)[:size]
    rows = np.stack([cells // 30, cells % 30, rng.uniform(0.0, 9.0, len(cells))], axis=1)
    positions, headings, trail, walls, _, kinds = swarm_of(rng, 3, (11, 30), rows)
    return positions, headings, trail, walls & False, rows, kinds


def cells(rng, size):
    return swarm_of(rng, 5, (4 + size // 20, 10), np.zeros((0, 3)))


CASES = {
    f"{MODULE}.draw": Case(ours, theirs, agents),
    f"{MODULE}.right": Case(ours, theirs, agents),
    f"{MODULE}.move": Case(ours, theirs, agents),
    f"{MODULE}.feed": Case(ours, theirs, food),
    f"{MODULE}.spread": Case(ours, theirs, cells),
}
