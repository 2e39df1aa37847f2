"""Eight threads on each of Numba's layers: no abort, the same numbers, no lost deposit."""

import signal

import pytest

from tests.protocols.stigmergy import threading_layers

CALLS = [
    "decay",
    "random_numbers",
    "swarm",
    "deposits",
    "field_deposits",
    "field_steps",
    "walkers",
]
MODULE = "tests.protocols.stigmergy.threaded_calls"


@pytest.mark.row("S1")
@pytest.mark.parametrize("layer", threading_layers.LAYERS)
def test_eight_threads_get_what_one_gets(layer):
    done = threading_layers.run(layer, *(f"{MODULE}:{call}" for call in CALLS))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{layer}: {' '.join(CALLS)}"


def test_the_check_sees_what_a_layer_does_not_survive():
    done = threading_layers.run("workqueue", f"{MODULE}:parallel_code")
    assert done.returncode == -signal.SIGABRT, done.stderr
