from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from swarmloom import hookimpl
from swarmloom.config import PluginSettings
from swarmloom.errors import PluginError
from swarmloom.events import EventKind
from swarmloom.host import PluginHost


def make_host(events=None, **settings):
    on_event = None if events is None else lambda kind, data: events.append((kind, dict(data)))
    return PluginHost(PluginSettings(enable=[], **settings), on_event=on_event)


def plugin(**functions):
    """An object whose attributes are hook implementations."""
    return SimpleNamespace(**functions)


def raising(error):
    @hookimpl
    def swarmloom_evolve(outcomes):
        raise error

    return plugin(swarmloom_evolve=swarmloom_evolve)


class Listener:
    def __init__(self):
        self.heard = []

    @hookimpl
    def swarmloom_evolve(self, outcomes):
        self.heard.append(outcomes)


def state(host, name):
    return next(str(one.state) for one in host.report() if one.name == name)


def failures(host, name):
    return next(one.failures for one in host.report() if one.name == name)


def test_a_bad_neighbour_does_not_stop_the_others():
    host, before, after = make_host(), Listener(), Listener()
    host.add(before, "before")
    host.add(raising(RuntimeError("no")), "bad")
    host.add(after, "after")
    host.hook.swarmloom_evolve(outcomes=[1])
    assert before.heard == after.heard == [[1]]
    assert failures(host, "bad") == 1
    assert state(host, "bad") == "active"


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_the_threshold_of_the_quarantine(limit):
    events = []
    host = make_host(events, max_failures=limit)
    host.add(raising(ValueError("on purpose")), "bad")
    for call in range(limit):
        assert state(host, "bad") == "active", call
        host.hook.swarmloom_evolve(outcomes=[])
    assert state(host, "bad") == "quarantined"
    host.hook.swarmloom_evolve(outcomes=[])
    assert failures(host, "bad") == limit
    kinds = [kind for kind, _ in events]
    assert kinds == [EventKind.PLUGIN_FAILED] * limit + [EventKind.PLUGIN_QUARANTINED]
    assert events[0][1] == {
        "plugin": "bad",
        "hook": "swarmloom_evolve",
        "error": "ValueError: on purpose",
    }
    assert "ValueError: on purpose" in events[-1][1]["reason"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_is_no_exception_passes_through(error):
    host = make_host()
    host.add(raising(error), "bad")
    with pytest.raises(type(error)):
        host.hook.swarmloom_evolve(outcomes=[])
    assert failures(host, "bad") == 0


def answering(value):
    @hookimpl
    def swarmloom_judge(round):
        return value

    return plugin(swarmloom_judge=swarmloom_judge)


def test_a_result_that_fails_its_validator_is_dropped_and_the_next_plugin_asked():
    host = make_host()
    seen = []

    def check(value, arguments):
        seen.append((value, arguments))
        if value == "bad":
            raise ValueError("not good")

    host.validators["swarmloom_judge"] = check
    host.add(answering("good"), "first")
    host.add(answering("bad"), "second")
    assert host.hook.swarmloom_judge(round=7) == ("first", "good")
    assert seen == [("bad", {"round": 7}), ("good", {"round": 7})]
    assert failures(host, "second") == 1
    assert failures(host, "first") == 0


def test_validators_see_arguments_that_the_implementation_leaves_out():
    host, seen = make_host(), []
    host.validators["swarmloom_decide"] = lambda value, arguments: seen.append(arguments)

    @hookimpl
    def swarmloom_decide(mixture):
        return mixture

    host.add(plugin(swarmloom_decide=swarmloom_decide), "p")
    assert host.hook.swarmloom_decide(round="r", mixture="m") == ("p", "m")
    assert seen == [{"round": "r", "mixture": "m"}]


def test_none_is_no_opinion_and_is_not_validated():
    host = make_host()
    host.validators["swarmloom_judge"] = lambda value, arguments: pytest.fail("validated")
    host.add(answering(None), "p")
    assert host.hook.swarmloom_judge(round=1) is None
    assert failures(host, "p") == 0


def test_other_false_values_are_opinions():
    host = make_host()
    host.add(answering([]), "p")
    assert host.hook.swarmloom_judge(round=1) == ("p", [])


# -- signatures ---------------------------------------------------------------------------------


def test_arguments_may_come_in_any_order_and_be_left_out():
    host = make_host()

    @hookimpl
    def swarmloom_decide(mixture, round):
        return (round, mixture)

    host.add(plugin(swarmloom_decide=swarmloom_decide), "p")
    assert host.hook.swarmloom_decide(round="r", mixture="m").value == ("r", "m")


def test_an_argument_of_a_newer_swarmloom_keeps_its_default():
    host = make_host()

    @hookimpl
    def swarmloom_decide(round, newer=5, mixture=None):
        return (round, newer, mixture)

    host.add(plugin(swarmloom_decide=swarmloom_decide), "p")
    assert host.hook.swarmloom_decide(round="r", mixture="m").value == ("r", 5, "m")


def test_static_and_class_methods_are_hooks_too():
    class Plugin:
        @staticmethod
        @hookimpl
        def swarmloom_judge(round):
            return round

        @classmethod
        @hookimpl
        def swarmloom_snapshot(cls):
            return cls.__name__

    host = make_host()
    host.add(Plugin(), "p")
    assert host.hook.swarmloom_judge(round=3).value == 3
    assert host.hook.swarmloom_snapshot()[0].value == "Plugin"


@hookimpl
def _keyword_only(*, round):
    return None


@hookimpl
def _star(*round):
    return None


@hookimpl
def _by_position(round, /):
    return None


@hookimpl
def _unknown_argument(round, mood):
    return None


@hookimpl
def _near_argument(rond):
    return None


@hookimpl(wrapper=True)
def _wrapper(round):
    return (yield)


@hookimpl(hookwrapper=True)
def _old_wrapper(round):
    yield


def _unmarked(round):
    return None


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_keyword_only, "keyword-only"),
        (_star, "variadic"),
        (_by_position, "positional-only"),
        (_unknown_argument, "no argument 'mood'; it has: round"),
        (_near_argument, "did you mean 'round'"),
        (_wrapper, "is a wrapper"),
        (_old_wrapper, "is a wrapper"),
        (_unmarked, "not marked; put @hookimpl"),
    ],
)
def test_functions_that_cannot_be_hooks_are_refused_and_leave_nothing_behind(function, message):
    host = make_host()
    good = hookimpl(lambda: {"a": 1})
    with pytest.raises(PluginError, match=message):
        host.add(plugin(swarmloom_judge=function, swarmloom_snapshot=good), "p")
    assert [one.name for one in host.report()] == []
    assert host.hook.swarmloom_snapshot() == []


