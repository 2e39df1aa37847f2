"""Watching for experts that have turned bad: a one-sided CUSUM on each one's answers.

Page's (1954, "Continuous inspection schemes") cumulative sum of log likelihood ratios: the model
as learned against the same model with the one expert's right rates `fall` logits lower. The ratio
of one task is an expectation under the posterior of the whole task,

    ratio[j] = sum_z P(z, j right) c'/c + P(z, j not right) (1 - c') / (1 - c),

which is what the *other* experts' answers, and the truth where it is known, say of this answer:
an answer given alone says no more than that its expert does not fail. Failures count as answers
that are not right, so that an expert which stops answering is found as well.

At an alarm the expert's history before the estimated change (where its sum last was zero) is to
be forgotten. Only the expert with the highest sum is accused, and all sums begin anew: while one
expert is bad, those that it contradicts look worse than they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.panel.learning import (
    History,
    Rates,
    responsibilities,
    shifted_rates,
    weigh_task,
)
from swarmloom_protocols.consensus.panel.likelihood import OTHER, POPULAR, RIGHT

__all__ = ["ChangeWatch", "fall_evidence", "trusted_evidence"]

_MOST = 2.0
"""Most evidence of a single task: the model's confidence is not to be taken at its word."""


@kernel
def fall_evidence(
    task: History,
    difficulty: FloatArray,
    log_rates: FloatArray,
    log_pairs: FloatArray,
    right_ratio: FloatArray,
    wrong_ratio: FloatArray,
) -> FloatArray:
    """Log likelihood ratio of one task's answers with each of its experts fallen.

    Parameters
    ----------
    task : History
        One task.
    difficulty : float64[topics, classes]
    log_rates : float64[topics, experts, classes, 4]
    log_pairs : float64[topics, experts, classes]
        As for `share_out`.
    right_ratio, wrong_ratio : float64[topics, experts, classes]
        Rate of right answers, and of everything else, after the fall over that before.

    Returns
    -------
    float64[calls]
        No task counts more than `_MOST`.
    """
    calls, topic = task.expert.shape[0], task.topic[0]
    named = max(task.truth[0], -1) + 1
    for call in range(calls):
        named = max(named, task.answer[call] + 1)
    right = np.empty((named + 1, difficulty.shape[1]))
    popular = np.empty((named + 1, difficulty.shape[1]))
    base = np.log(difficulty[topic])
    weigh_task(task, 0, log_rates[topic], log_pairs[topic], base, right, popular)
    responsibilities(base, right, popular, task.n_options[0], task.truth[0])
    evidence = np.empty(calls)
    for call in range(calls):
        expert, option = task.expert[call], task.answer[call] + 1
        ratio = 0.0
        for z in range(base.shape[0]):
            hit = right[option, z] if option > 0 else 0.0
            ratio += hit * right_ratio[topic, expert, z]
            ratio += max(base[z] - hit, 0.0) * wrong_ratio[topic, expert, z]
        evidence[call] = min(max(np.log(max(ratio, 1e-12)), -_MOST), _MOST)
    return evidence


@kernel
def trusted_evidence(
    evidence: FloatArray,
    experts: IntArray,
    labels: IntArray,
    calls: IntArray,
    topical: IntArray,
    weight: float,
    enough: float,
    strength: float,
) -> FloatArray:
    """Scale evidence by what is known of an expert: nothing before it has answered ``enough``.

    Parameters
    ----------
    evidence : float64[calls]
    experts : int64[calls]
    labels, calls : int64[experts]
        Graded answers, and all.
    topical : int64[experts]
        Answers on the task's topic: where an expert's own offset is not learned yet, a topic
        that it is bad at looks the same as being bad.
    weight : float
        What an ungraded answer weighs.
    enough, strength : float
        Answers before an expert is watched; answers at which its evidence on a topic is halved.
    """
    trusted = np.zeros(evidence.shape[0])
    for call in range(evidence.shape[0]):
        expert = experts[call]
        if labels[expert] + weight * (calls[expert] - labels[expert]) >= enough:
            trusted[call] = topical[expert] / (topical[expert] + strength) * evidence[call]
    return trusted


@kernel
def _add(
    total: FloatArray, begun: IntArray, item: int, experts: IntArray, evidence: FloatArray
) -> int:
    """Add evidence to the sums; return the expert of the highest one."""
    for call in range(experts.shape[0]):
        expert = experts[call]
        raised = total[expert] + evidence[call]
        if total[expert] == 0.0:
            begun[expert] = item
        total[expert] = max(raised, 0.0)
    return int(np.argmax(total))


class ChangeWatch:
    """Sums of evidence that experts have turned bad, and what came of them.

    Parameters
    ----------
    n_experts : int
    fall : float
        Logits by which the right rates of a changed expert are assumed to have fallen.
    limit : float
        Sum at which a change is reported.
    """

    def __init__(self, n_experts: int, fall: float, limit: float) -> None:
        self._fall, self._limit = fall, limit
        self._sum = np.zeros(n_experts)
        self._begun = np.zeros(n_experts, np.int64)
        self.since = np.zeros(n_experts, np.int64)
        """int64[experts]: first task from which an expert's answers are to be learned from."""
        self.found: list[tuple[int, int]] = []
        """Task number of the alarm and expert, of each change found."""

    def take_up(self, rates: Rates) -> None:
        """Watch against newly learned rates."""
        learned = rates.topical
        fallen = shifted_rates(learned, np.full((1, 1, 1), -self._fall))[..., RIGHT]
        self._difficulty = rates.difficulty
        self._right = fallen / learned[..., RIGHT]
        self._wrong = (1.0 - fallen) / (1.0 - learned[..., RIGHT])
        self._log_rates = np.log(learned)
        self._log_pairs = np.log(learned[..., POPULAR] + learned[..., OTHER])

    @property
    def log_rates(self) -> tuple[FloatArray, FloatArray]:
        """Logarithms of the rates taken up and of their wrong pairs, as `share_out` takes them."""
        return self._log_rates, self._log_pairs

    def evidence(self, task: History) -> FloatArray:
        """Logarithm of each expert's likelihood ratio on one task, as `fall_evidence` has it."""
        if task.n_options[0] < 2:
            return np.zeros(task.expert.shape[0])
        return fall_evidence(
            task, self._difficulty, self._log_rates, self._log_pairs, self._right, self._wrong
        )

    def add(self, item: int, experts: IntArray, evidence: FloatArray) -> int:
        """Add evidence of one task; return the expert found to have changed, or -1.

        What a late grade says of an expert before it changed is left out.
        """
        after = item >= self.since[experts]
        if not after.all():
            experts, evidence = experts[after], evidence[after]
        worst = _add(self._sum, self._begun, item, experts, evidence)
        if self._sum[worst] <= self._limit:
            return -1
        self.since[worst] = self._begun[worst]
        self.found.append((item, worst))
        self._sum[:] = 0.0
        return worst

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the sums and what was found, as arrays (copies)."""
        return {
            "sum": self._sum.copy(),
            "begun": self._begun.copy(),
            "since": self.since.copy(),
            "found": np.array(self.found, np.int64).reshape(-1, 2),
        }

    def resume(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        self._sum, self._begun = arrays["sum"].copy(), arrays["begun"].copy()
        self.since = arrays["since"].copy()
        self.found = [(int(item), int(expert)) for item, expert in arrays["found"]]
