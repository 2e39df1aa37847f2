"""Swarms that lay the trails they follow: Physarum transport networks after Jones (2010)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom_protocols.checks import seeded, whole
from swarmloom_protocols.stigmergy.field.boundaries import Sides
from swarmloom_protocols.stigmergy.physarum.agent_kernels import CELL, Ground
from swarmloom_protocols.stigmergy.physarum.agents import (
    directions,
    places_of,
    positions_of,
    unit_vectors,
)
from swarmloom_protocols.stigmergy.physarum.images import grey_levels, save_image
from swarmloom_protocols.stigmergy.physarum.settings import Settings, checked_shape, mirrors
from swarmloom_protocols.stigmergy.physarum.snapshots import MOST_STEPS, restore, snapshot
from swarmloom_protocols.stigmergy.physarum.surroundings import (
    checked_trail,
    checked_walls,
    food_supply,
    links_of,
    open_places,
    outside_walls,
)
from swarmloom_protocols.stigmergy.physarum.world import (
    World,
    advance,
    agents_of,
    in_order,
)
from swarmloom_protocols.stigmergy.sealed_snapshots import Snapshot

__all__ = ["PhysarumSwarm"]

MOST_AGENTS = (1 << 31) - 256


class PhysarumSwarm:
    """Agents on a grid that sense a trail at three places, turn to it, move and add to it.

    Each step, every agent compares the trail in front with that at its left and right, turns
    towards the strongest (to a random side where both sides beat the front), moves and deposits.
    Then food gives off trail, a 3 × 3 mean filter spreads the trail, and a share of it is lost.

    Parameters
    ----------
    n : int
        Agents.
    shape : (int, int)
        Height and width of the grid in cells, 1 to 16383 each.
    sensor_angle : float
        Between the sensor in front and those at the sides, in radians, 0 to π.
    sensor_distance : float
        From agent to sensors, in cells, at most 0.999 of the shorter side of the grid.
    turn_angle : float
        Of one turn, in radians, 0 to π.
    step_size : float
        Of one move, in cells, at most 0.999 of the shorter side of the grid.
    deposit : float
        Trail that an agent leaves in the cell it enters, ≥ 0.
    decay : float
        Share of the trail lost in a step, 0 to 1.
    diffusion : float
        Share of the mean filter applied in a step: 1 replaces each cell by the mean of its 3 × 3
        neighbourhood, 0 leaves it alone. No value in [0, 1] is unstable.
    boundaries : str, pair or mapping
        "periodic" or "reflecting", or a mapping of "y" and "x" to either.
    food : array_like, shape (K, 3), optional
        Rows (y, x, amount): a cell, and the trail it gives off in a step.
    walls : array_like of bool, of `shape`, optional
        Cells that neither agents nor trail enter. An agent whose step ends in one stays where it
        is, deposits nothing and takes a random direction.
    trail : array_like of float, of `shape`, optional
        Trail to begin with; none by default.
    positions : array_like, shape (n, 2), optional
        (y, x) in cells, cell i covers [i - ½, i + ½); drawn evenly over the open cells by default.
    headings : array_like, shape (n, 2), optional
        (y, x) of any length; drawn evenly over all directions by default.
    seed : int or numpy.random.Generator
        Of all that is random. One seed gives the same numbers on every device and any number of
        threads.
    device : {"auto", "cpu", "cuda"}
        Where `step` computes.

    Raises
    ------
    InputError
        A parameter is out of its range, not finite or of the wrong shape.
    DeviceError
        `device` is "cuda" and there is none.

    Notes
    -----
    After J. Jones, "Characteristics of pattern formation and evolution in approximations of
    Physarum transport networks", Artificial Life 16 (2010) 127-153. Left out is its rule that a
    cell holds one agent at most, which makes results depend on the order of the agents.

    Positions are kept to 2⁻¹⁶ cells, headings to 2⁻²⁴. Not safe for use by several threads at
    once; different swarms are.

    Examples
    --------
    >>> swarm = PhysarumSwarm(1000, (64, 64), seed=1)
    >>> swarm.step(10)
    >>> swarm.trail.shape
    (64, 64)
    """

    def __init__(
        self,
        n: int,
        shape: Sequence[int],
        *,
        sensor_angle: float = math.pi / 4,
        sensor_distance: float = 9.0,
        turn_angle: float = math.pi / 4,
        step_size: float = 1.0,
        deposit: float = 5.0,
        decay: float = 0.1,
        diffusion: float = 1.0,
        boundaries: Sides | Mapping[str, Sides] = "periodic",
        food: ArrayLike | None = None,
        walls: ArrayLike | None = None,
        trail: ArrayLike | None = None,
        positions: ArrayLike | None = None,
        headings: ArrayLike | None = None,
        seed: int | np.random.Generator = 0,
        device: Device = "auto",
    ) -> None:
        self.settings = Settings(
            sensor_angle, sensor_distance, turn_angle, step_size, deposit, decay, diffusion
        )
        resolve(device, size=0)
        self.device: Device = device
        self._shape = checked_shape(shape)
        self.settings.check_reach(self._shape)
        agents, mirror = whole("n", n, 0, MOST_AGENTS), mirrors(boundaries)
        rng = seeded("seed", seed)
        closed = checked_walls(walls, self._shape)
        food_cells, food_amounts = food_supply(food, self._shape, closed)
        if positions is None:
            positions = open_places(rng, agents, closed, self._shape)
        if headings is None:
            headings = directions(1 << 16)[:, rng.integers(1 << 16, size=agents)].T
        grid = checked_trail(trail, self._shape, closed)
        sides = self._shape[0] * CELL, self._shape[1] * CELL
        self._world = World(
            n=agents,
            agents=agents_of(
                outside_walls(places_of(positions, agents, self._shape), closed),
                unit_vectors(headings, agents),
            ),
            ground=Ground(
                grid.reshape(-1),
                closed.reshape(-1),
                directions(),
                self.settings.motion(),
                np.array([*sides, *mirror, self._shape[1]], np.int32),
            ),
            trail=grid,
            walls=closed,
            links=links_of(closed, mirror),
            food_cells=food_cells,
            food_amounts=food_amounts,
            rates=self.settings.rates(),
            seed=np.uint32(rng.integers(1 << 32)),
        )

    def step(self, n: int = 1) -> None:
        """Take n steps (≥ 0).

        Raises
        ------
        InputError
            n is not a whole number from 0, or `device` is unknown.
        DeviceError
            `device` is "cuda" and there is none.
        """
        steps = whole("n", n, 0, MOST_STEPS - self._world.step)
        if resolve(self.device, size=self._world.n) == "cuda":
            from swarmloom_protocols.stigmergy.physarum.world_cuda import advance_on_gpu

            advance_on_gpu(self._world, steps)
        else:
            advance(self._world, steps)

    @property
    def n(self) -> int:
        """How many agents there are."""
        return self._world.n

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the grid, in cells."""
        return self._shape

    @property
    def steps(self) -> int:
        """How many steps have been taken."""
        return self._world.step

    @property
    def trail(self) -> NDArray[np.float32]:
        """The trail, shape (height, width), as a view that cannot be written to."""
        view = self._world.trail.view()
        view.flags.writeable = False
        return view

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions (y, x) of the agents in cells, shape (n, 2); a copy."""
        return positions_of(in_order(self._world)[0])

    @property
    def headings(self) -> NDArray[np.float32]:
        """Unit vectors (y, x) of the agents, shape (n, 2); a copy."""
        return np.ascontiguousarray(in_order(self._world)[1].T)

    def render(self, gamma: float = 0.5) -> NDArray[np.uint8]:
        """Give the trail as grey levels, 0 to 255, shape (height, width); see `grey_levels`."""
        return grey_levels(self.trail, gamma)

    def save_image(self, path: str | Path, colours: str = "magma", gamma: float = 0.5) -> None:
        """Write the trail as a picture, a pixel a cell, row 0 at the top.

        Parameters
        ----------
        path : str or Path
            Ends in .png or another kind of picture; an existing file is replaced.
        colours : str, optional
            One of Matplotlib's colour maps.
        gamma : float, optional
            Exponent (> 0); below 1 faint trails are brightened.

        Raises
        ------
        InputError
            The kind of picture, the colour map or the folder is unknown, or `gamma` is not above 0.
        """
        save_image(self.render(gamma), path, colours)

    # -- state ----------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Give what changes in a step, as arrays, for `restore` or `numpy.savez`.

        Returns
        -------
        dict of str to ndarray
            Copies, with a version and a checksum.
        """
        return snapshot(self._world)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a snapshot of a swarm of this size; parameters and surroundings stay.

        Parameters
        ----------
        state : mapping of str to ndarray
            What `snapshot` gave, or `numpy.load` of a file with it.

        Raises
        ------
        InputError
            The snapshot is of another version, size or kind, has been altered, or holds what
            cannot be; nothing has been changed.
        """
        restore(self._world, state)
