"""Gossip over links that are weighed by spike timing."""

import networkx as nx
import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.gossip.fan_out import AdaptiveGossip, Plasticity, weight_change


def latencies(n, degree, seed):
    rng = np.random.default_rng(seed)
    matrix = np.zeros((n, n))
    for a, b in nx.random_regular_graph(degree, n, seed=seed).edges:
        matrix[a, b] = matrix[b, a] = rng.lognormal()
    return matrix


def waves(gossip, sources, *, learn, seed=0):
    rng = np.random.default_rng(seed)
    return [gossip.spread(int(source), learn=learn, rng=rng) for source in sources]


@pytest.mark.row("C14")
def test_the_window_of_plasticity():
    rule = Plasticity(gain=0.2, loss=0.3, window=2.0)
    change = weight_change([0.0, 1e-12, 2.0, 4.0, -1e-12, -2.0, -1e9], rule)
    expected = [0, 0.2, 0.2 / np.e, 0.2 / np.e**2, -0.3, -0.3 / np.e, 0]
    np.testing.assert_allclose(change, expected, atol=1e-9)


@pytest.mark.row("C14")
def test_timing_is_that_of_the_firings():
    """A triangle: 0 fires at 0, 1 at 1, 2 at 1.5 through 1; the slow link 0–2 comes last."""
    latency = np.array([[0, 1.0, 5.0], [1.0, 0, 0.5], [5.0, 0.5, 0]])
    gossip = AdaptiveGossip(latency, least=2, most=2, rule=Plasticity(0.1, 0.1, 1.0))
    wave = gossip.spread(0, rng=np.random.default_rng(0))
    np.testing.assert_allclose(wave.fired, [0, 1, 1.5])
    assert wave.messages == 6
    lag = np.array([1.0, 1.5, -1.0, 0.5, -1.5, -0.5])  # Links 01 02 10 12 20 21.
    np.testing.assert_allclose(gossip.weights, 0.5 + 0.1 * np.sign(lag) * np.exp(-np.abs(lag)))


@pytest.mark.row("C14")
def test_learned_links_reach_everybody_sooner_with_fewer_messages():
    latency = latencies(120, 12, seed=2)
    learned, fixed = AdaptiveGossip(latency), AdaptiveGossip(latency, least=5, most=5)
    sources = np.random.default_rng(5).integers(120, size=20)
    waves(learned, np.random.default_rng(4).integers(120, size=200), learn=True)
    after, before = waves(learned, sources, learn=False), waves(fixed, sources, learn=False)
    assert all(np.isfinite(wave.fired).all() for wave in after)
    assert sum(w.messages for w in after) < 0.75 * sum(w.messages for w in before)
    assert np.mean([w.fired.max() for w in after]) < np.mean(
        [w.fired[np.isfinite(w.fired)].max() for w in before]
    )


def test_fan_out_stays_within_its_limits():
    gossip = AdaptiveGossip(latencies(40, 12, seed=1))
    assert {gossip.fan_out(node) for node in range(40)} == {8}
    gossip.weights[:] = 0.0
    assert {gossip.fan_out(node) for node in range(40)} == {3}
    gossip.weights[:] = np.tile([1.0] * 5 + [0.0] * 7, 40)
    assert {gossip.fan_out(node) for node in range(40)} == {5}
    assert AdaptiveGossip(latencies(4, 2, seed=1)).fan_out(0) == 2


def test_weights_stay_within_bounds():
    gossip = AdaptiveGossip(latencies(20, 6, seed=1), rule=Plasticity(gain=0.9, loss=0.9))
    waves(gossip, [0, 1, 2, 3] * 10, learn=True)
    assert gossip.weights.min() >= 0.0
    assert gossip.weights.max() <= 1.0


def test_waves_are_reproducible():
    first, second = (
        waves(AdaptiveGossip(latencies(30, 6, seed=3)), range(10), learn=True) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.fired, b.fired)


@pytest.mark.parametrize(
    ("latency", "message"),
    [
        ([[0, np.nan], [np.nan, 0]], "finite"),
        ([[0, -1.0], [-1.0, 0]], "from 0"),
        ([[0, 1.0], [2.0, 0]], "symmetric"),
        ([0.0, 1.0], "square"),
        (np.zeros((2, 2)), "2 parts"),
    ],
)
def test_bad_latencies(latency, message):
    with pytest.raises(InputError, match=message):
        AdaptiveGossip(latency)


@pytest.mark.parametrize("limits", [{"least": 0}, {"least": 4, "most": 3}])
def test_bad_limits(limits):
    with pytest.raises(InputError):
        AdaptiveGossip(latencies(4, 2, seed=1), **limits)


@pytest.mark.parametrize("rule", [{"gain": -1}, {"loss": np.nan}, {"window": 0}])
def test_bad_rules(rule):
    with pytest.raises(InputError):
        Plasticity(**rule)
