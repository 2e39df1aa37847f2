"""Safety of the agreement, over every schedule of small groups."""

import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.byzantine import model, rules
from swarmloom_protocols.consensus.byzantine.model import check_safety
from swarmloom_protocols.consensus.byzantine.rules import faults_tolerated, quorum


@pytest.mark.row("C13")
@pytest.mark.parametrize("n", [4, 7, 10, 13, 100])
def test_quorum_is_twice_the_faults_and_one(n):
    assert faults_tolerated(n) == (n - 1) // 3
    assert quorum(n) == 2 * faults_tolerated(n) + 1


@pytest.mark.parametrize("n", range(1, 40))
def test_two_quorums_share_a_correct_replica_and_one_can_be_had(n):
    f = faults_tolerated(n)
    assert 2 * quorum(n) - n > f
    assert quorum(n) <= n - f


@pytest.mark.row("C13")
@pytest.mark.parametrize(
    ("n", "faulty", "views"),
    [(4, [0], 2), (4, [1], 2), (4, [3], 2), (4, [], 2), (7, [5, 6], 2), (10, [0, 8, 9], 1)],
)
def test_no_schedule_decides_two_values_with_as_many_liars_as_allowed(n, faulty, views):
    result = check_safety(n, faulty, views)
    assert result.safe
    assert result.states > 100
    assert result.counterexample == ()


@pytest.mark.row("C13")
@pytest.mark.parametrize(("n", "faulty"), [(4, [0, 1]), (4, [0, 3]), (7, [0, 1, 2])])
def test_one_liar_more_finds_a_counterexample(n, faulty):
    result = check_safety(n, faulty, views=1)
    assert not result.safe
    committed = {value for action, _, _, value in result.counterexample if action == "commit"}
    assert committed == {"a", "b"}
    acting = {replica for _, replica, _, _ in result.counterexample}
    assert acting.isdisjoint(faulty)


def states_one_by_one(n, faulty, views):
    """All states that can be reached, none of them standing for another."""
    search = model._Search(n, frozenset(faulty), views)
    found = {((model.Slot(),),) * len(search.correct)}
    waiting = list(found)
    while waiting:
        after = {state for _, state in search.steps(waiting.pop())} - found
        found |= after
        waiting += after
    return search, found


@pytest.mark.row("C13")
@pytest.mark.parametrize("faulty", [[0], [1], [3]])
def test_one_state_stands_for_all_that_differ_by_who_never_leads_and_for_no_other(faulty):
    search, found = states_one_by_one(4, faulty, 2)
    # Replicas 0 and 1 lead; of the others it counts only how many did what.
    different = {
        tuple((who, local) for who, local in zip(search.correct, state, strict=True) if who < 2)
        + tuple(sorted(local for who, local in zip(search.correct, state, strict=True) if who > 1))
        for state in found
    }
    result = check_safety(4, faulty, 2)
    assert result.states == len(different)
    assert result.states == len(found) if faulty == [3] else result.states < len(found)
    assert result.safe == all(len(search.decided(state)) < 2 for state in found)


@pytest.mark.parametrize("faulty", [[0], [1], [0, 1], [0, 3], [2, 3]])
@pytest.mark.parametrize("views", [1, 2])
def test_the_verdict_is_that_of_looking_at_every_state(monkeypatch, faulty, views):
    merged = check_safety(4, faulty, views)
    monkeypatch.setattr(model._Search, "sorted", lambda search, state: state)
    single = check_safety(4, faulty, views)
    assert merged.safe == single.safe
    assert merged.states <= single.states


@pytest.mark.parametrize(
    ("rule", "weaker"),
    [
        ("is_quorum", lambda senders, n: len(set(senders)) >= 2 * faults_tolerated(n)),
        ("proposal_is_justified", lambda view, value, claims, n: True),
        ("change_is_sound", lambda prepared, view, supporters, n: True),
    ],
)
def test_the_checker_sees_what_each_rule_is_for(monkeypatch, rule, weaker):
    """Views alternate between a liar and correct ones, so every rule is put to the test."""
    monkeypatch.setattr(model, rule, weaker)
    assert not check_safety(4, [0], views=3 if rule == "change_is_sound" else 2).safe


def test_locked_values_survive_a_change_of_view():
    """After a quorum prepared "a" in view 0, nothing else is justified in view 1."""
    claims = {0: rules.Prepared(0, "a"), 1: rules.Prepared(), 2: rules.Prepared()}
    assert rules.proposal_is_justified(1, "a", claims, 4)
    assert not rules.proposal_is_justified(1, "b", claims, 4)
    assert not rules.proposal_is_justified(1, "a", {0: claims[0], 1: claims[1]}, 4)
    assert not rules.proposal_is_justified(1, "a", None, 4)


def test_claims_need_their_proof():
    assert rules.change_is_sound(rules.Prepared(), 1, [], 4)
    assert rules.change_is_sound(rules.Prepared(0, "a"), 1, [0, 1, 2], 4)
    assert not rules.change_is_sound(rules.Prepared(0, "a"), 1, [0, 1, 1], 4)
    assert not rules.change_is_sound(rules.Prepared(1, "a"), 1, [0, 1, 2], 4)


@pytest.mark.parametrize(
    ("n", "faulty", "views"),
    [(0, [], 1), (4, [-1], 1), (4, [4], 1), (4, [], 0), (4, [1.5], 1), (4, ["a"], 1)],
)
def test_bad_arguments(n, faulty, views):
    with pytest.raises(InputError):
        check_safety(n, faulty, views)
