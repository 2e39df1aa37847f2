"""The choice of a device, and bands of rows over threads."""

import importlib.util
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom import cuda, device
from swarmloom.device import bands, map_bands, resolve, thread_count, use_threads
from swarmloom.errors import DeviceError, InputError


@pytest.fixture
def no_simulator(monkeypatch):
    monkeypatch.setattr(numba.core.config, "ENABLE_CUDASIM", 0)
    cuda._missing_gpu.cache_clear()
    yield
    cuda._missing_gpu.cache_clear()


class Library:
    """numba.cuda as far as the search for a GPU uses it."""

    def __init__(self, available):
        self.available = available

    def is_available(self):
        if isinstance(self.available, Exception):
            raise self.available
        return self.available

    def cuda_error(self):
        return "driver too\n old"


def install(monkeypatch, available):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(cuda, "numba_cuda", lambda: Library(available))


@pytest.mark.usefixtures("no_simulator")
def test_a_gpu_is_taken_when_it_is_there_and_worth_it(monkeypatch):
    install(monkeypatch, available=True)
    assert resolve("auto", size=10**9) == "cuda"
    assert resolve("auto", size=10) == "cpu"
    assert resolve("auto", size=10, worth=10) == "cuda"
    assert resolve("cuda", size=0) == "cuda"
    assert resolve("cpu", size=10**9) == "cpu"


@pytest.mark.usefixtures("no_simulator")
@pytest.mark.parametrize(
    ("available", "found"),
    [(False, "found no GPU: driver too old"), (ImportError("libnvvm"), "libnvvm")],
)
def test_without_a_usable_gpu_auto_is_the_cpu_and_cuda_says_what_was_found(
    available, found, monkeypatch
):
    install(monkeypatch, available)
    assert resolve("auto", size=10**9) == "cpu"
    with pytest.raises(DeviceError, match=found):
        resolve("cuda", size=10)


@pytest.mark.usefixtures("no_simulator")
def test_without_numba_cuda_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert resolve("auto", size=10**9) == "cpu"
    with pytest.raises(DeviceError, match=r"pip install 'swarmloom\[cuda\]'"):
        resolve("cuda", size=10)


def test_the_simulator_is_a_device_only_for_those_who_ask(monkeypatch):
    monkeypatch.setattr(numba.core.config, "ENABLE_CUDASIM", 1)
    assert resolve("cuda", size=10) == "cuda"
    assert resolve("auto", size=10**9) == "cpu"


def test_unknown_device_is_refused():
    with pytest.raises(InputError, match="'gpu' is not one of 'auto', 'cpu', 'cuda'"):
        resolve("gpu", size=1)


def test_cpu_work_imports_no_numba():
    code = (
        "import sys; from swarmloom.device import resolve, map_bands;"
        "resolve('auto', size=10); map_bands(print, 0); print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@given(st.integers(0, 10**8), st.integers(0, 10**7))
def test_bands_cover_all_rows_once_in_order(n_rows, row_elements):
    n_rows = min(n_rows, 10**3 * device.BAND_ELEMENTS // max(1, row_elements))
    cut = bands(n_rows, row_elements)
    assert [start for start, _ in cut] == [0, *(stop for _, stop in cut)][: len(cut)]
    assert all(start < stop for start, stop in cut)
    assert (cut[-1][1] if cut else 0) == n_rows
    assert all((b - a) * row_elements <= device.BAND_ELEMENTS or b - a == 1 for a, b in cut)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_results_do_not_depend_on_the_number_of_threads(threads):
    values = np.random.default_rng(1).standard_normal(3_000_017).astype(np.float32)
    expected = [values[start:stop].sum() for start, stop in bands(values.size)]
    assert len(expected) == 6
    with use_threads(threads):
        assert map_bands(lambda start, stop: values[start:stop].sum(), values.size) == expected


def test_bands_run_in_as_many_threads_as_set_and_leave_none_behind():
    together = threading.Barrier(3, timeout=30)
    before = threading.active_count()
    with use_threads(3):
        names = map_bands(
            lambda *_: (together.wait(), threading.current_thread().name)[1],
            3,
            device.BAND_ELEMENTS,
        )
    assert len(set(names)) == 3
    assert threading.active_count() == before


def test_one_band_runs_in_the_calling_thread():
    assert map_bands(lambda *_: threading.current_thread(), 10) == [threading.current_thread()]
    assert map_bands(lambda *_: 1, 0) == []


def test_bands_may_be_mapped_within_bands():
    def inner(start, stop):
        return sum(map_bands(lambda a, b: b - a, 4, device.BAND_ELEMENTS)) * (stop - start)

    with use_threads(2):
        assert sum(map_bands(inner, 8, device.BAND_ELEMENTS)) == 32


def test_the_first_failing_band_is_raised_when_all_threads_have_ended():
    before = threading.active_count()

    def fail(start, stop):
        if start:
            raise ValueError(f"band {start}")

    with use_threads(2), pytest.raises(ValueError, match="band 1"):
        map_bands(fail, 4, device.BAND_ELEMENTS)
    assert threading.active_count() == before


def test_thread_setting_holds_within_its_block_and_thread():
    default = thread_count()
    assert 1 <= default <= device.MOST_THREADS
    seen = []
    with use_threads(5):
        assert thread_count() == 5
        with use_threads(1):
            assert thread_count() == 1
        assert thread_count() == 5
        other = threading.Thread(target=lambda: seen.append(thread_count()))
        other.start()
        other.join()
    assert thread_count() == default
    assert seen == [default]


@pytest.mark.parametrize("count", [0, -3])
def test_thread_setting_is_at_least_one(count):
    with pytest.raises(InputError, match=f"threads: {count}"), use_threads(count):
        pass
