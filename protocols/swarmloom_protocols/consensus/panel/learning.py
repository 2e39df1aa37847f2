"""Learning of the latent-difficulty panel: expectation maximisation over the paid answers.

The E-step shares every answer out over {right, empty, popular wrong, other wrong} and every task
over the difficulty classes (Dawid and Skene 1979, with the hidden classes of
`likelihood`); graded tasks count fully, ungraded ones with a weight that falls as grades
come in. The M-step is empirical Bayes: counts are shrunk towards ``sigmoid(ability + slope * z)``
with an ability per expert fitted to the data and its uncertainty integrated out, topics towards
all topics.

Stated confidence is too high where errors are shared in more ways than through one popular wrong
option: by 7 to 9 points on the 29 models of MMLU-Pro at 5 % graded tasks, by 2 to 3 on the 41 of
GSM8K (`reports.calibration` compares it with the grades).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from swarmloom.jit import kernel
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray
from swarmloom_protocols.consensus.panel.likelihood import NOTHING, OTHER, POPULAR, RIGHT
from swarmloom_protocols.consensus.panel.records import Distinct, History, distinct_tasks
from swarmloom_protocols.consensus.panel.settings import PanelSettings

__all__ = [
    "Counts",
    "FormerRates",
    "History",
    "Learner",
    "Rates",
    "responsibilities",
    "share_out",
    "shifted_rates",
    "weigh_task",
]


_FIRST_ABILITY = 0.3
"""Ability in logits that an expert of middling price is given before any answer."""


class Counts(NamedTuple):
    """Expected counts of one E-step.

    Attributes
    ----------
    outcome : float64[experts, classes, 4]
    difficulty : float64[topics, classes]
    right, expected, calls : float64[topics, experts]
        Right answers, right answers expected without the topic's own offset, and calls.
    """

    outcome: FloatArray
    difficulty: FloatArray
    right: FloatArray
    expected: FloatArray
    calls: FloatArray


class Rates(NamedTuple):
    """Parameters of the model.

    Attributes
    ----------
    outcome : float64[experts, classes, 4]
        Probabilities of {right, empty, popular wrong, other wrong} over all topics.
    topical : float64[topics, experts, classes, 4]
        The same with each topic's offset.
    difficulty : float64[topics, classes]
    ability : float64[experts]
        Logit of being right on a task of middling difficulty.
    """

    outcome: FloatArray
    topical: FloatArray
    difficulty: FloatArray
    ability: FloatArray


class FormerRates(NamedTuple):
    """Experts as they were before they turned bad: what they said then still tells the truth.

    Attributes
    ----------
    outcome : float64[former, classes, 4]
    topical : float64[topics, former, classes, 4]
        As in `Rates`.
    """

    outcome: FloatArray
    topical: FloatArray


@kernel
def share_out(
    history: History,
    difficulty: FloatArray,
    log_rates: FloatArray,
    log_pairs: FloatArray,
    right_rate: FloatArray,
    ungraded_weight: float,
    distinct: Distinct,
    counts: Counts,
) -> None:
    """Add the expected counts of all tasks to ``counts`` (the E-step).

    Parameters
    ----------
    history : History
    difficulty : float64[topics, classes]
    log_rates : float64[topics, experts, classes, 4]
    log_pairs : float64[topics, experts, classes]
        Logarithm of the whole wrong rate, which two-option tasks need.
    right_rate : float64[experts, classes]
        Right rates without topic offsets, for ``counts.expected``.
    ungraded_weight : float
    distinct : Distinct
        Of the history.
    counts : Counts
        Added to in place.
    """
    classes = difficulty.shape[1]
    options = 2 + max(_largest(history.answer), _largest(history.truth))
    right = np.empty((options, classes))
    popular = np.empty((options, classes))
    base = np.empty(classes)
    for place in range(distinct.task.shape[0]):
        task = distinct.task[place]
        n_options = history.n_options[task]
        weight = distinct.repeats[place] * (ungraded_weight if history.truth[task] < 0 else 1.0)
        if n_options < 2 or weight == 0.0:
            continue
        topic = history.topic[task]
        base[:] = np.log(difficulty[topic])
        named = weigh_task(history, task, log_rates[topic], log_pairs[topic], base, right, popular)
        truth = history.truth[task]
        responsibilities(base, right[: named + 1], popular[: named + 1], n_options, truth)
        _add_task(history, task, weight, base, right, popular, right_rate, counts)


@kernel
def _largest(numbers: IntArray) -> int:
    """Largest entry, -1 for none."""
    largest = -1
    for number in numbers:
        largest = max(largest, number)
    return int(largest)


@kernel
def weigh_task(
    history: History,
    task: int,
    log_rates: FloatArray,
    log_pairs: FloatArray,
    base: FloatArray,
    right: FloatArray,
    popular: FloatArray,
) -> int:
    """Fill log weights of one task; return its number of distinct answers, truth included."""
    start, end = history.first[task], history.first[task + 1]
    n_options = history.n_options[task]
    named = history.truth[task] + 1
    for call in range(start, end):
        named = max(named, history.answer[call] + 1)
    right[: named + 1] = 0.0
    popular[: named + 1] = 0.0
    spread = np.log(max(n_options, named) - 2.0) if max(n_options, named) > 2 else 0.0
    for call in range(start, end):
        expert, option = history.expert[call], history.answer[call] + 1
        for z in range(base.shape[0]):
            if option == 0:
                base[z] += log_rates[expert, z, NOTHING]
                continue
            lured, other = log_rates[expert, z, POPULAR], log_rates[expert, z, OTHER] - spread
            if n_options == 2:
                lured = other = log_pairs[expert, z]
            base[z] += other
            right[option, z] += log_rates[expert, z, RIGHT] - other
            popular[option, z] += lured - other
    return int(named)


@kernel
def responsibilities(
    base: FloatArray, right: FloatArray, popular: FloatArray, n_options: int, truth: int
) -> None:
    """Turn log weights into posteriors in place.

    ``base`` becomes P(z), ``right`` P(z, o) and ``popular`` P(z, d), each given the answers (and
    the truth, where it is known). Entry 0 stands for all unnamed options together.
    """
    unnamed = max(n_options - right.shape[0] + 1, 0)
    for z in range(base.shape[0]):
        top_right, top_popular = right[:, z].max(), popular[:, z].max()
        base[z] += top_right + top_popular
        right[:, z] = np.exp(right[:, z] - top_right)
        popular[:, z] = np.exp(popular[:, z] - top_popular)
    base[:] = np.exp(base - base.max())
    for z in range(base.shape[0]):
        base[z] = _share_class(base[z], right[:, z], popular[:, z], unnamed, truth)
    total = base.sum()
    if total > 0.0:
        base /= total
        right /= total
        popular /= total


@kernel
def _share_class(
    weight: float, right: FloatArray, popular: FloatArray, unnamed: int, truth: int
) -> float:
    """Replace one class's ratios by the joint weights of truth and popular wrong option."""
    joint_right = np.zeros(right.shape[0])
    joint_popular = np.zeros(right.shape[0])
    for option in range(right.shape[0]):
        if truth >= 0 and option != truth + 1:
            continue
        for other in range(right.shape[0]):
            joint = weight * right[option] * popular[other] * _pairs(option, other, unnamed)
            joint_right[option] += joint
            joint_popular[other] += joint
    right[:] = joint_right
    popular[:] = joint_popular
    return float(joint_right.sum())


