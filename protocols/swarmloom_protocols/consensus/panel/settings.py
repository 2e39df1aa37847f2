"""Settings of the latent-difficulty panel."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from swarmloom.errors import InputError

__all__ = ["SHORTEST_REFIT", "PanelSettings"]

SHORTEST_REFIT = 5
"""Fewest tasks between two refits."""

_AT_LEAST_ONE = (
    "classes",
    "max_asks",
    "first_refit",
    "longest_refit",
    "pool_limit",
    "memory",
    "survey_tasks",
    "survey_asks",
)


@dataclass(frozen=True)
class PanelSettings:
    """Settings of a `Panel`.

    One set of defaults was measured on three kinds of panel (29 models on multiple choice, 41
    models on numbers, 12 small classifiers); only `target_cost` has to be chosen.

    Attributes
    ----------
    target_cost : float or None
        Mean cost of a task to hold, audits included, in the unit of the prices. ``None``: the
        price of money stays at `price_start`.
    classes : int
        Difficulty classes.
    slope : float
        Prior logits of being right between a middling and the easiest class.
    prior_strength : float
        Weight of the ability curve in pseudo-answers a class.
    ability_spread : float
        Prior standard deviation of abilities, in logits.
    prior_experts : float
        Weight of the first ability in the mean of abilities, in pseudo-experts. It keeps what one
        expert showed from being expected of another that nobody has asked.
    price_lean : float
        Prior logits of ability for one standard deviation of log price.
    topic_strength, difficulty_strength : float
        Answers at which a topic's offset of an expert is halved; pseudo-tasks that shrink a
        topic's difficulty towards that of all topics.
    ungraded_weight : float
        Ungraded tasks count ``ungraded_weight / (ungraded_weight + grades)``.
    first_refit, longest_refit : int
        Tasks before the first refit; the most tasks between two. In between, a refit is due after
        `refit_share` of the tasks so far, but at least 5.
    refit_share : float
    memory : int
        Only the latest so many tasks are learned from.
    max_asks : int
        Most experts asked on one task.
    depth, opening_depth : int
        Calls looked ahead (1 to 3), and the same before the first answer.
    width : int
        Candidates followed deeper inside a branch of a three-call look-ahead.
    pool_limit : int
        Most experts considered at a time.
    open_options : int
        Number of options assumed where a task's answer is free text.
    audit_share, audit_root, audit_unspent : float
        Audits may cost ``audit_share * spent + audit_root * sqrt(spent * sum of prices)`` and
        ``audit_unspent`` times what the target would have allowed to spend so far and was not.
    audit_doubt, audit_delay : float
        Experts are audited unless dominated by ``audit_doubt`` errors; outside the pool
        ``audit_delay`` times less often.
    jitter : float
        Standard deviation of the logits' exploration noise for an expert never asked.
    price_start, price_step, price_floor, price_ceiling : float
        The price of money at the start, its rate of change, its range: utility (probability of a
        right answer) per ``target_cost``, so that the unit of the prices does not matter; without
        a target per unit of cost. After an expert turned bad the rate is up to 12 times as high
        for 250 tasks.
    repay_tasks : float
        Tasks over which an overspent or unspent sum is worked off; three times as many once an
        expert has turned bad, for learning who stands in for it costs money.
    change_fall, change_limit : float
        An expert has turned bad when its answers are ``change_limit`` nats more likely with right
        rates ``change_fall`` logits lower (see `changes`); what it did before is forgotten then.
    change_answers : float
        Answers of an expert, as they weigh in learning, before it is watched.
    probation_grades, probation_tasks : int
        An expert that has turned bad is asked in audits alone until so many of its answers have
        been graded since, or so many tasks have passed, and longer where the grades say that it
        is worth less than half of all experts are (`pool.unproved`).
    survey_rounds, survey_tasks, survey_asks : int
        The panel begins with so many rounds of ``survey_tasks`` tasks: all experts are asked in
        the first, half of them in the next, and so on, but never more than ``survey_asks`` on one
        task (see `survey`). 0 rounds: no survey.
    survey_share : float
        While nothing is graded the survey goes on, by half of the experts, with this share of
        all money, and only its tasks are learned from.
    survey_cost : float
        Most money that this survey may cost, as a multiple of the target (without one, of the
        median price).
    correction_grades : int
        Latest graded verdicts that stated confidence is corrected by.
    prune_error, prune_price : float
        An expert leaves the pool when two others, no dearer, lead its estimated accuracy plus
        ``prune_price`` times the price difference by more than the error of the difference, one
        error being ``prune_error / sqrt(graded answers + 2)``.
    """

    target_cost: float | None = 1.0
    classes: int = 5
    slope: float = 3.0
    prior_strength: float = 100.0
    ability_spread: float = 0.7
    prior_experts: float = 3.0
    price_lean: float = 0.4
    topic_strength: float = 60.0
    difficulty_strength: float = 100.0
    ungraded_weight: float = 20.0
    first_refit: int = 10
    refit_share: float = 0.2
    longest_refit: int = 500
    memory: int = 20_000
    max_asks: int = 8
    depth: int = 2
    opening_depth: int = 3
    width: int = 4
    pool_limit: int = 24
    open_options: int = 1000
    audit_share: float = 0.05
    audit_root: float = 1.0
    audit_unspent: float = 0.1
    audit_doubt: float = 2.0
    audit_delay: float = 4.0
    jitter: float = 0.3
    price_start: float = 0.05
    price_step: float = 0.004
    price_floor: float = 5e-4
    price_ceiling: float = 0.35
    repay_tasks: float = 1000.0
    change_fall: float = 2.0
    change_limit: float = 12.0
    change_answers: float = 20.0
    survey_rounds: int = 4
    survey_tasks: int = 4
    survey_asks: int = 32
    survey_cost: float = 100.0
    survey_share: float = 0.25
    correction_grades: int = 300
    probation_grades: int = 10
    probation_tasks: int = 1000
    prune_error: float = 0.5
    prune_price: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name == "target_cost":
                continue
            lowest = 1 if field.name in _AT_LEAST_ONE else 0
            if not (math.isfinite(value) and value >= lowest):
                raise InputError(f"{field.name} = {value!r}: must be finite and >= {lowest}")
        if self.survey_share > 1.0:
            raise InputError(f"survey_share = {self.survey_share!r}: must be 0 to 1")
        for name in ("depth", "opening_depth"):
            if getattr(self, name) not in (1, 2, 3):
                raise InputError(f"{name} = {getattr(self, name)!r}: must be 1, 2 or 3")
        self._check_positive(
            "target_cost",
            "ability_spread",
            "prior_experts",
            "prior_strength",
            "price_floor",
            "change_limit",
        )
        if not self.price_floor <= self.price_start <= self.price_ceiling:
            raise InputError(
                f"price_start = {self.price_start!r}: must be between price_floor "
                f"{self.price_floor!r} and price_ceiling {self.price_ceiling!r}"
            )

    @property
    def money_unit(self) -> float:
        """Cost that the price of money is set for: the target, or 1 without one."""
        return 1.0 if self.target_cost is None else self.target_cost

    @property
    def longest_wait(self) -> int:
        """Most tasks from one refit to the next, or from the start to the first."""
        return max(self.longest_refit, self.first_refit, SHORTEST_REFIT)

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) == 0:
                raise InputError(f"{name} = 0: must be > 0")
