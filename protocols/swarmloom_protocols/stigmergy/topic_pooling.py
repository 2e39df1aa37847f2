"""What is known of near topics as the prior of a topic, as far as that has proved right.

Topics are placed by an embedding. What was seen on a topic u counts for a topic t by the kernel
k(t, u) = exp(−(1 − cos(t, u)) / w), as in kernel-smoothed (Nadaraya 1964, Watson 1964) estimates
of a rate. Whether near topics really are alike, how near they must be (the width w) and how much
they may count together at most is not known beforehand: a few candidates, "not at all" among them,
predict each observation before it is learned from, and each weighs as much as its predictions have
been worth (Bayesian model averaging over the prequential likelihood, Dawid 1984).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive
from swarmloom_protocols.stigmergy.success_rates import RATE_MARGIN
from swarmloom_protocols.stigmergy.topic_map import TopicMap
from swarmloom_protocols.stigmergy.trails import TrailTable

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["CANDIDATES", "Candidate", "TopicPooling"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Counts = tuple[Float64Array, Float64Array]

_STATE_VERSION = 1
# A candidate that weighs less is left out; what is missing stays with "not at all".
_LEAST_WEIGHT = 1e-4
# Rows of the running sums: each expert's, and the crew's.
_EXPERTS, _CREW = 0, 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way in which near topics may count.

    Attributes
    ----------
    width : float
        Width w of the kernel, in units of cosine (> 0).
    cap : float
        Observations that all near topics together count for at most.
    """

    width: float
    cap: float


CANDIDATES = tuple(Candidate(width, cap) for width in (0.05, 0.15, 0.5) for cap in (8.0, 64.0))
"""From "nearly the same name" to "the same field"; from a hint to what nearly decides."""


