"""Grow a network of veins and write pictures of it as it forms."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from swarmloom_protocols.stigmergy import PhysarumSwarm


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=40_000)
    parser.add_argument("--height", type=int, default=300, help="in cells")
    parser.add_argument("--width", type=int, default=500, help="in cells")
    parser.add_argument("--sensor-angle", type=float, default=60.0, help="in degrees")
    parser.add_argument("--turn-angle", type=float, default=45.0, help="in degrees")
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50, help="from picture to picture")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("physarum_pictures"))
    given = parser.parse_args()
    for name in ("pictures", "steps"):
        if getattr(given, name) < 1:
            parser.error(f"--{name} is {getattr(given, name)}; allowed: at least 1")
    # Said before the work is done, not after it.
    try:
        given.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--folder {given.folder}: {error.strerror}")
    return given


def main() -> None:
    given = arguments()
    swarm = PhysarumSwarm(
        given.agents,
        (given.height, given.width),
        sensor_angle=math.radians(given.sensor_angle),
        turn_angle=math.radians(given.turn_angle),
        seed=given.seed,
    )
    print("Compiling, once for each version of the code …", flush=True)
    PhysarumSwarm(given.agents, swarm.shape).step(1)
    for _ in range(given.pictures):
        start = time.perf_counter()
        swarm.step(given.steps)
        seconds = time.perf_counter() - start
        path = given.folder / f"step_{swarm.steps:05}.png"
        swarm.save_image(path)
        speed = given.agents * given.steps / seconds / 1e6
        print(f"{path}  {speed:.0f} M agent steps a second")


if __name__ == "__main__":
    main()
