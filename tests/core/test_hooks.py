"""Every hook is called by the kernel, with its arguments, and documented."""

from __future__ import annotations

import contextlib
import inspect
from types import SimpleNamespace

import pytest

from swarmloom import Message, Task, hookimpl
from swarmloom.errors import InputError
from swarmloom.hookdocs import hook_docs
from tests.core.swarms import answering, inline, make_swarm

DOCS = hook_docs()


def recorder(calls):
    """Make a plugin that implements every hook, notes each call and has no opinion."""
    made = SimpleNamespace()
    for doc in DOCS:
        setattr(made, doc.name, hookimpl(noting(doc, calls)))
    return made


def noting(doc, calls):
    def note(*values, **named):
        calls.setdefault(doc.name, {**dict(zip(doc.arguments, values, strict=False)), **named})

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in doc.arguments]
    note.__signature__ = inspect.Signature(parameters)
    return note


@pytest.fixture(scope="module")
def calls():
    """What the hooks of one plugin heard in the life of a swarm."""
    heard = {}
    experts = [inline(name, answering("x")) for name in "ab"]
    swarm = make_swarm(experts, plugins=[("recorder", recorder(heard))])
    swarm.run([Task("one"), Task("two")], feedback=lambda task, answer: "x")
    swarm.route(Message("a", "b"))
    swarm.snapshot()
    swarm.restore({"recorder": {"learned": 1}})
    with contextlib.suppress(Exception):
        swarm.coordinating(object())
    swarm.close()
    return heard


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_the_kernel_calls_every_hook_with_all_its_arguments(doc, calls):
    assert doc.name in calls
    assert tuple(calls[doc.name]) == doc.arguments
    assert all(value is not None for value in calls[doc.name].values())


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_no_argument_of_a_hook_has_a_default(doc):
    """Implementations are given every argument; the guard counts on it."""
    from swarmloom import hookspecs

    groups = (getattr(hookspecs, name) for name in hookspecs.__all__)
    spec = next(getattr(group, doc.name) for group in groups if hasattr(group, doc.name))
    defaults = [p.default for p in inspect.signature(spec).parameters.values()]
    assert set(defaults) == {inspect.Parameter.empty}


def test_every_hook_is_found():
    assert len(DOCS) == len({doc.name for doc in DOCS}) >= 18
    assert all(doc.name.startswith("swarmloom_") for doc in DOCS)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_latency": -1.0},
        {"max_latency": float("nan")},
        {"min_reliability": 2.0},
        {"min_reliability": float("nan")},
    ],
)
def test_a_message_with_impossible_limits_is_the_senders_error(limits):
    """Not a failure of the plugin that was to find its way."""
    with pytest.raises(InputError, match=f"{next(iter(limits))} is .*; allowed: "):
        Message("a", "b", **limits)
