from __future__ import annotations

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.crews import Crew, with_outage
from swarmloom_protocols.bio_routing.choice.policies import Chooser
from swarmloom_protocols.bio_routing.choice.simulation import oracle, play
from tests.naive.choice import crew_at_work

SCENARIOS = ["stationary", "failures", "drift"]


# -- the event loop --------------------------------------------------------------------------------


@pytest.mark.parametrize(("load", "known"), [(0.5, 1.9482), (0.7, 3.2126), (0.9, 9.5342)])
def test_mean_sojourn_of_one_queue(load, known):
    # M/G/1 of log-normal services, σ = 0.8 (Pollaczek & Khinchine): 1 + ρ/(1 − ρ) · e^{σ²}/2.
    assert 1 + load / (1 - load) * math.exp(0.64) / 2 == pytest.approx(known, abs=1e-4)
    world = Crew(1, 1, 1, 400_000, load).draw(np.random.default_rng(3))
    mean = play(world, "random").sojourns.mean()
    assert mean == pytest.approx(known, rel=0.02 if load < 0.8 else 0.06)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("policy", ["auto", "thompson", "power_of_two"])
def test_the_compiled_crew_works_as_the_plain_one_with_a_chooser(scenario, policy):
    world = Crew(5, 2, 3, 1500, 0.9, scenario).draw(np.random.default_rng(8))
    chooser = Chooser(5, 2, 3, policy=policy, rng=np.random.default_rng(5))
    chosen, finishes, right = crew_at_work(world, chooser)
    played = play(world, policy, rng=5)
    np.testing.assert_array_equal(played.log.experts, chosen)
    np.testing.assert_allclose(played.log.finishes, finishes, rtol=1e-12)
    np.testing.assert_array_equal(played.log.right, right)


def test_worlds_and_runs_are_reproducible():
    crew = Crew(6, 2, 3, 800, 0.8, "failures")
    runs = [play(crew.draw(np.random.default_rng(1)), "random", rng=s).log for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].finishes, runs[1].finishes)
    assert (runs[0].experts != runs[2].experts).any()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_crew_can_do_what_its_slots_promise(scenario):
    world = Crew(7, 2, 3, 500, 0.9, scenario).draw(np.random.default_rng(2))
    np.testing.assert_allclose((1 / world.service).mean(axis=1), 1.0)
    assert world.arrivals[-1] == pytest.approx(500 / (0.9 * 14), rel=0.2)


def test_experts_fail_for_the_stated_share_of_their_time():
    world = Crew(2000, 1, 1, 2000, 0.5, "failures").draw(np.random.default_rng(0))
    # The process begins well; by the end of the run it has forgotten that.
    end = world.arrivals[-1]
    share = ((world.begins <= end) & (end < world.ends)).any(axis=1).mean()
    assert share == pytest.approx(0.11, abs=0.03)
    assert set(np.unique(world.kinds)) == {1, 2, 3}


def test_drift_redraws_half_of_the_experts():
    world = Crew(10, 1, 4, 500, 0.5, "drift").draw(np.random.default_rng(0))
    changed = (np.diff(world.skill, axis=0) != 0).any(axis=1).sum(axis=1)
    assert changed.tolist() == [5, 5, 5, 5]


# -- how good the policies are ---------------------------------------------------------------------


def goodput(crews, policy, **keywords):
    return np.mean([play(world, policy, **keywords).goodput() for world in crews])


@pytest.fixture(scope="module", params=[(8, 4), (100, 2)], ids=["8x4", "100x2"])
def held_out(request):
    """Worlds at a load of 0.85, two of each scenario."""
    experts, slots = request.param
    return [
        Crew(experts, slots, scenario=scenario).draw(np.random.default_rng(70 + seed))
        for scenario in SCENARIOS
        for seed in range(2)
    ]


def test_the_index_comes_near_the_truth_and_beats_queue_lengths(held_out):
    best = np.mean([oracle(world).goodput() for world in held_out])
    index = goodput(held_out, "auto")
    assert index > 0.86 * best
    assert index > 1.15 * goodput(held_out, "shortest_queue")
    assert index > 1.2 * goodput(held_out, "power_of_two")
    assert index > 1.4 * goodput(held_out, "random")
    assert index < best


