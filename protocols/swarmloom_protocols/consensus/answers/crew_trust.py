"""Trust in the experts of a crew, learned as their answers come in, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.errors import InputError
from swarmloom_protocols.checks import rows as checked_rows
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.answers.agree import Seen, chosen_trust
from swarmloom_protocols.consensus.answers.agreement import AgreementCounts
from swarmloom_protocols.consensus.answers.ballots import (
    NO_ANSWER,
    Groups,
    ballots,
    compact,
    group_ballots,
    group_rows,
)
from swarmloom_protocols.consensus.answers.calibration import Calibration, ShareCounts
from swarmloom_protocols.consensus.answers.probes import Probes, options_seen
from swarmloom_protocols.consensus.answers.shared_errors import SharedErrors
from swarmloom_protocols.consensus.answers.trust_warnings import Evidence, findings_of
from swarmloom_protocols.consensus.findings import Finding, texts_of

__all__ = ["CrewTrust"]


class CrewTrust:
    """What a crew's answers say of its experts, item by item.

    Parameters
    ----------
    n_agents : int
        Experts, whose rows count from 0.
    groups : sequence of hashable, length agents, optional
        Names of the models behind them: experts of one model have one voice and one trust.

    Raises
    ------
    InputError
        There is no expert, or not a name for each.

    Notes
    -----
    It keeps sums for each pair of voices, and a histogram of shares for the calibration: memory
    does not grow with the items. Where experts are asked in an order that depends on the answers,
    as a `Stopper` does, those who are asked last are seen on hard items only; let all answer now
    and then.

    Not for several threads at once: whoever shares it among threads guards every call by a lock.
    """

    def __init__(self, n_agents: int, *, groups: Groups | None = None) -> None:
        self._n_agents = whole("n_agents", n_agents, 1)
        self._rows = group_rows(groups, self._n_agents)
        self._counts = AgreementCounts.empty(int(self._rows.max()) + 1)
        self._errors = SharedErrors.empty(int(self._rows.max()) + 1)
        self._shares = ShareCounts()
        self._right, self._asked = np.zeros((2, self._n_agents))
        self._doubted = self._options = 0
        self._trust: tuple[FloatArray, str] | None = None

    def record(self, experts: Sequence[int] | IntArray, answers: Sequence[int] | IntArray) -> None:
        """Take the answers to one item.

        Parameters
        ----------
        experts : sequence of int
            Who was asked, each once.
        answers : sequence of int
            Codes from 0, equal for equal answers; −1 for none.

        Raises
        ------
        InputError
            They differ in length, are no whole numbers, or name an expert that there is not, or
            one twice.
        """
        voiced = group_ballots(ballots(self._row(experts, answers)), self._rows)
        self._options = max(self._options, options_seen(voiced))
        self._shares.add(voiced, self._current()[0])
        self._counts.add_coded(voiced)
        self._errors.add(voiced)
        self._trust = None

    def probe(self, expert: int, right: bool) -> None:
        """Count one known answer of an expert, right or wrong."""
        row = whole("expert", expert, 0, self._n_agents - 1)
        self._asked[row] += 1.0
        self._right[row] += 1.0 if right else 0.0
        self._trust = None

    def grade(
        self, experts: Sequence[int] | IntArray, answers: Sequence[int] | IntArray, truth: int
    ) -> None:
        """Take the answers to one item together with the right one.

        Parameters
        ----------
        experts, answers
            As in `record`, which is for items that are not graded, or not yet: a task that was
            recorded may be graded later.
        truth : int
            The right answer's code, in the same coding; −1 if it is none of the codes.

        Raises
        ------
        InputError
            As in `record`.

        Notes
        -----
        An item whose key is doubted, because four in five of three models or more give one and
        the same other answer, is not counted; `warnings` tells how many there were.
        """
        key = whole("truth", truth, NO_ANSWER)
        votes = self._row(experts, answers)
        asked = np.unique(_whole_numbers("experts", experts))
        codes, originals = compact(votes)
        places = np.flatnonzero((originals[0] == key) & (originals[0] >= 0))
        own = places[:1] if places.size else np.array([NO_ANSWER])
        voiced = group_ballots(codes, self._rows)
        if Probes(self._right, self._asked, voiced, own).suspects:
            self._doubted += 1
            return
        self._options = max(self._options, options_seen(voiced, own))
        self._asked[asked] += 1.0
        self._right[asked] += (votes[0, asked] == key) & (votes[0, asked] >= 0)
        self._shares.add_graded(voiced, self._current()[0], own)
        self._trust = None

    @property
    def weights(self) -> FloatArray:
        """Trust of each expert, float64 of shape (agents,): its group's, which sum to 1."""
        return self._current()[0][self._rows]

    @property
    def rule(self) -> str:
        """Which rule the trust comes from: "majority", "agreement" or "probes"."""
        return self._current()[1]

    @property
    def calibration(self) -> Calibration:
        """The map from shares of trust to probabilities, for a `Stopper`.

        Of a new crew it is the plain `Calibration`; `warnings` says that such certainty is the
        prior's.
        """
        return self._shares.fit(len(self._counts.rates))

    def warnings(self) -> tuple[str, ...]:
        """Say what this trust does not hold against, a sentence each."""
        return texts_of(self.findings())

    def findings(self) -> tuple[Finding, ...]:
        """Give what this trust does not hold against; experts are rows of voices."""
        weights, rule = self._current()
        sizes = np.bincount(self._rows)
        counts, errors = self._counts, self._errors
        found = findings_of(
            Evidence(
                counts.rates,
                weights,
                sizes,
                counts.items,
                rule,
                self._known() if self._asked.any() else None,
                (),
                errors,
                graded=self._shares.graded_items,
            )
        )
        if self._doubted:
            text = f"{self._doubted} graded item(s) with wrong keys suspected: agents agree on"
            text = f"{text} another answer; they do not count"
            found += (Finding("doubted grades", text, figures={"items": self._doubted}),)
        return found

    def state(self) -> dict[str, Any]:
        """Return all that was learned, of numbers, strings and lists only."""
        return {
            "groups": self._rows.tolist(),
            "sums": self._counts.sums.tolist(),
            "items": self._counts.items,
            "errors": self._errors.sums.tolist(),
            "options": [self._errors.options, self._options],
            "right": self._right.tolist(),
            "asked": self._asked.tolist(),
            "doubted": self._doubted,
            "shares": [self._shares.unlabelled.tolist(), self._shares.graded.tolist()],
            "share_items": [self._shares.items, self._shares.graded_items],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CrewTrust:
        """Return what `state` was taken of.

        Raises
        ------
        InputError
            It is not such a state.
        """
        try:
            trust = cls(len(state["groups"]), groups=state["groups"])
            trust._restore(state)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"state: {error!r}; allowed: what CrewTrust.state returned") from error
        return trust

    def _restore(self, state: dict[str, Any]) -> None:
        sums = _array(state["sums"], self._counts.sums.shape)
        self._counts = AgreementCounts(sums, whole("items", state["items"], 0))
        errors = _array(state["errors"], self._errors.sums.shape)
        among_errors, self._options = (whole("options", most, 0) for most in state["options"])
        self._errors = SharedErrors(errors, among_errors)
        self._right = _array(state["right"], (self._n_agents,))
        self._asked = _array(state["asked"], (self._n_agents,))
        self._doubted = whole("doubted", state["doubted"], 0)
        plain, graded = (_array(table, self._shares.graded.shape) for table in state["shares"])
        items, graded_items = _array(state["share_items"], (2,))
        self._shares = ShareCounts(plain, graded, float(items), float(graded_items))
        Probes.of_counts(self._right, self._asked)

    def _row(
        self, experts: Sequence[int] | IntArray, answers: Sequence[int] | IntArray
    ) -> IntArray:
        """Return one item's ballot of all agents."""
        who = checked_rows("experts", _whole_numbers("experts", experts))
        given = _whole_numbers("answers", answers)
        if given.shape != who.shape:
            raise InputError(f"answers: {given.size} of {who.size} experts; allowed: one each")
        if who.size and (int(who.max()) >= self._n_agents or np.unique(who).size < who.size):
            raise InputError(f"experts: {who}; allowed: rows below {self._n_agents}, each once")
        votes = np.full((1, self._n_agents), NO_ANSWER)
        votes[0, who] = given
        return votes

    def _current(self) -> tuple[FloatArray, str]:
        """Return the weights of the voices and their rule, worked out when first asked for."""
        if self._trust is None:
            counts = self._counts
            seen = Seen(counts.rates, counts.items, self._known(), self._errors)
            self._trust = chosen_trust("auto", seen)
        return self._trust

    def _known(self) -> Probes:
        """Return the known answers of the voices."""
        known = Probes.of_counts(self._right, self._asked).seen_with(self._options)
        return known.grouped(self._rows)


def _array(value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = np.array(value, np.float64)
    if array.shape != shape:
        raise InputError(f"state: an array of shape {array.shape}; allowed: {shape}")
    if not ((array >= 0.0) & (array < np.inf)).all():
        raise InputError("state: an array with NaN or a number out of range; allowed: from 0")
    return array


def _whole_numbers(name: str, values: Sequence[int] | IntArray) -> IntArray:
    """Return whole numbers as int64; an empty sequence may be of any kind."""
    given = np.asarray(values)
    if given.size and given.dtype.kind not in "iu":
        raise InputError(f"{name}: {given.dtype} values; allowed: whole numbers")
    return given.astype(np.int64)
