"""Made-up panels for the tests: random rates and answers, and experts of known skill."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


@st.composite
def small_worlds(draw, max_experts=4, max_options=5):
    """Prior, rates, calls and number of options of a random small panel."""
    n_experts = draw(st.integers(1, max_experts))
    n_options = draw(st.integers(1, max_options))
    classes = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prior = rng.dirichlet(np.ones(classes))
    rates = 0.01 / 4 + 0.99 * rng.dirichlet(np.ones(4), size=(n_experts, classes))
    asked = draw(st.permutations(range(n_experts)))[: draw(st.integers(0, n_experts))]
    named, calls = 0, []
    for expert in asked:
        answer = draw(st.integers(-1, min(named, n_options - 1)))
        named = max(named, answer + 1)
        calls.append((expert, answer))
    return prior, rates, calls, n_options


def columns(calls):
    """Experts and answers of a list of calls, as arrays."""
    pairs = np.array(calls, np.int64).reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def lettered(options):
    """Options as small integers in order of appearance; -1 stays."""
    names = {-1: -1}
    return [names.setdefault(int(option), len(names) - 1) for option in options], names


def simulate(rng, skills, n_options):
    """Truth and answers of independent experts who are right with the given chances."""
    truth = int(rng.integers(n_options))
    wrong = (truth + rng.integers(1, n_options, len(skills))) % n_options
    return truth, np.where(rng.random(len(skills)) < skills, truth, wrong)