@kernel
def _pairs(option: int, other: int, unnamed: int) -> float:
    """In how many ways two entries can be two different options."""
    if option == 0 and other == 0:
        return unnamed * max(unnamed - 1.0, 0.0)
    if option == other:
        return 0.0
    return float(unnamed) if option == 0 or other == 0 else 1.0


@kernel
def _add_task(
    history: History,
    task: int,
    weight: float,
    base: FloatArray,
    right: FloatArray,
    popular: FloatArray,
    right_rate: FloatArray,
    counts: Counts,
) -> None:
    """Add one task's posteriors to the counts."""
    topic = history.topic[task]
    for z in range(base.shape[0]):
        counts.difficulty[topic, z] += weight * base[z]
    for call in range(history.first[task], history.first[task + 1]):
        expert, option = history.expert[call], history.answer[call] + 1
        counts.calls[topic, expert] += weight
        for z in range(base.shape[0]):
            counts.expected[topic, expert] += weight * base[z] * right_rate[expert, z]
            if option == 0:
                counts.outcome[expert, z, NOTHING] += weight * base[z]
                continue
            other = max(base[z] - right[option, z] - popular[option, z], 0.0)
            counts.right[topic, expert] += weight * right[option, z]
            counts.outcome[expert, z, RIGHT] += weight * right[option, z]
            counts.outcome[expert, z, POPULAR] += weight * popular[option, z]
            counts.outcome[expert, z, OTHER] += weight * other


