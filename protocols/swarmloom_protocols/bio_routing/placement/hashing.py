"""Consistent hashing: which host an expert, a session or a message lives on, without a table.

Every process that knows the hosts' names computes the same answer, and when a host comes or goes
only the keys that have to move do. Hosts are numbered as in `hosts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.placement import hashing_kernels as kernels
from swarmloom_protocols.checks import between, positive, whole

__all__ = ["HashRing", "Keys", "Rendezvous", "jump"]

IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint64]

Keys = Sequence[str] | Sequence[bytes] | Sequence[int] | NDArray[np.integer]

# Twice as many stretches of the ring as points, so that a look-up sees one or two points.
STRETCHES_A_POINT = 2
MOST_VNODES = 10_000_000


class _Hosts:
    """Hosts with names and weights, and what follows from them for both kinds of hashing."""

    def __init__(self, hosts: Sequence[str], weights: Sequence[float] | None = None) -> None:
        """Take the hosts' names and weights."""
        if isinstance(hosts, str) or not all(isinstance(name, str) for name in hosts):
            raise InputError("hosts: must be a sequence of names")
        self.hosts = tuple(hosts)
        if not self.hosts:
            raise InputError("hosts: none given; allowed: at least one")
        if len(set(self.hosts)) < len(self.hosts):
            twice = sorted({name for name in self.hosts if self.hosts.count(name) > 1})
            raise InputError(f"hosts: {', '.join(twice)} given more than once")
        given = [1.0] * len(self.hosts) if weights is None else list(weights)
        if len(given) != len(self.hosts):
            raise InputError(f"weights: {len(given)} for {len(self.hosts)} hosts")
        named = zip(self.hosts, given, strict=True)
        self.weights = tuple(positive(f"weight of {name}", weight) for name, weight in named)
        self._salts = np.array([_digest(name) for name in self.hosts], np.uint64)

    def _with(self, host: str, weight: float) -> tuple[list[str], list[float]]:
        return [*self.hosts, host], [*self.weights, weight]

    def _without(self, host: str) -> tuple[list[str], list[float]]:
        if host not in self.hosts:
            raise InputError(f"host {host!r} is not one of {', '.join(self.hosts)}")
        left = [pair for pair in zip(self.hosts, self.weights, strict=True) if pair[0] != host]
        return [name for name, _ in left], [weight for _, weight in left]

    def _copies(self, count: int) -> int:
        return whole("count", count, 1, len(self.hosts))

    def _room(self, keys: int, balance: float) -> IntArray:
        """Return how many keys each host may have."""
        share = np.array(self.weights) / sum(self.weights)
        most = between("balance", balance, 1.0) * share * keys
        # Rounding may lift a whole number. What this takes off is below one place in all.
        return np.ceil(np.minimum(most, keys) * (1.0 - 1e-12)).astype(np.int64)


