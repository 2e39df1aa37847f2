"""Kernels: what the decorator compiles, and that the disk cache is never stale or fatal."""

import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest

import swarmloom
from swarmloom import kernel_cache
from swarmloom.jit import kernel

compiled_only = pytest.mark.skipif(
    bool(numba.core.config.DISABLE_JIT), reason="NUMBA_DISABLE_JIT is set"
)

LOW = """
from swarmloom.jit import kernel
FACTOR = 2.0
@kernel
def low(x):
    return FACTOR * x
"""
HIGH = """
import low as other
from low import low
from swarmloom.jit import kernel
@kernel
def direct(x):
    return low(x) + 1.0
@kernel
def through_module(x):
    return other.low(x) + 1.0
@kernel
def two_levels(x):
    return direct(x) + 1.0
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(folder))
    kernel_cache.writable.cache_clear()
    kernel_cache.drop_unused.cache_clear()
    return folder


def load(name, folder, monkeypatch):
    """Import a module afresh: its kernels know no machine code but what lies on disk."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(spec.loader.get_source(name), spec.origin, "exec"), module.__dict__)
    return module


def hits(compiled):
    return sum(compiled.stats.cache_hits.values())


def first(folder):
    """Search a folder before what this process was told to search."""
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "0"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@compiled_only
@pytest.mark.parametrize("caller", ["direct", "through_module", "two_levels"])
def test_edited_callee_in_another_file_gives_the_new_result(caller, cache, tmp_path, monkeypatch):
    (tmp_path / "high.py").write_text(HIGH)

    def call():
        load("low", tmp_path, monkeypatch)
        compiled = getattr(load("high", tmp_path, monkeypatch), caller)
        return compiled(10.0), hits(compiled)

    extra = 1.0 if caller == "two_levels" else 0.0
    (tmp_path / "low.py").write_text(LOW)
    assert call() == (21.0 + extra, 0)
    assert call() == (21.0 + extra, 1)
    (tmp_path / "low.py").write_text(LOW.replace("FACTOR * x", "FACTOR + x"))
    assert call() == (13.0 + extra, 0)
    (tmp_path / "low.py").write_text(LOW.replace("2.0", "3.0"))
    assert call() == (31.0 + extra, 0)
    (tmp_path / "low.py").write_text(LOW)
    assert call() == (21.0 + extra, 1)


@compiled_only
def test_same_code_with_another_closure_option_or_argument_is_another_file(cache):
    def scale(factor, **options):
        @kernel(**options)
        def scaled(x):
            return x * factor

        return scaled

    assert scale(2.0)(5.0) == 10.0
    assert scale(3.0)(5.0) == 15.0
    assert hits(twice := scale(2.0)) == 0
    assert twice(5) == 10.0
    assert hits(twice) == 0
    again = scale(2.0)
    assert (again(5.0), hits(again)) == (10.0, 1)
    fast = scale(2.0, fastmath=frozenset({"contract"}))
    assert (fast(5.0), hits(fast)) == (10.0, 0)


@compiled_only
def test_changed_constants_of_a_closure_are_seen_also_in_tuples_and_arrays(cache):
    def polynomial(factors, table):
        @kernel
        def value(x):
            return factors[0] * x + factors[1][0] + table[1]

        return value

    for factors, table, expected in [
        ((2.0, (1.0,)), [0.0, 0.0], 7.0),
        ((2.0, (4.0,)), [0.0, 0.0], 10.0),
        ((2.0, (1.0,)), [0.0, 5.0], 12.0),
    ]:
        compiled = polynomial(factors, np.array(table))
        assert (compiled(3.0), hits(compiled)) == (expected, 0)
        again = polynomial(factors, np.array(table))
        assert (again(3.0), hits(again)) == (expected, 1)


@compiled_only
def test_changed_fields_of_a_tuple_are_seen_by_who_makes_one(cache, tmp_path, monkeypatch):
    """The code that makes a named tuple stays the same when a field gets another name."""
    making = """
from typing import NamedTuple
from swarmloom.jit import kernel
class Pair(NamedTuple):
    FIELD: float
    second: float
@kernel
def made(x):
    return Pair(x, 1.0)
"""
    for field in ("first", "other"):
        (tmp_path / "making.py").write_text(making.replace("FIELD", field))
        module = load("making", tmp_path, monkeypatch)
        assert module.made(2.0)._asdict() == {field: 2.0, "second": 1.0}
        assert module.made.nopython_signatures[0].return_type.fields == (field, "second")


