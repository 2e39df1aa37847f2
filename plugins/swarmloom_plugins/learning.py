"""What a finished task shows of the experts that answered it."""

from __future__ import annotations

from swarmloom.types import Ballot, Outcome

__all__ = ["credit"]


def credit(outcome: Outcome, ballot: Ballot) -> float | None:
    """Return how likely a ballot's answer was right, None where nothing speaks for or against it.

    Parameters
    ----------
    outcome : Outcome
        The finished task.
    ballot : Ballot
        One of its ballots, with an answer.

    Returns
    -------
    float or None
        In [0, 1]: 1 or 0 for a graded task, else the answer's posterior. None for the only answer
        to an ungraded task: its posterior is an opinion about its expert, and learning from that
        would only confirm it.
    """
    alone = sum(other.succeeded for other in outcome.ballots) < 2
    if outcome.truth is None and alone:
        return None
    return min(1.0, outcome.credit(ballot))
