"""Construction: all ants of an iteration build a solution each, on the CPU or a GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom.errors import InputError, MemoryLimitError
from swarmloom.memory_plan import format_bytes, machine_bytes
from swarmloom_protocols.bio_routing.search import walk_kernels
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.bio_routing.search.walk_kernels import Wear
from swarmloom_protocols.checks import between, whole

__all__ = ["Solutions", "construct"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Solutions:
    """What the ants of an iteration built.

    Attributes
    ----------
    following : ndarray of int32, shape (ants, n)
        Target taken at each node, −1 where none was.
    sequences : ndarray of int32, shape (ants, n)
        Nodes in the order of decision, as far as `lengths` says.
    lengths : ndarray of int32, shape (ants,)
    costs : ndarray of float64, shape (ants,)
        Infinite where an ant got stuck.
    queries : ndarray of int64, shape (ants,)
        Evaluations of choices: one a decision, more where a choice takes several.
    """

    following: IndexArray
    sequences: IndexArray
    lengths: IndexArray
    costs: FloatArray
    queries: NDArray[np.int64]

    @classmethod
    def empty(cls, ants: int, n: int) -> Solutions:
        """Reserve memory for some ants.

        Raises
        ------
        MemoryLimitError
            They need more than the machine has.
        """
        needed = ants * (8 * n + 20)
        if needed > machine_bytes():
            have = format_bytes(machine_bytes())
            raise MemoryLimitError(
                f"ants: {ants} on {n} nodes need {format_bytes(needed)}; the machine has {have}"
            )
        return cls(
            np.empty((ants, n), np.int32),
            np.empty((ants, n), np.int32),
            np.empty(ants, np.int32),
            np.empty(ants),
            np.empty(ants, np.int64),
        )

    def __len__(self) -> int:
        return self.costs.size


def construct(
    problem: SearchProblem,
    choice: NDArray[np.float32],
    ants: int,
    seed: int,
    *,
    greediness: float = 0.0,
    wearing: Wear | None = None,
    pick: Callable[..., Any] | None = None,
    into: Solutions | None = None,
    device: Device = "auto",
) -> Solutions:
    """Let every ant build one solution.

    Parameters
    ----------
    problem : SearchProblem
        What they build.
    choice : ndarray of float32, shape (e,)
        What each option weighs, above 0.
    ants : int
        How many, at least 1.
    seed : int
        In [0, 2³²). Ant i takes its numbers from stream i: they depend neither on the number of
        ants nor on threads or device.
    greediness : float, optional
        Probability of taking the heaviest option outright (q₀ of ACS).
    wearing : Wear, optional
        Trails that wear off under the ants, which then walk one after another, on the CPU only.
    pick : kernel, optional
        How an option is taken from weights; see `walk_kernels.pick`. CPU only.
    into : Solutions, optional
        Memory to overwrite and return.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute.

    Raises
    ------
    InputError
        An argument is out of range, or "cuda" was asked for with a function of the user's own, with
        another `pick` or with wear.
    MemoryLimitError
        The ants need more memory than the machine has.
    """
    count = whole("ants", ants, 1)
    number = np.uint32(whole("seed", seed, 0, 2**32 - 1))
    greed = between("greediness", greediness, 0.0, 1.0)
    found = Solutions.empty(count, problem.n_nodes) if into is None else into
    own = wearing or pick or problem.feasible or problem.evaluate
    if own and device == "cuda":
        raise InputError(
            'device is "cuda"; allowed for functions of your own, another pick, and wear: "cpu"'
        )
    if not own and resolve(device, size=count * max(1, problem.sources.size)) == "cuda":
        _construct_on_gpu(problem, choice, greed, number, found)
        return found
    kernel = _construct_kernel(problem.feasible, problem.evaluate, pick, wearing is not None)
    worn = 0 if wearing is None else wearing

    def band(start: int, stop: int) -> None:
        arrays = found.following, found.sequences, found.lengths, found.costs, found.queries
        kernel(start, stop, problem.graph, choice, worn, greed, number, problem.data, *arrays)

    if wearing is None:
        map_bands(band, count, max(1, problem.sources.size))
    else:
        band(0, count)
    return found


@functools.cache
def _construct_kernel(
    feasible: Callable[..., Any] | None,
    evaluate: Callable[..., Any] | None,
    pick: Callable[..., Any] | None,
    wears: bool,
) -> Callable[..., Any]:
    """Return the kernel that calls these functions, itself where there are none."""
    wear = walk_kernels.wear_off if wears else None
    hooks = {"feasible": feasible, "evaluated": evaluate, "pick": pick, "wear": wear}
    given = {name: hook for name, hook in hooks.items() if hook is not None}
    if not given:
        return walk_kernels.construct
    callers = walk_kernels.forbid, walk_kernels.walk, walk_kernels.construct
    made: Callable[..., Any] = walk_kernels.rebuilt(callers, given)["construct"]
    return made


def _construct_on_gpu(
    problem: SearchProblem,
    choice: NDArray[np.float32],
    greediness: float,
    seed: np.uint32,
    found: Solutions,
) -> None:
    from swarmloom.cuda import numba_cuda
    from swarmloom_protocols.bio_routing.search.walk_cuda import construct as construct_on_gpu

    cuda = numba_cuda()
    graph, ants, n = problem.graph, len(found), problem.n_nodes
    width = int(np.diff(graph.starts).max())
    # An ant a column: neighbouring threads then write to neighbouring places.
    shapes = (
        (graph.capacities.size, np.float32),
        (graph.capacities.size, np.float64),
        (n, np.int32),
        (n, np.int32),
        (max(1, width), np.float32),
        (n, np.int32),
        (n, np.int32),
    )
    by_ant = [cuda.device_array((rows, ants), kind) for rows, kind in shapes]
    ends = [cuda.device_array(ants, kind) for kind in (np.int32, np.float64, np.int64)]
    given = [cuda.to_device(value) for value in graph[:7]]
    rest = (*graph[7:], cuda.to_device(choice), greediness, seed)
    construct_on_gpu.launch(ants, *given, *rest, *by_ant, *ends)
    found.following[:] = by_ant[5].copy_to_host().T
    found.sequences[:] = by_ant[6].copy_to_host().T
    found.lengths[:], found.costs[:], found.queries[:] = (end.copy_to_host() for end in ends)
