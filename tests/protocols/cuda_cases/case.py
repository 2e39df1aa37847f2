"""What is known of a CUDA kernel: the function that uses it, a naive reference, inputs by size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    public: Callable[..., Any]
    naive: Callable[..., Any]
    arguments: Callable[[np.random.Generator, int], tuple[Any, ...]]
