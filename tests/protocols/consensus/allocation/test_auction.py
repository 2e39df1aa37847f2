"""The auction against SciPy's Hungarian method, enumeration, and its own certificate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.allocation.auction import auction
from swarmloom_protocols.consensus.allocation.auction_kernels import PATIENCE, bid_all, new_floor
from swarmloom_protocols.consensus.allocation.shortest_paths import settle_early
from tests.naive.allocation import best_sum

pytestmark = pytest.mark.row("C12")

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


def optimum(values):
    return values[linear_sum_assignment(values, maximize=True)].sum()


def check_certificate(values, result, reserve=None):
    """The duals prove the bound, and the bound is met within a step a bidder."""
    n, m = values.shape
    scale = max(1.0, np.abs(values[np.isfinite(values)]).max(initial=0.0))
    tolerance = 1e-12 * scale * (n + m)
    assert (result.profit[:, None] + result.prices >= values - tolerance).all()
    total = result.profit.sum() + result.prices.sum()
    assert total - 1.0 - tolerance <= result.bound <= total + tolerance
    if reserve is not None or n < m:
        assert result.prices.min() >= 0.0
    elif n > m:
        assert result.profit.min() >= 0.0
    bidders = n if reserve is not None else min(n, m)
    assert result.bound - result.value <= bidders * result.epsilon + tolerance
    taken = result.assignment[result.assignment >= 0]
    assert len(set(taken)) == len(taken)
    got = values[np.flatnonzero(result.assignment >= 0), taken].sum()
    alone = (result.assignment < 0).sum() * (reserve or 0.0)
    assert result.value == pytest.approx(got + alone, rel=1e-12, abs=tolerance)


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(-1e6, 1e6)), st.sampled_from([0.0, 0.05]))
def test_within_the_gap_of_the_hungarian_optimum(values, gap):
    result = auction(values, gap=gap)
    check_certificate(values, result)
    best = optimum(values)
    assert (result.assignment >= 0).sum() == min(values.shape)
    assert result.value <= result.bound
    assert result.bound >= best - 1e-14 * np.abs(values).sum()
    assert result.value >= best - gap * abs(result.bound) - 12 * result.epsilon


@given(hnp.arrays(np.int64, SHAPES, elements=st.integers(-5, 5)))
def test_whole_numbers_with_ties_are_solved_and_proven(values):
    result = auction(values, gap=0.0)
    assert result.value == result.bound == optimum(values)
    assert result.gap == 0.0


@given(
    hnp.arrays(np.float64, (4, 5), elements=st.floats(0, 1) | st.just(-np.inf)),
    st.booleans(),
    st.floats(-0.5, 1.5),
)
def test_forbidden_pairs_and_reserves_against_enumeration(values, tall, reserve):
    values = values.T.copy() if tall else values
    result = auction(values, gap=0.0, reserve=reserve)
    check_certificate(values, result, reserve)
    assert result.value == pytest.approx(best_sum(values, reserve), abs=1e-9)
    best = best_sum(values)
    if best > -np.inf:
        assert auction(values, gap=0.0).value == pytest.approx(best, abs=1e-9)
    else:
        with pytest.raises(InputError, match="cannot all be served"):
            auction(values)


def kinds(rng, n, m):
    """Distributions that auctions find easy and hard."""
    here, there = rng.random((n, 1, 2)), rng.random((1, m, 2))
    sparse = np.where(rng.random((n, m)) < 0.1, rng.random((n, m)), -np.inf)
    sparse[np.arange(n), rng.permutation(m)[:n]] = rng.random(n)
    return {
        "uniform": rng.random((n, m)),
        "distance": -np.sqrt(((here - there) ** 2).sum(axis=-1)),
        "product": rng.random((n, 1)) * rng.random((1, m)),
        "whole": rng.integers(0, 10, (n, m)).astype(float),
        "sparse": sparse,
        "negative": -rng.lognormal(0.0, 2.0, (n, m)),
        "all wanted by all": np.tile(rng.random(m), (n, 1)),
    }


def fuzzed(rng, n, m):
    """Values on which columns drop again and again while they bid."""
    rows, columns = np.arange(n)[:, None], np.arange(m)[None]
    here, there = rng.random((n, 1)), rng.random((1, m))
    return {
        "two slopes": np.abs(rows * here[0] - columns * there[0, 0]),
        "distance on a line": np.abs(here - there),
        "near on a line": -np.abs(here - there),
        "product": here * there,
        "whole product": np.floor(200.0 * here * there),
        "whole distance": np.abs(rows - int(rng.integers(1, 4)) * columns).astype(float),
        "sum and noise": here + there + 1e-3 * rng.random((n, m)),
    }


@pytest.mark.parametrize("gap", [0.0, 1e-2])
@pytest.mark.parametrize("kind", list(fuzzed(np.random.default_rng(0), 2, 2)))
def test_certificate_holds_where_columns_stay_free(kind, gap):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 70))
        values = fuzzed(rng, n, n + int(rng.integers(1, 90)))[kind]
        reserve = float(np.median(values)) if seed % 3 == 0 else None
        result = auction(values, gap=gap, reserve=reserve)
        check_certificate(values, result, reserve)
        alone = np.full((n, n if reserve is not None else 0), reserve or 0.0)
        best = optimum(np.hstack([values, alone]))
        assert result.bound >= best - 1e-9 * n
        if gap == 0.0:
            assert result.value == pytest.approx(best, rel=1e-9)


def test_whole_numbers_on_which_a_column_drops_twice():
    distances = np.abs(np.arange(30.0)[:, None] - np.arange(60.0))
    result = auction(distances, gap=0.0)
    check_certificate(distances, result)
    assert result.value == result.bound == optimum(distances)


def test_paths_finish_what_bids_leave_over():
    """Opponents on a line fight over prices for ever; blocks are all alike inside."""
    rng = np.random.default_rng(11)
    kind = rng.integers(0, 6, 200)
    cases = {
        "line": -np.abs(rng.random((200, 1)) - rng.random(200)),
        "blocks": (kind[:, None] == rng.permutation(kind)) + 0.01 * rng.random((200, 200)),
        "heavy tails": rng.standard_cauchy((200, 200)),
        "steps": rng.integers(0, 3, (200, 200)).astype(float),
    }
    cases["holes"] = np.where(rng.random((200, 200)) < 0.3, cases["line"], -np.inf)
    for name, values in cases.items():
        result = auction(values, gap=0.0)
        check_certificate(values, result)
        assert result.value == pytest.approx(optimum(values), rel=1e-12), name
        # Scaling down to the last bid step would take hundreds of bids a row.
        assert result.bids <= 10 * 200, name


@pytest.mark.parametrize("epsilon", [1e-1, 1e-3])
def test_where_paths_do_not_pay_all_is_as_the_bids_left_it(epsilon):
    """What comes next trusts that prices, owners and choices belong together."""
    rng = np.random.default_rng(2)
    values = rng.random((20, 1)) * rng.random((1, 20))
    tried, bid = new_floor(values), new_floor(values)
    bids, settled, *_ = settle_early(tried, epsilon, 1e-12, np.inf, 0.0, 0.0)
    assert not settled
    assert bids == bid_all(bid, epsilon, -np.inf, np.inf, 20 * PATIENCE)
    for name in ("price", "owner", "chosen"):
        np.testing.assert_array_equal(getattr(tried, name), getattr(bid, name), err_msg=name)


@pytest.mark.parametrize("shape", [(150, 150), (100, 140), (300, 20)])
@pytest.mark.parametrize("kind", list(kinds(np.random.default_rng(0), 2, 2)))
def test_default_gap_is_proven_on_every_distribution(shape, kind):
    turned = shape[0] > shape[1]
    values = kinds(np.random.default_rng(7), *(shape[::-1] if turned else shape))[kind]
    values = values.T if turned else values
    result = auction(values)
    check_certificate(values, result)
    assert result.gap <= 1e-4
    assert result.value >= optimum(values) * (1 - np.sign(optimum(values)) * 1e-4) - 1e-12


def test_a_reserve_of_no_effect_changes_nothing_and_a_high_one_leaves_all_out():
    values = np.random.default_rng(3).random((40, 60))
    best = optimum(values)
    assert auction(values, gap=0.0, reserve=-50.0).value == pytest.approx(best, rel=1e-9)
    idle = auction(values, reserve=2.0)
    assert (idle.assignment == -1).all()
    assert idle.value == idle.bound == 80.0


def test_edges():
    assert auction(np.zeros((0, 3))).assignment.shape == (0,)
    assert auction(np.zeros((3, 0))).assignment.tolist() == [-1, -1, -1]
    assert auction(np.zeros((3, 0)), reserve=1.0).value == 3.0
    assert auction([[7.0]]).value == 7.0
    assert auction([[-7.5]], gap=0.0).value == -7.5
    equal = auction(np.full((30, 30), 2.5))
    assert sorted(equal.assignment) == list(range(30))
    assert equal.value == 75.0
    assert auction([[-np.inf, 1.0], [-np.inf, 2.0]], reserve=0.0).value == 2.0


def test_huge_and_tiny_values_and_read_only_arrays():
    values = np.random.default_rng(5).random((20, 20))
    values.flags.writeable = False
    chosen = auction(values, gap=0.0).assignment
    for factor in (1e300, 1e-300):
        np.testing.assert_array_equal(auction(values * factor, gap=0.0).assignment, chosen)
    shifted = auction(values + 1e6, gap=0.0)
    assert shifted.value == pytest.approx(optimum(values) + 2e7, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, 2.0], {}, "must be a matrix"),
        ([[1.0, np.nan]], {}, "NaN"),
        ([[1.0, np.inf]], {}, "NaN or"),
        ([[1.0]], {"gap": -1.0}, "gap is -1"),
        ([[1.0]], {"reserve": np.nan}, "reserve"),
        ([[-np.inf, -np.inf], [1.0, 2.0]], {}, "1 of 2 cannot"),
        ([[1.0, -np.inf], [2.0, -np.inf]], {}, "1 of 2 cannot"),
        ([[1e308, -1e308]], {}, "too large"),
        (np.full((3, 3), 1e308), {}, "too large"),
        ([[1.0, 2.0], [3.0]], {}, "rows of equal length"),
        ([["a", "b"]], {}, "real numbers"),
        ([[1j, 2.0]], {}, "real numbers"),
    ],
)
def test_what_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        auction(values, **options)
