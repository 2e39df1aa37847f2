"""CUDA kernels through numba-cuda: definition, launch, and compilation without a GPU.

Import this module only when a GPU is asked for. Kernels live in modules whose names end in
``_cuda``, each a `CudaKernel` beside the CPU kernel of the same name; `find_kernels` collects
them, so that every one is run in Numba's simulator and compiled to PTX by the tests.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from swarmloom.errors import DeviceError

__all__ = [
    "CudaKernel",
    "compile_to_ptx",
    "device_function",
    "find_kernels",
    "kernel",
    "numba_cuda",
    "problem",
]

THREADS_PER_BLOCK = 128


def numba_cuda() -> Any:
    """Import ``numba.cuda``, whose names differ between its implementations."""
    return importlib.import_module("numba.cuda")


def problem(*, simulator: bool = True) -> str:
    """Say why CUDA kernels cannot run here.

    Parameters
    ----------
    simulator : bool, optional
        Whether Numba's simulator (``NUMBA_ENABLE_CUDASIM=1``) counts as a device.

    Returns
    -------
    str
        "" where they can.
    """
    if importlib.import_module("numba").core.config.ENABLE_CUDASIM:
        return "" if simulator else "Numba's CUDA simulator is switched on"
    return _missing_gpu()


@functools.cache
def _missing_gpu() -> str:
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed; pip install 'swarmloom[cuda]'"
    # A broken driver or toolkit shows itself in many ways, and none of them may end the program.
    try:
        library = numba_cuda()
        if library.is_available():
            return ""
        reason = str(library.cuda_error() or "the driver lists no device")
        return f"numba-cuda found no GPU: {' '.join(reason.split())}"
    except Exception as error:
        return f"numba-cuda cannot be imported: {error!r}"


def device_function(function: Callable[..., Any]) -> Any:
    """Make the GPU's version of a CPU kernel or of a plain function, to be called in CUDA kernels.

    It is inlined where it is called, which also lets it compile on a machine without a driver.
    The CPU kernels that it calls by their global names are converted too, so that one source
    serves both devices.
    """
    return numba_cuda().jit(device=True, inline="always")(_for_gpu(function))


def _for_gpu(function: Callable[..., Any]) -> FunctionType:
    source: Any = getattr(function, "py_func", function)
    names = dict(source.__globals__)
    for name in source.__code__.co_names:
        if hasattr(names.get(name), "py_func"):
            names[name] = device_function(names[name])
    parts = (source.__name__, source.__defaults__, source.__closure__)
    return FunctionType(source.__code__, names, *parts)


@dataclass(frozen=True)
class CudaKernel:
    """A CUDA kernel with the one signature that it is tested, compiled and launched with.

    Attributes
    ----------
    function : callable
        Its body: inputs first, then the arrays that it fills; ``cuda.grid(1)`` is its item.
    signature : str
        Types of all arguments as Numba writes them, ``"void(float32[::1], float64)"``.
    """

    function: Callable[..., Any]
    signature: str

    @property
    def name(self) -> str:
        """Module and function, as in ``package.module.function``."""
        return f"{self.function.__module__}.{self.function.__name__}"

    @functools.cached_property
    def dispatcher(self) -> Any:
        """What Numba launches; compiled at the first access, for the GPU at hand."""
        return numba_cuda().jit(self.signature)(_for_gpu(self.function))

    def __call__(self, n_items: int, inputs: Sequence[Any], outputs: Sequence[np.ndarray]) -> None:
        """Copy the inputs to the GPU, launch, and copy the outputs back.

        Parameters
        ----------
        n_items : int
            Threads that have something to do.
        inputs : sequence of ndarray or scalar
            What the kernel reads; arrays may be read-only.
        outputs : sequence of ndarray
            C-contiguous arrays on the host, overwritten as a whole.
        """
        if n_items == 0:
            return
        given = [_to_device(value) for value in inputs]
        filled = [numba_cuda().device_array(array.shape, array.dtype) for array in outputs]
        self.launch(n_items, *given, *filled)
        for on_gpu, array in zip(filled, outputs, strict=True):
            on_gpu.copy_to_host(array)

    def launch(self, n_items: int, *arguments: Any) -> None:
        """Launch on what is on the GPU already, as loops of many steps do; copies nothing.

        Parameters
        ----------
        n_items : int
            Threads that have something to do.
        *arguments
            Device arrays (``numba_cuda().to_device(array)``, read with ``.copy_to_host()``) and
            scalars, in the kernel's order. Arrays may be overwritten.
        """
        if n_items == 0:
            return
        blocks = math.ceil(n_items / THREADS_PER_BLOCK)
        self.dispatcher[blocks, THREADS_PER_BLOCK](*arguments)

    def ptx(self, capability: tuple[int, int]) -> str:
        """Compile to PTX as `compile_to_ptx` does."""
        return compile_to_ptx(self.function, self.signature, capability)


def _to_device(value: Any) -> Any:
    return numba_cuda().to_device(value) if isinstance(value, np.ndarray) else value


def kernel(signature: str) -> Callable[[Callable[..., Any]], CudaKernel]:
    """Decorate the body of a CUDA kernel; see `CudaKernel`.

    Inside, CPU kernels that the module imports by name may be called: they are converted as
    `device_function` does.
    """
    return functools.partial(CudaKernel, signature=signature)


def compile_to_ptx(
    function: Callable[..., Any], signature: str, capability: tuple[int, int]
) -> str:
    """Compile a CUDA kernel without a GPU.

    Parameters
    ----------
    function : callable
        Body of the kernel.
    signature : str
        Types of its arguments as Numba writes them.
    capability : (int, int)
        Compute capability of the GPU, (9, 0) for sm_90.

    Returns
    -------
    str
        PTX assembly.

    Raises
    ------
    DeviceError
        numba-cuda is not installed, or the simulator is switched on.
    """
    if importlib.import_module("numba").core.config.ENABLE_CUDASIM:
        raise DeviceError("compile_to_ptx: Numba's CUDA simulator compiles nothing")
    if importlib.util.find_spec("numba_cuda") is None:
        raise DeviceError("compile_to_ptx: pip install 'swarmloom[cuda]'")
    text, _ = numba_cuda().compile_ptx(_for_gpu(function), signature, cc=capability)
    return str(text)


def find_kernels(package: ModuleType) -> dict[str, CudaKernel]:
    """Import all modules of a package whose names end in ``_cuda`` and collect their kernels.

    Parameters
    ----------
    package : module
        An imported package.

    Returns
    -------
    dict of str to CudaKernel
        By `CudaKernel.name`.
    """
    names = [name for root in package.__path__ for name in _cuda_modules(Path(root), package)]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return {value.name: value for value in values if isinstance(value, CudaKernel)}


def _cuda_modules(root: Path, package: ModuleType) -> list[str]:
    # By their files: walking the package would import all of it.
    found = [path.relative_to(root).with_suffix("") for path in sorted(root.rglob("*_cuda.py"))]
    return [".".join((package.__name__, *path.parts)) for path in found]
