"""Agreement of pairs of agents."""

from swarmloom_protocols.consensus.answers.agreement import pair_sums
from tests.naive import agreement as naive
from tests.protocols.cuda_cases.case import Case

MODULE = "swarmloom_protocols.consensus.answers"


def votes(rng, size):
    return rng.integers(-1, 3, (size, 4)), rng.uniform(0.1, 0.5, size)


CASES = {f"{MODULE}.agreement_cuda.add": Case(pair_sums, naive.pair_sums, votes)}
