"""Sorting without a plan: simulated ants heap up items of like kinds.

Ants walk at random on a torus. One that carries nothing picks up the item under it with probability
(k₊ / (k₊ + f))², one that carries an item drops it on an empty cell with probability
(f / (k₋ + f))², where f is the share of items of that kind among the cells around (Deneubourg,
Goss, Franks, Sendova-Franks, Detrain & Chrétien 1991, "The dynamics of collective sorting:
robot-like ants and ant-like robots"; there f is what the ant met on its last steps, here what it
sees, as in Lumer & Faieta 1994, "Diversity and adaptation in populations of clustering ants").
Items are their own pheromone: a heap attracts more of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import label
from scipy.stats import entropy

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, whole
from swarmloom_protocols.stigmergy.colonies.sorting_kernels import sort_world

__all__ = ["Response", "SortingColony", "heap_sizes", "scatter", "spatial_entropy"]

Ints = NDArray[np.int32]

COUNT_LIMIT = 1 << 32
LARGEST_RADIUS = 16
# An ant's step takes about as long as this many elements of a long loop.
ELEMENTS_PER_ANT = 64
# A GPU needs some thousand worlds to be busy.
WORTH_PER_WORLD = 1024


@dataclass(frozen=True, slots=True)
class Response:
    """How ants respond to what lies around.

    Attributes
    ----------
    pick : float
        k₊ > 0: items with a higher density around are mostly left where they are.
    drop : float
        k₋ > 0: items are mostly dropped where the density is higher.
    radius : int
        Cells that an ant sees in each direction, 1 to 16.
    heed : float
        Share of decisions that follow the response, in [0, 1]; for the others a coin is tossed,
        whatever lies around. 0 is the random walk that sorting has to beat.
    """

    pick: float = 0.1
    drop: float = 0.3
    radius: int = 2
    heed: float = 1.0

    def __post_init__(self) -> None:
        positive("pick", self.pick)
        positive("drop", self.drop)
        between("heed", self.heed, 0.0, 1.0)
        whole("radius", self.radius, 1, LARGEST_RADIUS)


class SortingColony:
    """Colonies that sort the items of several worlds.

    Parameters
    ----------
    items : array-like of int, shape (worlds, height, width)
        Kind ≥ 1 of the item on each cell, 0 for none. The edges of a world are joined.
    ants : int
        In each world, at least 1, set down at random with nothing to carry.
    rng : numpy.random.Generator
        Gives places and one seed for the kernel's random numbers by counter.
    response : Response, optional

    Raises
    ------
    InputError
        An argument is not as said.
    """

    def __init__(
        self,
        items: ArrayLike,
        ants: int,
        rng: np.random.Generator,
        response: Response = Response(),
    ) -> None:
        self._items = _kinds(items).copy()
        worlds, height, width = self._items.shape
        ants = whole("ants", ants, 1, (COUNT_LIMIT - 1) // worlds)
        generator("rng", rng)
        if not isinstance(response, Response):
            raise InputError(f"response: {response!r}; allowed: a Response")
        self._ants: Ints = np.zeros((worlds, ants, 3), np.int32)
        self._ants[:, :, 0] = rng.integers(0, height, (worlds, ants))
        self._ants[:, :, 1] = rng.integers(0, width, (worlds, ants))
        self._seed = int(rng.integers(COUNT_LIMIT))
        self._response = response
        self._steps = 0

    @property
    def items(self) -> Ints:
        """Kinds of the items that lie on the ground, shape (worlds, height, width); a copy."""
        return self._items.copy()

    @property
    def loads(self) -> Ints:
        """Kinds of the items that are carried, 0 for none, shape (worlds, ants); a copy."""
        return self._ants[:, :, 2].copy()

    def run(self, steps: int, device: Device = "auto") -> None:
        """Let every ant take so many steps.

        Parameters
        ----------
        steps : int
            At least 0; 2³² in all.
        device : {"auto", "cpu", "cuda"}, optional
            Where to compute. A GPU runs a world in each thread: it is worth it for many worlds.

        Raises
        ------
        InputError
            `steps` is out of its range.
        """
        steps = whole("steps", steps, 0, COUNT_LIMIT - self._steps)
        if resolve(device, size=len(self._items) * WORTH_PER_WORLD) == "cuda":
            self._run_on_gpu(steps)
        else:
            work = steps * self._ants.shape[1] * ELEMENTS_PER_ANT
            map_bands(
                lambda start, stop: self._run_band(start, stop, steps), len(self._items), work
            )
        self._steps += steps

    def _settings(self) -> tuple[int, float, float, float, int]:
        given = self._response
        return given.radius, given.pick, given.drop, given.heed, self._seed

    def _run_band(self, start: int, stop: int, steps: int) -> None:
        n_ants = self._ants.shape[1]
        for world in range(start, stop):
            items, ants = self._items[world], self._ants[world]
            sort_world(items, ants, *self._settings(), world * n_ants, self._steps, steps)

    def _run_on_gpu(self, steps: int) -> None:
        from swarmloom.cuda import numba_cuda
        from swarmloom_protocols.stigmergy.colonies.sorting_cuda import sort_worlds

        items, ants = map(numba_cuda().to_device, (self._items, self._ants))
        sort_worlds.launch(len(self._items), items, ants, *self._settings(), self._steps, steps)
        items.copy_to_host(self._items)
        ants.copy_to_host(self._ants)


def scatter(shape: tuple[int, int, int], items: int, kinds: int, rng: np.random.Generator) -> Ints:
    """Scatter items over the cells of some worlds.

    Parameters
    ----------
    shape : (int, int, int)
        Worlds, height and width.
    items : int
        In each world, at most its cells; as many of each kind as of the others, or one more.
    kinds : int
        At least 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int32, shape `shape`

    Raises
    ------
    InputError
        There are more items than cells, no kinds, or a number is not whole.
    """
    worlds, height, width = (whole("shape", side, 1) for side in shape)
    items, kinds = whole("items", items, 0, height * width), whole("kinds", kinds, 1)
    generator("rng", rng)
    ground = np.zeros((worlds, height * width), np.int32)
    ground[:, :items] = np.arange(items) % kinds + 1
    return rng.permuted(ground, axis=1).reshape(worlds, height, width)


def spatial_entropy(items: ArrayLike, patch: int = 8) -> NDArray[np.float64]:
    """Return how evenly items lie over patches: −Σ p ln p, the mean over the kinds there are.

    Parameters
    ----------
    items : array-like of int, shape (worlds, height, width)
        Kinds, 0 for none; height and width are multiples of `patch`.
    patch : int, optional
        Side of the square patches; p is a patch's share of the items of a kind (Gutowitz 1993,
        "Complexity-seeking ants").

    Returns
    -------
    ndarray of float64, shape (worlds,)
        In nats: ln of the number of patches where items lie evenly, 0 where all lie in one patch;
        0 for a world without items.

    Raises
    ------
    InputError
        `items` has not the shape that is allowed.
    """
    kinds = _kinds(items)
    worlds, height, width = kinds.shape
    if height % whole("patch", patch, 1) or width % patch:
        raise InputError(f"patch is {patch}; allowed: a divisor of {height} and {width}")
    patches = kinds.reshape(worlds, height // patch, patch, width // patch, patch)
    entropies = [
        entropy((patches == kind).sum(axis=(2, 4)).reshape(worlds, -1), axis=1)
        for kind in np.unique(kinds[kinds > 0])
    ]
    # A kind that a world has nothing of has no shares there.
    known = np.nan_to_num(np.array(entropies).reshape(-1, worlds))
    present = np.array([(kinds == kind).any(axis=(1, 2)) for kind in np.unique(kinds[kinds > 0])])
    found: NDArray[np.float64] = known.sum(axis=0) / np.maximum(1, present.sum(axis=0))
    return found


def heap_sizes(items: ArrayLike) -> NDArray[np.int64]:
    """Return the sizes of all heaps: items of one kind side by side, corners included.

    Parameters
    ----------
    items : array-like of int, shape (height, width)
        Kinds, 0 for none. Edges are not joined.

    Returns
    -------
    ndarray of int64
        Largest first.
    """
    kinds = _kinds(np.asarray(items)[None])[0]
    sizes = [
        np.bincount(label(kinds == kind, np.ones((3, 3)))[0].ravel())[1:]
        for kind in np.unique(kinds[kinds > 0])
    ]
    return np.sort(np.concatenate([np.empty(0, np.int64), *sizes]))[::-1]


def _kinds(items: ArrayLike) -> Ints:
    kinds = np.asarray(items)
    if kinds.ndim != 3 or not kinds.size or not np.issubdtype(kinds.dtype, np.integer):
        raise InputError(
            f"items: shape {kinds.shape} of {kinds.dtype}; allowed: worlds × height × width of int"
        )
    if kinds.min() < 0 or kinds.max() > np.iinfo(np.int32).max:
        raise InputError("items: allowed: kinds from 1, and 0 for none")
    return np.ascontiguousarray(kinds, np.int32)
