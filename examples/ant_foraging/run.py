"""Simulated ants bring food home: by random walks, by Lévy flights, and by a trail.

python examples/ant_foraging/run.py

Needs no key, no server and no network. Takes some seconds on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from swarmloom_protocols.stigmergy.colonies.foraging import (
    Foragers,
    Harvest,
    forage_worlds,
    patches,
)

COLONIES = {
    "trail": Foragers(),
    "trail that never evaporates": Foragers(evaporation=0.0),
    "Lévy flights, μ = 1.5": Foragers(strategy="levy", flight_exponent=1.5),
    "Lévy flights, μ = 1.2": Foragers(strategy="levy", flight_exponent=1.2),
    "correlated random walk": Foragers(strategy="correlated", wiggle=10.0),
}
SIZE = 128
ITEMS = 600
# Kinds of picture.
KINDS = (".png", ".jpg", ".pdf", ".svg")
LAYOUTS = ("clustered", "scattered")


@dataclass(frozen=True)
class Row:
    """One line of the table: items delivered by a colony, over all worlds."""

    layout: str
    colony: str
    mean: float
    interval: float


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    harvests = run_all(options)
    rows = [row_of(*key, harvest) for key, harvest in harvests.items()]
    if options.json:
        print(json.dumps(summary(rows, options), indent=2, ensure_ascii=False))
    else:
        show(rows, options.worlds)
    draw(harvests, options.picture)
    if not options.json:
        print(f"Picture: {options.picture}")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=0, help="of worlds and ants")
    parser.add_argument("--worlds", type=int, default=16, help="of each layout, at least 2")
    parser.add_argument("--steps", type=int, default=4000, help="of the clustered worlds")
    parser.add_argument("--picture", type=Path, default=Path("ant_foraging.png"))
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    options = parser.parse_args(argv)
    if options.worlds < 2 or options.steps < 10:
        parser.error("allowed: at least 2 worlds and 10 steps")
    if options.seed < 0:
        parser.error(f"--seed is {options.seed}; allowed: whole numbers from 0")
    # Said before the work is done, not after it.
    check_picture(parser, options.picture)
    return options


def check_picture(parser: argparse.ArgumentParser, path: Path) -> None:
    if not path.parent.is_dir() or path.is_dir():
        parser.error(f"--picture {path}: allowed: a file in a folder that is there")
    if path.suffix.lower() not in KINDS:
        parser.error(f"--picture {path} ends in none of {', '.join(KINDS)}")


def run_all(options: argparse.Namespace) -> dict[tuple[str, str], Harvest]:
    """Let every colony forage in every layout, with a bar that says how far it is."""
    from rich.console import Console
    from rich.progress import Progress

    runs = [(layout, colony) for layout in LAYOUTS for colony in COLONIES]
    harvests = {}
    # The bar goes to the other stream, so that what is printed can be read by programs.
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("foraging", total=len(runs))
        for layout, colony in runs:
            progress.update(bar, description=f"{layout}: {colony}")
            harvests[layout, colony] = one_run(layout, colony, options)
            progress.advance(bar)
    return harvests


def one_run(layout: str, colony: str, options: argparse.Namespace) -> Harvest:
    # The same worlds for every colony: only then is the difference theirs.
    food = worlds_of(layout, options.worlds, np.random.default_rng(options.seed))
    steps = options.steps if layout == "clustered" else options.steps // 5
    return forage_worlds(food, COLONIES[colony], steps, np.random.default_rng(options.seed + 1))


def worlds_of(layout: str, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw worlds with all food in three patches, or scattered everywhere."""
    if layout == "clustered":
        return np.array([patches((SIZE, SIZE), 3, ITEMS // 3, rng) for _ in range(count)])
    food = np.zeros((count, SIZE, SIZE), np.int32)
    for ground in food:
        np.add.at(ground.reshape(-1), rng.integers(0, ground.size, ITEMS), 1)
    return food


def row_of(layout: str, colony: str, harvest: Harvest) -> Row:
    totals = harvest.totals
    width = student.ppf(0.975, len(totals) - 1) / np.sqrt(len(totals))
    return Row(layout, colony, float(totals.mean()), float(width * totals.std(ddof=1)))


def summary(rows: list[Row], options: argparse.Namespace) -> dict[str, Any]:
    return {
        "worlds": options.worlds,
        "steps": options.steps,
        "items": ITEMS,
        "delivered": {
            layout: {r.colony: [r.mean, r.interval] for r in rows if r.layout == layout}
            for layout in LAYOUTS
        },
        "picture": str(options.picture),
    }


def show(rows: list[Row], worlds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Items delivered of {ITEMS} (mean of {worlds} worlds, 95 %)")
    for heading in ("food", "colony of 50 ants", "delivered", "± "):
        table.add_column(heading, justify="right" if heading in ("delivered", "± ") else "left")
    for row in rows:
        table.add_row(row.layout, row.colony, f"{row.mean:.0f}", f"{row.interval:.0f}")
    out = Console()
    out.print(table)
    out.print(in_short(rows), highlight=False)


def in_short(rows: list[Row]) -> str:
    """Say what the trail is worth, and where it is worth nothing."""
    means = {(row.layout, row.colony): row.mean for row in rows}
    lines = []
    for layout in LAYOUTS:
        trail = means[layout, "trail"]
        rival = max(COLONIES, key=lambda name: (name != "trail") * means[layout, name])
        times = trail / max(1.0, means[layout, rival])
        lines.append(f"{layout}: the trail brings {times:.2f}× what its best rival does ({rival})")
    return "\n".join(lines)


def draw(harvests: dict[tuple[str, str], Harvest], path: Path) -> None:
    """Save the curves of both layouts, and one world's trail at the end."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for axis, layout in zip(axes, LAYOUTS, strict=False):
        for colony in COLONIES:
            delivered = harvests[layout, colony].delivered.cumsum(axis=1).mean(axis=0)
            axis.plot(delivered, label=colony)
        axis.set(title=f"Food {layout}", xlabel="steps", ylabel="items delivered")
    axes[0].legend(frameon=False)
    draw_world(axes[2], harvests["clustered", "trail"])
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def draw_world(axis: Any, harvest: Harvest) -> None:
    axis.imshow(np.log10(harvest.trail[0] + 1e-3), cmap="magma", origin="lower")
    y, x = np.nonzero(harvest.food[0])
    axis.scatter(x, y, s=4, color="tab:green", label="food left")
    axis.scatter(*harvest.places[0].T[::-1], s=4, color="white", label="ants")
    axis.scatter([(SIZE - 1) / 2], [(SIZE - 1) / 2], marker="*", color="tab:cyan", label="nest")
    axis.set(title="One world's trail at the end (log)", xticks=[], yticks=[])
    axis.legend(loc="upper right", fontsize="small")


if __name__ == "__main__":
    main(sys.argv[1:])
