import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search import policies
from swarmloom_protocols.bio_routing.search.colony import Budget, Colony
from swarmloom_protocols.bio_routing.search.standard_problems import path_problem
from swarmloom_protocols.bio_routing.search.statistics import branching, entropy


@pytest.mark.row("B9")
def test_a_network_of_one_path_has_branching_one_and_no_entropy():
    problem = path_problem([0, 1, 2], [1, 2, 3], [1.0, 2.0, 3.0], origin=0, sink=3)
    for policy in (policies.max_min(), policies.ant_colony_system(), policies.ant_system()):
        colony = Colony(problem, policy, rng=np.random.default_rng(0), ants=3)
        result = colony.run(Budget(iterations=20))
        assert (colony.progress().branching, colony.progress().entropy) == (1.0, 0.0)
        assert result.cost == 6.0
        assert result.sequence.tolist() == [0, 1, 2, 3]


@pytest.mark.row("B9")
def test_closed_forms():
    assert branching([0, 3, 5], [1.0, 1.0, 1.0, 1.0, 0.0]) == 2.0
    assert branching([0, 4], [0.0, 0.04, 0.06, 1.0]) == 2.0
    assert branching([0, 4], [0.0, 0.04, 0.06, 1.0], lam=0.01) == 3.0
    assert branching([0, 0, 1, 1], [3.0]) == 1.0
    assert entropy([0, 4, 6], [1.0, 1.0, 1.0, 1.0, 5.0, 0.0]) == 1.0
    assert entropy([0, 2], [0.25, 0.75]) == pytest.approx(0.811278)
    assert np.isnan(branching([0, 0], []))
    assert np.isnan(entropy([0], []))


@given(st.lists(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=6), min_size=1, max_size=8))
def test_bounds_and_naive_values(rows):
    starts = np.cumsum([0, *map(len, rows)])
    values = np.concatenate(rows)
    standing = [sum(v >= min(r) + 0.05 * (max(r) - min(r)) for v in r) for r in rows]
    assert branching(starts, values) == pytest.approx(np.mean(standing))
    bits = [-sum(v / sum(r) * np.log2(v / sum(r)) for v in r) for r in rows]
    assert entropy(starts, values) == pytest.approx(np.mean(bits), abs=1e-9)
    assert entropy(starts, 3.0 * values) == pytest.approx(entropy(starts, values), abs=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: branching([0, 2], [1.0]), "starts end at"),
        (lambda: branching([0, 1], [np.nan]), "finite"),
        (lambda: entropy([0, 1], [-1.0]), "finite"),
        (lambda: branching([0, 1], [1.0], lam=2.0), "lam is 2"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