@dataclass(frozen=True)
class Learner:
    """The M-step and the loop around it.

    Parameters
    ----------
    lean : float64[experts]
        Prior offset of each expert's ability, from its price.
    classes, slope, strength : int, float, float
        Difficulty classes, logits from the middle to the easiest class, and the weight of the
        prior in pseudo-answers a class.
    ability_spread : float
        Standard deviation of abilities around their mean plus ``lean``, in logits.
    prior_experts : float
        Pseudo-experts that shrink the mean of abilities towards the first ability.
    topic_strength : float
        Calls at which a topic's offset of an expert is halved.
    difficulty_strength : float
        Pseudo-tasks that shrink a topic's difficulty towards all topics'.
    doubted : bool[experts]
        Who has turned bad: the curve that abilities follow weighs a tenth for them, for an expert
        that answers at random is bad at easy tasks, too.
    """

    lean: FloatArray
    classes: int
    slope: float
    strength: float
    ability_spread: float
    prior_experts: float
    topic_strength: float
    difficulty_strength: float
    doubted: BoolArray

    @classmethod
    def of_settings(cls, prices: FloatArray, settings: PanelSettings) -> Learner:
        """Make a learner; dearer experts start as abler ones."""
        log_price = np.log(np.maximum(prices, max(1e-3 * prices.mean(), 1e-300)))
        spread = log_price.std()
        lean = (log_price - log_price.mean()) / spread if spread > 1e-9 else 0.0 * log_price
        return cls(
            settings.price_lean * lean,
            settings.classes,
            settings.slope,
            settings.prior_strength,
            settings.ability_spread,
            settings.prior_experts,
            settings.topic_strength,
            settings.difficulty_strength,
            np.zeros(prices.shape[0], np.bool_),
        )

    def doubt(self, expert: int, fall: float) -> None:
        """Expect an expert to be ``fall`` logits less able than its like, and not like them."""
        if not self.doubted[expert]:
            self.lean[expert] -= fall
            self.doubted[expert] = True

    @property
    def levels(self) -> FloatArray:
        """Ease of the classes in logits, hardest first."""
        return self.slope * np.linspace(-1.0, 1.0, self.classes)

    def start(self, n_topics: int) -> Rates:
        """Return the rates before any answer."""
        return self._rates(self.no_counts(n_topics, self.lean.shape[0]), self.lean + _FIRST_ABILITY)

    def no_counts(self, n_topics: int, n_experts: int) -> Counts:
        """Return counts of zero."""
        return Counts(
            np.zeros((n_experts, self.classes, 4)),
            np.zeros((n_topics, self.classes)),
            *(np.zeros((n_topics, n_experts)) for _ in range(3)),
        )

    def refit(
        self,
        rates: Rates,
        history: History,
        ungraded_weight: float,
        sweeps: int,
        former: FormerRates,
    ) -> Rates:
        """Run ``sweeps`` rounds of expectation maximisation from ``rates``.

        Experts of ``history`` beyond the last are those of ``former``, whose rates stand.
        """
        distinct = distinct_tasks(history)
        for _ in range(sweeps):
            outcome = np.concatenate([rates.outcome, former.outcome])
            topical = np.concatenate([rates.topical, former.topical], axis=1)
            counts = self.no_counts(*topical.shape[:2])
            share_out(
                history,
                rates.difficulty,
                np.log(topical),
                np.log(topical[..., POPULAR] + topical[..., OTHER]),
                np.ascontiguousarray(outcome[..., RIGHT]),
                ungraded_weight,
                distinct,
                counts,
            )
            counts = _of_first(counts, self.lean.shape[0])
            rates = self._rates(counts, self._abilities(counts, rates.ability))
        return rates

    def _abilities(self, counts: Counts, ability: FloatArray) -> FloatArray:
        """Fit the abilities by Newton steps on their posterior (logistic, normal prior)."""
        right = counts.outcome[..., RIGHT]
        calls = counts.outcome.sum(axis=-1)
        precision = self.ability_spread**-2.0
        trust = _trust(calls)
        # Without the pseudo-experts the mean of a few abilities would follow them anywhere, and
        # carry what one expert earned over to those nobody has asked.
        shares = np.append(trust, self.prior_experts) / (trust.sum() + self.prior_experts)
        for _ in range(4):
            centre = np.append(ability - self.lean, _FIRST_ABILITY) @ shares + self.lean
            chance = _sigmoid(ability[:, None] + self.levels)
            slope = (right - calls * chance).sum(axis=1) - precision * (ability - centre)
            step = slope / self._curvature(calls, chance)
            ability = ability + np.clip(step, -1.0, 1.0)
        return ability

    def _curvature(self, calls: FloatArray, chance: FloatArray) -> FloatArray:
        """Negative second derivative of each ability's log posterior, its centre given."""
        information = (calls * chance * (1.0 - chance)).sum(axis=1)
        curvature: FloatArray = information + self.ability_spread**-2.0
        return curvature

    def _curve(self, counts: Counts, ability: FloatArray) -> FloatArray:
        """Right rate of each expert and class, the uncertainty of its ability integrated out.

        Laplace's variance of the ability, that of the centre added as far as the ability hangs on
        it, moderates the logits (MacKay 1992, "The evidence framework applied to classification
        networks", moderated output): who gave few answers is believed moderately.
        """
        calls = counts.outcome.sum(axis=-1)
        curvature = self._curvature(calls, _sigmoid(ability[:, None] + self.levels))
        hangs = self.ability_spread**-2.0 / curvature
        centre = self.ability_spread**2.0 / (_trust(calls).sum() + self.prior_experts)
        variance = 1.0 / curvature + hangs**2.0 * centre
        logits = ability[:, None] + self.levels
        curve: FloatArray = _sigmoid(logits / np.sqrt(1.0 + np.pi / 8.0 * variance[:, None]))
        return curve

    def _rates(self, counts: Counts, ability: FloatArray) -> Rates:
        outcome = self._outcome_rates(counts.outcome, self._curve(counts, ability))
        offset = self._topic_offsets(counts)
        return Rates(
            outcome,
            shifted_rates(outcome, offset[..., None]),
            self._difficulties(counts.difficulty),
            ability,
        )

    def _outcome_rates(self, outcome: FloatArray, chance: FloatArray) -> FloatArray:
        """Shrink outcome counts towards the ability curve and the experts' common way to fail."""
        pooled = outcome.sum(axis=(0, 1)) + np.array([0.0, 1.0, 8.0, 11.0])
        failures = pooled[1:] / pooled[1:].sum()
        prior = np.concatenate([chance[..., None], (1.0 - chance)[..., None] * failures], axis=-1)
        strength = self.strength * np.where(self.doubted, 0.1, 1.0)
        weighed = outcome + strength[:, None, None] * prior
        rates: FloatArray = weighed / weighed.sum(axis=-1, keepdims=True)
        return rates

    def _topic_offsets(self, counts: Counts) -> FloatArray:
        calls = counts.calls
        observed = _logit((counts.right + 0.5) / (calls + 1.0))
        expected = _logit((counts.expected + 0.5) / (calls + 1.0))
        return calls / (calls + self.topic_strength) * (observed - expected)

    def _difficulties(self, counts: FloatArray) -> FloatArray:
        overall = counts.sum(axis=0) + 2.0
        overall = overall / overall.sum()
        weighed = counts + self.difficulty_strength * overall
        difficulties: FloatArray = weighed / weighed.sum(axis=-1, keepdims=True)
        return difficulties


