"""A panel's snapshot is taken back whole, or refused: every entry, damaged in every way."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.panel import Panel, PanelSettings
from tests.protocols.consensus.panel_worlds import lettered, simulate

SETTINGS = PanelSettings(target_cost=2.0, change_limit=3.0, change_answers=5.0)
PRICES = np.array([0.4, 0.5, 0.8, 1.5])


def play(panel, rng, tasks, skills):
    for step in range(tasks):
        truth, options = simulate(rng, skills, 4)
        topic, experts = step % panel.n_topics, []
        while (expert := panel.next(topic, 4, experts, lettered(options[experts])[0])) >= 0:
            experts.append(expert)
        answers, names = lettered(options[experts])
        item = panel.record(topic, 4, experts, answers, panel.prices[experts])
        if rng.random() < 0.3:
            panel.grade(item, names.setdefault(truth, len(names) - 1))
            while (expert := panel.audit(item)) >= 0:
                answer = names.setdefault(int(options[expert]), len(names) - 1)
                panel.add_answer(item, expert, answer, panel.prices[expert])


def whole_snapshot():
    """Of a panel that has studied, been graded and audited, and found a change."""
    rng = np.random.default_rng(1)
    panel = Panel(PRICES, 2, SETTINGS, rng=rng, groups=[0, 1, 1, 2])
    panel.study([0, 1], [4, 4], [[0, 1, 0, 0], [2, 2, -1, -2]], [0, -1])
    play(panel, rng, 100, np.array([0.5, 0.6, 0.7, 0.9]))
    play(panel, rng, 60, np.array([0.5, 0.6, 0.7, 0.1]))
    return panel.state()


STATE = whole_snapshot()


def test_the_snapshot_that_is_damaged_below_has_everything_and_is_taken():
    assert all(array.size for array in STATE.values())
    again = Panel.from_state(STATE, SETTINGS).state()
    for name, array in STATE.items():
        np.testing.assert_array_equal(array, again[name], err_msg=name)


def of_another_kind(array):
    """The same in another shape, or of another type."""
    yield "none", None
    yield "list", array.tolist()
    yield "text", array.astype("U8")
    yield "halved", array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
    yield "shorter", array[:-1].copy()
    yield "longer", np.concatenate([array, array])
    yield "one row", array[:1].copy()[None]
    if array.size > 1:
        yield "flat", array.reshape(-1)[:1].copy()
    yield "empty", array[:0].copy()


KINDS = [(name, how) for name in STATE for how, _ in of_another_kind(STATE[name])]
# More changes of the same expert are a list of changes as good as any.
KINDS.remove(("watch.found", "longer"))


@pytest.mark.parametrize(("name", "how"), KINDS)
def test_an_entry_of_another_kind_is_refused(name, how):
    damaged = dict(of_another_kind(STATE[name]))[how]
    with pytest.raises(InputError):
        Panel.from_state(STATE | {name: damaged}, SETTINGS)


@pytest.mark.parametrize("name", STATE)
def test_a_missing_entry_is_refused_by_name(name):
    with pytest.raises(InputError, match=name):
        Panel.from_state({key: STATE[key] for key in STATE if key != name}, SETTINGS)


def test_an_unknown_entry_is_refused_by_name():
    with pytest.raises(InputError, match=r"prices\.other"):
        Panel.from_state(STATE | {"prices.other": PRICES}, SETTINGS)


def test_what_is_no_snapshot_is_refused():
    with pytest.raises(InputError, match="missing"):
        Panel.from_state([], SETTINGS)


def test_a_snapshot_of_other_classes_is_refused():
    with pytest.raises(InputError, match="allowed"):
        Panel.from_state(STATE, PanelSettings(classes=4))


def strange(array):
    if array.dtype.kind == "f":
        return [np.nan, np.inf, -np.inf, -1e300, 1e300, -5.0]
    return [] if array.dtype.kind == "b" else [-5, 10**6, 2**62]


SOUND = {
    # What may be any number, and numbers that only speak for themselves.
    *(("groups", value) for value in (-5, 10**6, 2**62)),
    *(("journal.n_options", value) for value in (10**6, 2**62)),
    ("rates.ability", -5.0),
    ("prices.declared", 1e300),
}
VALUES = [(name, value) for name in STATE for value in strange(STATE[name])]


@pytest.mark.parametrize(
    ("name", "value"), [pair for pair in VALUES if pair[0] not in ("whole", "real")]
)
def test_a_number_out_of_range_is_refused(name, value):
    """In all places; in the first place alone it is refused as well."""
    everywhere, once = STATE[name].copy(), STATE[name].copy()
    everywhere[...] = value
    once.flat[0] = value
    if (name, value) in SOUND:
        Panel.from_state(STATE | {name: everywhere}, SETTINGS)
        return
    for damaged in (everywhere, once):
        with pytest.raises(InputError, match=r"snapshot|prices"):
            Panel.from_state(STATE | {name: damaged}, SETTINGS)


WHOLE = ("topics", "seed", "refits", "next_refit", "tasks", "changed_at", "studied")
REAL = ("price", "quoted", "spent", "audit_spent", "bias", "slope", "surveyed")
FREE = {
    *(("seed", value) for value in (10**6,)),
    *(("refits", value) for value in (10**6, 2**62)),
    *(("next_refit", value) for value in (10**6, 2**62)),
    *(("price", value) for value in (1e300,)),
    *(("quoted", value) for value in (1e300,)),
    ("bias", -5.0),
}


@pytest.mark.parametrize(
    ("entry", "place", "value"),
    [
        (entry, place, value)
        for entry, names in (("whole", WHOLE), ("real", REAL))
        for place, name in enumerate(names)
        for value in strange(STATE[entry])
        if (name, value) not in FREE
    ],
)
def test_a_single_number_out_of_range_is_refused(entry, place, value):
    damaged = STATE[entry].copy()
    damaged[place] = value
    with pytest.raises(InputError, match="snapshot"):
        Panel.from_state(STATE | {entry: damaged}, SETTINGS)


def test_no_refit_is_put_off_for_ever():
    late = STATE["whole"].copy()
    late[3] = 10**9
    panel = Panel.from_state(STATE | {"whole": late}, SETTINGS)
    assert panel.state()["whole"][3] == len(panel) + SETTINGS.longest_refit


def shuffled_calls(state):
    return {"journal.item": state["journal.item"][::-1].copy()}


def doubled_expert(state):
    expert = state["journal.expert"].copy()
    start = int(np.argmax(state["journal.asked"] > 1))
    first = state["journal.start"][start]
    expert[first] = expert[first + 1]
    return {"journal.expert": expert}


def moved(name, place, by):
    def change(state):
        array = state[name].copy()
        array[place] += by
        return {name: array}

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (shuffled_calls, "journal.item"),
        (doubled_expert, "journal.expert"),
        (moved("journal.start", -1, 1), "journal"),
        (moved("journal.answer", -1, 4), "journal.answer"),
        (moved("journal.truth", 0, 5), "journal.truth"),
        (moved("journal.verdict", -1, 32), "journal.verdict"),
        (moved("topic_calls", (0, 0), 1), "topic_calls"),
        (moved("calls", 0, 10_000), "calls"),
        (moved("labels", 0, 10_000), "labels"),
        (moved("prices.billed", (0, 1), 1.0), "prices.billed"),
        (moved("prices.billed", (1, 1), 1.0), "prices.billed"),
        (moved("real", 2, 1.0), "costs"),
        (moved("real", 3, 1.0), "costs"),
        (moved("real", 6, 1e6), "real"),
        (moved("whole", 4, 1), "whole"),
        (moved("rates.difficulty", (0, 0), 0.01), "rates.difficulty"),
        (moved("watch.sum", 0, 1e5), "watch.sum"),
        (moved("watch.found", (0, 0), 10**5), "watch.found"),
        (lambda s: {"pool": np.zeros_like(s["pool"])}, "pool"),
        (lambda s: {"speakers": np.zeros_like(s["speakers"])}, "speakers"),
        (lambda s: {"former.experts": (s["former.experts"] + 1) % 4}, "former.experts"),
    ],
)
def test_entries_that_contradict_one_another_are_refused(change, named):
    with pytest.raises(InputError, match=named):
        Panel.from_state(STATE | change(STATE), SETTINGS)
