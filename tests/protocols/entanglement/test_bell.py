"""Known values of the Bell games, and that nothing is signalled."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from swarmloom.errors import InputError
from swarmloom_protocols.entanglement import bell
from swarmloom_protocols.entanglement.bell import (
    BellRounds,
    chsh_statistic,
    chsh_value,
    classical_chsh_win_rate,
    classical_ghz_win_rate,
    play_chsh,
    play_ghz,
)

ROUNDS = 200_000


@pytest.mark.row("E12")
def test_chsh_game_is_won_at_tsirelsons_rate_above_the_classical_one():
    rounds = play_chsh(ROUNDS, np.random.default_rng(1))
    assert classical_chsh_win_rate() == 0.75
    assert stats.binomtest(int(rounds.won.sum()), ROUNDS, math.cos(math.pi / 8) ** 2).pvalue > 1e-4
    assert chsh_value(1.0) == pytest.approx(2.8284271247461903)
    assert chsh_statistic(rounds) == pytest.approx(chsh_value(1.0), abs=0.02)


@pytest.mark.row("E12")
def test_ghz_game_is_always_won_and_classically_three_times_in_four():
    assert play_ghz(ROUNDS // 10, np.random.default_rng(2)).win_rate == 1.0
    assert classical_ghz_win_rate() == 0.75


@pytest.mark.parametrize("visibility", [0.0, 0.5, 1 / math.sqrt(2), 0.9])
def test_werner_states_reach_what_their_visibility_allows(visibility):
    rounds = play_chsh(ROUNDS, np.random.default_rng(3), visibility)
    assert chsh_statistic(rounds) == pytest.approx(2 * math.sqrt(2) * visibility, abs=0.025)


@pytest.mark.parametrize("depolarising", [0.1, 1.0])
def test_noise_spoils_the_ghz_game_as_its_coherence_says(depolarising):
    rounds = play_ghz(20_000, np.random.default_rng(4), depolarising)
    expected = (1 + (1 - depolarising) ** 3) / 2
    assert stats.binomtest(int(rounds.won.sum()), 20_000, expected).pvalue > 1e-4


@pytest.mark.row("E12")
@pytest.mark.parametrize("play", [play_chsh, play_ghz])
def test_no_player_learns_anything_of_the_others_inputs(play):
    """Each player's output is a fair coin for every input of all players."""
    rounds = play(ROUNDS, np.random.default_rng(5))
    for question in np.unique(rounds.inputs, axis=0):
        outputs = rounds.outputs[(rounds.inputs == question).all(axis=1)]
        for ones in outputs.sum(axis=0, dtype=np.int64):
            assert stats.binomtest(int(ones), len(outputs)).pvalue > 1e-4


def test_won_is_what_the_rules_say():
    rounds = play_chsh(1000, np.random.default_rng(6))
    for (x, y), (a, b), won in zip(rounds.inputs, rounds.outputs, rounds.won, strict=True):
        assert {a, b} <= {0, 1}
        assert won == ((a ^ b) == (x & y))


def test_statistic_of_every_classical_strategy_stays_within_two():
    inputs = np.array(list(itertools.product((0, 1), repeat=2)), dtype=np.uint8)
    for a0, a1, b0, b1 in itertools.product((0, 1), repeat=4):
        outputs = np.array([((a0, a1)[x], (b0, b1)[y]) for x, y in inputs], dtype=np.uint8)
        assert abs(chsh_statistic(BellRounds(inputs, outputs, np.ones(4, bool)))) <= 2.0


@pytest.mark.parametrize(("second", "statistic"), [((0.0, 0.0), 2.0), ((0.0, math.pi / 2), 0.0)])
def test_the_rate_comes_from_the_settings_not_from_the_rules(monkeypatch, second, statistic):
    monkeypatch.setattr(bell, "_CHSH_ANGLES", ((0.0, math.pi / 2), second))
    rounds = play_chsh(ROUNDS, np.random.default_rng(7))
    assert chsh_statistic(rounds) == pytest.approx(statistic, abs=0.025)
    assert stats.binomtest(int(rounds.won.sum()), ROUNDS, 0.5 + statistic / 8).pvalue > 1e-4


def test_too_few_rounds_and_wrong_visibilities_are_refused():
    with pytest.raises(InputError, match="four pairs"):
        chsh_statistic(play_chsh(1, np.random.default_rng(0)))
    for visibility in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="visibility"):
            chsh_value(visibility)
        with pytest.raises(InputError, match="depolarising"):
            play_ghz(1, np.random.default_rng(0), visibility)