class TopicPooling:
    """Prior of each topic from its near topics, with learned weights.

    Parameters
    ----------
    topics : TopicMap
        Where the topics lie.
    depositors : mapping of int to float
        Whose trails the candidates are judged by, and the weight of each: nobody who could forge.
    half_life : float or None
        Finished tasks after which an amount is worth half; None keeps amounts for ever.
    topic_prior, expert_prior : float
        As for `TrailTable`.
    candidates : sequence of Candidate
        Beside "near topics count nothing"; all start with the same weight.

    Notes
    -----
    With s and n the kernel-weighted successes and observations of near topics, m the expert's rate
    over all topics and τ = `topic_prior`, a candidate's prior is worth (s + τm)·f successes and
    (n − s + τ(1 − m))·f failures, f = min(1, max(cap, τ) / (n + τ)). Without near topics, and with
    no weight on any candidate, that is the plain prior, τm and τ(1 − m), to the last bit.

    Judging one observation costs O(neighbours · candidates), whatever is stored; a prior costs
    O(T · E) and what the near topics' trails take.
    """

    def __init__(
        self,
        topics: TopicMap,
        depositors: Mapping[int, float],
        *,
        half_life: float | None = None,
        topic_prior: float = 4.0,
        expert_prior: float = 4.0,
        candidates: Sequence[Candidate] = CANDIDATES,
    ) -> None:
        self.topics = topics
        self._depositors = dict(depositors)
        self._topic_prior = positive("topic_prior", topic_prior)
        self._expert_prior = positive("expert_prior", expert_prior)
        self._widths = np.array([positive("width", one.width) for one in candidates])
        caps = np.array([positive("cap", one.cap) for one in candidates])
        self._caps = np.maximum(caps, topic_prior)
        # The last one is "not at all".
        self._log_likelihood = np.zeros(len(caps) + 1)
        # Each expert's sums and the crew's, kept as they come: the trails' own would be added up
        # anew for every observation.
        self._sums = TrailTable(half_life=half_life)

    # -- learning -------------------------------------------------------------------------------

    def observe(
        self, trails: TrailTable, topic: str, expert: int, right: float, weight: float
    ) -> None:
        """Let every candidate predict an observation that the trails do not hold yet.

        Parameters
        ----------
        trails : TrailTable
            What is known so far.
        topic : str
            One that is placed; its row in the map is its row in the trails.
        expert : int
            Row.
        right : float
            How likely the answer was right, in [0, 1].
        weight : float
            Observations it counts for (≥ 0).
        """
        self._sums.advance(trails.now - self._sums.now)
        near, cosines = self.topics.near(topic)
        if len(near):
            rows = np.append(near, self.topics.row(topic))
            cells = sum(w * trails.amounts(rows, expert, d) for d, w in self._depositors.items())
            self._judge(np.asarray(cells), cosines, self._rate(expert), right, weight)
        for place, column in ((_EXPERTS, expert), (_CREW, 0)):
            self._sums.deposit(place, column, 0, weight * right, weight * (1.0 - right))

    def _judge(
        self, cells: Float64Array, cosines: Float64Array, expected: float, right: float,
        weight: float,
    ) -> None:  # fmt: skip
        """Add what each candidate's prediction was worth; `cells` ends with the topic's own."""
        kernel = np.exp((cosines - 1.0) / self._widths[:, None])
        plain = self._topic_prior * np.array([expected, 1.0 - expected])
        near = kernel @ cells[:, :-1].T + plain
        near *= np.minimum(1.0, self._caps / near.sum(axis=1))[:, None]
        success, failure = (np.vstack([near, plain]) + cells[:, -1]).T
        rate = np.clip(success / (success + failure), RATE_MARGIN, 1.0 - RATE_MARGIN)
        log_score = right * np.log(rate) + (1.0 - right) * np.log1p(-rate)
        self._log_likelihood += weight * log_score

    def _rate(self, expert: int) -> float:
        """Rate of an expert over all topics, shrunk to the crew's and that to one half."""
        rate = 0.5
        for place, column in ((_CREW, 0), (_EXPERTS, expert)):
            success, failure = self._sums.amounts([place], column, 0)[:, 0].tolist()
            prior = self._expert_prior
            rate = (success + prior * rate) / (success + failure + prior)
        return rate

    @property
    def weights(self) -> Float64Array:
        """Weight of each candidate, the last one "not at all"; they sum to 1."""
        weights = np.exp(self._log_likelihood - self._log_likelihood.max())
        shares: Float64Array = weights / weights.sum()
        return shares

    # -- reading --------------------------------------------------------------------------------

    def prior(self, trails: TrailTable, topics: Sequence[str], experts: IntArray) -> Counts:
        """Give pseudo-counts that stand for what is known of topics from elsewhere.

        Parameters
        ----------
        trails : TrailTable
        topics : sequence of str, length T
            Need not be placed.
        experts : ndarray of int64, shape (E,)

        Returns
        -------
        success, failure : ndarray of float64, shape (T, E)
            Or (E,), what each expert's rate over all topics counts for, where none of the topics
            has near ones that count.
        """
        expected = trails.expert_rates(experts)
        plain = self._topic_prior * expected, self._topic_prior * (1.0 - expected)
        weights = self.weights[:-1]
        counting = np.flatnonzero(weights > _LEAST_WEIGHT)
        if not len(counting):
            return plain
        near, cosines = self.topics.cosines(topics)
        if not len(near):
            return plain
        widths, of_width = np.unique(self._widths[counting], return_inverse=True)
        known = _smoothed(cosines, widths, trails.sparse_counts(near, experts))
        success, failure = (np.tile(amount, (len(topics), 1)) for amount in plain)
        for one, width in zip(counting.tolist(), of_width.tolist(), strict=True):
            right, wrong = (known[width, side] + plain[side] for side in (0, 1))
            share = np.minimum(1.0, self._caps[one] / (right + wrong))
            success += weights[one] * (right * share - plain[0])
            failure += weights[one] * (wrong * share - plain[1])
        return success, failure

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Give what the candidates' predictions were worth; the topics' places are not part."""
        return {
            "version": _STATE_VERSION,
            "log_likelihood": self._log_likelihood.copy(),
            "sums": self._sums.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace what was learned by what `state` gave.

        Raises
        ------
        InputError
            If the state is of another version or of other candidates; nothing has changed.
        """
        if state.get("version") != _STATE_VERSION:
            raise InputError(
                f"topic pooling of version {state.get('version')}; known: {_STATE_VERSION}"
            )
        learned = np.array(state["log_likelihood"], dtype=np.float64)
        if learned.shape != self._log_likelihood.shape or not np.isfinite(learned).all():
            raise InputError(
                f"topic pooling: log_likelihood has shape {learned.shape}; allowed: "
                f"{self._log_likelihood.shape} finite numbers"
            )
        self._sums.restore(state["sums"])
        self._log_likelihood = learned


def _smoothed(
    cosines: sparse.csr_array, widths: Float64Array, known: sparse.csr_array
) -> Float64Array:
    """Weigh what is known of near topics by the kernels, shape (widths, 2, T, E)."""
    from scipy import sparse

    tasks, near = cosines.shape
    kernels = np.exp((cosines.data - 1.0) / widths[:, None])
    columns = np.tile(cosines.indices, len(widths))
    starts = np.arange(len(widths))[:, None] * cosines.nnz + cosines.indptr[:-1]
    ends = np.append(starts.ravel(), kernels.size)
    # One product for all widths: most of what a small one costs is its start.
    weights = sparse.csr_array((kernels.ravel(), columns, ends), shape=(len(widths) * tasks, near))
    counts: Float64Array = (weights @ known).toarray()
    return counts.reshape(len(widths), tasks, 2, -1).transpose(0, 2, 1, 3)
