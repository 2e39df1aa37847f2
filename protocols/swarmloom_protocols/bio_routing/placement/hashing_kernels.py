"""Kernels of consistent hashing: keys and hosts come as 64-bit hashes.

The mixers are the finalisers of MurmurHash3 (A. Appleby) and SplitMix64 (G. L. Steele, D. Lea and
C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel

__all__ = [
    "bounded_ranks",
    "bounded_ring",
    "highest_rank",
    "highest_ranks",
    "jump_buckets",
    "mix_all",
    "ring_hosts",
    "ring_replicas",
]

IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint64]
FloatArray = NDArray[np.float64]

# Keys ranked together, so that the compiler may use vectors over keys.
BLOCK = 256
UNIT = 2.0**-32
LOW_HALF = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


@kernel
def _mix(word: Any) -> Any:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel
def _mix32(word: Any) -> Any:
    word = np.uint32((word ^ (word >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    word = np.uint32((word ^ (word >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(word ^ (word >> np.uint32(16)))


@kernel
def mix_all(words: WordArray, mixed: WordArray) -> None:
    """Fill the hashes of whole numbers."""
    for place in range(len(words)):
        mixed[place] = _mix(words[place] + np.uint64(0x9E3779B97F4A7C15))


@kernel
def _rank(low: Any, salt: Any, factor: Any) -> Any:
    """Return the 32-bit hash of a key's lower half and a host's two halves, the upper one odd."""
    return _mix32(np.uint32(np.uint32(low ^ salt) * factor))


@kernel
def _halves(word: Any) -> tuple[Any, Any]:
    return np.uint32(word & LOW_HALF), np.uint32(word >> HALF) | np.uint32(1)


@kernel
def highest_rank(keys: WordArray, hosts: WordArray, chosen: IntArray) -> None:
    """Choose the host of the highest rank for each key.

    D. G. Thaler and C. V. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM
    Transactions on Networking 6, 1998 (rendezvous hashing).
    """
    low, top = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    best = np.empty(BLOCK, np.uint32)
    for start in range(0, len(keys), BLOCK):
        count = min(BLOCK, len(keys) - start)
        for place in range(count):
            low[place] = np.uint32(keys[start + place] & LOW_HALF)
        top[:], best[:] = np.uint32(0), np.uint32(0)
        for host in range(len(hosts)):
            _rank_block(low, hosts[host], host, top, best)
        for place in range(count):
            chosen[start + place] = best[place]


@kernel
def _rank_block(low: Any, name: Any, host: int, top: Any, best: Any) -> None:
    number = np.uint32(host)
    salt, factor = _halves(name)
    for place in range(BLOCK):
        rank = _rank(low[place], salt, factor)
        higher = rank > top[place]
        # Stores without a branch are what lets the compiler use vectors.
        top[place] = rank if higher else top[place]
        best[place] = number if higher else best[place]


@kernel
def _weighed(key: Any, name: Any, weight: float) -> float:
    """Return a host's rank: weight / −ln(uniform number), in the same order for equal weights."""
    salt, factor = _halves(name)
    rank = float(_rank(np.uint32(key & LOW_HALF), salt, factor))
    return rank if weight == 0.0 else -weight / math.log((rank + 0.5) * UNIT)


@kernel
def highest_ranks(keys: WordArray, hosts: WordArray, weights: FloatArray, chosen: IntArray) -> None:
    """Fill each key's hosts of highest rank, as many as `chosen` has columns, the highest first.

    A host wins a share of the keys in proportion to its weight, and a change of a weight moves
    keys from or to that host alone (C. Schindelhauer and G. Schomaker, "Weighted distributed hash
    tables", SPAA 2005). Weights of 0 throughout say that all are equal.
    """
    count = chosen.shape[1]
    ranks = np.empty(count)
    for place in range(len(keys)):
        ranks[:] = -1.0
        for host in range(len(hosts)):
            rank = _weighed(keys[place], hosts[host], weights[host])
            if rank <= ranks[count - 1]:
                continue
            slot = count - 1
            while slot > 0 and ranks[slot - 1] < rank:
                ranks[slot], chosen[place, slot] = ranks[slot - 1], chosen[place, slot - 1]
                slot -= 1
            ranks[slot], chosen[place, slot] = rank, host


@kernel
def bounded_ranks(
    keys: WordArray, hosts: WordArray, weights: FloatArray, room: IntArray, chosen: IntArray
) -> None:
    """Give each key in turn to the host of the highest rank that has room; `room` is used up."""
    for place in range(len(keys)):
        best, top = -1, -1.0
        for host in range(len(hosts)):
            if room[host] > 0:
                rank = _weighed(keys[place], hosts[host], weights[host])
                if rank > top:
                    best, top = host, rank
        chosen[place] = best
        room[best] -= 1


@kernel
def _successor(key: Any, points: WordArray, first: IntArray, shift: Any) -> int:
    """Return the first point at or after a key; `first` has that of each stretch of the ring."""
    point: int = first[key >> shift]
    while point < len(points) and points[point] < key:
        point += 1
    return point if point < len(points) else 0


@kernel
def ring_hosts(
    keys: WordArray,
    points: WordArray,
    owner: IntArray,
    first: IntArray,
    shift: Any,
    chosen: IntArray,
) -> None:
    """Fill the owner of the first point at or after each key."""
    for place in range(len(keys)):
        chosen[place] = owner[_successor(keys[place], points, first, shift)]


@kernel
def ring_replicas(
    keys: WordArray,
    points: WordArray,
    owner: IntArray,
    first: IntArray,
    shift: Any,
    chosen: IntArray,
) -> None:
    """Fill the first different owners clockwise from each key; there have to be as many."""
    for place in range(len(keys)):
        point, found = _successor(keys[place], points, first, shift), 0
        while found < chosen.shape[1]:
            known = False
            for earlier in range(found):
                known |= chosen[place, earlier] == owner[point]
            if not known:
                chosen[place, found] = owner[point]
                found += 1
            point = point + 1 if point + 1 < len(points) else 0


@kernel
def bounded_ring(
    keys: WordArray,
    points: WordArray,
    owner: IntArray,
    first: IntArray,
    shift: Any,
    room: IntArray,
    chosen: IntArray,
) -> None:
    """Give each key in turn to the next owner clockwise that has room; `room` is used up.

    V. Mirrokni, M. Thorup and M. Zadimoghaddam, "Consistent hashing with bounded loads", SODA 2018.
    """
    for place in range(len(keys)):
        point = _successor(keys[place], points, first, shift)
        while room[owner[point]] == 0:
            point = point + 1 if point + 1 < len(points) else 0
        chosen[place] = owner[point]
        room[owner[point]] -= 1


@kernel
def jump_buckets(keys: WordArray, buckets: int, chosen: IntArray) -> None:
    """Fill each key's bucket.

    J. Lamping and E. Veach, "A fast, minimal memory, consistent hash algorithm", 2014, figure 1.
    """
    for place in range(len(keys)):
        key, bucket, following = keys[place], -1, 0
        while following < buckets:
            bucket = following
            key = key * np.uint64(2862933555777941757) + np.uint64(1)
            step = float(1 << 31) / float((key >> np.uint64(33)) + np.uint64(1))
            following = int((bucket + 1) * step)
        chosen[place] = bucket
