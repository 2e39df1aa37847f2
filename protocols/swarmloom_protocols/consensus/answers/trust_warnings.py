"""When the verdicts of a crew should not be trusted, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.calibration import ENOUGH_ITEMS, evidence_items
from swarmloom_protocols.consensus.answers.probes import Probes
from swarmloom_protocols.consensus.answers.shared_errors import (
    SharedErrors,
    clone_clusters,
    cluster_members,
)
from swarmloom_protocols.consensus.answers.trust_rules import POWER, agreement_trust

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
        Known answers of the voices whose keys are not doubted.
    doubted : tuple of int
        Rows of those that are.
    errors : SharedErrors or None
        Errors that pairs of voices share.
    unanswered : int
        Items that nobody answered.
    graded : float
        Items whose right answer the calibration has seen.
    weightless : bool
        All weights that were given are 0.
    """

    rates: FloatArray
    weights: FloatArray
    sizes: IntArray
    n_items: float
    rule: str
    probes: Probes | None = None
    doubted: tuple[int, ...] = ()
    errors: SharedErrors | None = None
    unanswered: int = 0
    graded: float = 0.0
    weightless: bool = False


def warnings_of(evidence: Evidence) -> tuple[str, ...]:
    """Return a sentence for each reason to doubt."""
    found = [*_few(evidence), *_grouped(evidence), *_clones(evidence), *_doubted_keys(evidence)]
    if evidence.rule == "probes":
        found += [*_failed_probes(evidence), *_contradicted_keys(evidence)]
    if evidence.rule in LABEL_FREE:
        found += [*_low_agreement(evidence)]
    return tuple(found)


def _few(evidence: Evidence) -> Iterator[str]:
    if evidence.weightless:
        yield "all given weights are 0: every voice counts alike"
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
    if evidence_items(voices, evidence.n_items, evidence.graded) < ENOUGH_ITEMS:
        yield (
            "the confidence is the prior's, not this crew's:"
            f" it needs {ENOUGH_ITEMS:g} items of three voices, or graded ones"
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
    if evidence.doubted:
        rows = ", ".join(map(str, evidence.doubted))
        yield (
            f"probes with wrong keys suspected (rows {rows}): agents agree on another answer;"
            " they do not count"
        )
    if evidence.probes is not None and evidence.probes.unlikely:
        used = "" if evidence.rule == "probes" else "; trust does not come from them"
        yield (
            "the better half of the agents give less than a third of the known answers: their keys"
            f" may be wrong{used}"
        )


def _contradicted_keys(evidence: Evidence) -> Iterator[str]:
    """Compare trust from known answers with that from agreement, both before their power."""
    if evidence.n_items < FEWEST_ITEMS or len(evidence.rates) < 3:
        return
    known, agreed = (w ** (1 / POWER) for w in (evidence.weights, agreement_trust(evidence.rates)))
    if (known - known.mean()) @ (agreed - agreed.mean()) < -1e-9:
        yield (
            "known answers trust whom agreement distrusts: either their keys are wrong, or a large"
            " part of the crew errs alike"
        )


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
