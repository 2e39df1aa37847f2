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
from swarmloom_protocols.consensus.findings import Finding

__all__ = ["LABEL_FREE_KINDS", "Evidence", "findings_of"]

# Below this median agreement beyond chance, a colluding quarter can outweigh the honest: crews of
# nine have 0.25 to 0.44 on MMLU-Pro, where that happens, and 0.66 to 0.92 on GSM8K, where not.
LOWEST_AGREEMENT = 0.45
LARGEST_GROUP = 1.0 / 3.0
LARGEST_TRUST = 0.5
FEWEST_ITEMS = 20
# Only these rules weigh by what agents say of each other.
LABEL_FREE = ("agreement", "consensus", "degree", "majority")
# Kinds of findings that rest on agreement alone.
LABEL_FREE_KINDS = frozenset({"prior confidence", "one voice", "copies", "low agreement"})


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


def findings_of(evidence: Evidence) -> tuple[Finding, ...]:
    """Return each reason to doubt."""
    found = [*_few(evidence), *_grouped(evidence), *_clones(evidence), *_doubted_keys(evidence)]
    if evidence.rule == "probes":
        found += [*_failed_probes(evidence), *_contradicted_keys(evidence)]
    if evidence.rule in LABEL_FREE:
        found += [*_low_agreement(evidence)]
    return tuple(found)


def _few(evidence: Evidence) -> Iterator[Finding]:
    voices, items = len(evidence.rates), evidence.n_items
    if evidence.weightless:
        yield Finding("no weights", "all given weights are 0: every voice counts alike")
    if evidence.unanswered:
        text = f"{evidence.unanswered} item(s) without any answer have no verdict"
        yield Finding("unanswered items", text, figures={"items": evidence.unanswered})
    if voices < 3:
        text = f"{voices} voice(s): no majority can outvote a wrong one"
        yield Finding("few voices", text, figures={"voices": voices})
    elif evidence.rule in LABEL_FREE and items < FEWEST_ITEMS:
        text = f"trust from agreement needs about {FEWEST_ITEMS}, there are {items:g}"
        yield Finding("few items", f"too few items: {text}", figures={"items": items})
    seen = evidence_items(voices, items, evidence.graded)
    if seen < ENOUGH_ITEMS:
        text = "the confidence is the prior's, not this crew's: it needs"
        text = f"{text} {ENOUGH_ITEMS:g} items of three voices, or graded ones"
        yield Finding("prior confidence", text, figures={"items": seen})


def _grouped(evidence: Evidence) -> Iterator[Finding]:
    share = float(evidence.sizes.max() / evidence.sizes.sum())
    if evidence.sizes.max() > 1 and share > LARGEST_GROUP:
        text = f"one model answers for {share:.0%} of the agents; it votes once"
        yield Finding("large group", text, figures={"share": share})
    trust = float(evidence.weights.max())
    if len(evidence.weights) > 2 and trust > LARGEST_TRUST:
        text = f"one voice holds {trust:.0%} of the trust:"
        text = f"{text} the verdict is its answer wherever it answers"
        yield Finding("one voice", text, figures={"share": trust})


def _clones(evidence: Evidence) -> Iterator[Finding]:
    if evidence.errors is None:
        return
    clusters = cluster_members(clone_clusters(evidence.errors, evidence.rates))
    if clusters:
        text = "voices that answer like copies ({experts}): if they share a model, group them"
        yield Finding("copies", text, clusters)


def _doubted_keys(evidence: Evidence) -> Iterator[Finding]:
    if evidence.doubted:
        rows = ", ".join(map(str, evidence.doubted))
        text = f"probes with wrong keys suspected (rows {rows}): agents agree on another answer;"
        figures = {"items": len(evidence.doubted)}
        yield Finding("doubted keys", f"{text} they do not count", figures=figures)
    if evidence.probes is not None and evidence.probes.unlikely:
        least = "half" if evidence.probes.least_share >= 0.5 else "a third"
        text = f"the better half of the agents give less than {least} of the known answers: their"
        used = "" if evidence.rule == "probes" else "; trust does not come from them"
        yield Finding("unlikely keys", f"{text} keys may be wrong{used}")


def _contradicted_keys(evidence: Evidence) -> Iterator[Finding]:
    """Compare trust from known answers with that from agreement, both before their power."""
    if evidence.n_items < FEWEST_ITEMS or len(evidence.rates) < 3:
        return
    known, agreed = (w ** (1 / POWER) for w in (evidence.weights, agreement_trust(evidence.rates)))
    if (known - known.mean()) @ (agreed - agreed.mean()) < -1e-9:
        text = "known answers trust whom agreement distrusts: either their keys are wrong, or a"
        yield Finding("contradicted keys", f"{text} large part of the crew errs alike")


def _failed_probes(evidence: Evidence) -> Iterator[Finding]:
    if evidence.probes is not None and not evidence.probes.right.any():
        text = "no agent gave a single known answer rightly: their trust is a guess"
        yield Finding("failed probes", text)


def _low_agreement(evidence: Evidence) -> Iterator[Finding]:
    upper = evidence.rates[np.triu_indices(len(evidence.rates), 1)]
    known = upper[~np.isnan(upper)]
    median = float(np.median(known)) if known.size else np.inf
    if median < LOWEST_AGREEMENT:
        text = f"median agreement beyond chance is {median:.2f}, below {LOWEST_AGREEMENT}:"
        text = f"{text} without known answers, two bad agents of nine may take over; use 10 probes"
        yield Finding("low agreement", text, figures={"median": median})
