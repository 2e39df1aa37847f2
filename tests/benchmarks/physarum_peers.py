"""The Physarum step as NumPy and Mesa users write it, to compare with.

Both follow the same rules on a periodic grid: sense at three places, turn, move, deposit, then the
3 × 3 mean filter and evaporation. Heading and trail are single numbers where that is faster.
"""

import math

import numpy as np

RULES = {
    "sensor_angle": math.pi / 4,
    "sensor_distance": 9.0,
    "turn_angle": math.pi / 4,
    "step_size": 1.0,
    "deposit": 5.0,
    "decay": 0.1,
}


class NumPySwarm:
    """Whole arrays, float32, unit vectors instead of angles, one `bincount` for the deposits."""

    def __init__(self, n, shape, seed=0):
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.y, self.x = (self.rng.random(n, np.float32) * np.float32(side) for side in shape)
        angles = self.rng.random(n, np.float32) * np.float32(2.0 * math.pi)
        self.heading_y, self.heading_x = np.sin(angles), np.cos(angles)
        self.trail = np.zeros(shape, np.float32)
        self.sensor = self._unit("sensor_angle")
        self.turn = self._unit("turn_angle")

    def _unit(self, name):
        return np.float32(math.cos(RULES[name])), np.float32(math.sin(RULES[name]))

    def _cells(self, y, x):
        rows, columns = y.astype(np.int32), x.astype(np.int32)
        return rows * np.int32(self.shape[1]) + columns

    def _wrapped(self, y, x):
        for values, side in ((y, self.shape[0]), (x, self.shape[1])):
            side = np.float32(side)
            values[values < 0.0] += side
            values[values >= side] -= side
        return y, x

    def _smell(self, cosine, sine):
        reach = np.float32(RULES["sensor_distance"])
        y = self.y + reach * (self.heading_y * cosine + self.heading_x * sine)
        x = self.x + reach * (self.heading_x * cosine - self.heading_y * sine)
        return self.trail.reshape(-1)[self._cells(*self._wrapped(y, x))]

    def _turns(self):
        cosine, sine = self.sensor
        front = self._smell(np.float32(1.0), np.float32(0.0))
        left, right = self._smell(cosine, sine), self._smell(cosine, -sine)
        coins = np.where(self.rng.random(len(front), np.float32) < 0.5, -1, 1)
        turns = np.sign(left - right)
        turns[(front > left) & (front > right)] = 0
        worst = (front < left) & (front < right)
        turns[worst] = coins[worst]
        return turns

    def step(self):
        turns = self._turns()
        cosine = np.where(turns == 0, np.float32(1.0), self.turn[0])
        sine = turns * self.turn[1]
        y, x = self.heading_y, self.heading_x
        self.heading_y, self.heading_x = y * cosine + x * sine, x * cosine - y * sine
        stride = np.float32(RULES["step_size"])
        self.y, self.x = self._wrapped(
            self.y + stride * self.heading_y, self.x + stride * self.heading_x
        )
        counts = np.bincount(self._cells(self.y, self.x), minlength=self.trail.size)
        self.trail += np.float32(RULES["deposit"]) * counts.reshape(self.shape).astype(np.float32)
        self._spread()

    def _spread(self):
        wide = np.pad(self.trail, 1, mode="wrap")
        across = wide[:, :-2] + wide[:, 1:-1]
        across += wide[:, 2:]
        np.add(across[:-2], across[1:-1], out=self.trail)
        self.trail += across[2:]
        self.trail *= np.float32((1.0 - RULES["decay"]) / 9.0)


def mesa_swarm(n, shape, seed=0):
    """A Mesa model: agents with plain attributes, the trail in a property layer.

    Mesa moves agents one after the other (`AgentSet.do`), each adding to the trail at once, so
    later agents of a step sense what earlier ones have left; the filter runs on the whole layer.
    """
    import mesa
    from mesa.discrete_space import PropertyLayer
    from scipy.ndimage import uniform_filter

    height, width = shape
    reach, stride, deposit = (RULES[name] for name in ("sensor_distance", "step_size", "deposit"))
    sensor_angle, turn_angle = RULES["sensor_angle"], RULES["turn_angle"]

    class Walker(mesa.Agent):
        def __init__(self, model, y, x, angle):
            super().__init__(model)
            self.y, self.x, self.angle = y, x, angle

        def smell(self, trail, angle):
            y = int((self.y + reach * math.sin(angle)) % height) % height
            x = int((self.x + reach * math.cos(angle)) % width) % width
            return trail[y, x]

        def step(self):
            trail = self.model.trail.data
            front = self.smell(trail, self.angle)
            left = self.smell(trail, self.angle + sensor_angle)
            right = self.smell(trail, self.angle - sensor_angle)
            if front < left and front < right:
                self.angle += turn_angle if self.random.random() < 0.5 else -turn_angle
            elif not (front > left and front > right) and left != right:
                self.angle += turn_angle if left > right else -turn_angle
            self.y = (self.y + stride * math.sin(self.angle)) % height
            self.x = (self.x + stride * math.cos(self.angle)) % width
            trail[int(self.y) % height, int(self.x) % width] += deposit

    class Swarm(mesa.Model):
        def __init__(self):
            super().__init__(seed=seed)
            self.trail = PropertyLayer("trail", shape, default_value=0.0, dtype=float)
            y, x = self.rng.random(n) * height, self.rng.random(n) * width
            angle = self.rng.random(n) * 2.0 * math.pi
            Walker.create_agents(self, n, y.tolist(), x.tolist(), angle.tolist())

        def step(self):
            self.agents.do("step")
            spread = uniform_filter(self.trail.data, 3, mode="wrap")
            self.trail.set_cells(spread * (1.0 - RULES["decay"]))

    return Swarm()
