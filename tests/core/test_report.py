"""The report page: complete in itself, readable without its pictures, and right about the run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from swarmloom.backtest.scores import Score, combine, summarise
from swarmloom.errors import InputError
from swarmloom.events import EventKind, ballot_event, outcome_event, task_event
from swarmloom.ledger import Ledger
from swarmloom.protocol import ReportPanel
from swarmloom.report import render, report_data, write_report
from swarmloom.report.data import Asked
from swarmloom.report.figures import calibration_bins, strongest
from swarmloom.types import Ballot, Event, Outcome, Task, Verdict

EXPERTS = ("ada", "bob <script>")


def recorded_run(answers, *, shares=None):
    """Record a run whose task i is answered (topic, answer, confidence, truth)."""
    ledger = Ledger(None)
    run = ledger.begin(
        {
            "job": {},
            "seed": 7,
            "pattern": "panel",
            "experts": [{"name": n, "price": 1.5, "model": "", "skills": []} for n in EXPERTS],
            "settings": {"swarm": {"seed": 7}},
        }
    )
    for number, (topic, answer, confidence, truth) in enumerate(answers):
        task = Task(f"t{number}", topic=topic)
        expert = number % 2
        ballot = Ballot(task.id, expert, answer, cost=1.5)
        posterior = {} if answer is None else {answer: confidence}
        verdict = Verdict(task.id, answer, posterior)
        decision = {
            "round": number,
            "solver": "greedy",
            "expert": EXPERTS[expert],
            "candidates": [],
            "weights": {},
            "shares": {"consensus": 0.75, "stigmergy": 0.25} if shares is None else shares,
        }
        ledger.append(
            run,
            [
                task_event(task),
                Event(EventKind.DECISION, decision, task.id),
                ballot_event(ballot, EXPERTS[expert]),
                outcome_event(Outcome(task, verdict, (ballot,), truth, cost=1.5), "judged"),
            ],
        )
    ledger.finish(run, "finished")
    return ledger.view(run)


ANSWERS = [
    ("law", "A", 0.9, "A"),
    ("law", "B", 0.6, None),
    ("art", "C", 0.2, "A"),
    ("art", None, 0.0, None),
]


class Outline(HTMLParser):
    """What the page says about itself."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.labels, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [
            values[key] for key in ("src", "href", "xlink:href", "data") if values.get(key)
        ]
        if tag == "figure":
            self.labels.append(values.get("aria-label"))
        self.open += [tag] if tag in ("script", "iframe", "link", "object") else []


def outline(page):
    parser = Outline()
    parser.feed(page)
    return parser


def rows():
    rng = np.random.default_rng(0)
    ones = np.ones(50)
    return [
        summarise(Score(name, kind, (rng.random(50) < level).astype(float), ones * cost, ones), rng)
        for name, kind, level, cost in (
            ("swarm", "swarm", 0.9, 2.0),
            ("majority & all", "baseline", 0.8, 5.0),
            ("best (hindsight)", "hindsight", 0.85, 3.0),
            ("ada", "expert", 0.85, 3.0),
            ("free", "expert", 0.3, 0.0),
        )
    ]


def test_arrays_follow_the_record():
    data = report_data(recorded_run(ANSWERS))
    np.testing.assert_array_equal(data.right, [1, np.nan, 0, np.nan])
    np.testing.assert_array_equal(data.confidence, [0.9, 0.6, 0.2, np.nan])
    np.testing.assert_array_equal(data.graded, [True, False, True, False])
    np.testing.assert_array_equal(data.cost, [1.5] * 4)
    np.testing.assert_array_equal(data.calls, [1] * 4)
    assert data.asked.topics == ("art", "law")
    assert data.asked.experts == EXPERTS
    np.testing.assert_array_equal(data.asked.calls, [[1, 1], [1, 1]])
    assert data.shares.protocols == ("consensus", "stigmergy")
    np.testing.assert_array_equal(data.shares.values, [[0.75, 0.25]] * 4)


def test_scoring_truths_do_not_count_as_graded():
    data = report_data(recorded_run(ANSWERS), truths={f"t{i}": "B" for i in range(4)})
    np.testing.assert_array_equal(data.right, [0, 1, 0, 0])
    np.testing.assert_array_equal(data.graded, [True, False, True, False])


@pytest.fixture(scope="module")
def page():
    return render(report_data(recorded_run(ANSWERS), rows=rows(), notes=["A <note>"]))


