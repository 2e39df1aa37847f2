"""Near topics in a crew: what they teach, by which embedding, and after a run was cut."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
from pydantic import ValidationError

from swarmloom.config import PluginSettings
from swarmloom.errors import ConfigurationError
from swarmloom.events import EventKind
from swarmloom.host import PluginHost
from swarmloom.ledger import Ledger
from swarmloom.types import Task
from swarmloom_plugins.stigmergy import StigmergyConfig
from tests.core.swarms import inline, make_swarm
from tests.core.test_resume import PowerCut, cut_after
from tests.plugins.crews import RIGHT, WRONG, graded
from tests.plugins.test_stigmergy import make_protocol, navigate, round_of

FIELDS = ("tax law", "family law", "soil physics", "plasma physics")


def kinds(names):
    """Embed by the last word: law, or physics."""
    return [[name.endswith("law"), name.endswith("physics"), not name] for name in names]


@pytest.fixture
def embedders(monkeypatch):
    module = ModuleType("embedders_of_a_test")
    module.kinds, module.number = kinds, 3
    module.ragged = lambda names: np.ones(len(names))
    module.fickle = lambda names: np.ones((2, 4)) if len(names) == 2 else np.ones(len(names))
    module.nobody = lambda: None
    module.worded = lambda names: "one row each"
    module.exploding = lambda names: [[1.0 / 0]] * len(names)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return f"{module.__name__}:"


def taught(**config):
    """Expert 0 has proved good at law, expert 1 at physics, on many a topic."""
    protocol = make_protocol(**config)
    for number in range(12):
        for field, good in (("law", 0), ("physics", 1)):
            topic = f"{chr(97 + number) * 4} {field}"
            for expert in (0, 1):
                protocol.swarmloom_evolve(outcomes=[graded(topic, expert, expert == good)] * 2)
    return protocol


def gap(protocol, topic):
    return float(-np.diff(navigate(protocol, round_of(topic)).affinity)[0, 0])


@pytest.mark.parametrize("config", [{}, {"embedder": "embedders_of_a_test:kinds"}])
def test_a_new_topic_starts_from_near_ones(embedders, config):
    protocol, alone = taught(**config), taught(near_topics=0)
    assert gap(protocol, "zzzz law") > 1.0
    assert gap(protocol, "zzzz physics") < -1.0
    assert abs(gap(alone, "zzzz law")) < 0.2
    assert list(protocol.near("zzzz law"))
    assert alone.near("zzzz law") == {}


def test_what_was_not_learned_of_leaves_no_trace():
    protocol = taught()
    before = protocol.swarmloom_snapshot()["trails"]["topics"]
    navigate(protocol, round_of("zzzz law", "yyyy law"))
    protocol.near("xxxx law")
    assert protocol.swarmloom_snapshot()["trails"]["topics"] == before


def test_snapshot_goes_on_pooling_alike():
    protocol, other = taught(), make_protocol()
    other.swarmloom_restore(state=protocol.swarmloom_snapshot())
    for one in (protocol, other):
        one.swarmloom_evolve(outcomes=[graded("qqqq law", 0, False)] * 3)
    assert gap(protocol, "zzzz law") == gap(other, "zzzz law")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:embed", "cannot be imported: No module"),
        ("embedders_of_a_test:missing", "cannot be imported"),
        ("embedders_of_a_test:number", "which is int; allowed: a function"),
        ("embedders_of_a_test:nobody", "fails with .*TypeError.*; allowed: a function from a list"),
        ("embedders_of_a_test:ragged", r"fails with .*shape \(2,\)"),
        ("embedders_of_a_test:worded", "fails with .*ValueError"),
        ("embedders_of_a_test:exploding", "fails with .*division by zero"),
        ("json:dumps", "fails with"),
    ],
)
def test_an_embedder_that_is_none_stops_the_start(embedders, name, message):
    settings = {"stigmergy": {"embedder": name}}
    host = PluginHost(PluginSettings(enable=["stigmergy"], config=settings))
    with pytest.raises(ConfigurationError, match=f"stigmergy.embedder is '{name}', .*{message}"):
        host.discover()


@pytest.mark.parametrize("wrong", ["embed", "a b:c", ":", "package.module:"])
def test_embedders_are_written_as_module_and_function(wrong):
    with pytest.raises(ValidationError, match="embedder"):
        StigmergyConfig(embedder=wrong)


def crew():
    def answer_of(good):
        return lambda task: RIGHT if task.topic.endswith(good) else WRONG

    return [inline("lawyer", answer_of("law")), inline("physicist", answer_of("physics"))]


def swarm_of_fields(ledger=None, **config):
    settings = {"enable": ["stigmergy"], "config": {"stigmergy": config}}
    weights = {"weights": {"stigmergy": 1}, "window": 3}
    return make_swarm(crew(), plugin_settings=settings, swarm=weights, ledger=ledger)


def work(count):
    return [
        Task(f"t{i}", topic=f"{chr(97 + i // 4 % 26) * 3} {FIELDS[i % 4]}", quorum=1)
        for i in range(count)
    ]


def grade(task, answer):
    return RIGHT


def test_an_embedding_that_fails_is_the_plugins_failure_and_the_run_goes_on(embedders):
    with swarm_of_fields(embedder="embedders_of_a_test:fickle") as swarm:
        assert len(swarm.run(work(12), feedback=grade).answers) == 12
        (record,) = [r for r in swarm.host.report() if r.name == "stigmergy"]
    assert "the embedding of 1 topics has shape (1,)" in record.errors[0]


def test_a_crew_that_pools_is_right_more_often_where_topics_are_many():
    shares = []
    for near_topics in (16, 0):
        with swarm_of_fields(near_topics=near_topics) as swarm:
            answers = swarm.run(work(100), feedback=grade).answers.values()
            shares.append(sum(answer == RIGHT for answer in answers) / 100)
    assert shares[0] > 0.9
    assert shares[0] > shares[1] + 0.2


@pytest.mark.parametrize("outcomes", [7, 20, 41])
def test_a_cut_run_pools_as_if_it_had_not_been_cut(tmp_path, outcomes):
    with swarm_of_fields() as whole:
        expected = whole.run(work(60), feedback=grade)
        state = whole.snapshot()["stigmergy"]["trails"]
    cut = swarm_of_fields(Ledger(tmp_path / "l.sqlite"))
    with pytest.raises(PowerCut):
        cut.run(work(60), feedback=grade, on_event=cut_after(outcomes, EventKind.OUTCOME))
    run = cut.ledger.latest
    cut.ledger.close()
    with swarm_of_fields(Ledger(tmp_path / "l.sqlite")) as resumed:
        result = resumed.run(work(60), feedback=grade, resume=run)
        again = resumed.snapshot()["stigmergy"]["trails"]
    assert result.answers == expected.answers
    assert again["topics"] == state["topics"]
    np.testing.assert_array_equal(
        again["pooling"]["log_likelihood"], state["pooling"]["log_likelihood"]
    )
    for table in ("answering", "being_right"):
        np.testing.assert_array_equal(again[table]["amounts"], state[table]["amounts"])