def test_an_unknown_hook_is_refused_with_the_nearest_name():
    host = make_host()
    with pytest.raises(PluginError, match="no hook 'swarmloom_navigat'; did you mean 'swarmloom_n"):
        host.add(plugin(swarmloom_navigat=hookimpl(lambda round: None)), "p")
    assert host.report() == []


def test_a_hook_may_be_named_by_the_marker():
    @hookimpl(specname="swarmloom_snapshot")
    def my_state():
        return 9

    host = make_host()
    host.add(plugin(my_state=my_state), "p")
    assert host.hook.swarmloom_snapshot()[0].value == 9


@pytest.mark.parametrize(
    ("marks", "winner"),
    [(({}, {}), "b"), (({"tryfirst": True}, {}), "a"), (({}, {"trylast": True}), "a")],
)
def test_the_author_s_order_counts(marks, winner):
    host = make_host()
    for name, mark in zip("ab", marks, strict=True):
        host.add(judge_with(mark, name), name)
    assert host.hook.swarmloom_judge(round=1).value == winner


def judge_with(mark, answer):
    @hookimpl(**mark)
    def swarmloom_judge(round):
        return answer

    return plugin(swarmloom_judge=swarmloom_judge)


# -- the kernel's own ---------------------------------------------------------------------------


def test_errors_of_the_kernel_s_own_are_raised():
    host = make_host()
    host.add(raising(ValueError("a bug")), "kernel", essential=True)
    with pytest.raises(ValueError, match="a bug"):
        host.hook.swarmloom_evolve(outcomes=[])


