"""Compiled kernels on disk, under a key that changes whenever any of their code has changed.

Numba's own cache looks at the one file that defines a kernel. When a callee in another file
changes, by an edit or by an upgrade, the caller's old machine code is used (numba issues 1833 and
9483); two processes that compile different signatures at once can exchange their files (4807); a
truncated file ends the program (10434). Here the folder stands for the versions of Swarmloom and
of all plugin distributions, and the file's name for the code of the kernel and of all kernels it
calls, so that an edit in a source tree counts as well. Each signature has a file of its own,
checked by a digest and replaced in one step; whatever goes wrong with a file costs a compilation
and nothing else.

This module imports Numba: `swarmloom.jit` imports it when the first kernel is defined.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
import platformdirs
from numba.core import compiler, serialize
from numba.core.caching import _Cache

import swarmloom

__all__ = ["KernelCache", "attach"]

log = logging.getLogger("swarmloom.jit")

PLUGIN_GROUP = "swarmloom.plugins.v1"
DIGEST_BYTES = 32
KEPT_SECONDS = 60 * 24 * 3600.0

# Numba's types differ from version to version; here it is an untyped library.
_config: Any = numba.core.config
_dumps: Any = serialize.dumps
_CompileResult: Any = compiler.CompileResult


def attach(dispatcher: Any) -> None:
    """Give a Numba dispatcher its place on disk; without a writable one it compiles in memory."""
    home = cache_home(_config.CACHE_DIR)
    folder = writable(home / environment_key()) if home is not None else None
    if folder is not None:
        dispatcher._cache = KernelCache(dispatcher, folder)


def cache_home(chosen: str) -> Path | None:
    """Return the folder of all versions, inside the user's ``NUMBA_CACHE_DIR`` where one is set.

    Returns
    -------
    Path or None
        None where there is no home directory.
    """
    if chosen:
        return Path(chosen) / "swarmloom"
    home = Path(platformdirs.user_cache_dir("swarmloom", appauthor=False)) / "kernels"
    return home if home.is_absolute() else None


@functools.cache
def writable(folder: Path) -> Path | None:
    """Make a folder and try to write into it; None where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        log.debug("kernels are compiled in memory: %s", error)
        return None
    return folder