def test_the_page_is_complete_in_itself(page):
    seen = outline(page)
    assert not seen.open  # Neither scripts nor anything that is fetched.
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in seen.links)
    assert "url(http" not in page
    assert "@import" not in page
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))


def test_every_figure_is_told_in_words(page):
    seen = outline(page)
    assert len(seen.labels) == 6
    assert all(label and re.search(r"\d", label) for label in seen.labels)


def test_names_are_text_never_markup(page):
    assert "<script>" not in page
    assert "bob &lt;script&gt;" in page
    assert "majority &amp; all" in page
    assert "A &lt;note&gt;" in page


def test_figures_take_the_colour_of_the_page(page):
    assert "currentColor" in page
    assert "#010203" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_same_run_gives_the_same_page():
    data = report_data(recorded_run(ANSWERS[:2]))
    assert render(data) == render(data)


@pytest.mark.parametrize("answers", [[], ANSWERS[:1], [("", None, 0.0, None)]])
def test_tiny_runs_have_a_page(answers):
    page = render(report_data(recorded_run(answers, shares={}), title="Tiny"))
    assert "<h1>Tiny</h1>" in page


def test_sections_of_plugins_are_shown_and_may_fail():
    def broken(view):
        raise ValueError(f"no <data> in {len(view.outcomes)}")

    panels = [
        ReportPanel("Trails", lambda view: f"<p>{len(view.outcomes)} tasks</p>"),
        ReportPanel("Nothing", lambda view: ""),
        ReportPanel("Broken", broken),
    ]
    page = render(report_data(recorded_run(ANSWERS), panels=panels))
    assert "<h2>Trails</h2>\n<p>4 tasks</p>" in page
    assert "<h2>Nothing</h2>" not in page
    assert "ValueError: no &lt;data&gt; in 4" in page


def test_plugins_that_failed_are_named():
    view = recorded_run(ANSWERS)
    ledger_events = (
        Event(EventKind.PLUGIN_FAILED, {"plugin": "moody", "hook": "x", "error": "e"}),
        Event(EventKind.PLUGIN_FAILED, {"plugin": "moody", "hook": "x", "error": "e"}),
        Event(EventKind.PLUGIN_QUARANTINED, {"plugin": "moody"}),
    )
    data = report_data(replace(view, plugins=ledger_events))
    assert data.plugins == [{"name": "moody", "state": "quarantined", "version": "", "failures": 2}]


def test_writing_makes_the_folder_and_returns_the_file(tmp_path):
    data = report_data(recorded_run(ANSWERS))
    path = write_report(tmp_path / "new" / "folder", data)
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert write_report(tmp_path / "named.html", data) == tmp_path / "named.html"


def test_an_unwritable_place_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"file.*report.html.*cannot be written"):
        write_report(tmp_path / "file", report_data(recorded_run(ANSWERS)))


def test_calibration_bins_against_a_plain_loop():
    rng = np.random.default_rng(1)
    confidence, right = rng.random(500), (rng.random(500) < 0.5).astype(float)
    confidence[:20], right[10:40] = np.nan, np.nan
    confidence[100] = 1.0
    stated, observed, counts = calibration_bins(confidence, right)
    bins = {}
    for c, r in zip(confidence, right, strict=True):
        if np.isfinite(c) and np.isfinite(r):
            bins.setdefault(min(int(c * 10), 9), []).append((c, r))
    expected = [np.mean(bins[b], axis=0) for b in sorted(bins)]
    np.testing.assert_allclose(np.column_stack([stated, observed]), expected)
    assert counts.sum() == 460


def test_the_heat_map_keeps_what_was_asked_most():
    calls = np.array([[5, 0, 1], [0, 0, 0], [9, 1, 2]])
    kept = strongest(Asked(("a", "b", "c"), ("x", "y", "z"), calls), topics=2, experts=2)
    assert kept.topics == ("a", "c")
    assert kept.experts == ("x", "z")
    np.testing.assert_array_equal(kept.calls, [[5, 1], [9, 2]])


def test_several_seeds_are_summed_up_by_mean_and_deviation():
    one, two = rows()[0], rows()[1]
    both = combine([one, two])
    assert both.accuracy == pytest.approx((one.accuracy + two.accuracy) / 2)
    assert both.cost_sd == pytest.approx(np.std([2.0, 5.0], ddof=1))
    assert both.seeds == 2
    assert combine([one]) == one
