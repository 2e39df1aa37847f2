"""Colonies beside their rivals: fields and A*, trails and walks, item walks and EASE.

Run with ``pytest tests/benchmarks/test_stigmergy_colonies.py --benchmark-enable -s``, and with
``SWARMLOOM_FULL_BENCHMARKS=1`` at full size. ``SWARMLOOM_MOVINGAI`` names a folder with maps
(``*.map``) and their scenarios (``*.map.scen``), ``SWARMLOOM_MOVIELENS`` one with MovieLens-100k.
"""

import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label as components

from swarmloom.device import use_threads
from swarmloom_protocols.stigmergy.colonies.foraging import Foragers, forage_worlds, patches
from swarmloom_protocols.stigmergy.colonies.item_walk import item_walk, top_items, visits
from swarmloom_protocols.stigmergy.colonies.movingai import read_map, read_scenarios
from swarmloom_protocols.stigmergy.colonies.wayfinding import follow, navigation_field
from tests.benchmarks import movielens
from tests.benchmarks.astar import AStar
from tests.benchmarks.measuring import least_cpu_seconds, tell
from tests.benchmarks.numpy_foraging import NumpyForagers
from tests.protocols.stigmergy.colonies.maps import KINDS, free_cells

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))


# -- wayfinding -----------------------------------------------------------------------------------


def largest_part(walls):
    """Wall up all but the largest part of a map, so that every start can arrive."""
    parts, _ = components(~walls)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts != sizes.argmax()


