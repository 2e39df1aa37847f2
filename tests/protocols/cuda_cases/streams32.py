"""Random streams in 32-bit arithmetic."""

from swarmloom.random_streams32 import uniforms32
from tests.naive import philox32
from tests.protocols.cuda_cases.case import Case

CASES = {
    "swarmloom.random_streams32_cuda.fill": Case(
        uniforms32,
        philox32.uniforms,
        lambda rng, size: (int(rng.integers(2**32)), 2**31 + 5, size),
    )
}
