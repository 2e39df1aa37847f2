"""Consistent hashing against plain Python, and what it promises when hosts come and go."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.placement.hashing import HashRing, Rendezvous, jump
from tests.naive import hashing as naive

pytestmark = pytest.mark.row("B12")

NAMES = [f"host-{number}" for number in range(20)]
KEYS = np.random.default_rng(12).integers(0, 2**63, 200_000)
KINDS = [Rendezvous, HashRing]


def salt(name):
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def points(hosts, weights, vnodes):
    return sorted(
        (naive.hash_of(salt(host) + turn), number)
        for number, (host, weight) in enumerate(zip(hosts, weights, strict=True))
        for turn in range(max(1, round(vnodes * weight)))
    )


def preferences(kind, names, weights, keys):
    hashes = [naive.hash_of(key % 2**64) for key in keys]
    if kind is Rendezvous:
        salts = [salt(name) for name in names]
        return [naive.ranked(key, salts, weights) for key in hashes]
    ring = points(names, weights, 150)
    return [naive.clockwise(key, ring) for key in hashes]


@pytest.mark.parametrize("kind", KINDS)
@given(
    st.lists(st.text(max_size=5), min_size=1, max_size=5, unique=True),
    st.sampled_from([None, [0.5, 1.0, 2.0, 0.03, 1.0]]),
    st.lists(st.integers(-(2**63), 2**64 - 1), max_size=12),
)
def test_hosts_replicas_and_bounds_against_plain_python(kind, names, weights, keys):
    weights = weights and weights[: len(names)]
    ring = kind(names, weights)
    expected = preferences(kind, names, weights or [1.0] * len(names), keys)
    assert ring.host_of(keys).tolist() == [hosts[0] for hosts in expected]
    assert ring.replicas(keys, len(names)).tolist() == expected
    share = np.array(weights or [1.0] * len(names))
    room = np.ceil(1.25 * share / share.sum() * len(keys) - 1e-9).astype(int)
    assert ring.bounded(keys, 1.25).tolist() == naive.first_with_room(expected, room)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20), st.integers(1, 10**6))
def test_jump_against_plain_python(keys, buckets):
    expected = [naive.jump(naive.hash_of(key), buckets) for key in keys]
    assert jump(keys, buckets).tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_host_takes_its_share_and_nothing_else_moves(kind):
    ring = kind(NAMES)
    before, after = ring.host_of(KEYS), ring.with_host("host-20").host_of(KEYS)
    moved = before != after
    assert (after[moved] == 20).all()
    # 1/21 = 0.0476; the ring's share is random by as much as its loads are.
    low, high = (0.0465, 0.0488) if kind is Rendezvous else (0.038, 0.058)
    assert low < moved.mean() < high


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_goes_leaves_the_others_keys_alone(kind):
    ring = kind(NAMES)
    before, left = ring.host_of(KEYS), ring.without("host-7")
    after = np.array(left.hosts)[left.host_of(KEYS)]
    stayed = before != 7
    assert (after[stayed] == np.array(NAMES)[before[stayed]]).all()
    back = left.with_host("host-7")
    np.testing.assert_array_equal(np.array(back.hosts)[back.host_of(KEYS)], np.array(NAMES)[before])


def test_loads():
    spread = {kind: np.bincount(kind(NAMES).host_of(KEYS)) / 10_000 for kind in KINDS}
    assert spread[Rendezvous].max() < 1.035
    assert 1.05 < spread[HashRing].max() < 1.35
    assert np.bincount(HashRing(NAMES, vnodes=2000).host_of(KEYS)).max() / 10_000 < 1.1
    assert np.bincount(jump(KEYS, 20)).max() / 10_000 < 1.035


@pytest.mark.parametrize("kind", KINDS)
def test_loads_follow_weights_and_a_weight_moves_keys_of_its_host_alone(kind):
    weights = [1.0, 2.0, 4.0]
    ring = kind(["a", "b", "c"], weights)
    before = ring.host_of(KEYS)
    share = np.bincount(before) / len(KEYS)
    np.testing.assert_allclose(
        share, np.array(weights) / 7, rtol=0.02 if kind is Rendezvous else 0.2
    )
    after = kind(["a", "b", "c"], [1.0, 3.0, 4.0]).host_of(KEYS)
    assert (after[before != after] == 1).all()
    # From equal weights to others too, though ranks are computed in another way.
    even, uneven = (kind(["a", "b", "c"], [1, 1, last]).host_of(KEYS) for last in (1, 1.5))
    assert (uneven[even != uneven] == 2).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bounded_loads(kind):
    ring = kind(NAMES)
    for balance in (1.0, 1.05):
        chosen = ring.bounded(KEYS, balance)
        assert np.bincount(chosen).max() <= round(balance * len(KEYS) / 20)
    plain = ring.host_of(KEYS)
    kept = np.bincount(plain).max() + 1
    np.testing.assert_array_equal(ring.bounded(KEYS, kept * 20 / len(KEYS)), plain)
    moved = ring.bounded(KEYS, 1.05) != ring.with_host("host-20").bounded(KEYS, 1.05)
    assert moved.mean() < 0.08


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_are_different_hosts_and_keep_their_order_when_one_goes(kind):
    ring = kind(NAMES)
    three = ring.replicas(KEYS[:2000], 3)
    assert (np.diff(np.sort(three, axis=1), axis=1) > 0).all()
    np.testing.assert_array_equal(three[:, 0], ring.host_of(KEYS[:2000]))
    left = ring.without("host-3")
    names = np.array(NAMES)[three]
    two = np.array(left.hosts)[left.replicas(KEYS[:2000], 2)]
    for old, new in zip(names, two, strict=True):
        assert [name for name in old if name != "host-3"][:2] == new.tolist()


def test_the_same_in_another_process():
    """Python's hash() of strings differs from process to process; this must not."""
    code = (
        "from swarmloom_protocols.bio_routing.placement.hashing import HashRing, Rendezvous\n"
        "keys = ['expert one', 'žluťoučký', '']\n"
        "print([kind(['a', 'b', 'c']).host_of(keys).tolist() for kind in (HashRing, Rendezvous)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    keys = ["expert one", "žluťoučký", ""]
    here = [kind(["a", "b", "c"]).host_of(keys).tolist() for kind in (HashRing, Rendezvous)]
    assert done.stdout == f"{here}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_every_type(kind):
    ring = kind(["a", "b", "c"])
    assert ring.host_of(["x", "y"]).tolist() == ring.host_of([b"x", b"y"]).tolist()
    numbers = [-1, 0, 5, 2**31 - 1]
    for dtype in (np.int32, np.int64):
        keys = np.array(numbers, dtype)
        keys.flags.writeable = False
        assert ring.host_of(keys).tolist() == ring.host_of(numbers).tolist()
    assert ring.host_of(np.array([2**64 - 1], np.uint64)).tolist() == ring.host_of([-1]).tolist()
    assert ring.host_of([]).shape == (0,)
    assert ring.host_of(np.arange(10)[::2]).tolist() == ring.host_of([0, 2, 4, 6, 8]).tolist()
    assert kind(["alone"]).host_of(KEYS[:5]).tolist() == [0] * 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda kind: kind([]), "at least one"),
        (lambda kind: kind("abc"), "sequence of names"),
        (lambda kind: kind([1, 2]), "sequence of names"),
        (lambda kind: kind(["a", "b", "a"]), "a given more than once"),
        (lambda kind: kind(["a", "b"], [1.0]), "1 for 2 hosts"),
        (lambda kind: kind(["a", "b"], [1.0, 0.0]), "weight of b is 0"),
        (lambda kind: kind(["a"], [np.nan]), "weight of a is nan"),
        (lambda kind: kind(["a"]).without("b"), "'b' is not one of a"),
        (lambda kind: kind(["a"]).with_host("a"), "a given more than once"),
        (
            lambda kind: kind(["a"]).replicas([1], 2),
            "count is 2; allowed: whole numbers from 1 to 1",
        ),
        (lambda kind: kind(["a"]).bounded([1], 0.9), "balance is 0.9"),
        (lambda kind: kind(["a"]).host_of("key"), "one string"),
        (lambda kind: kind(["a"]).host_of([1.5]), "key is 1.5"),
        (lambda kind: kind(["a"]).host_of(["x", 1]), "key is 'x'"),
        (lambda kind: kind(["a"]).host_of([2**64]), "key is"),
        (lambda kind: kind(["a"]).host_of(np.zeros(3)), "of whole numbers"),
        (lambda kind: kind(["a"]).host_of(np.zeros((2, 2), int)), "2 axes"),
    ],
)
def test_what_is_refused(kind, call, message):
    with pytest.raises(InputError, match=message):
        call(kind)


def test_what_rings_and_jumps_refuse():
    with pytest.raises(InputError, match="vnodes is 0"):
        HashRing(["a"], vnodes=0)
    with pytest.raises(InputError, match="points"):
        HashRing(["a"], [1e9])
    with pytest.raises(InputError, match="buckets is 0"):
        jump([1], 0)
