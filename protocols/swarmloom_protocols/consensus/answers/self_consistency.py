"""Sampling one model until its most frequent answer is clear."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.answers.evidence import mixture_evidence, preference

__all__ = ["SampleRule", "SelfConsistency"]

SampleRule = Literal["lead", "beta", "evalue", "locked"]


class SelfConsistency:
    """A stopping rule for self-consistency (Wang et al. 2023): ask, vote, stop early.

    Parameters
    ----------
    rule : {"lead", "beta", "evalue", "locked"}, optional
        "lead": the first answer is ahead of the second by `lead` (Wald's sequential test, for two
        answers); "beta": it is preferred with probability `sure` (adaptive consistency, Aggarwal
        et al. 2023); "evalue": the evidence reaches `evidence`, whenever one looks; "locked": the
        rest of `most` samples cannot change it.
    lead : int, optional
        Answers ahead (≥ 1).
    sure : float, optional
        Of "beta", from ½ to 1.
    evidence : float, optional
        Of "evalue" (> 0).
    most : int, optional
        Samples after which it stops in any case (≥ 1).

    Raises
    ------
    InputError
        An argument is out of bounds.
    """

    def __init__(
        self,
        rule: SampleRule = "lead",
        *,
        lead: int = 4,
        sure: float = 0.95,
        evidence: float = 5.0,
        most: int = 40,
    ) -> None:
        if rule not in get_args(SampleRule):
            allowed = ", ".join(map(repr, get_args(SampleRule)))
            raise InputError(f"rule: {rule!r}; allowed: {allowed}")
        self._rule = rule
        self._lead = whole("lead", lead, 1)
        self._sure = between("sure", sure, 0.5, 1.0)
        self._evidence = positive("evidence", evidence)
        self._most = whole("most", most, 1)
        self._counts: Counter[int] = Counter()
        self.calls = 0

    def update(self, answer: int) -> bool:
        """Take a sample's answer.

        Parameters
        ----------
        answer : int
            Any code from 0, equal for equal answers; −1 for a sample without one, which counts as
            a call and for no answer.

        Returns
        -------
        bool
            Whether to stop.
        """
        code = whole("answer", answer, -1)
        self.calls += 1
        if code >= 0:
            self._counts[code] += 1
        return self.calls >= self._most or self._clear()

    @property
    def answer(self) -> int:
        """The most frequent answer, the one that came first of those that tie; −1 for none."""
        return max(self._counts, key=lambda code: self._counts[code], default=-1)

    @property
    def posterior(self) -> dict[int, float]:
        """Chance that the next sample gives each answer, by Laplace's rule; a new one the rest."""
        total = self._counts.total() + len(self._counts) + 1
        return {code: (count + 1) / total for code, count in self._counts.items()}

    def _clear(self) -> bool:
        ranked = [*(count for _, count in self._counts.most_common(2)), 0, 0]
        first, second = ranked[:2]
        if self._rule == "lead":
            return first - second >= self._lead
        if self._rule == "beta":
            return preference(first, second) > self._sure
        if self._rule == "evalue":
            return mixture_evidence(first, second) >= self._evidence
        return first - second > self._most - self.calls
