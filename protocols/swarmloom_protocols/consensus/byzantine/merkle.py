"""Merkle trees: one digest for a list of entries, and short proofs that an entry is in it.

RFC 6962, section 2.1: leaves and nodes are hashed with different prefixes, so that no node can be
shown as a leaf; the left subtree holds the largest power of two below the number of entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from swarmloom.errors import InputError

__all__ = ["inclusion_proof", "is_included", "merkle_root"]


def merkle_root(entries: Sequence[bytes]) -> bytes:
    """Return the root of a list of entries, 32 bytes.

    Parameters
    ----------
    entries : sequence of bytes
        Their order counts. The root of an empty list is the hash of nothing.
    """
    if not entries:
        return hashlib.sha256().digest()
    level = [_leaf(entry) for entry in entries]
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def inclusion_proof(entries: Sequence[bytes], index: int) -> list[bytes]:
    """Return the digests that lead from one entry to the root; about log2(entries) of them.

    Raises
    ------
    InputError
        There is no entry of that number.
    """
    if not 0 <= index < len(entries):
        raise InputError(f"index is {index}; there are {len(entries)} entries")
    level, proof = [_leaf(entry) for entry in entries], []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level, index = _parents(level), index // 2
    return proof


def is_included(entry: bytes, index: int, count: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof shows that an entry stands at a place of a list of `count`.

    Parameters
    ----------
    entry : bytes
    index, count : int
    proof : sequence of bytes
        From `inclusion_proof`.
    root : bytes
        From `merkle_root`.
    """
    if not 0 <= index < count:
        return False
    node, last, steps = _leaf(entry), count - 1, iter(proof)
    while last:
        # The last node of an odd level has no sibling and rises as it is.
        if index ^ 1 <= last:
            sibling = next(steps, None)
            if sibling is None:
                return False
            node = _node(sibling, node) if index & 1 else _node(node, sibling)
        index, last = index // 2, last // 2
    return node == root and next(steps, None) is None


def _parents(level: Sequence[bytes]) -> list[bytes]:
    paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return paired + [level[-1]] * (len(level) % 2)


def _leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
