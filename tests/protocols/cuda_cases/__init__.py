"""A `Case` for every CUDA kernel, by its name; each module of this folder brings some."""

import importlib
import pkgutil

from tests.protocols.cuda_cases.case import Case

MODULES = [
    importlib.import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
]
CASES: dict[str, Case] = {
    name: case for module in MODULES for name, case in getattr(module, "CASES", {}).items()
}