def test_the_kernel_s_own_cannot_be_disabled():
    host = make_host(disable=["kernel"])
    host.add(Listener(), "kernel", essential=True)
    assert state(host, "kernel") == "active"
    with pytest.raises(PluginError, match="cannot be disabled"):
        host.disable("kernel")


# -- switching ----------------------------------------------------------------------------------


def test_disable_and_enable_keep_what_was_learned():
    events = []
    host, listener = make_host(events), Listener()
    host.add(listener, "p")
    host.hook.swarmloom_evolve(outcomes=[1])
    host.disable("p")
    host.hook.swarmloom_evolve(outcomes=[2])
    host.enable("p")
    host.enable("p")
    host.hook.swarmloom_evolve(outcomes=[3])
    assert listener.heard == [[1], [3]]
    assert events == [
        (EventKind.PLUGIN_DISABLED, {"plugin": "p"}),
        (EventKind.PLUGIN_ENABLED, {"plugin": "p"}),
    ]


def test_a_quarantined_plugin_can_be_enabled_and_starts_from_zero():
    host = make_host(max_failures=2)
    host.add(raising(ValueError("no")), "bad")
    for _ in range(2):
        host.hook.swarmloom_evolve(outcomes=[])
    host.enable("bad")
    assert (state(host, "bad"), failures(host, "bad")) == ("active", 0)
    host.hook.swarmloom_evolve(outcomes=[])
    assert failures(host, "bad") == 1


def test_unknown_names_are_refused_with_the_nearest():
    host = make_host()
    host.add(Listener(), "listener")
    for switch in (host.enable, host.disable):
        with pytest.raises(PluginError, match="no plugin 'listner'; did you mean 'listener'"):
            switch("listner")


def test_a_historic_hook_reaches_plugins_that_come_later():
    heard = []

    @hookimpl
    def swarmloom_configured(settings):
        heard.append(settings)

    host = make_host()
    host.hook.swarmloom_configured.call_historic(kwargs={"settings": "these"})
    host.add(plugin(swarmloom_configured=swarmloom_configured), "late")
    assert heard == ["these"]


def test_a_plugin_that_fails_in_a_replayed_hook_is_quarantined_whole():
    @hookimpl
    def swarmloom_configured(settings):
        raise ValueError("no")

    listener = Listener()
    host = make_host(max_failures=1)
    host.hook.swarmloom_configured.call_historic(kwargs={"settings": "these"})
    bad = plugin(
        swarmloom_configured=swarmloom_configured, swarmloom_evolve=listener.swarmloom_evolve
    )
    host.add(bad, "bad")
    assert state(host, "bad") == "quarantined"
    host.hook.swarmloom_evolve(outcomes=[1])
    assert listener.heard == []


def test_failures_that_the_kernel_noticed_count():
    host = make_host(max_failures=2)
    host.add(Listener(), "p")
    host.fail("p", "swarmloom_execute", RuntimeError("half way"))
    host.fail("p", "swarmloom_execute", RuntimeError("half way"))
    assert state(host, "p") == "quarantined"
    host.fail("nobody", "swarmloom_execute", RuntimeError("late"))


def test_a_failing_observer_causes_no_event_that_it_would_observe():
    host = make_host(max_failures=1000)
    calls = []

    @hookimpl
    def swarmloom_observe(event):
        calls.append(event)
        raise ValueError("no")

    host._on_event = lambda kind, data: host.hook.swarmloom_observe(event=kind)
    host.add(plugin(swarmloom_observe=swarmloom_observe), "bad")
    host.hook.swarmloom_observe(event="one")
    assert calls == ["one"]


def test_plugins_are_switched_while_hooks_are_called_from_many_threads():
    host, listener = make_host(), Listener()
    host.add(listener, "steady")
    host.add(answering("x"), "switched")
    stop, errors = threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                host.hook.swarmloom_evolve(outcomes=[])
                assert host.hook.swarmloom_judge(round=1) in (None, ("switched", "x"))
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        host.disable("switched")
        host.enable("switched")
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert host.hook.swarmloom_judge(round=1) == ("switched", "x")


def test_concurrent_failures_are_all_counted():
    host = make_host(max_failures=10_000)
    host.add(raising(ValueError("no")), "bad")

    def work():
        for _ in range(50):
            host.hook.swarmloom_evolve(outcomes=[])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures(host, "bad") == 200