def _of_first(counts: Counts, experts: int) -> Counts:
    """Leave out the counts of former experts, whose rates are not learned any more."""
    return counts._replace(
        outcome=counts.outcome[:experts],
        right=counts.right[:, :experts],
        expected=counts.expected[:, :experts],
        calls=counts.calls[:, :experts],
    )


def shifted_rates(outcome: FloatArray, offset: FloatArray) -> FloatArray:
    """Move right rates by logits, the failures keeping their shares.

    Parameters
    ----------
    outcome : float64[..., experts, classes, 4]
    offset : float64[..., experts, classes or 1]
        Broadcast against the right rates.

    Returns
    -------
    float64[..., experts, classes, 4]
    """
    right = outcome[..., RIGHT]
    moved = _sigmoid(_logit(right) + offset)
    rest = (1.0 - moved) / (1.0 - right)
    shifted: FloatArray = outcome * rest[..., None]
    shifted[..., RIGHT] = moved
    return shifted


def _trust(calls: FloatArray) -> FloatArray:
    """Weight of each expert in the mean of abilities, from its calls of every class."""
    evidence = calls.sum(axis=1)
    trust: FloatArray = evidence / (evidence + 4.0)
    return trust


def _sigmoid(logit: FloatArray) -> FloatArray:
    return 1.0 / (1.0 + np.exp(-logit))


def _logit(chance: FloatArray) -> FloatArray:
    return np.log(chance) - np.log1p(-chance)
