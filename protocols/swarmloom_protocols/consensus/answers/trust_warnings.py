"""When the verdicts of a crew should not be trusted, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.probes import Probes
from swarmloom_protocols.consensus.answers.shared_errors import (
    SharedErrors,
    clone_clusters,
    cluster_members,
)

__all__ = ["Evidence", "warnings_of"]

# Below this median agreement beyond chance, a colluding quarter can outweigh the honest: crews of
# nine have 0.25 to 0.44 on MMLU-Pro, where that happens, and 0.66 to 0.92 on GSM8K, where not.
LOWEST_AGREEMENT = 0.45
LARGEST_GROUP = 1.0 / 3.0
LARGEST_TRUST = 0.5
FEWEST_ITEMS = 20
# Only these rules weigh by what agents say of each other.
LABEL_FREE = ("agreement", "consensus", "degree", "majority")


@dataclass(frozen=True)
class Evidence:
    """What warnings are read from.

    Attributes
    ----------
    rates : ndarray of float64, shape (voices, voices)
        Agreement beyond chance.
    weights : ndarray of float64, shape (voices,)
        Trust, summing to 1.
    sizes : ndarray of int64, shape (voices,)
        Agents behind each voice.
    n_items : float
        Items seen.
    rule : str
        Which rule gave the weights.
    probes : Probes or None
        Known answers of the agents.
    errors : SharedErrors or None
        Errors that pairs of voices share.
    unanswered : int
        Items that nobody answered.
    """

    rates: FloatArray
    weights: FloatArray
    sizes: IntArray
    n_items: float
    rule: str
    probes: Probes | None = None
    errors: SharedErrors | None = None
    unanswered: int = 0


def warnings_of(evidence: Evidence) -> tuple[str, ...]:
    """Return a sentence for each reason to doubt."""
    found = [*_few(evidence), *_grouped(evidence), *_clones(evidence), *_doubted_keys(evidence)]
    if evidence.rule == "probes":
        found += [*_failed_probes(evidence)]
    if evidence.rule in LABEL_FREE:
        found += [*_low_agreement(evidence)]
    return tuple(found)


def _few(evidence: Evidence) -> Iterator[str]:
    if evidence.unanswered:
        yield f"{evidence.unanswered} item(s) without any answer have no verdict"
    voices = len(evidence.rates)
    if voices < 3:
        yield f"{voices} voice(s): no majority can outvote a wrong one"
    elif evidence.rule in LABEL_FREE and evidence.n_items < FEWEST_ITEMS:
        yield (
            f"too few items: trust from agreement needs about {FEWEST_ITEMS},"
            f" there are {evidence.n_items:g}"
        )


def _grouped(evidence: Evidence) -> Iterator[str]:
    share = evidence.sizes.max() / evidence.sizes.sum()
    if evidence.sizes.max() > 1 and share > LARGEST_GROUP:
        yield f"one model answers for {share:.0%} of the agents; it votes once"
    if len(evidence.weights) > 2 and evidence.weights.max() > LARGEST_TRUST:
        yield (
            f"one voice holds {evidence.weights.max():.0%} of the trust:"
            " the verdict is its answer wherever it answers"
        )


def _clones(evidence: Evidence) -> Iterator[str]:
    if evidence.errors is None:
        return
    clusters = cluster_members(clone_clusters(evidence.errors, evidence.rates))
    if clusters:
        named = "; ".join(", ".join(map(str, members)) for members in clusters)
        yield f"voices that answer like copies ({named}): if they share a model, group them"


def _doubted_keys(evidence: Evidence) -> Iterator[str]:
    doubted = evidence.probes.suspects if evidence.probes is not None else ()
    if doubted:
        rows = ", ".join(map(str, doubted))
        yield f"probes with wrong keys suspected (rows {rows}): agents agree on another answer"


def _failed_probes(evidence: Evidence) -> Iterator[str]:
    if evidence.probes is not None and not evidence.probes.right.any():
        yield "no agent gave a single known answer rightly: their trust is a guess"


def _low_agreement(evidence: Evidence) -> Iterator[str]:
    upper = evidence.rates[np.triu_indices(len(evidence.rates), 1)]
    known = upper[~np.isnan(upper)]
    if known.size and np.median(known) < LOWEST_AGREEMENT:
        yield (
            f"median agreement beyond chance is {np.median(known):.2f}, below {LOWEST_AGREEMENT}:"
            " without known answers, two bad agents of nine may take over; use 10 probes"
        )
