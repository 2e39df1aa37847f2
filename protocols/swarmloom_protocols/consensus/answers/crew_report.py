"""A report on a crew's answers: independence, redundancy, calibration, gain."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.agree import agree
from swarmloom_protocols.consensus.answers.agreement import agreement, chance_rates, pair_sums
from swarmloom_protocols.consensus.answers.ballots import Groups, ballots, compact
from swarmloom_protocols.consensus.answers.independence import effective_voters
from swarmloom_protocols.consensus.answers.jury import condorcet
from swarmloom_protocols.consensus.answers.reliability import (
    Reliability,
    auroc2,
    reliability,
    right_at_coverage,
)
from swarmloom_protocols.consensus.answers.shared_errors import (
    SharedErrors,
    clone_clusters,
    cluster_members,
    shared_errors,
)

__all__ = ["CrewReport", "EnsembleGain", "RedundantPair", "crew_report"]

# Pairs reported: those clearly beyond chance, at most as many as there are agents.
REDUNDANT_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class RedundantPair:
    """Two agents that make the same mistakes.

    Attributes
    ----------
    first, second : int
        Their rows.
    score : float
        Share of joint errors alike beyond chance; 1 for copies, 0 as others do.
    deviations : float
        The same in standard deviations.
    shared, both_wrong : int
        Errors alike, and items on which both erred.
    """

    first: int
    second: int
    score: float
    deviations: float
    shared: int
    both_wrong: int


@dataclass(frozen=True, slots=True)
class EnsembleGain:
    """What voting together gained, where the truth is known.

    Attributes
    ----------
    verdict, majority, best, mean : float
        Accuracy of the verdicts, of the plain majority, of the best agent, of the mean agent;
        that of an agent is on the items that it answered.
    over_best, over_mean : float
        Verdict less best, verdict less mean.
    independent_jury : float
        What as many independent voters of the mean accuracy would reach between two answers
        (Condorcet).
    """

    verdict: float
    majority: float
    best: float
    mean: float
    over_best: float
    over_mean: float
    independent_jury: float


@dataclass(frozen=True)
class CrewReport:
    """What a crew's answers say about the crew.

    Attributes
    ----------
    n_items, n_agents : int
        Sizes.
    effective_voters : float
        Independent voters that the crew is worth, all voices equal; from the truth where it is
        known, else from the verdicts, which comes out too high.
    redundant : tuple of RedundantPair
        The pairs that share most errors, highest score first.
    clusters : tuple of tuple of int
        Near-clones, the agents of each cluster of two or more.
    agreement : tuple of float
        Of each agent, the mean agreement with the others beyond chance; NaN without any.
    weights : tuple of float
        Trust that `agree` gives each agent.
    calibration : Reliability or None
        Of the confidence, where the truth of any item is known.
    auroc2 : float
        Chance that a right verdict has more confidence than a wrong one (½: none); NaN without
        truth, or where all verdicts are right or all wrong.
    right_at_half : float
        Accuracy on the half of the items with the most confidence; NaN without truth.
    gain : EnsembleGain or None
        Where the truth is known.
    warnings : tuple of str
        Of `agree`.
    """

    n_items: int
    n_agents: int
    effective_voters: float
    redundant: tuple[RedundantPair, ...]
    clusters: tuple[tuple[int, ...], ...]
    agreement: tuple[float, ...]
    weights: tuple[float, ...]
    calibration: Reliability | None
    auroc2: float
    right_at_half: float
    gain: EnsembleGain | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as numbers, strings, lists and dicts; None stands for NaN."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    """Return tuples as lists and NaN as None, all the way down."""
    if isinstance(value, float) and np.isnan(value):
        return None
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value


def crew_report(
    votes: ArrayLike,
    *,
    truth: ArrayLike | None = None,
    confidence: ArrayLike | None = None,
    groups: Groups | None = None,
) -> CrewReport:
    """Report on a crew's answers.

    Parameters
    ----------
    votes : array-like of int, shape (items, agents)
        Codes of answers within each item; −1 is no answer.
    truth : array-like of int, shape (items,), optional
        The right code of each item in the same coding; any other code where nobody gave it.
    confidence : array-like of float, shape (items,), optional
        Of the verdicts, to be judged; `agree`'s own by default.
    groups : sequence of hashable, length agents, optional
        Models behind the agents, as in `agree`; redundancy is reported whatever they are.

    Returns
    -------
    CrewReport

    Raises
    ------
    InputError
        Votes, truth, confidence or groups are malformed.
    """
    codes = ballots(votes)
    rates = agreement(pair_sums(codes, chance_rates(codes)))
    copies = clone_clusters(shared_errors(codes), rates)
    decision = agree(votes, groups=groups)
    verdicts = _own_codes(votes, decision.answers)
    key = None if truth is None else _own_codes(votes, _vector("truth", truth, len(codes)))
    # Copies that outvote the others would turn their own errors into the reference.
    single = agree(codes, groups=copies.tolist()).answers if key is None else key
    judged = decision.confidence if confidence is None else _confidence(confidence, len(codes))
    right = None if key is None or not len(codes) else (verdicts == key) & (verdicts >= 0)
    return CrewReport(
        len(codes),
        codes.shape[1],
        effective_voters(codes, verdicts if key is None else key),
        _redundant(shared_errors(codes, single)),
        cluster_members(copies),
        tuple(
            float(np.mean(row[~np.isnan(row)])) if (~np.isnan(row)).any() else np.nan
            for row in rates
        ),
        tuple(decision.weights.tolist()),
        None if right is None else reliability(judged, right),
        np.nan if right is None else auroc2(judged, right),
        np.nan if right is None else right_at_coverage(judged, right, 0.5),
        None if key is None or right is None else _gain(codes, key, right),
        decision.warnings,
    )


def _vector(name: str, values: ArrayLike, length: int) -> IntArray:
    vector = np.asarray(values)
    if vector.shape != (length,) or (vector.size and vector.dtype.kind not in "iu"):
        raise InputError(f"{name}: {vector.dtype} of shape {vector.shape}; allowed: a code an item")
    return vector.astype(np.int64)


def _confidence(values: ArrayLike, length: int) -> FloatArray:
    vector = np.asarray(values, np.float64)
    if vector.shape != (length,) or not ((vector >= 0.0) & (vector <= 1.0)).all():
        raise InputError(f"confidence: shape {vector.shape}; allowed: 0 to 1 for each item")
    return vector


def _own_codes(votes: ArrayLike, given: IntArray) -> IntArray:
    """Translate codes of the votes into compact ones; −1 where no agent gave them."""
    _, originals = compact(np.ascontiguousarray(votes, np.int64))
    matches = (originals == given[:, None]) & (originals >= 0)
    return np.where(matches.any(axis=1), matches.argmax(axis=1), -1)


def _redundant(errors: SharedErrors) -> tuple[RedundantPair, ...]:
    excess, deviations = errors.excess, errors.deviations
    found = [
        RedundantPair(
            int(i),
            int(j),
            float(excess[i, j]),
            float(deviations[i, j]),
            int(errors.alike[i, j]),
            int(errors.both[i, j]),
        )
        for i, j in np.argwhere(np.triu(deviations > REDUNDANT_DEVIATIONS, 1))
    ]
    ranked = sorted(found, key=lambda pair: -pair.score)
    return tuple(ranked[: len(excess)])


def _gain(codes: IntArray, key: IntArray, right: np.ndarray) -> EnsembleGain:
    hits, given = ((codes == key[:, None]) & (codes >= 0)).sum(axis=0), (codes >= 0).sum(axis=0)
    # An agent that was not asked has not erred; one that never was has no accuracy.
    each = hits[given > 0] / given[given > 0] if given.any() else np.zeros(1)
    plain = agree(codes, trust="majority").answers
    verdict, best, mean = float(right.mean()), float(each.max()), float(each.mean())
    majority = float(((plain == key) & (plain >= 0)).mean())
    jury = condorcet(codes.shape[1], mean)
    return EnsembleGain(verdict, majority, best, mean, verdict - best, verdict - mean, jury)
