"""Checks that protocols share: what passes, and what is refused by name."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole


@pytest.mark.parametrize("value", [5, -3, np.int64(5), np.uint8(7), np.array(4)])
def test_whole_numbers_of_python_and_numpy_pass(value):
    found = whole("steps", value)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize(
    "value", [2.5, 2.0, np.float64(2.0), True, np.True_, "2", None, [2], np.nan]
)
def test_all_else_is_no_whole_number(value):
    with pytest.raises(InputError, match=r"^steps is .*whole"):
        whole("steps", value)