@compiled_only
def test_changed_options_of_a_callee_are_seen(cache, tmp_path, monkeypatch):
    (tmp_path / "high.py").write_text(HIGH)
    for low, expected in [
        (LOW, 0),
        (LOW.replace("@kernel", "@kernel(fastmath=True)"), 0),
        (LOW, 1),
    ]:
        (tmp_path / "low.py").write_text(low)
        load("low", tmp_path, monkeypatch)
        direct = load("high", tmp_path, monkeypatch).direct
        assert (direct(10.0), hits(direct)) == (21.0, expected)


def test_another_process_finds_a_kernel_with_several_flags(tmp_path):
    flags = 'frozenset({"contract", "reassoc", "nsz", "arcp"})'
    (tmp_path / "low.py").write_text(LOW.replace("@kernel", f"@kernel(fastmath={flags})"))
    folders = {"PYTHONPATH": first(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    code = "from low import low; print(low(4.0), len(low.stats.cache_hits))"
    assert run(code, PYTHONHASHSEED="1", **folders) == ["8.0", "0"]
    assert run(code, PYTHONHASHSEED="2", **folders) == ["8.0", "1"]


@compiled_only
def test_a_kernel_given_as_argument_is_not_kept(cache):
    @kernel
    def apply(function, x):
        return function(x)

    @kernel
    def double(x):
        return 2.0 * x

    assert apply(double, 4.0) == 8.0
    assert not list(cache.glob("*/*apply*.kernel"))


@compiled_only
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        lambda content: b"\0" * len(content),
    ],
    ids=["empty", "truncated", "one bit", "zeros"],
)
def test_damaged_file_is_compiled_again_and_repaired(damage, cache, tmp_path, monkeypatch):
    (tmp_path / "low.py").write_text(LOW)
    assert load("low", tmp_path, monkeypatch).low(4.0) == 8.0
    (file,) = cache.glob("*/*/*.kernel")
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    recovered = load("low", tmp_path, monkeypatch).low
    assert (recovered(4.0), hits(recovered)) == (8.0, 0)
    repaired = load("low", tmp_path, monkeypatch).low
    assert (repaired(4.0), hits(repaired)) == (8.0, 1)


@compiled_only
def test_full_disk_costs_only_the_warm_start(cache, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "low.py").write_text(LOW)
    monkeypatch.setattr(os, "replace", full)
    assert load("low", tmp_path, monkeypatch).low(4.0) == 8.0
    assert not [path for path in cache.rglob("*") if path.is_file()]


@compiled_only
def test_files_unused_for_long_are_dropped(cache, tmp_path, monkeypatch):
    old = cache / "swarmloom" / "0123" / "gone.kernel"
    young = old.with_name("kept.kernel")
    old.parent.mkdir(parents=True)
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 1e7,) * 2)
    (tmp_path / "low.py").write_text(LOW)
    load("low", tmp_path, monkeypatch).low(4.0)
    assert not old.exists()
    assert young.exists()


@compiled_only
def test_a_file_that_is_still_read_is_not_dropped(cache, tmp_path, monkeypatch):
    (tmp_path / "low.py").write_text(LOW)
    load("low", tmp_path, monkeypatch).low(4.0)
    (file,) = cache.glob("*/*/*.kernel")
    os.utime(file, (time.time() - 1e7,) * 2)
    assert load("low", tmp_path, monkeypatch).low(4.0) == 8.0
    kernel_cache.drop_unused.cache_clear()
    kernel_cache.drop_unused(cache / "swarmloom")
    assert file.exists()


@compiled_only
def test_a_file_that_must_not_be_touched_is_still_read(cache, tmp_path, monkeypatch):
    def read_only(*_):
        raise OSError(30, "Read-only file system")

    (tmp_path / "low.py").write_text(LOW)
    load("low", tmp_path, monkeypatch).low(4.0)
    monkeypatch.setattr(os, "utime", read_only)
    low = load("low", tmp_path, monkeypatch).low
    assert (low(4.0), hits(low)) == (8.0, 1)