class Rendezvous(_Hosts):
    """Rendezvous hashing: every host ranks every key, the highest rank has it.

    Parameters
    ----------
    hosts : sequence of str
    weights : sequence of float, optional
        Shares of the keys are in proportion; 1 each by default.

    Raises
    ------
    InputError
        No host, a name twice, or a weight that is not a finite number above 0.

    Notes
    -----
    The least movement there is and the best balance; time grows with the number of hosts. From
    some fifty hosts on, and with weights, `HashRing` is faster.
    """

    def host_of(self, keys: Keys) -> IntArray:
        """Return the host of each key.

        Parameters
        ----------
        keys : sequence of str, bytes or int, or ndarray of int
            A str is its UTF-8 bytes. Whole numbers are hashed fastest.

        Returns
        -------
        ndarray of int64, shape (n,)
            Indices into `hosts`.

        Raises
        ------
        InputError
            Keys of another type, or a whole number beyond 64 bits.
        """
        if len(set(self.weights)) > 1:
            return self.replicas(keys, 1)[:, 0]
        hashes = _hashes(keys)
        chosen = np.empty(len(hashes), np.int64)
        kernels.highest_rank(hashes, self._salts, chosen)
        return chosen

    def replicas(self, keys: Keys, count: int) -> IntArray:
        """Return several hosts of each key, no two of them the same.

        Parameters
        ----------
        keys
            As for `host_of`.
        count : int
            At most the number of hosts.

        Returns
        -------
        ndarray of int64, shape (n, count)
            The highest rank first, as `host_of` has it. Where a host goes, the others keep their
            order.
        """
        hashes = _hashes(keys)
        chosen = np.empty((len(hashes), self._copies(count)), np.int64)
        kernels.highest_ranks(hashes, self._salts, self._ranked_by(), chosen)
        return chosen

    def bounded(self, keys: Keys, balance: float = 1.05) -> IntArray:
        """Return a host for each key, none with more than its share times `balance`.

        Parameters
        ----------
        keys
            As for `host_of`. Earlier ones go first: another order may give other hosts.
        balance : float, optional
            At least 1. A host takes at most ⌈balance · keys · weight / sum of weights⌉.

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        hashes = _hashes(keys)
        chosen = np.empty(len(hashes), np.int64)
        room = self._room(len(hashes), balance)
        kernels.bounded_ranks(hashes, self._salts, self._ranked_by(), room, chosen)
        return chosen

    def _ranked_by(self) -> NDArray[np.float64]:
        """Return the weights, 0 where all are equal: ranks then need no logarithm."""
        even = len(set(self.weights)) == 1
        return np.zeros(len(self.hosts)) if even else np.array(self.weights)

    def with_host(self, host: str, weight: float = 1.0) -> Rendezvous:
        """Return the same with one more host, numbered last."""
        return Rendezvous(*self._with(host, weight))

    def without(self, host: str) -> Rendezvous:
        """Return the same without a host; those after it count one less."""
        return Rendezvous(*self._without(host))


class HashRing(_Hosts):
    """A ring of points, `vnodes` a host; a key lives with the next point clockwise.

    D. Karger and others, "Consistent hashing and random trees", STOC 1997.

    Parameters
    ----------
    hosts : sequence of str
    weights : sequence of float, optional
        Points in proportion, at least one; 1 each by default.
    vnodes : int, optional
        Points of a host of weight 1. The loads' spread falls with its square root.

    Raises
    ------
    InputError
        As for `Rendezvous`, or more points than 10⁷.
    """

    def __init__(
        self, hosts: Sequence[str], weights: Sequence[float] | None = None, *, vnodes: int = 150
    ) -> None:
        """Make the ring."""
        super().__init__(hosts, weights)
        self.vnodes = whole("vnodes", vnodes, 1)
        most = self.vnodes * sum(self.weights)
        if most > MOST_VNODES:
            raise InputError(f"vnodes, weights: {most:g} points; allowed: {MOST_VNODES:g}")
        counts = np.maximum(1, np.round(self.vnodes * np.array(self.weights))).astype(np.int64)
        owner = np.repeat(np.arange(len(self.hosts)), counts)
        turn = np.concatenate([np.arange(count, dtype=np.uint64) for count in counts])
        points = _mixed(self._salts[owner] + turn)
        order = np.lexsort((owner, points))
        self._points, self._owner = points[order], owner[order]
        bits = int(STRETCHES_A_POINT * len(points)).bit_length()
        self._shift = np.uint64(64 - bits)
        starts = np.arange(1 << bits, dtype=np.uint64) << self._shift
        self._first = np.searchsorted(self._points, starts)

    def host_of(self, keys: Keys) -> IntArray:
        """Return the host of each key; see `Rendezvous.host_of`."""
        hashes = _hashes(keys)
        chosen = np.empty(len(hashes), np.int64)
        kernels.ring_hosts(hashes, self._points, self._owner, self._first, self._shift, chosen)
        return chosen

    def replicas(self, keys: Keys, count: int) -> IntArray:
        """Return the next `count` different hosts clockwise, the first as `host_of` has it.

        Parameters
        ----------
        keys
            As for `Rendezvous.host_of`.
        count : int
            At most the number of hosts.

        Returns
        -------
        ndarray of int64, shape (n, count)
        """
        hashes = _hashes(keys)
        chosen = np.empty((len(hashes), self._copies(count)), np.int64)
        kernels.ring_replicas(hashes, self._points, self._owner, self._first, self._shift, chosen)
        return chosen

    def bounded(self, keys: Keys, balance: float = 1.05) -> IntArray:
        """Return a host for each key, none with more than its share times `balance`.

        Parameters
        ----------
        keys, balance
            As for `Rendezvous.bounded`; a key whose host is full goes on clockwise.

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        hashes = _hashes(keys)
        chosen = np.empty(len(hashes), np.int64)
        room = self._room(len(hashes), balance)
        kernels.bounded_ring(
            hashes, self._points, self._owner, self._first, self._shift, room, chosen
        )
        return chosen

    def with_host(self, host: str, weight: float = 1.0) -> HashRing:
        """Return the same with one more host, numbered last."""
        return HashRing(*self._with(host, weight), vnodes=self.vnodes)

    def without(self, host: str) -> HashRing:
        """Return the same without a host; those after it count one less."""
        return HashRing(*self._without(host), vnodes=self.vnodes)


def jump(keys: Keys, buckets: int) -> IntArray:
    """Return a bucket for each key by jump hashing: nothing to store, but only the last may go.

    Parameters
    ----------
    keys
        As for `Rendezvous.host_of`.
    buckets : int
        From 1 to 2³¹ − 1.

    Returns
    -------
    ndarray of int64, shape (n,)
        In [0, buckets). From n to n + 1 buckets, 1 key in n + 1 moves, all to the new one.
    """
    hashes = _hashes(keys)
    chosen = np.empty(len(hashes), np.int64)
    kernels.jump_buckets(hashes, whole("buckets", buckets, 1, 2**31 - 1), chosen)
    return chosen


def _digest(text: Any) -> int:
    # Python's own hash() differs from process to process.
    raw = text.encode() if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


def _mixed(words: WordArray) -> WordArray:
    mixed = np.empty_like(words)
    kernels.mix_all(words, mixed)
    return mixed


def _hashes(keys: Any) -> WordArray:
    """Return the 64-bit hash of each key."""
    if isinstance(keys, str | bytes):
        raise InputError("keys: one string; allowed: a sequence of keys")
    if isinstance(keys, np.ndarray):
        if keys.ndim == 1 and keys.dtype.kind in "iu":
            # Two's complement: −1 as int32 is −1 as int64.
            wide = keys.astype(np.int64 if keys.dtype.kind == "i" else np.uint64)
            return _mixed(wide.view(np.uint64))
        raise InputError(f"keys: {keys.ndim} axes of {keys.dtype}; allowed: one, of whole numbers")
    if all(isinstance(key, str | bytes) for key in keys):
        return np.array([_digest(key) for key in keys], np.uint64)
    words = [whole("key", key, -(2**63), 2**64 - 1) % 2**64 for key in keys]
    return _mixed(np.array(words, np.uint64))
