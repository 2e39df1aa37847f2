"""Metrics: bytes by formula are those that an instrumented naive run counts."""

import io

import numpy as np
import pytest
from rich.console import Console

from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from swarmloom_protocols.stigmergy.field.metrics import (
    OperationCost,
    OperationMetrics,
    deposit_bytes,
    measure_bandwidth,
    sense_bytes,
    step_bytes,
)
from tests.naive import diffusion as naive


class Counted:
    """An array that counts the bytes of what is read from it and written to it."""

    def __init__(self, array):
        self.array, self.bytes = array, 0

    def __getitem__(self, index):
        self.bytes += self.array.itemsize
        return self.array[index]

    def __setitem__(self, index, value):
        self.bytes += self.array.itemsize
        self.array[index] = value


@pytest.mark.row("S12")
@pytest.mark.parametrize("kind", ["periodic", "reflecting", "absorbing"])
def test_bytes_of_a_step_are_counted(kind):
    volume = np.zeros((2, 3, 4), np.float32)
    read, written = naive.counted_step(volume, boundary_codes(kind))
    assert step_bytes(volume.size, 3) == 3 * volume.itemsize * (read + written)


@pytest.mark.row("S12")
def test_bytes_of_deposits_are_counted():
    values, quanta = Counted(np.zeros(9, np.float32)), Counted(np.zeros(9, np.int64))
    cells, amounts = Counted(np.array([4, 2, 7])), Counted(np.ones(3))
    for i in range(3):
        cell = cells[i]
        quanta[cell] = quanta[cell] + amounts[i]
    for i in range(3):
        cell = cells[i]
        values[cell] = values[cell] + quanta[cell]
        quanta[cell] = 0
    moved = sum(array.bytes for array in (values, quanta, cells, amounts))
    assert deposit_bytes(3) == moved


@pytest.mark.row("S12")
def test_bytes_of_sensing_are_counted():
    layer, target = Counted(np.ones((3, 3), np.float32)), Counted(np.zeros(1, np.float32))
    position = Counted(np.array([0.25, 1.5]))
    y, x = position[0], position[1]
    corners = [(int(y) + dy, int(x) + dx) for dy in (0, 1) for dx in (0, 1)]
    target[0] = sum(0.25 * layer[corner] for corner in corners)
    assert sense_bytes(1, 2) == layer.bytes + target.bytes + position.bytes


@pytest.mark.row("S12")
def test_a_field_measures_its_operations():
    field = PheromoneField((20, 30), 2)
    field.deposit([[3, 4], [5, 6]])
    field.step(5)
    field.step(20)
    field.sense([[3, 4]])
    field.advance(10.0)
    costs = field.metrics.costs
    assert {name: cost.calls for name, cost in costs.items()} == {
        "deposit": 1,
        "step": 2,
        "sense": 1,
        "advance": 1,
    }
    # 5, then 8, 8 and 4 in a sweep.
    assert costs["step"].bytes_moved == step_bytes(20 * 30 * 2, 1 + 3)
    assert all(cost.milliseconds > 0 for cost in costs.values())
    field.metrics.clear()
    assert not field.metrics.costs


@pytest.mark.row("S12")
def test_volumes_and_wide_rows_go_through_memory_more_often():
    for shape, steps, sweeps in (((3, 4, 5), 6, 6), ((1, 4, 5), 6, 6), ((2, 1 << 17), 6, 6)):
        field = PheromoneField(shape, 1, diffusion=0.1)
        field.step(steps)
        cells = int(np.prod(shape))
        assert field.metrics.costs["step"].bytes_moved == step_bytes(cells, sweeps), shape


def test_figures_follow_from_time_and_bytes():
    cost = OperationCost(calls=2, milliseconds=500.0, bytes_moved=10**9)
    assert cost.gigabytes_per_second == 2.0
    assert cost.share_of(8.0) == 0.25
    assert OperationCost().gigabytes_per_second == 0.0


def test_what_fails_is_not_counted():
    metrics = OperationMetrics()
    with pytest.raises(KeyError), metrics.measure("step", 8):
        raise KeyError
    assert not metrics.costs


def test_the_table_shows_each_operation():
    metrics = OperationMetrics({"step": OperationCost(3, 250.0, 10**9)})
    console = Console(file=io.StringIO(), width=100)
    console.print(metrics.table(bandwidth=8.0))
    text = console.file.getvalue()
    for figure in ("step", "3", "250.000", "1000.000", "4.000", "50%", "8.0 GB/s"):
        assert figure in text


def test_a_bandwidth_is_measured():
    assert 0.01 < measure_bandwidth(1 << 16, 2) < 10_000
