"""The one decorator for CPU kernels: compiled by Numba, serial, without the GIL, cached safely.

Numba is imported when the first kernel is defined, never by ``import swarmloom``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

__all__ = ["kernel"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def kernel(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def kernel(
    *, fastmath: bool | frozenset[str] = False
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def kernel(
    function: Callable[P, R] | None = None, /, *, fastmath: bool | frozenset[str] = False
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function for the CPU at its first call with each signature.

    The kernel is serial, releases the GIL and divides as NumPy does (no ``ZeroDivisionError``), so
    it may be called from several threads at once; `swarmloom.device.map_bands` spreads large
    arrays over threads. Compiled code is kept on disk as `swarmloom.kernel_cache` describes.

    Parameters
    ----------
    function : callable
        A function of the subset of Python that Numba compiles.
    fastmath : bool or frozenset of str, optional
        LLVM's fast-math flags, as in `numba.njit`. The full set assumes that no NaN occurs; reduce
        it to what the kernel needs, such as ``frozenset({"contract", "reassoc"})``.

    Returns
    -------
    callable
        The compiled function, or `function` itself where ``NUMBA_DISABLE_JIT`` is set.

    Notes
    -----
    Numba freezes module globals when it compiles. Pass whatever can change as an argument.
    """

    def compile_lazily(function: Callable[P, R]) -> Callable[P, R]:
        numba: Any = importlib.import_module("numba")
        flags = set(fastmath) if isinstance(fastmath, frozenset) else fastmath
        compiled: Callable[P, R] = numba.njit(
            function, nogil=True, error_model="numpy", fastmath=flags
        )
        if not numba.core.config.DISABLE_JIT:
            from swarmloom.kernel_cache import attach

            attach(compiled)
        return compiled

    return compile_lazily if function is None else compile_lazily(function)
