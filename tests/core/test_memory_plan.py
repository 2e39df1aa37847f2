"""The memory plan: right before anything is allocated, one block a region, clear refusals."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom import memory_plan
from swarmloom.errors import InputError, MemoryLimitError, SwarmloomError
from swarmloom.memory_plan import MemoryPlan, Region, format_bytes

DTYPES = st.sampled_from(["float32", "float64", "complex64", "int8", "uint16", "bool", "i4,f8"])
SHAPES = st.lists(st.integers(0, 40), min_size=0, max_size=3).map(tuple)
ENTRIES = st.lists(st.tuples(st.sampled_from(Region), SHAPES, DTYPES), max_size=12)


def planned(entries):
    plan = MemoryPlan()
    for number, (region, shape, dtype) in enumerate(entries):
        plan.add(region, f"array {number}", shape, dtype)
    return plan


def measured_bytes(plan):
    gc.collect()
    tracemalloc.start()
    try:
        arrays = plan.allocate()
        return tracemalloc.get_traced_memory()[0], arrays
    finally:
        tracemalloc.stop()


@pytest.mark.row("D6")
@pytest.mark.parametrize("experts", [1_000, 3_000])
def test_estimate_is_within_one_percent_of_what_is_allocated(experts):
    plan = MemoryPlan()
    plan.add(Region.QUANTUM, "amplitudes", 2**16, "complex64")
    plan.add(Region.PHEROMONE, "field", (4, 256, 256), "float32")
    plan.add(Region.OPINION, "opinions", (experts, 3), "float64")
    plan.add(Region.TRAILS, "amounts", (50, experts, 2), "float32")
    plan.add(Region.TRAILS, "times", (50, experts), "float64")
    plan.add(Region.PATTERNS, "mask", (256, 256), "bool")
    size, arrays = measured_bytes(plan)
    assert plan.bytes == pytest.approx(size, rel=0.01)
    assert plan.bytes == pytest.approx(sum(array.nbytes for array in arrays.values()), rel=0.01)
    assert all(plan.region_bytes()[region] > 0 for region in Region)


@pytest.mark.row("D6")
@given(ENTRIES)
def test_arrays_are_zero_aligned_disjoint_views_of_one_block_a_region(entries):
    plan = planned(entries)
    arrays = plan.allocate()
    assert [one.name for one in plan.table()] != [] or not entries
    assert len({one.region for one in plan.table()}) == sum(map(bool, plan.region_bytes().values()))
    for one in plan.table():
        array = arrays[one.name]
        assert (array.shape, array.dtype) == (one.shape, one.dtype)
        assert array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not np.ascontiguousarray(array).view(np.uint8).any() if array.size else True
    for number, one in enumerate(plan.table()):
        arrays[one.name].reshape(-1).view(np.uint8)[:] = number
    for number, one in enumerate(plan.table()):
        assert (arrays[one.name].reshape(-1).view(np.uint8) == number).all()
    for region in Region:
        blocks = {id(arrays[one.name].base) for one in plan.table() if one.region is region}
        assert len(blocks) <= 1


def test_two_allocations_share_nothing():
    plan = MemoryPlan()
    plan.add("routing trails", "amounts", (3, 4), "float32")
    first, second = plan.allocate(), plan.allocate()
    first["amounts"][:] = 1
    assert not second["amounts"].any()


def test_empty_plan_takes_nothing():
    plan = MemoryPlan(limit=0)
    assert (plan.bytes, plan.table(), plan.allocate()) == (0, [], {})


def test_above_the_limit_names_figure_limit_and_culprit_and_allocates_nothing(monkeypatch):
    plan = MemoryPlan(limit=2**20)
    plan.add(Region.OPINION, "small", 10, "float64")
    plan.add(Region.PHEROMONE, "field", (1024, 1024), "float32")
    monkeypatch.setattr(np, "zeros", None)
    with pytest.raises(MemoryLimitError) as caught:
        plan.allocate()
    message = str(caught.value)
    for part in ("4 MiB", "1 MiB", "'field'", "pheromone grid", "(1024, 1024)", "float32"):
        assert part in message
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, SwarmloomError)
    assert [one.name for one in plan.table()] == ["field", "small"]


def test_limit_is_exact():
    plan = MemoryPlan(limit=64 + 64)
    plan.add(Region.OPINION, "line", 64, "uint8")
    assert plan.bytes == 128
    plan.allocate()
    plan.limit = 127
    with pytest.raises(MemoryLimitError):
        plan.allocate()


def test_what_the_system_refuses_is_the_same_error():
    plan = MemoryPlan(limit=2**80)
    plan.add(Region.QUANTUM, "state of 60 qubits", 2**60, "complex128")
    with pytest.raises(MemoryLimitError, match="quantum states"):
        plan.allocate()


@pytest.mark.parametrize(
    ("region", "shape", "dtype", "message"),
    [
        ("trails", 3, "f4", "'routing trails'"),
        (Region.TRAILS, -1, "f4", "length -1 is negative"),
        (Region.TRAILS, (3, -2), "f4", "length -2 is negative"),
        (Region.TRAILS, (float("nan"),), "f4", "length nan is not a whole number"),
        (Region.TRAILS, (2.5,), "f4", "length 2.5 is not a whole number"),
        (Region.TRAILS, 3, object, "no fixed size"),
        (Region.TRAILS, 3, "S0", "no fixed size"),
    ],
)
def test_unusable_sizes_are_refused_when_they_are_planned(region, shape, dtype, message):
    plan = MemoryPlan()
    with pytest.raises(InputError, match=message):
        plan.add(region, "trails", shape, dtype)
    assert plan.table() == []


def test_a_name_is_planned_once():
    plan = MemoryPlan()
    plan.add(Region.TRAILS, "amounts", 3, "f4")
    with pytest.raises(InputError, match="'amounts' is planned twice, by routing trails first"):
        plan.add(Region.OPINION, "amounts", 3, "f4")


@pytest.mark.parametrize("limit", [-1, float("nan")])
def test_unusable_limits_are_refused(limit):
    with pytest.raises(InputError, match="limit"):
        MemoryPlan(limit=limit)


def test_the_default_limit_is_the_machine_or_its_container(tmp_path, monkeypatch):
    container = tmp_path / "memory.max"
    monkeypatch.setattr(memory_plan, "CONTAINER_LIMIT", container)
    machine = MemoryPlan().limit
    assert machine > 2**27
    container.write_text("max\n")
    assert MemoryPlan().limit == machine
    container.write_text("1000000\n")
    assert MemoryPlan().limit == 1_000_000


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1000, "1000 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (5 * 2**40, "5 TiB")],
)
def test_sizes_are_written_with_binary_units(size, text):
    assert format_bytes(size) == text
