import re

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.colony import Budget, Colony
from swarmloom_protocols.bio_routing.search.pictures import draw_trails
from swarmloom_protocols.bio_routing.search.standard_problems import (
    assignment_problem,
    tour_problem,
)

POINTS = np.random.default_rng(0).random((12, 2))
PROBLEM = tour_problem(POINTS)


def test_a_picture_shows_the_trails_that_are_strong_enough(tmp_path):
    trails = np.zeros(PROBLEM.sources.size)
    trails[[0, 5]] = 1.0, 0.5
    draw_trails(tmp_path / "few.svg", PROBLEM, trails, POINTS)
    few = (tmp_path / "few.svg").read_text()
    assert few.count("stroke: #1f4e79") == 2
    widths = re.findall(r"stroke: #1f4e79[^\"]*stroke-width: ([\d.]+)", few)
    assert [float(width) for width in widths] == pytest.approx([2.0, 4.0])
    draw_trails(tmp_path / "one.svg", PROBLEM, trails, POINTS, least=0.6)
    assert (tmp_path / "one.svg").read_text().count("stroke: #1f4e79") == 1


def test_the_same_call_writes_the_same_picture_with_the_solution(tmp_path):
    colony = Colony(PROBLEM, rng=np.random.default_rng(1), ants=5)
    result = colony.run(Budget(iterations=20))
    for name in ("a.svg", "b.svg"):
        draw_trails(
            tmp_path / name, PROBLEM, colony.trails, POINTS, solution=result.following, title="12"
        )
    picture = (tmp_path / "a.svg").read_text()
    assert picture == (tmp_path / "b.svg").read_text()
    assert picture.count("stroke: #d1495b") == 12
    draw_trails(tmp_path / "c.png", PROBLEM, colony.trails, POINTS)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_refused(tmp_path):
    trails = np.ones(PROBLEM.sources.size)
    with pytest.raises(InputError, match="no folder"):
        draw_trails(tmp_path / "none" / "a.svg", PROBLEM, trails, POINTS)
    with pytest.raises(InputError, match="ends in none of"):
        draw_trails(tmp_path / "a.txt", PROBLEM, trails, POINTS)
    with pytest.raises(InputError, match="points has shape"):
        draw_trails(tmp_path / "a.svg", PROBLEM, trails, POINTS[:3])
    with pytest.raises(InputError, match="trails: allowed"):
        draw_trails(tmp_path / "a.svg", PROBLEM, trails * np.nan, POINTS)
    with pytest.raises(InputError, match="solution has shape"):
        draw_trails(tmp_path / "a.svg", PROBLEM, trails, POINTS, solution=[1, 0])
    crew = assignment_problem(np.ones((2, 3)), np.ones((2, 3)), np.ones(3))
    with pytest.raises(InputError, match="allowed: walks"):
        draw_trails(tmp_path / "a.svg", crew, np.ones(6), POINTS[:2])
    assert not list(tmp_path.iterdir())
