"""Checks of arguments: what they let through, and that all else is an error that says why."""

import math
from fractions import Fraction

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, positive, row, rows, seeded, whole

# Beyond float, and beyond what Python writes out.
HUGE, ENDLESS = 10**400, 10**6000


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_whole_numbers_of_python_and_numpy_pass_as_int(value):
    given = whole("steps", value, 3, 3)
    assert given == 3
    assert type(given) is int


@pytest.mark.parametrize(
    "value",
    [
        2.5,
        2.0,
        np.float32(2.0),
        math.nan,
        True,
        np.True_,
        np.array(True),
        "2",
        None,
        Fraction(2),
        [2],
    ],
)
def test_what_is_no_whole_number_is_refused_by_name(value):
    with pytest.raises(InputError, match=r"^steps is .*allowed: whole numbers from 0 to 9$"):
        whole("steps", value, 0, 9)


@pytest.mark.parametrize(
    "value", [-1, 10, HUGE, -HUGE, ENDLESS], ids=["-1", "10", "huge", "-huge", "endless"]
)
def test_whole_numbers_beyond_their_bounds_are_refused(value):
    with pytest.raises(InputError, match=r"^steps is .*; allowed: whole numbers from 0 to 9$"):
        whole("steps", value, 0, 9)


def test_a_whole_number_without_bounds_may_be_any():
    assert whole("n", HUGE) == HUGE
    assert whole("n", -5, most=0) == -5


@pytest.mark.parametrize(
    "value",
    [HUGE, -HUGE, ENDLESS, "1", None, math.nan, math.inf, 1j],
    ids=["huge", "-huge", "endless", "text", "None", "nan", "inf", "complex"],
)
def test_what_no_float_can_be_is_refused(value):
    with pytest.raises(InputError, match=r"^share is "):
        between("share", value, 0.0)
    with pytest.raises(InputError, match=r"^share is "):
        positive("share", value)


@pytest.mark.parametrize("value", [-1, 1.5, True, math.nan])
def test_a_row_is_a_whole_number_from_0(value):
    with pytest.raises(InputError, match=r"^agent is .*; rows count from 0$"):
        row("agent", value)
    assert row("agent", np.int64(4)) == 4


def test_generators_pass_and_seeds_begin_one():
    rng = np.random.default_rng(3)
    assert generator("rng", rng) is rng
    assert seeded("seed", rng) is rng
    assert seeded("seed", 3).random() == rng.random()


@pytest.mark.parametrize("value", [-1, 1.5, None, "x", True])
def test_what_begins_no_random_numbers_is_refused(value):
    with pytest.raises(InputError, match=r"^seed is .*; allowed: whole numbers from 0$"):
        seeded("seed", value)
    with pytest.raises(InputError, match=r"^rng is .*; allowed: a numpy.random.Generator$"):
        generator("rng", value)


@pytest.mark.parametrize(
    ("check", "bounds", "allowed"),
    [
        (positive, (), "finite, above 0"),
        (positive, (2.5,), "finite, above 0, at most 2.5"),
        (between, (0.0,), "finite, from 0"),
        (between, (-1.0, 1.0), "finite, -1 to 1"),
        (between, (-math.inf,), "finite"),
    ],
)
def test_what_is_allowed_names_no_infinity(check, bounds, allowed):
    with pytest.raises(InputError, match=f"allowed: {allowed}$"):
        check("x", math.nan, *bounds)


@pytest.mark.parametrize(
    "values", [[1.5], [1.0], ["a"], [[1], [2, 3]], [-1], [[0]], [None], [True]]
)
def test_rows_are_whole_numbers_from_0(values):
    with pytest.raises(InputError, match="experts must be a sequence of rows"):
        rows("experts", values)


def test_rows_of_any_kind_of_whole_number_pass():
    for values in ([], [0, 2], np.array([3], np.uint8), (np.int64(1),)):
        found = rows("experts", values)
        assert found.dtype == np.int64
        assert found.tolist() == list(values)
