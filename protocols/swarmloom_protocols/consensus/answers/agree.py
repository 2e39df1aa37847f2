"""From the answers of a crew to a verdict on each item, with trust, certainty and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.agreement import agreement, chance_rates, pair_sums
from swarmloom_protocols.consensus.answers.ballots import (
    Groups,
    ballots,
    compact,
    group_ballots,
    group_rows,
    weights_of,
)
from swarmloom_protocols.consensus.answers.calibration import ShareCounts, posteriors
from swarmloom_protocols.consensus.answers.independence import effective_voters
from swarmloom_protocols.consensus.answers.probes import FEWEST_PROBES, Probes, options_seen
from swarmloom_protocols.consensus.answers.shared_errors import (
    SharedErrors,
    clone_clusters,
    cluster_members,
    sampled_errors,
)
from swarmloom_protocols.consensus.answers.tally import leaders, tallies
from swarmloom_protocols.consensus.answers.trust_rules import (
    POWER,
    agreement_trust,
    consensus_trust,
    degree_trust,
    extended,
    normalised,
    shrunk_accuracy,
)
from swarmloom_protocols.consensus.answers.trust_warnings import Evidence, findings_of
from swarmloom_protocols.consensus.findings import texts_of

__all__ = ["Decision", "Rule", "Seen", "agree", "chosen_trust"]

Rule = Literal["auto", "probes", "agreement", "consensus", "degree", "majority"]

# Agreement on fewer items says more about the items than about the agents.
FEWEST_ITEMS = 10
FEWEST_VOICES = 3


@dataclass(frozen=True)
class Decision:
    """Verdicts of a crew.

    Attributes
    ----------
    answers : ndarray of int64, shape (items,)
        The code of the verdict in the coding of the votes; −1 where nobody answered.
    posterior : tuple of ndarray of float64
        For each item, the probability of each distinct answer, in the order in which the agents
        gave them first; what is missing to 1 is "none of them". With groups, it ends with the last
        answer that is a group's voice; one before it that is outvoted within every group that
        gives it counts as an answer of weight 0.
    weights : ndarray of float64, shape (agents,)
        Trust of each agent: of its group, which votes once. The groups' weights sum to 1.
    confidence : ndarray of float64, shape (items,)
        Probability of the verdict; 0 where nobody answered.
    effective_voters : float
        Independent voices that the weighted crew is worth.
    rule : str
        Which rule gave the weights.
    warnings : tuple of str
        What the verdicts should not be trusted for.
    """

    answers: IntArray
    posterior: tuple[FloatArray, ...]
    weights: FloatArray
    confidence: FloatArray
    effective_voters: float
    rule: str
    warnings: tuple[str, ...]


def agree(
    votes: ArrayLike,
    *,
    groups: Groups | None = None,
    probes: Probes | tuple[ArrayLike, ArrayLike] | None = None,
    trust: Rule | ArrayLike = "auto",
    power: float = POWER,
    device: Device = "auto",
) -> Decision:
    """Decide on each item by a vote weighted with trust.

    Parameters
    ----------
    votes : array-like of int, shape (items, agents)
        Codes of answers, which mean something within their item only; −1 is no answer.
    groups : sequence of hashable, length agents, optional
        Names of the models behind the agents, None where unknown. Agents of one model err
        together: they vote among themselves first, and the model votes once.
    probes : Probes or (votes, key), optional
        Answers to items whose right answer is known, see `Probes.of_answers`.
    trust : {"auto", "probes", "agreement", "consensus", "degree", "majority"} or array, optional
        "auto" takes "probes" where an agent has 5 or more whose keys are not doubted (as a whole,
        see `Probes.unlikely`, unless voices answer like copies), else "agreement" where there are
        10 items and 3 voices or more, else "majority". An array has a weight for each agent; a
        group has that of its most trusted one.
    power : float, optional
        Of accuracy or agreement (> 0).
    device : {"auto", "cpu", "cuda"}, optional
        Where agreement is counted.

    Returns
    -------
    Decision
        Of answers that tie, the one whose first agent stands first; their equal probabilities
        show the tie.

    Raises
    ------
    InputError
        Votes, groups, probes or weights are malformed; the message says which and how.

    Notes
    -----
    Probabilities come from `swarmloom_protocols.consensus.answers.calibration`.
    """
    codes = ballots(votes)
    rows = group_rows(groups, codes.shape[1])
    voiced = codes if groups is None else group_ballots(codes, rows)
    known = _known(probes, codes.shape[1])
    if known is not None:
        # Before the doubt: agents of one model are one witness against a key.
        known = known if groups is None else known.grouped(rows)
        known = known.seen_with(options_seen(voiced))
    of_groups = None if known is None else known.undoubted()
    rates = agreement(pair_sums(voiced, chance_rates(voiced), device=device))
    errors, weightless = sampled_errors(voiced), False
    if not isinstance(trust, str):
        weights, rule = _given(trust, rows), "given"
        weightless = not np.any(trust)
    else:
        seen = Seen(rates, len(codes), of_groups, errors)
        weights, rule = _learned(trust, voiced, seen, positive("power", power))
    silent, doubted = int((codes < 0).all(axis=1).sum()), known.suspects if known else ()
    sizes = np.bincount(rows)
    graded = None if of_groups is None or (of_groups.unlikely and rule != "probes") else of_groups
    evidence = Evidence(
        rates,
        weights,
        sizes,
        len(codes),
        rule,
        of_groups,
        doubted,
        errors,
        silent,
        graded.n_items if graded else 0.0,
        weightless,
    )
    warnings = texts_of(findings_of(evidence))
    return _decision(votes, voiced, weights, weights[rows], rule, graded, warnings)


def _known(probes: Probes | tuple[ArrayLike, ArrayLike] | None, n_agents: int) -> Probes | None:
    if isinstance(probes, list | tuple) and len(probes) == 2:
        known: Probes | None = Probes.of_answers(*probes)
    elif probes is None or isinstance(probes, Probes):
        known = probes
    else:
        raise InputError(f"probes: {type(probes).__name__}; allowed: Probes or (votes, key)")
    if known is not None and known.asked.size != n_agents:
        raise InputError(f"probes: {known.asked.size} agents; allowed: {n_agents}, as the votes")
    return known


def _given(trust: ArrayLike, rows: IntArray) -> FloatArray:
    """Return the weight of each group's most trusted agent, scaled to a sum of 1."""
    weights = np.zeros(int(rows.max()) + 1)
    np.maximum.at(weights, rows, weights_of(trust, rows.size))
    return normalised(weights)


