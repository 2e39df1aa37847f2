"""The pheromone field beside its peers: steps, several steps at once, jumps, deposits.

Run with ``pytest tests/benchmarks/test_stigmergy_field.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` for the large grids. All contenders of a size take turns on one
thread, and the smallest CPU time of each counts, so that a busy machine disturbs little. "bound"
is a scaled copy (STREAM's "scale"), which reads and writes each float32 once, as a step must.
"""

import os
import sys
import time

import numpy as np
import pytest
from scipy import ndimage

from swarmloom.device import use_threads
from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.diffusion import Stepper
from swarmloom_protocols.stigmergy.field.diffusion_kernels import aligned_zeros
from swarmloom_protocols.stigmergy.field.field import PheromoneField

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
PLANES = [(256, 256), (1024, 1024), (4096, 4096)] if FULL else [(64, 64)]
VOLUMES = [(4, 128, 128, 128)] if FULL else [(2, 8, 8, 8)]
RATE, LOST = np.float32(0.1), np.float32(0.01)
STEPS = 8


@kernel
def scale(source, factor, target):
    for i in range(source.size):
        target[i] = factor * source[i]


def show(line):
    sys.stdout.write(f"{line}\n")


def random_field(shape):
    field = aligned_zeros(shape)
    field[...] = np.random.default_rng(0).random(shape, np.float32)
    return field


def bound(shape):
    source, target = random_field((int(np.prod(shape)),)), aligned_zeros((int(np.prod(shape)),))
    factor = np.float32(0.5)
    return lambda: scale(source, factor, target), 1


def ours(shape, steps):
    """Our steps of (planes, Z, Y, X)."""
    field, stepper = random_field(shape), Stepper(shape)
    share_z = RATE if shape[1] > 1 else 0.0
    rates = np.tile(np.array([LOST, share_z, RATE, RATE], np.float32), (shape[0], 1))
    codes = boundary_codes()

    def run():
        nonlocal field
        field = stepper.take(field, rates, codes, steps)

    return run, steps


def numpy_slices(shape):
    """Slices of preallocated arrays, as fast as plain NumPy gets; borders are left out."""
    field, other = random_field(shape), aligned_zeros(shape)
    axes = [axis for axis in range(1, 4) if shape[axis] > 1]
    inner = tuple(slice(1, -1) if axis in axes else slice(None) for axis in range(4))
    room = np.empty(field[inner].shape, np.float32)

    def beside(axis, low, high):
        return tuple(slice(low, high) if a == axis else inner[a] for a in range(4))

    neighbours = [beside(a, *ends) for a in axes for ends in ((None, -2), (2, None))]

    def run():
        nonlocal field, other
        np.add(field[neighbours[0]], field[neighbours[1]], out=room)
        for neighbour in neighbours[2:]:
            np.add(room, field[neighbour], out=room)
        np.multiply(room, (1 - LOST) * RATE, out=room)
        np.multiply(field[inner], (1 - LOST) * (1 - len(neighbours) * RATE), out=other[inner])
        np.add(other[inner], room, out=other[inner])
        field, other = other, field

    return run, 1


def scipy_convolve(shape):
    field, other = random_field(shape), aligned_zeros(shape)
    axes = [axis for axis in range(1, 4) if shape[axis] > 1]
    weights = np.zeros([3 if axis in axes else 1 for axis in range(4)], np.float32)
    centre = tuple(size // 2 for size in weights.shape)
    weights[centre] = (1 - LOST) * (1 - 2 * len(axes) * RATE)
    for axis in axes:
        for end in (0, 2):
            weights[tuple(end if a == axis else c for a, c in enumerate(centre))] = (
                1 - LOST
            ) * RATE

    def run():
        nonlocal field, other
        ndimage.convolve(field, weights, output=other, mode="nearest")
        field, other = other, field

    return run, 1


def devito_steps(shape):
    """Generated C of the same stencil, on one thread; eight steps a call hide the call's cost."""
    devito = pytest.importorskip("devito")
    devito.configuration["log-level"] = "ERROR"
    size = tuple(n for n in shape[1:] if n > 1)
    grid = devito.Grid(shape=size, extent=tuple(n - 1.0 for n in size), dtype=np.float32)
    functions = [
        devito.TimeFunction(name=f"u{plane}", grid=grid, time_order=1, space_order=2)
        for plane in range(shape[0])
    ]
    steps = [
        devito.Eq(u.forward, float(1 - LOST) * (u + float(RATE) * u.laplace)) for u in functions
    ]
    for u in functions:
        u.data[:] = 0.5
    spacing = dict.fromkeys(grid.spacing_symbols, 1.0)
    operator = devito.Operator(steps, subs=spacing, opt=("advanced", {"openmp": False}))
    return lambda: operator.apply(time_m=0, time_M=STEPS - 1), STEPS


def torch_slices(shape):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    field, other = (torch.from_numpy(random_field(shape)) for _ in range(2))
    axes = [axis for axis in range(1, 4) if shape[axis] > 1]
    inner = tuple(slice(1, -1) if axis in axes else slice(None) for axis in range(4))

    def beside(axis, low, high):
        return tuple(slice(low, high) if a == axis else inner[a] for a in range(4))

    neighbours = [beside(a, *ends) for a in axes for ends in ((None, -2), (2, None))]
    room = torch.empty_like(field[inner].contiguous())

    def run():
        nonlocal field, other
        torch.add(field[neighbours[0]], field[neighbours[1]], out=room)
        for neighbour in neighbours[2:]:
            room.add_(field[neighbour])
        room.mul_(float((1 - LOST) * RATE))
        weight = float((1 - LOST) * (1 - len(neighbours) * RATE))
        other[inner].copy_(room.add_(field[inner], alpha=weight))
        field, other = other, field

    return run, 1


def cheapest(contenders, rounds):
    """CPU seconds a step of each contender, taking turns."""
    for run, _ in contenders.values():
        run()
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(rounds):
        for name, (run, steps) in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], (time.process_time() - start) / steps)
    return best


