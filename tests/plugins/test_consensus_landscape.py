"""The experts' trust as a landscape: its events reach the run, once, and change no decision."""

from __future__ import annotations

import json

import numpy as np
import pytest

from swarmloom.events import EventKind
from swarmloom_plugins.consensus_landscape import Landscape
from tests.plugins.test_consensus_trust import crew, questions, swarm_of


def kinds(swarm, result):
    return [event.kind for event in swarm.ledger.view(result.run_id).notices]


@pytest.mark.row("C18")
@pytest.mark.parametrize("method", ["panel", "trust"])
def test_events_of_the_landscape_are_in_the_run_where_it_is_watched(method):
    experts = crew((0.95, 0.95, 0.95, 0.95, 0.95))
    watched = swarm_of(experts, method=method, landscape=True, certainty=0.9)
    result = watched.run(questions(120))
    found = kinds(watched, result)
    assert EventKind.CONSENSUS_REACHED in found
    assert len(found) < 20
    plain = swarm_of(experts, method=method, certainty=0.9)
    other = plain.run(questions(120))
    assert kinds(plain, other) == []
    assert other.answers == result.answers
    assert other.calls == result.calls


def test_the_same_trust_is_no_news_and_a_new_topic_begins_anew():
    landscape = Landscape()
    alike = np.full((6, 2), 0.5)
    for _ in range(3):
        landscape.watch(alike)
    assert [kind for kind, _ in landscape.news()] == [EventKind.CONSENSUS_REACHED]
    assert landscape.news() == []
    landscape.watch(np.full((6, 3), 0.5))
    assert [kind for kind, _ in landscape.news()] == [EventKind.CONSENSUS_REACHED]
    landscape.watch(np.empty((0, 0)))
    assert landscape.news() == []


def test_a_restored_landscape_does_not_tell_again():
    first, second = Landscape(), Landscape()
    first.watch(np.full((6, 2), 0.5))
    assert first.news()
    second.restore(json.loads(json.dumps(first.state())))
    second.watch(np.full((6, 2), 0.51))
    assert second.news() == []