@functools.cache
def environment_key() -> str:
    """Return a digest of the versions of Python, Numba, Swarmloom and all plugin distributions."""
    points = metadata.entry_points(group=PLUGIN_GROUP)
    plugins = {f"{point.dist.name} {point.dist.version}" for point in points if point.dist}
    parts = [sys.version, numba.__version__, swarmloom.__version__, *sorted(plugins)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@functools.cache
def drop_unused(home: Path) -> None:
    """Delete files that were last read or written long ago, at most once a process."""
    oldest = time.time() - KEPT_SECONDS
    for path in home.glob("*/*.kernel"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def fingerprint(function: FunctionType) -> str:
    """Return a digest of the code of a kernel and of every kernel it can reach.

    The live code is read, not the source file: an edit between import and first call would
    otherwise file the old code under the new text.
    """
    digest = hashlib.sha256()
    waiting, seen = [function], {function}
    while waiting:
        current = waiting.pop()
        for part in _own_parts(current):
            digest.update(part)
        reached = [_compiled_from(value) for _, value in _references(current)]
        fresh = [callee for callee in reached if callee is not None and callee not in seen]
        waiting += fresh
        seen.update(fresh)
    return digest.hexdigest()


def _own_parts(function: FunctionType) -> Iterator[bytes]:
    yield f"{function.__module__} {function.__qualname__} {function.__defaults__!r}".encode()
    for code in _nested_code(function.__code__):
        constants = [value for value in code.co_consts if not isinstance(value, CodeType)]
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        yield code.co_code + code.co_exceptiontable
        yield repr((code.co_argcount, names, constants)).encode()
    for name, value in _references(function):
        yield name.encode() + _constant(value)


def _nested_code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _nested_code(value)


def _references(function: FunctionType) -> list[tuple[str, Any]]:
    """Return what a function's names stand for now, in its closure, its module, other modules."""
    names = sorted({name for code in _nested_code(function.__code__) for name in code.co_names})
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = [pair for name, cell in cells for pair in _items(name, cell.cell_contents)]
    spaces: list[dict[str, Any]] = [function.__globals__]
    searched: set[ModuleType] = set()
    while spaces:
        space = spaces.pop()
        values = [pair for name in names if name in space for pair in _items(name, space[name])]
        modules = {value for _, value in values if isinstance(value, ModuleType)} - searched
        searched |= modules
        spaces += [vars(module) for module in sorted(modules, key=lambda module: module.__name__)]
        found += values
    return found


def _items(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value, or for a tuple its items at all depths, each with where it stands."""
    if not isinstance(value, tuple):
        yield name, value
        return
    for i, item in enumerate(value):
        yield from _items(f"{name}[{i}]", item)


def _compiled_from(value: Any) -> FunctionType | None:
    """Return the Python function behind a kernel or an intrinsic."""
    function = getattr(value, "py_func", None) or getattr(value, "_defn", None)
    return function if isinstance(function, FunctionType) else None


def _constant(value: Any) -> bytes:
    """Return what Numba would copy into the machine code, and how it compiles a kernel."""
    if hasattr(value, "targetoptions"):
        return _options(value).encode()
    if isinstance(value, bool | int | float | complex | str | np.generic):
        return repr(value).encode()
    if isinstance(value, type) and hasattr(value, "_fields"):
        return repr(value._fields).encode()
    return bytes(_dumps(value)) if isinstance(value, np.ndarray) else b""


def _options(dispatcher: Any) -> str:
    # The order of a set of fast-math flags differs from process to process.
    options = sorted(dispatcher.targetoptions.items())
    return repr(
        [(name, sorted(value) if isinstance(value, set) else value) for name, value in options]
    )


class KernelCache(_Cache):
    """The compiled signatures of one kernel, a file each; the face Numba's dispatchers expect.

    Parameters
    ----------
    dispatcher : numba.core.dispatcher.Dispatcher
        The kernel.
    folder : Path
        An existing, writable folder for the code installed now.
    """

    def __init__(self, dispatcher: Any, folder: Path) -> None:
        self._function = dispatcher.py_func
        self._options = (_options(dispatcher), _config.BOUNDSCHECK, _config.OPT)
        self._folder = folder
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The folder that holds the files."""
        return str(self._folder)

    def enable(self) -> None:
        """Read and write files."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor write files."""
        self._enabled = False

    def flush(self) -> None:
        """Forget all signatures of this kernel."""
        for path in self._folder.glob(f"{self._stem()}-*.kernel"):
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled signature, None where there is no sound file of it."""
        target_context.refresh()
        if not self._keeps(sig):
            return None
        key = self._key(sig, target_context.codegen())
        # Whatever a damaged file makes the reader raise, compiling again is the answer.
        try:
            stored_key, reduced = pickle.loads(_read_checked(self._path(key)))
            if stored_key != key:
                return None
            _touch(self._path(key))
            return _CompileResult._rebuild(target_context, *reduced)
        except FileNotFoundError:
            return None
        except Exception as error:
            log.debug("%s is compiled again: %r", self._stem(), error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled signature; a full disk costs a warm start, not the program."""
        if not self._keeps(sig) or data.library.has_dynamic_globals:
            return
        key = self._key(sig, data.codegen)
        try:
            _write_checked(self._path(key), _dumps((key, data._reduce())))
            drop_unused(self._folder.parent)
        except Exception as error:
            log.debug("%s is not kept on disk: %r", self._stem(), error)

    def _keeps(self, sig: Any) -> bool:
        # A kernel passed as an argument is code that the key does not cover.
        return self._enabled and "Dispatcher(" not in repr(sig)

    def _key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return sig, codegen.magic_tuple(), self._options, fingerprint(self._function)

    def _stem(self) -> str:
        name = f"{self._function.__module__}.{self._function.__qualname__}"
        return re.sub(r"[^\w.]", "", name)[-80:]

    def _path(self, key: tuple[Any, ...]) -> Path:
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:32]
        return self._folder / f"{self._stem()}-{digest}.kernel"


def _read_checked(path: Path) -> bytes:
    content = path.read_bytes()
    digest, body = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    # Damaged machine code would load without complaint and then run.
    if hashlib.sha256(body).digest() != digest:
        raise ValueError(f"{path} is damaged")
    return body


def _touch(path: Path) -> None:
    """Note that a file is in use; one that belongs to somebody else stays as it is."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _write_checked(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