def repeated(contenders, times):
    """Repeat short runs."""

    def many(run):
        def run_many():
            for _ in range(times):
                run()

        return run_many

    return {name: (many(run), steps * times) for name, (run, steps) in contenders.items()}


def peers_of(shape):
    found = {}
    for name, peer in {
        "numpy": numpy_slices,
        "scipy": scipy_convolve,
        "devito": devito_steps,
        "torch": torch_slices,
    }.items():
        try:
            found[name] = peer(shape)
        except pytest.skip.Exception as missing:
            show(f"{name} left out: {missing}")
    return found


@pytest.mark.parametrize("shape", [(1, 1, *plane) for plane in PLANES] + VOLUMES, ids=str)
@pytest.mark.benchmark(group="8 field steps")
def test_steps(benchmark, shape):
    with use_threads(1):
        one, many = ours(shape, 1), ours(shape, STEPS)
        contenders = {"bound": bound(shape), "one step": one, "8 steps": many} | peers_of(shape)
        cells = int(np.prod(shape))
        # Enough in a row that what the others left in the caches does not count.
        times = max(1, (1 << 23 if FULL else 1 << 16) // cells)
        seconds = cheapest(repeated(contenders, times), 15 if FULL else 1)
        benchmark.pedantic(many[0], rounds=3)
    for name, value in seconds.items():
        speed, ratio = cells / value / 1e6, value / seconds["one step"]
        benchmark.extra_info[name] = {"Mcell/s": round(speed), "times one step": round(ratio, 3)}
        show(f"{shape} {name:9s} {speed:8.0f} Mcell/s, {ratio:6.2f} × the time of one step")


@pytest.mark.parametrize("shape", PLANES, ids=str)
@pytest.mark.benchmark(group="jump")
def test_jump_in_explicit_steps(benchmark, shape):
    with use_threads(1):
        field = PheromoneField(shape, 1, diffusion=0.1, evaporation=0.001, device="cpu")
        field.replace(random_field((1, *shape)))
        contenders = {
            "jump": (lambda: field.advance(100.0), 1),
            "steps": (lambda: field.step(STEPS), STEPS),
        }
        seconds = cheapest(contenders, 5 if FULL else 1)
        benchmark.pedantic(contenders["jump"][0], rounds=1)
    steps = seconds["jump"] / max(seconds["steps"], 1e-9)
    benchmark.extra_info["steps that cost the same"] = round(steps)
    show(f"{shape}: a jump of any length costs what {steps:.0f} explicit steps cost")


@pytest.mark.parametrize("idle", [0, 20_000])
@pytest.mark.benchmark(group="8 steps of a field that has been idle")
def test_idle_fields_are_not_slower(benchmark, idle):
    size = 512 if FULL else 32
    field = PheromoneField((size, size), 1, diffusion=0.1, evaporation=0.004, device="cpu")
    field.deposit([[size // 2, size // 2]], 1e6)
    with use_threads(1):
        field.step(idle if FULL else idle // 100)
        seconds = cheapest({"steps": (lambda: field.step(STEPS), STEPS)}, 20 if FULL else 1)
        benchmark.pedantic(field.step, (STEPS,), rounds=5)
    benchmark.extra_info["Mcell/s"] = round(size**2 / max(seconds["steps"], 1e-9) / 1e6)
    show(f"after {idle} idle steps: {benchmark.extra_info['Mcell/s']} Mcell/s")


@pytest.mark.parametrize("shape", PLANES, ids=str)
@pytest.mark.benchmark(group="deposits")
def test_deposits_do_not_depend_on_the_grid(benchmark, shape):
    """The same hundred cells on a grid of any size; a batch of a million shows the rate."""
    field = PheromoneField(shape, 1, device="cpu")
    few = np.random.default_rng(1).integers(0, 60, (100, 2))
    count = 1_000_000 if FULL else 1000
    many = np.random.default_rng(1).uniform(0, shape[0] - 1, (count, 2))

    def deposit(positions):
        field.deposit(positions)
        field.sense(positions[:1])

    with use_threads(1):
        seconds = cheapest({"few": (lambda: [deposit(few) for _ in range(200)], 200)}, 5)
        rate = cheapest({"many": (lambda: deposit(many), count)}, 3)["many"]
        benchmark.pedantic(deposit, (few,), rounds=20)
    benchmark.extra_info["µs for 100"] = round(1e6 * seconds["few"], 2)
    benchmark.extra_info["million a second"] = round(1e-6 / max(rate, 1e-12), 1)
    show(f"{shape}: {benchmark.extra_info}")
