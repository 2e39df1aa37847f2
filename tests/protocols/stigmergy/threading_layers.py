"""Any call in eight Python threads at once, beside a user's own parallel code, on each layer.

Numba's threading layers differ in what they survive: "workqueue" ends the process when two threads
run parallel code at once. `run` starts a process with the layer, in which eight threads call a
function at the same moment, several times, while the main thread keeps a parallel loop of its own
going; the results have to be those of calls one after the other.

To check calls, give the functions' modules and names; each takes the thread's number and returns
numbers:

>>> done = run("omp", "tests.protocols.stigmergy.threaded_calls:decay")
>>> done.stdout
'omp: decay'
"""

import ctypes
import functools
import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
LAYERS = ("omp", "tbb", "workqueue")
THREADS, ROUNDS = 8, 2


def _load_tbb():
    """Make the library of the tbb wheel known, which lies outside the loader's path."""
    library = Path(sys.prefix, "lib", "libtbb.so.12")
    if library.exists():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def start_layer(layer):
    """A parallel loop on this layer, which has been started."""
    if layer == "tbb":
        _load_tbb()
    import numba

    @numba.njit(parallel=True)
    def total(values):
        result = 0.0
        for i in numba.prange(values.size):
            result += values[i]
        return result

    assert total(np.ones(1000)) == 1000.0
    assert numba.threading_layer() == layer
    return total


@functools.cache
def missing(layer):
    """Why a layer cannot be started here, or ""."""
    program = f"from {__name__} import start_layer; start_layer({layer!r})"
    done = _python("-c", program, layer=layer)
    return "" if done.returncode == 0 else f"{layer}: {done.stderr.strip().splitlines()[-1]}"


def run(layer, *calls):
    """Run the process for calls, each "module:function", or skip the test without the layer."""
    if missing(layer):
        pytest.skip(missing(layer))
    return _python("-m", __name__, layer, *calls, layer=layer)


def _python(*arguments, layer):
    environment = os.environ | {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def at_once(function, parallel_loop):
    """What eight threads got, while this thread ran the parallel loop now and then."""
    results, start = [None] * THREADS, threading.Barrier(THREADS + 1)

    def work(i):
        start.wait()
        results[i] = [function(i) for _ in range(ROUNDS)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    start.wait()
    for thread in threads:
        while thread.is_alive():
            assert parallel_loop(np.ones(1000)) == 1000.0
            thread.join(0.005)
    return results


def check(call, parallel_loop):
    module, name = call.split(":")
    function = getattr(importlib.import_module(module), name)
    # First at once, so that compilation is part of it.
    for i, repeated in enumerate(at_once(function, parallel_loop)):
        expected = function(i)
        for result in repeated:
            np.testing.assert_array_equal(result, expected)
    return name


def main(layer, *calls):
    parallel_loop = start_layer(layer)
    names = [check(call, parallel_loop) for call in calls]
    sys.stdout.write(f"{layer}: {' '.join(names)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