@dataclass(frozen=True)
class Seen:
    """What trust is learned from.

    Attributes
    ----------
    rates : ndarray of float64, shape (voices, voices)
        Agreement beyond chance.
    n_items : float
        Items that it was counted on.
    probes : Probes or None
        Known answers of the same voices, without those whose key is doubted.
    errors : SharedErrors
        Errors that pairs of voices share.
    """

    rates: FloatArray
    n_items: float
    probes: Probes | None
    errors: SharedErrors

    @property
    def keys_are_doubted(self) -> bool:
        """Whether agreement is more credible than the known answers.

        Where voices answer like copies of one another it is not: they may well have colluded.
        """
        if self.probes is None or not self.probes.unlikely or not self.enough:
            return False
        return not cluster_members(clone_clusters(self.errors, self.rates))

    @property
    def enough(self) -> bool:
        """Whether there are items and voices enough for trust from agreement."""
        return self.n_items >= FEWEST_ITEMS and len(self.rates) >= FEWEST_VOICES


def _learned(trust: str, codes: IntArray, seen: Seen, power: float) -> tuple[FloatArray, str]:
    """Return the weights of the groups and the name of the rule that gave them."""
    if trust not in get_args(Rule):
        allowed = ", ".join(map(repr, get_args(Rule)))
        raise InputError(f"trust: {trust!r}; allowed: {allowed} or an array")
    if trust == "consensus":
        return consensus_trust(codes, power), trust
    return chosen_trust(trust, seen, power)


def chosen_trust(rule: str, seen: Seen, power: float = POWER) -> tuple[FloatArray, str]:
    """Return trust and the rule that gave it, from what is known of each pair and each agent.

    Parameters
    ----------
    rule : {"auto", "probes", "agreement", "degree", "majority"}
        As in `agree`.
    seen : Seen
        What is known.
    power : float, optional
        Of accuracy or agreement.

    Returns
    -------
    weights : ndarray of float64, shape (voices,)
        Sums to 1.
    rule : str
        "auto" resolved; "majority" also where no voice agrees with others more than by chance.

    Raises
    ------
    InputError
        The rule is "probes", and no agent has enough of them.
    """
    rates, probes = seen.rates, seen.probes
    tested = probes.asked >= FEWEST_PROBES if probes is not None else np.zeros(len(rates), bool)
    if rule == "probes" and not tested.any():
        raise InputError(
            f"probes: no agent has {FEWEST_PROBES} whose keys are not doubted; rule 'probes' needs"
            " them"
        )
    obeyed = rule == "probes" or (rule == "auto" and not seen.keys_are_doubted)
    if probes is not None and tested.any() and obeyed:
        accuracy = shrunk_accuracy(probes.right, probes.asked) ** power
        return extended(accuracy, tested, rates, power), "probes"
    if rule == "degree":
        return degree_trust(rates, power), "degree"
    if rule == "agreement" or (rule == "auto" and seen.enough):
        return agreement_trust(rates, power), "agreement"
    return normalised(np.ones(len(rates))), "majority"


def _decision(
    votes: ArrayLike,
    voiced: IntArray,
    weights: FloatArray,
    of_agents: FloatArray,
    rule: str,
    probes: Probes | None,
    warnings: Sequence[str],
) -> Decision:
    counts = ShareCounts()
    counts.add(voiced, weights)
    if probes is not None and probes.n_items:
        counts.add_graded(probes.codes, weights, probes.key)
    winners = leaders(voiced, tallies(voiced, weights))
    posterior = posteriors(voiced, weights, counts.fit(weights.size))
    confidence = [p[code] if code >= 0 else 0.0 for p, code in zip(posterior, winners, strict=True)]
    return Decision(
        _in_given_codes(votes, winners),
        posterior,
        of_agents,
        np.array(confidence, np.float64),
        effective_voters(voiced, winners, weights),
        rule,
        tuple(warnings),
    )


def _in_given_codes(votes: ArrayLike, winners: IntArray) -> IntArray:
    """Translate compact codes back into the codes of the votes."""
    _, originals = compact(np.ascontiguousarray(votes, np.int64))
    picked = originals[np.arange(len(winners)), np.maximum(winners, 0)]
    return np.where(winners >= 0, picked, -1)
