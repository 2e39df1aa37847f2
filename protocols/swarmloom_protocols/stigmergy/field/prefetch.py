"""A hint to the processor: this cache line will be read soon.

A stencil keeps a core so busy that its own prefetching cannot hide the memory's latency; hints
between pieces of a row do. They change no value.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["prefetch"]

READ, KEEP_IN_L2, DATA = 0, 2, 1


def _intrinsic() -> Any:
    numba: Any = importlib.import_module("numba")
    ir: Any = importlib.import_module("llvmlite.ir")

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, values[0])
        address = builder.bitcast(builder.gep(array.data, [values[1]]), ir.IntType(8).as_pointer())
        kinds = [address.type, *[ir.IntType(32)] * 3]
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [address.type], ir.FunctionType(ir.VoidType(), kinds)
        )
        options = [ir.Constant(ir.IntType(32), value) for value in (READ, KEEP_IN_L2, DATA)]
        builder.call(hint, [address, *options])
        return context.get_dummy_value()

    def typed(_: Any, array: Any, index: Any) -> Any:
        return numba.types.void(array, numba.types.intp), emit

    return numba.extending.intrinsic(typed)


def _nothing(array: Any, index: int) -> None:
    """Stand in where kernels run as Python."""


def _make() -> Any:
    disabled = importlib.import_module("numba").core.config.DISABLE_JIT
    return _nothing if disabled else _intrinsic()


# prefetch(array, index): an array of one dimension; the index need not exist.
prefetch = _make()
