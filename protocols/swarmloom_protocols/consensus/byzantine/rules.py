"""Rules of single-decree PBFT: what a correct replica may do, given the messages there are.

Castro and Liskov, "Practical Byzantine Fault Tolerance" (OSDI 1999), reduced to one decision: a
proposal, two rounds of votes, and a change of view when the primary does not lead to one. n
replicas are safe against f = ⌊(n − 1)/3⌋ that do anything at all, except forge signatures.

Every rule is monotone: a message more never forbids what was allowed. The running replica
(`replica`) and the model checker (`model`) both go by these functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

__all__ = [
    "Prepared",
    "change_is_sound",
    "faults_tolerated",
    "is_quorum",
    "primary",
    "proposal_is_justified",
    "quorum",
]


class Prepared(NamedTuple):
    """What a replica was ready to decide: a quorum had prepared it.

    Attributes
    ----------
    view : int
        −1 for nothing yet.
    value : str
        Empty for nothing yet.
    """

    view: int = -1
    value: str = ""


def faults_tolerated(n: int) -> int:
    """Return f = ⌊(n − 1)/3⌋, how many of n replicas may be faulty."""
    return (n - 1) // 3


def quorum(n: int) -> int:
    """Return the smallest size at which two groups always share a correct replica.

    Two groups of q have 2q − n in common, which must be more than f: q = ⌊(n + f)/2⌋ + 1, that is
    2f + 1 for n = 3f + 1.
    """
    return (n + faults_tolerated(n)) // 2 + 1


def is_quorum(senders: Collection[int], n: int) -> bool:
    """Tell whether so many different senders are a quorum."""
    return len(set(senders)) >= quorum(n)


def primary(view: int, n: int) -> int:
    """Return who leads a view: the replicas take turns."""
    return view % n


def change_is_sound(prepared: Prepared, view: int, supporters: Collection[int], n: int) -> bool:
    """Tell whether a replica's claim, made when it left for `view`, is to be believed.

    Parameters
    ----------
    prepared : Prepared
        What it says it had prepared.
    view : int
        The view it goes to.
    supporters : collection of int
        Whose signed prepare votes for that value, in that view, it shows.
    n : int
        Replicas.
    """
    if prepared == Prepared():
        return True
    return 0 <= prepared.view < view and is_quorum(supporters, n)


def proposal_is_justified(
    view: int, value: str, claims: Mapping[int, Prepared] | None, n: int
) -> bool:
    """Tell whether a primary may propose a value in a view.

    Parameters
    ----------
    view : int
    value : str
        What is proposed.
    claims : mapping of int to Prepared, or None
        By sender, sound claims of replicas that went to this view; None in view 0.
    n : int

    Returns
    -------
    bool
        Always in view 0. Later only with the claims of a quorum, and then the value that was
        prepared in the latest view among them, if any was.
    """
    if view == 0:
        return True
    if claims is None or not is_quorum(claims, n):
        return False
    latest = max(claims.values())
    return latest == Prepared() or latest.value == value