@compiled_only
def test_recompile_flushes_the_files(cache, tmp_path, monkeypatch):
    (tmp_path / "low.py").write_text(LOW)
    low = load("low", tmp_path, monkeypatch).low
    assert low(4.0) == 8.0
    (file,) = cache.glob("*/*/*.kernel")
    file.write_bytes(b"")
    low.recompile()
    assert low(4.0) == 8.0
    assert file.stat().st_size > 0


@compiled_only
def test_kernels_are_serial_release_the_gil_and_divide_as_numpy():
    @kernel
    def reciprocal(x):
        return 1.0 / x

    assert reciprocal(0.0) == float("inf")
    assert reciprocal.targetoptions["nogil"]
    assert not reciprocal.targetoptions.get("parallel")


@compiled_only
def test_eight_threads_may_make_the_first_call_together():
    @kernel
    def total(n):
        result = 0
        for i in range(n):
            result += i * i
        return result

    barrier = threading.Barrier(8)
    results = []

    def call(n):
        barrier.wait()
        results.append((n, total(n)))

    threads = [threading.Thread(target=call, args=(n,)) for n in range(100, 108)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(n, sum(i * i for i in range(n))) for n in range(100, 108)]


def test_importing_the_decorator_imports_no_numba():
    assert run("import sys, swarmloom.jit; print('numba' in sys.modules)") == ["False"]


def test_disabled_jit_leaves_the_function_as_it_is():
    code = """
    from swarmloom.jit import kernel
    def f(x): return x + 1
    print(kernel(f) is f, kernel(fastmath=True)(f) is f)
    """
    assert run(code, NUMBA_DISABLE_JIT="1") == ["True", "True"]


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "NUMBA_CACHE_DIR"])
def test_without_a_writable_folder_kernels_compile_in_memory(variable, tmp_path):
    if variable == "XDG_CACHE_HOME" and sys.platform != "linux":
        pytest.skip("XDG_CACHE_HOME is read on Linux only")
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    (tmp_path / "low.py").write_text(LOW)
    code = "from low import low; print(low(4.0), low.stats.cache_path)"
    assert run(code, PYTHONPATH=first(tmp_path), **{variable: str(blocked)}) == ["8.0", "None"]
    assert not [*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc"), *tmp_path.rglob("*.kernel")]


def test_processes_that_write_together_leave_every_signature_sound(tmp_path):
    (tmp_path / "low.py").write_text(LOW)
    environment = os.environ | {
        "NUMBA_DISABLE_JIT": "0",
        "PYTHONPATH": first(tmp_path),
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    code = "import sys; from low import low; print(low(eval(sys.argv[1])))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, argument], env=environment, stdout=subprocess.PIPE
        )
        for argument in ("4", "4.0", "4j", "4.0")
    ]
    outputs = [process.communicate()[0].decode().strip() for process in started]
    assert outputs == ["8.0", "8.0", "8j", "8.0"]
    code = "from low import low; print(low(4), low(4.0), low(4j), len(low.stats.cache_hits))"
    expected = ["8.0", "8.0", "8j", "3"]
    assert (
        run(code, PYTHONPATH=first(tmp_path), NUMBA_CACHE_DIR=str(tmp_path / "cache")) == expected
    )


def test_an_upgraded_plugin_gets_a_folder_of_its_own(tmp_path):
    def folder(version):
        info = tmp_path / "flock-0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: flock\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("[swarmloom.plugins.v1]\nflock = flock\n")
        code = "from swarmloom import kernel_cache; print(kernel_cache.environment_key())"
        return run(code, PYTHONPATH=first(tmp_path))

    assert folder("1.0") == folder("1.0")
    assert folder("1.0") != folder("1.1")


def test_another_version_of_swarmloom_gets_a_folder_of_its_own(monkeypatch):
    """Asked anew, since a process asks once."""
    ours = kernel_cache.environment_key.__wrapped__()
    assert ours == kernel_cache.environment_key()
    monkeypatch.setattr(swarmloom, "__version__", swarmloom.__version__ + ".post1")
    assert kernel_cache.environment_key.__wrapped__() != ours


def test_no_home_directory_means_no_folder(monkeypatch):
    monkeypatch.setattr(kernel_cache.platformdirs, "user_cache_dir", lambda *_, **__: "~/.cache")
    assert kernel_cache.cache_home("") is None
    assert kernel_cache.cache_home("chosen") == Path("chosen/swarmloom")
