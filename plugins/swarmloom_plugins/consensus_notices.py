"""Warnings of the consensus protocol, each told once a run, and taken back where it has passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from swarmloom_protocols.consensus.answers.trust_warnings import LABEL_FREE_KINDS
from swarmloom_protocols.consensus.findings import Finding

__all__ = ["Notice", "Warnings", "notice_of"]

# Share of the finished tasks after which to look again.
_LOOK_EVERY = 10
_MANY_MORE = 2
# Kinds of findings that are counted, and that say no more than how little is known yet.
_COUNTED = "doubted grades"
_EARLY = "few items"


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning.

    Attributes
    ----------
    kind : str
        What it is about.
    text : str
    expert : str
        Whom it is about, "" for the crew.
    count : int
        How often; it is told again when this has doubled. 0 for what is not counted.
    label_free : bool
        Whether it rests on agreement alone.
    early : bool
        Whether it says no more than that there is little agreement to speak of yet.
    """

    kind: str
    text: str
    expert: str = ""
    count: int = 0
    label_free: bool = False
    early: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Notices of the same kind about the same expert are one and the same."""
        return self.kind, self.expert


def notice_of(finding: Finding, names: Sequence[str]) -> Notice:
    """Take what verdicts may suffer from, which knows experts by their rows.

    Parameters
    ----------
    finding : Finding
    names : sequence of str
        Of the rows.
    """
    return Notice(
        kind=finding.kind,
        text=finding.told(names),
        expert=finding.who(lambda row: repr(names[row])),
        count=int(finding.figures["items"]) if finding.kind == _COUNTED else 0,
        label_free=finding.kind in LABEL_FREE_KINDS,
        early=finding.kind == _EARLY,
    )


class Warnings:
    """Tells each warning once a run, and again when its count has doubled.

    Attributes
    ----------
    standing : list of Notice
        Warnings that hold for as long as the crew stays the same.
    """

    def __init__(self) -> None:
        self.standing: list[Notice] = []
        self._next = 0
        self._told: dict[tuple[str, str], Notice] = {}
        self._logged: dict[tuple[str, str], int] = {}

    def due(self, tasks: int) -> bool:
        """Say whether to look for warnings, which takes a while: seldom in a long run.

        Parameters
        ----------
        tasks : int
            Finished so far.
        """
        if tasks < self._next:
            return False
        self._next = tasks + 1 + tasks // _LOOK_EVERY
        return True

    def news(self, found: Iterable[Notice]) -> tuple[list[Notice], list[Notice]]:
        """Compare what holds now with what was told.

        Parameters
        ----------
        found : iterable of Notice
            All that hold, but for the standing ones.

        Returns
        -------
        fresh, over : list of Notice
            Those to be told, and those told before that hold no more or are told anew.
        """
        now = {one.key: one for one in (*self.standing, *found)}
        fresh = [one for one in now.values() if _is_more(one, self._told.get(one.key))]
        told_anew = {one.key for one in fresh}
        over = [one for key, one in self._told.items() if key not in now or key in told_anew]
        self._told = {key: one for key, one in self._told.items() if key in now}
        self._told.update((one.key, one) for one in fresh)
        return fresh, over

    def is_first(self, notice: Notice) -> bool:
        """Say whether no run was told of as much before."""
        known = self._logged.get(notice.key)
        if known is not None and (not known or notice.count < _MANY_MORE * known):
            return False
        self._logged[notice.key] = notice.count
        return True

    def forget(self) -> None:
        """Begin a new run, to which all is news."""
        self._told.clear()
        self._next = 0


def _is_more(notice: Notice, told: Notice | None) -> bool:
    return told is None or bool(told.count and notice.count >= _MANY_MORE * told.count)
