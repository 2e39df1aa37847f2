"""Every phase of every round draws from a stream of its own, the same in every process."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from swarmloom.cycle import Phase, round_generator

SEEDS = st.integers(-(2**63), 2**64 - 1)
NUMBERS = st.integers(0, 2**40)


def draws(seed, number, phase):
    return tuple(round_generator(seed, number, phase).integers(0, 2**63, size=4).tolist())


def test_no_two_phases_rounds_or_seeds_share_a_stream():
    places = list(itertools.product((0, 1, 2, 16, 2**63), range(40), Phase))
    assert len({draws(*place) for place in places}) == len(places)


@given(SEEDS, NUMBERS, st.sampled_from(Phase))
def test_the_arguments_alone_decide(seed, number, phase):
    assert draws(seed, number, phase) == draws(seed, number, phase)


@given(SEEDS, NUMBERS)
def test_the_next_round_the_next_seed_and_the_other_phase_draw_something_else(seed, number):
    here = draws(seed, number, Phase.DECIDE)
    others = [
        draws(seed, number + 1, Phase.DECIDE),
        draws(seed + 1, number, Phase.DECIDE),
        draws(seed, number, Phase.JUDGE),
    ]
    assert here not in others
