"""What worked before, as a few lines for a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from swarmloom_plugins.stigmergy_traces import Note
from swarmloom_protocols.stigmergy.traces.advice import Experience, advice, estimated_tokens

if TYPE_CHECKING:
    from swarmloom_plugins.stigmergy_trails import CrewTrails

__all__ = ["advice_on"]

_LINES = 8


def advice_on(topic: str, trails: CrewTrails, notes: Sequence[Note], tokens: int) -> str:
    """Write the best founded records on a topic and on near ones, a line each.

    Parameters
    ----------
    topic : str
    trails : CrewTrails
    notes : sequence of Note
        On the topic, the last one first.
    tokens : int
        Tokens at most.

    Returns
    -------
    str
        Near topics count as far as they have proved alike. Empty if nothing is known or fits.
    """
    said = {note.expert: note.text for note in reversed(notes)}
    known = list(_experiences(topic, trails, 1.0, said))
    for near, cosine in trails.near(topic).items():
        known += _experiences(near, trails, cosine * trails.pooled, {})
    return advice(known, _LINES, tokens, estimated_tokens)


def _experiences(
    topic: str, trails: CrewTrails, nearness: float, said: dict[str, str]
) -> Iterator[Experience]:
    for one in trails.sense(topic):
        key, note = (topic, one["expert"]), said.get(one["expert"])
        yield Experience(key, one["right"], one["wrong"], nearness, len(one["by"]), note)
