"""MovingAI's formats, on files written by hand."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.movingai import Scenario, read_map, read_scenarios
from swarmloom_protocols.stigmergy.colonies.wayfinding import follow, navigation_field

MAP = "type octile\nheight 3\nwidth 5\nmap\n..@..\nG.TSW\n....O\n"
SCENARIOS = "version 1\n0\ttiny.map\t5\t3\t0\t0\t3\t1\t5.41421\n1\ttiny.map\t5\t3\t1\t1\t1\t1\t0\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "tiny.map").write_text(MAP)
    (tmp_path / "tiny.map.scen").write_text(SCENARIOS)
    return tmp_path


def test_a_map_and_its_scenarios(files):
    walls = read_map(files / "tiny.map")
    assert ["".join(row) for row in np.where(walls, "#", ".")] == ["..#..", "..#.#", "....#"]
    first, second = read_scenarios(str(files / "tiny.map.scen"))
    assert first == Scenario(0, "tiny.map", (0, 0), (1, 3), 5.41421)
    assert second.start == second.goal == (1, 1)


def test_the_optimal_costs_of_a_scenario_are_those_of_a_field(files):
    walls = read_map(files / "tiny.map")
    for scenario in read_scenarios(files / "tiny.map.scen"):
        paths = follow(navigation_field(walls, scenario.goal), scenario.start)
        assert paths.costs[0] == pytest.approx(scenario.optimal, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header"),
        ("type octile\nheight x\nwidth 5\nmap\n", "header"),
        ("type octile\nwidth 5\nheight 3\nmap\n", "header"),
        (MAP.replace("height 3", "height 4"), "3 of 4 rows"),
        (MAP.replace("..@..", "..@."), r"tiny.map:5: allowed: 5 of"),
        (MAP.replace("..@..", "..?.."), r"tiny.map:5"),
    ],
)
def test_what_is_not_a_map_is_refused(text, message, tmp_path):
    path = tmp_path / "tiny.map"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_map(path)


@pytest.mark.parametrize(
    "text", ["", "0\ta.map\t1", "version 1\n0\ttiny.map\t5\t3\t0\t0\t3\tone\t5.4"]
)
def test_what_is_not_a_scenario_is_refused(text, tmp_path):
    path = tmp_path / "tiny.scen"
    path.write_text(text)
    with pytest.raises(InputError, match="allowed"):
        read_scenarios(path)
