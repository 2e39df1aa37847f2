"""Backtests run through the kernel: what is billed, what is told, and what never is."""

from __future__ import annotations

import inspect
import types

import numpy as np
import pytest

from swarmloom import Ledger, hookimpl, hookspecs
from swarmloom.backtest import backtest, draw_stream
from swarmloom.backtest.answers import make_table
from swarmloom.backtest.run import run_stream, swarm_score, table_experts, table_tasks
from swarmloom.config import load_settings
from swarmloom.errors import InputError, SwarmloomError
from swarmloom.swarm import Swarm


@pytest.fixture
def alone():
    """Settings of a swarm without any installed plugin: the kernel's own majority."""
    return load_settings(None, plugins={"enable": []}, swarm={"window": 1})


def secret_table(n=24, n_experts=4):
    """Nobody is ever right, so a right answer seen anywhere was leaked."""
    rng = np.random.default_rng(5)
    return make_table(
        [f"q{i}" for i in range(n)],
        [f"secret of q{i}" for i in range(n)],
        {f"e{j}": rng.choice(["A", "B", "C", ""], n).tolist() for j in range(n_experts)},
        topics=rng.choice(["law", "art"], n).tolist(),
        options=[4] * n,
    )


def letters_table(n=40, n_experts=3, right=0.8, seed=1):
    rng = np.random.default_rng(seed)
    gold = rng.choice(list("ABCD"), n)
    answers = {
        f"e{j}": np.where(rng.random(n) < right, gold, rng.choice(list("ABCD"), n)).tolist()
        for j in range(n_experts)
    }
    return make_table([f"q{i}" for i in range(n)], gold.tolist(), answers)


def strings_within(start):
    """Find every string reachable from a value: containers, attributes, closures, arrays."""
    seen, stack, found = set(), [start], set()
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            found.add(value)
        if id(value) in seen or isinstance(
            value, str | bytes | int | float | type | types.ModuleType | types.CodeType
        ):
            continue
        seen.add(id(value))
        stack += parts_of(value)
    return found


def parts_of(value):
    if isinstance(value, dict | types.MappingProxyType):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.kind in "OU" else []
    parts = []
    if isinstance(value, types.MethodType):
        parts += [value.__self__, value.__func__]
    if isinstance(value, types.FunctionType):
        parts += [
            cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()
        ]
        parts += [value.__defaults__, value.__kwdefaults__]
    parts += list(getattr(value, "__dict__", {}).values())
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        names = [slots] if isinstance(slots, str) else slots
        parts += [getattr(value, name) for name in names if hasattr(value, name)]
    return parts


def spy_on_every_hook(look):
    """Make a plugin that implements each hook of the round cycle and beside it."""
    plugin = types.SimpleNamespace()
    for group in (hookspecs.CycleSpecs, hookspecs.MessageSpecs, hookspecs.ObserverSpecs):
        for name, spec in vars(group).items():
            if not name.startswith("swarmloom_"):
                continue
            arguments = ", ".join(list(inspect.signature(spec).parameters)[1:])
            space = {"look": look}
            exec(f"def {name}({arguments}): look({name!r}, ({arguments},))", space)
            setattr(plugin, name, hookimpl(tryfirst=True)(space[name]))
    return plugin


def test_the_spy_would_find_a_secret():
    secret = "deep"

    def closure():
        return secret

    held = types.SimpleNamespace(a=[{"b": (closure,)}])
    assert "deep" in strings_within(held)
    assert "deep" in strings_within(np.array(["deep"]))


def run_with_spy(settings, graded):
    table, heard = secret_table(), {}

    def look(hook, arguments):
        heard.setdefault(hook, set()).update(strings_within(arguments))

    result = backtest(
        table,
        np.ones(4),
        settings,
        graded=graded,
        plugins=[("spy", spy_on_every_hook(look))],
    )
    return result.runs[0], heard


@pytest.mark.parametrize("installed", [False, True])
def test_no_hook_ever_sees_a_right_answer_that_was_not_given(alone, installed):
    settings = load_settings(None, swarm={"window": 1}) if installed else alone
    run, heard = run_with_spy(settings, graded=0.25)
    assert {"swarmloom_navigate", "swarmloom_judge", "swarmloom_evolve"} <= set(heard)
    given = {
        f"secret of {item}"
        for item, graded in zip(run.stream.table.items, run.stream.graded, strict=True)
        if graded
    }
    assert len(given) == 6
    for hook, strings in heard.items():
        leaked = {text for text in strings if text.startswith("secret of")} - given
        assert not leaked, hook
    assert given <= heard["swarmloom_evolve"]  # The spy does see what is given.


def test_without_grades_no_right_answer_is_seen_at_all(alone):
    _, heard = run_with_spy(alone, graded=0.0)
    assert not {text for seen in heard.values() for text in seen if text.startswith("secret")}


def test_a_right_answer_is_told_only_after_the_verdict(alone):
    table, order = secret_table(), []

    class Watch:
        @hookimpl
        def swarmloom_evolve(self, outcomes):
            order.extend((o.task.id, o.verdict.answer, o.truth) for o in outcomes)

    stream = draw_stream(table, np.ones(4), seed=0, graded=1.0)
    swarm = Swarm(table_experts(stream), alone, plugins=[("watch", Watch())])
    run_stream(swarm, stream)
    assert [task for task, _, _ in order] == list(stream.table.items)
    assert all(truth == f"secret of {task}" for task, _, truth in order)


def test_tasks_hold_nothing_but_name_topic_options_and_row():
    table = secret_table(n=3)
    tasks = list(table_tasks(table))
    assert [(t.id, t.prompt, t.topic, t.options, t.payload) for t in tasks] == [
        (item, item, topic, 4, row)
        for row, (item, topic) in enumerate(zip(table.items, table.topics, strict=True))
    ]


