from __future__ import annotations

import itertools

import pytest

from swarmloom_protocols.stigmergy.traces.store import TraceStore


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def new_store(request, tmp_path, clock):
    """Make empty stores of either kind, all on one clock."""
    opened, number = [], itertools.count()

    def new(**options):
        options = {"clock": clock} | options
        if request.param == "memory":
            opened.append(TraceStore(**options))
        else:
            opened.append(TraceStore.open(tmp_path / f"{next(number)}.sqlite", **options))
        return opened[-1]

    yield new
    for store in opened:
        store.close()


@pytest.fixture
def store(new_store):
    return new_store()
