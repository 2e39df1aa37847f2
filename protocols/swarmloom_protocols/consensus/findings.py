"""What verdicts may suffer from, as data: what it is, whom it is about, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["EXPERTS", "Finding", "texts_of"]

EXPERTS = "{experts}"
"""Where a wording names the experts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason to doubt verdicts.

    Attributes
    ----------
    kind : str
        What it is, the same whatever its figures are.
    wording : str
        A sentence, with "{experts}" where it names experts.
    experts : tuple of tuple of int
        Rows of those it is about, those who belong together in one tuple; empty for the crew.
    figures : mapping of str to float
        The numbers that it rests on.
    """

    kind: str
    wording: str
    experts: tuple[tuple[int, ...], ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence, which names experts by their rows."""
        return self.wording.replace(EXPERTS, self.who(str))

    def who(self, named: Callable[[int], str]) -> str:
        """List the experts, "" for the crew.

        Parameters
        ----------
        named : callable
            Gives a row's name.
        """
        return "; ".join(", ".join(map(named, together)) for together in self.experts)

    def told(self, names: Sequence[str]) -> str:
        """Give the sentence with the experts' names.

        Parameters
        ----------
        names : sequence of str
            Of all rows.
        """
        return self.wording.replace(EXPERTS, self.who(lambda row: repr(names[row])))


def texts_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the sentences, which name experts by their rows."""
    return tuple(finding.text for finding in findings)