def test_without_the_load_term_the_best_expert_drowns():
    worlds = [Crew().draw(np.random.default_rng(seed)) for seed in range(2)]
    assert goodput(worlds, "thompson", load_weight=0.0) < 0.4 * goodput(worlds, "thompson")


def test_old_reports_and_own_sends_are_nearly_as_good_as_live_ones():
    for experts, slots in [(8, 4), (100, 2)]:
        worlds = [Crew(experts, slots).draw(np.random.default_rng(40 + s)) for s in range(3)]
        live = goodput(worlds, "auto")
        assert goodput(worlds, "auto", knowledge="reports_and_sent") > 0.93 * live
        assert goodput(worlds, "auto", knowledge="reports") < 0.75 * live


def test_of_its_own_tasks_a_single_dispatcher_knows_everything():
    world = Crew().draw(np.random.default_rng(4))
    live, own = play(world), play(world, knowledge="reports_and_own")
    np.testing.assert_array_equal(live.log.experts, own.log.experts)


def test_ten_dispatchers_that_count_their_sends_for_more():
    worlds = [Crew(dispatchers=10).draw(np.random.default_rng(40 + s)) for s in range(3)]
    plain = goodput(worlds, "auto", knowledge="reports_and_own")
    more = goodput(worlds, "auto", knowledge="reports_and_own", own_weight=5.0, temperature=0.05)
    assert more > 1.15 * plain


@pytest.mark.parametrize(("experts", "slots"), [(8, 4), (100, 2)])
@pytest.mark.parametrize("ailment", ["garbage", "time_out"])
def test_busiest_experts_that_fail_are_drained_and_taken_back(experts, slots, ailment):
    first, last = 8000, 11_000
    world = Crew(experts, slots, tasks=16_000).draw(np.random.default_rng(11))
    before = play(world)
    worst = before.busiest(0.1, first - 3000, first)
    share = np.isin(before.log.experts[first - 3000 : first], worst).mean()
    ill = play(with_outage(world, worst, ailment, first, last))
    np.testing.assert_array_equal(ill.log.experts[:first], before.log.experts[:first])
    assert ill.tasks_until(worst, first, 0.2 * share, rises=False) <= 450
    assert ill.tasks_until(worst, last, 0.5 * share, rises=True) <= 1500


def test_shortest_queue_never_drains_an_expert_that_answers_garbage():
    world = Crew(tasks=9000).draw(np.random.default_rng(11))
    ill = play(with_outage(world, [0], "garbage", 3000, 8999), "shortest_queue")
    assert ill.tasks_until([0], 3000, 0.2 / 8, rises=False) is None
    assert np.mean(ill.log.experts[3000:] == 0) > 2 / 8


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"experts": 0}, "experts"),
        ({"slots": 1.5}, "slots"),
        ({"topics": 0}, "topics"),
        ({"tasks": 0}, "tasks"),
        ({"dispatchers": 0}, "dispatchers"),
        ({"load": 0.0}, "load"),
        ({"spread": math.nan}, "spread"),
        ({"scenario": "peace"}, "scenario is 'peace'; allowed: stationary, failures, drift"),
    ],
)
def test_impossible_crews_are_refused(keywords, message):
    with pytest.raises(InputError, match=message):
        Crew(**keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"policy": "best"}, "policy is 'best'; allowed: oracle, auto"),
        ({"knowledge": "none"}, "knowledge"),
        ({"report_every": 0}, "report_every"),
        ({"own_weight": 0.0}, "own_weight"),
        ({"rng": -1}, "rng"),
        ({"gamma": 0.9}, "gamma.*allowed: discount, prior"),
    ],
)
def test_impossible_runs_are_refused(keywords, message):
    world = Crew(tasks=5).draw(np.random.default_rng(0))
    with pytest.raises(InputError, match=message):
        play(world, **keywords)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], "tired", 0, 1), "ailment is 'tired'; allowed: time_out, garbage, slow"),
        (([9], "slow", 0, 1), "expert is 9"),
        (([0], "slow", 5, 1), "first is 5"),
        (([0], "slow", 0, 5), "last is 5"),
    ],
)
def test_impossible_outages_are_refused(arguments, message):
    world = Crew(tasks=5).draw(np.random.default_rng(0))
    with pytest.raises(InputError, match=message):
        with_outage(world, *arguments)