def test_experts_answer_as_recorded_and_empty_cells_are_failures(alone):
    table = make_table(["q0", "q1"], ["A", "B"], {"ada": ["A", None], "bob": ["A", "B"]})
    stream = draw_stream(table, np.array([1.0, 3.0]), seed=0, graded=0.0)
    ada, bob = table_experts(stream)
    tasks = {task.id: task for task in table_tasks(stream.table)}
    assert (ada.answer(tasks["q0"]), ada.answer(tasks["q1"])) == ("A", None)
    assert (ada.price, bob.price) == (1.0, 3.0)
    result = run_stream(Swarm([ada, bob], alone), stream)
    assert result.answers == {"q0": "A", "q1": "B"}
    empty = [b for o in result.outcomes for b in o.ballots if not b.succeeded]
    assert len(empty) <= 1
    assert result.cost == pytest.approx(sum(b.cost for o in result.outcomes for b in o.ballots))


def test_scores_are_the_runs_own_bill(alone):
    result = backtest(letters_table(), np.array([1.0, 2.0, 3.0]), alone, graded=0.1)
    run = result.runs[0]
    assert run.swarm.cost.sum() == pytest.approx(run.result.cost)
    assert run.swarm.calls.sum() == run.result.calls
    right = [run.result.answers[i] for i in run.stream.table.items]
    gold = [run.stream.table.labels[code] for code in run.stream.table.gold]
    assert run.swarm.right.mean() == pytest.approx(np.mean(np.array(right) == np.array(gold)))
    assert result.rows[0].kind == "swarm"
    assert result.rows[0].accuracy == pytest.approx(run.swarm.right.mean())


def test_the_same_seed_gives_the_same_run(alone):
    table = letters_table()
    first, again, other = (
        backtest(table, np.ones(3), alone, seeds=[seed]).runs[0] for seed in (3, 3, 4)
    )
    assert first.result.answers == again.result.answers
    np.testing.assert_array_equal(first.swarm.cost, again.swarm.cost)
    assert list(first.result.answers) != list(other.result.answers)


def test_several_seeds_are_reported_by_mean_and_deviation(alone):
    result = backtest(letters_table(), np.ones(3), alone, seeds=range(3))
    accuracies = [run.swarm.right.mean() for run in result.runs]
    assert result.rows[0].accuracy == pytest.approx(np.mean(accuracies))
    assert result.rows[0].accuracy_sd == pytest.approx(np.std(accuracies, ddof=1))
    assert {row.seeds for row in result.rows} == {3}


def test_an_expert_may_be_called_like_a_row(alone):
    table = make_table(["q"], ["A"], {"swarm": ["A"], "random expert": ["B"]})
    result = backtest(table, np.ones(2), alone)
    assert sorted(row.name for row in result.rows if row.kind == "expert") == [
        "random expert",
        "swarm",
    ]
    assert [row.name for row in result.rows if row.kind == "swarm"] == ["swarm"]


def test_a_budget_ends_the_pass_and_the_rest_counts_as_wrong():
    settings = load_settings(
        None, plugins={"enable": []}, swarm={"window": 1}, budget={"calls": 10}
    )
    result = backtest(letters_table(right=1.0), np.ones(3), settings)
    run = result.runs[0]
    assert run.result.calls == 10
    assert 0 < run.swarm.right.sum() <= 10
    assert run.swarm.right.mean() < 0.3


def test_an_interrupted_pass_goes_on_where_it_stopped(alone, tmp_path):
    table, file = letters_table(), tmp_path / "ledger.sqlite"
    whole = backtest(table, np.ones(3), alone).runs[0]

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.finished == 15:
            raise Stop

    with Ledger(file) as ledger, pytest.raises(Stop):
        backtest(table, np.ones(3), alone, ledger=ledger, on_progress=stop)
    with Ledger(file) as ledger:
        run = ledger.runs()[0].id
        resumed = backtest(table, np.ones(3), alone, ledger=ledger, resume=run).runs[0]
    assert resumed.result.run_id == run
    assert resumed.result.answers == whole.result.answers
    assert resumed.result.calls == whole.result.calls
    np.testing.assert_array_equal(resumed.swarm.cost, whole.swarm.cost)


@pytest.mark.parametrize("seeds", [[], [0, 1]])
def test_only_one_pass_can_be_resumed(alone, seeds):
    with pytest.raises(InputError, match=f"{len(seeds)} seeds given"):
        backtest(letters_table(), np.ones(3), alone, seeds=seeds, resume="run")


def test_a_table_without_items_is_refused(alone):
    with pytest.raises(SwarmloomError):
        backtest(make_table([], [], {"ada": []}), np.ones(1), alone)


def test_progress_counts_every_item(alone):
    heard = []
    table = letters_table(n=12)
    result = backtest(
        table,
        np.ones(3),
        alone,
        on_progress=lambda p: heard.append((p.finished, p.right, p.calls)),
    )
    assert [finished for finished, _, _ in heard] == list(range(1, 13))
    assert heard[-1][1] == result.runs[0].swarm.right.sum()
    assert heard[-1][2] == result.runs[0].result.calls


def test_unfinished_items_score_zero(alone):
    table = letters_table(n=5)
    stream = draw_stream(table, np.ones(3), seed=0, graded=0)
    result = run_stream(
        Swarm(table_experts(stream), alone), stream, list(table_tasks(stream.table))[:2]
    )
    score = swarm_score(stream, result)
    assert score.calls[2:].tolist() == [0, 0, 0]
    assert score.right[2:].tolist() == [0, 0, 0]
