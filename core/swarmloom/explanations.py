"""Why an expert was chosen: the candidates, what each protocol said of them, and the shares."""

from __future__ import annotations

import numpy as np

from swarmloom.events import EventKind
from swarmloom.mixing import shares
from swarmloom.types import Assignment, Event, Mixture, Round

__all__ = ["decision_event"]

_CANDIDATES = 3


def decision_event(round: Round, mixture: Mixture, assignment: Assignment, row: int) -> Event:
    """Record one decision with its best candidates.

    Parameters
    ----------
    round : Round
    mixture : Mixture
    assignment : Assignment
    row : int
        The task's row; it must have an expert.

    Returns
    -------
    Event
        Candidates are listed the chosen one first, then the best others, three at most.
    """
    chosen = int(assignment.expert[row])
    scores = mixture.affinity[row]
    best = np.argsort(-scores, kind="stable")[:_CANDIDATES].tolist()
    order = [chosen, *(e for e in best if e != chosen and np.isfinite(scores[e]))][:_CANDIDATES]
    data = {
        "round": round.number,
        "solver": assignment.solver,
        "expert": round.experts[chosen].name,
        "candidates": [
            {
                "expert": round.experts[e].name,
                "score": float(scores[e]),
                "parts": {name: float(part[row, e]) for name, part in mixture.parts.items()},
            }
            for e in order
        ],
        "weights": dict(mixture.weights),
        "shares": shares(mixture, row, chosen),
    }
    return Event(EventKind.DECISION, data, round.tasks[row].id)
