"""Walks of packet ants over a network, by the weights of links, on a CPU or a GPU."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.device import Device, map_bands, resolve
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_kernels import LOST, Wires, walk_all

__all__ = ["paths_of", "walked", "wires_of"]

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
IndexArray = NDArray[np.int32]

# Ants' steps from which a GPU is taken where there is one.
WORTH_A_GPU = 1 << 21


def wires_of(network: Network) -> Wires:
    """Return a network's working links as kernels read them."""
    return Wires(network.sources, network.targets, network.out_starts, network.out_links)


def walked(
    network: Network,
    sources: IntArray,
    targets: IntArray,
    rows: IntArray,
    weights: Float32Array,
    seed: int,
    most_links: int,
    *,
    device: Device = "auto",
) -> IndexArray:
    """Let ants walk.

    Parameters
    ----------
    network : Network
        Its working links are walked.
    sources, targets : ndarray of int64, shape (ants,)
        Nodes; an ant whose target is −1 stays at home.
    rows : ndarray of int64, shape (ants,)
        Which row of the weights each ant reads.
    weights : ndarray of float32, shape (r, m)
        An ant takes one of the links to nodes that it has not entered in proportion to them; a
        link of weight 0 is never taken.
    seed : int
        32 bits; an ant's numbers follow from it and its row here.
    most_links : int
        An ant goes no further from home.
    device : {"auto", "cpu", "cuda"}, optional
        Where to walk; the paths are the same.

    Returns
    -------
    ndarray of int32, shape (ants, most_links)
        Links of each path, which enters no node twice, then −1; −1 alone where an ant is lost,
        which needs links of weight 0, a limit below n − 1 links, or a target out of reach.
    """
    n_ants = len(sources)
    if resolve(device, size=n_ants * most_links, worth=WORTH_A_GPU) == "cuda":
        from swarmloom_protocols.bio_routing.networks.packet_cuda import walk_each

        entered = np.zeros((network.n_nodes, n_ants), dtype=np.int32)
        columns = np.empty((most_links, n_ants), dtype=np.int32)
        given = (sources, targets, rows, weights, *wires_of(network), np.uint32(seed), entered)
        walk_each(n_ants if most_links else 0, given, (columns,))
        return np.ascontiguousarray(columns.T)
    paths = np.empty((n_ants, most_links), dtype=np.int32)
    wires = wires_of(network)

    def walk(first: int, last: int) -> None:
        walk_all(first, last, sources, targets, rows, weights, wires, seed, paths)

    map_bands(walk, n_ants, 16 * max(1, most_links))
    return paths


def paths_of(paths: IndexArray) -> list[tuple[int, ...]]:
    """List the paths of ants that arrived, each once, in the order in which they were found."""
    found = (tuple(path[path != LOST].tolist()) for path in paths)
    return list(dict.fromkeys(path for path in found if path))