def compare_with_searches(benchmark, walls, goal, starts, smoothing):
    """Benchmark one field; tell from how many agents on it beats one A* each."""

    def compute():
        return navigation_field(walls, goal, smoothing=smoothing)

    paths = follow(compute(), starts)
    searcher = AStar(walls)
    best = np.array([searcher.cost(start, goal) for start in starts])
    field_seconds = least_cpu_seconds(compute)
    field = compute()
    way_seconds = least_cpu_seconds(lambda: follow(field, starts))
    searching = least_cpu_seconds(lambda: [searcher.cost(start, goal) for start in starts])
    search_seconds = searching / len(starts)
    benchmark.pedantic(compute, rounds=3 if FULL else 1)
    tell(
        benchmark,
        reached=f"{paths.reached.sum()}/{len(starts)}",
        mean_ratio=float((paths.costs / best).mean()),
        worst_ratio=float((paths.costs / best).max()),
        field_ms=1e3 * field_seconds,
        way_us=1e6 * way_seconds / len(starts),
        astar_ms=1e3 * search_seconds,
        agents_to_break_even=field_seconds / (search_seconds - way_seconds / len(starts)),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
@pytest.mark.parametrize("kind", KINDS)
def test_one_field_or_a_search_each(benchmark, kind, smoothing):
    rng = np.random.default_rng(0)
    walls = largest_part(KINDS[kind](rng, 512 if FULL else 48))
    goal, *starts = free_cells(walls, rng, 101 if FULL else 11)
    compare_with_searches(benchmark, walls, goal, np.array(starts), smoothing)


def movingai_maps():
    folder = os.environ.get("SWARMLOOM_MOVINGAI")
    return sorted(Path(folder).rglob("*.map")) if folder else [None]


@pytest.mark.parametrize("path", movingai_maps(), ids=lambda path: path.stem if path else "none")
def test_movingai_scenarios(benchmark, path):
    if path is None:
        pytest.skip("SWARMLOOM_MOVINGAI does not name a folder with maps")
    walls = read_map(path)
    scenarios = read_scenarios(path.with_name(f"{path.name}.scen"))
    chosen = scenarios[:: max(1, len(scenarios) // 15)]
    ratios = []
    for scenario in chosen:
        paths = follow(navigation_field(walls, scenario.goal, smoothing=0.05), scenario.start)
        ratios.append(paths.costs[0] / max(scenario.optimal, 1e-12))
    # The files give six digits.
    tell(benchmark, scenarios=len(chosen), reached=int(np.isfinite(ratios).sum()))
    tell(benchmark, mean_ratio=float(np.mean(ratios)), worst_ratio=float(np.max(ratios)))
    starts = np.array([scenario.start for scenario in chosen[:-1]])
    starts = starts[follow(navigation_field(walls, chosen[-1].goal), starts).reached]
    compare_with_searches(benchmark, walls, chosen[-1].goal, starts, 0.0)


def plain_pheromone(walls, goal, steps, diffusion=0.2, evaporation=0.01):
    """Let a float32 pheromone diffuse from the goal among walls that nothing passes."""
    free = np.pad(~walls, 1)
    flows = np.stack([free[2:, 1:-1], free[:-2, 1:-1], free[1:-1, 2:], free[1:-1, :-2]])
    flows = (flows & free[1:-1, 1:-1]).astype(np.float32) * np.float32(diffusion)
    trail = np.zeros(walls.shape, np.float32)
    for _ in range(steps):
        trail[tuple(goal)] = 1.0
        around = np.pad(trail, 1)
        sides = around[2:, 1:-1], around[:-2, 1:-1], around[1:-1, 2:], around[1:-1, :-2]
        change = sum(flow * (side - trail) for flow, side in zip(flows, sides, strict=True))
        trail += change - np.float32(evaporation) * trail
        trail[trail < np.finfo(np.float32).smallest_normal] = 0.0
    return trail


def climbs(trail, start, goal):
    """Tell whether always going to the strongest of 4 neighbours ends at the goal."""
    padded, here = np.pad(trail, 1), (start[0] + 1, start[1] + 1)
    while True:
        near = [(here[0] + dy, here[1] + dx) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
        best = max(near, key=lambda cell: padded[cell])
        if padded[best] <= padded[here]:
            return here == (goal[0] + 1, goal[1] + 1)
        here = best


@pytest.mark.parametrize("kind", ["open", "rooms", "maze"])
def test_plain_pheromone_and_hill_climbing(benchmark, kind):
    rng = np.random.default_rng(1)
    walls = largest_part(KINDS[kind](rng, 128 if FULL else 64))
    goal, *starts = free_cells(walls, rng, 31)
    steps = 20_000 if FULL else 2000
    trail = benchmark.pedantic(plain_pheromone, (walls, goal, steps), rounds=1)
    field = navigation_field(walls, goal, smoothing=0.05)
    tell(
        benchmark,
        pheromone_reached=f"{sum(climbs(trail, start, goal) for start in starts)}/30",
        log_domain_reached=f"{follow(field, starts).reached.sum()}/30",
        longest_way=float(field.potential[field.reachable].max()),
    )


# -- foraging -------------------------------------------------------------------------------------


def interval(values):
    """Half the width of the 95 % interval of a mean (Student's t for 16 values)."""
    return 2.13 * float(np.std(values, ddof=1)) / math.sqrt(len(values))


CROWDS = [(50, 128), (10_000, 512)]


@pytest.mark.parametrize(("ants", "size"), CROWDS if FULL else [(50, 64)])
def test_foraging_speed(benchmark, ants, size):
    rng = np.random.default_rng(2)
    food = patches((size, size), 3, 200, rng, distance=(15.0, 25.0))[None]
    foragers, steps = Foragers(ants=ants), 200
    forage_worlds(food, foragers, 1, rng)
    with use_threads(1):
        ours = least_cpu_seconds(lambda: forage_worlds(food, foragers, steps, rng))
        benchmark.pedantic(forage_worlds, (food, foragers, steps, rng), rounds=3)
    rival = NumpyForagers(food[0], foragers, rng)
    theirs = least_cpu_seconds(rival.step, 20) * steps
    million_steps = ants * steps / 1e6
    tell(
        benchmark,
        ours_Mant_steps=million_steps / ours,
        numpy_Mant_steps=million_steps / theirs,
        ratio=theirs / ours,
    )


STRATEGIES = {
    "trail": Foragers(),
    "trail, no evaporation": Foragers(evaporation=0.0),
    "correlated walk 10°": Foragers(strategy="correlated", wiggle=10.0),
    "correlated walk 20°": Foragers(strategy="correlated"),
    **{
        f"Lévy μ = {exponent}": Foragers(strategy="levy", flight_exponent=exponent)
        for exponent in (1.2, 1.5, 2.0, 3.0)
    },
}


def clustered(rng):
    return patches((128, 128), 3, 200, rng)


def twelve_patches(rng):
    return patches((128, 128), 12, 50, rng, distance=(10.0, 60.0))


def scattered(rng):
    ground = np.zeros((128, 128), np.int32)
    np.add.at(ground.reshape(-1), rng.integers(0, ground.size, 600), 1)
    return ground


# So many steps that nobody has brought everything home.
LAYOUTS = [(clustered, 5000), (twelve_patches, 1500), (scattered, 750)]


@pytest.mark.parametrize(("layout", "steps"), LAYOUTS)
def test_foraging_with_and_without_a_trail(benchmark, layout, steps):
    rng = np.random.default_rng(3)
    food = np.array([layout(rng) for _ in range(16 if FULL else 4)])
    steps = steps if FULL else 300
    totals = {
        name: forage_worlds(food, foragers, steps, np.random.default_rng(4)).totals
        for name, foragers in STRATEGIES.items()
    }
    benchmark.pedantic(forage_worlds, (food, Foragers(), steps, rng), rounds=1)
    tell(
        benchmark,
        **{name: f"{each.mean():.0f} ± {interval(each):.0f}" for name, each in totals.items()},
    )


# -- item walk ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def movies():
    return movielens.load()


def accuracy(scores, seen, relevant):
    """Return R@10 and NDCG@10 of each user."""
    # Every score above 0, so that the lists are full.
    top = top_items(scores - scores.min() + 1e-9, seen, 10)
    return movielens.recall_and_ndcg(top, relevant)


def test_movielens_held_out_visits(benchmark, movies):
    users, items, _ = movies
    shape = (users.max() + 1, items.max() + 1)
    held = movielens.hold_out(users, np.random.default_rng(0))
    trail = visits(users[~held], items[~held], shape)
    relevant = np.zeros(shape, bool)
    relevant[users[held], items[held]] = True
    rivals = {
        "popularity": movielens.popularity,
        "item-kNN": lambda trail: movielens.item_knn(trail, 200, 10.0),
        "walk": item_walk,
        "EASE": movielens.ease,
    }
    for name, recommend in rivals.items():
        recall, gain = accuracy(recommend(trail), trail, relevant)
        tell(benchmark, **{f"{name}: R@10": recall.mean(), f"{name}: NDCG@10": gain.mean()})
    benchmark.pedantic(item_walk, (trail,), rounds=3)


HALF_LIVES = [None, *(days * movielens.DAY for days in (4, 7, 14, 30))]
DAMPINGS = (0.0, 0.25, 0.5)


def window_recall(movies, start, window, half_life, damping):
    """Return R@10 of each user of one window; a damping of None is mere popularity."""
    users, items, times = movies
    shape = (users.max() + 1, items.max() + 1)
    past = times < start
    trail = visits(
        users[past], items[past], shape, times=times[past], now=start, half_life=half_life
    )
    seen = visits(users[past], items[past], shape)
    relevant = np.zeros(shape, bool)
    relevant[users[window], items[window]] = True
    relevant[seen.nonzero()] = False
    who = np.flatnonzero(relevant.any(axis=1))
    scores = movielens.popularity(trail)[who]
    if damping is not None:
        scores = item_walk(trail, who, damping=damping)
    return movielens.recall_and_ndcg(top_items(scores, seen[who], 10), relevant[who])[0]


def chosen_beforehand(recalls, settings):
    """Give each window's recall with the setting that was best on all windows before it."""
    windows = range(1, len(next(iter(recalls.values()))))
    best = [max(settings, key=lambda s: np.concatenate(recalls[s][:w]).mean()) for w in windows]
    return np.concatenate([recalls[setting][w] for w, setting in zip(windows, best, strict=True)])


def test_movielens_rolling_windows(benchmark, movies):
    users, _, times = movies
    windows = list(movielens.rolling_windows(users, times))
    settings = list(itertools.product(HALF_LIVES, (*DAMPINGS, None)))
    recalls = {
        (half_life, damping): [window_recall(movies, *w, half_life, damping) for w in windows]
        for half_life, damping in settings
    }
    walks = [setting for setting in settings if setting[1] is not None]
    fading = chosen_beforehand(recalls, walks)
    lasting = chosen_beforehand(recalls, [s for s in walks if s[0] is None])
    popular = chosen_beforehand(recalls, [s for s in settings if s[1] is None])
    benchmark.pedantic(window_recall, (movies, *windows[-1], None, 0.5), rounds=1)
    tell(benchmark, user_windows=len(fading), walk_that_evaporates=fading.mean())
    tell(benchmark, walk_that_does_not=lasting.mean(), popularity_that_evaporates=popular.mean())
    for name, rival in (("no evaporation", lasting), ("popularity", popular)):
        lead = fading - rival
        half = 1.96 * lead.std(ddof=1) / math.sqrt(len(lead))
        tell(benchmark, **{f"lead over {name}": f"{lead.mean():+.3f} ± {half:.3f}"})


# -- evaporation ----------------------------------------------------------------------------------


def shared_trail(rng, half_life, redraw_every, rounds, worlds=32, topics=10, tools=12, agents=8):
    """Return the success rate of agents that choose by one trail of successes and failures.

    In each round each agent has a task of a random topic, draws every tool's rate from its Beta
    posterior, and takes the tool of the largest draw. `redraw_every` rounds half of the topics get
    new rates; never for 0.
    """
    rates = rng.beta(1.0, 3.0, (worlds, topics, tools))
    kept = 1.0 if half_life is None else 0.5 ** (1.0 / half_life)
    good, bad = np.ones((2, worlds, topics, tools))
    world, right = np.arange(worlds), np.zeros(worlds)
    for now in range(1, rounds + 1):
        if redraw_every and now % redraw_every == 0:
            rates[:, ::2] = rng.beta(1.0, 3.0, rates[:, ::2].shape)
        for _ in range(agents):
            topic = rng.integers(0, topics, worlds)
            tool = rng.beta(good[world, topic], bad[world, topic]).argmax(axis=1)
            success = rng.random(worlds) < rates[world, topic, tool]
            good[world, topic, tool] += success
            bad[world, topic, tool] += ~success
            right += success
        good, bad = (1.0 + kept * (amounts - 1.0) for amounts in (good, bad))
    return right / (rounds * agents)


@pytest.mark.parametrize("redraw_every", [0, 100, 40], ids=["still", "drifts", "drifts fast"])
def test_evaporation_in_a_still_and_in_a_drifting_world(benchmark, redraw_every):
    rounds = 600 if FULL else 60
    rates = {
        half_life: shared_trail(np.random.default_rng(6), half_life, redraw_every, rounds)
        for half_life in (None, 400.0, 50.0)
    }
    rng = np.random.default_rng(6)
    benchmark.pedantic(shared_trail, (rng, 50.0, redraw_every, 5), rounds=1)
    for half_life in (400.0, 50.0):
        gain = rates[half_life] - rates[None]
        half = 2.04 * gain.std(ddof=1) / math.sqrt(len(gain))
        shown = f"{rates[half_life].mean():.3f}, {gain.mean():+.3f} ± {half:.3f}"
        tell(benchmark, lasting=float(rates[None].mean()), **{f"half-life {half_life:g}": shown})
