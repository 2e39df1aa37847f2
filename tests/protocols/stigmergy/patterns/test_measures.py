"""What detectors are made of: box counts, charges, alignments, turns, Moran's I, null models."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.box_counting import box_counts, box_dimension
from swarmloom_protocols.stigmergy.patterns.cluster_formation import (
    clustered_field,
    moran,
    walker_clusters,
)
from swarmloom_protocols.stigmergy.patterns.null_models import (
    holm,
    monte_carlo_p_value,
    phase_randomised,
    sign_flip_p_value,
)
from swarmloom_protocols.stigmergy.patterns.occupancy import Occupancy
from swarmloom_protocols.stigmergy.patterns.phase_charges import phase_charges
from swarmloom_protocols.stigmergy.patterns.walker_kernels import (
    inward_alignments,
    polarisation,
    swept_turns,
)
from tests.naive import patterns as naive

SOLIDS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=9))
PHASES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5),
    elements=st.floats(-3.125, 3.125, width=32),
)
POSITIONS = st.floats(-1e3, 1e3) | st.integers(-2, 2).map(float)
TRACKS = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 4), st.integers(2, 6), st.just(2)), elements=POSITIONS
)


def pascal(order):
    """The Sierpiński triangle: odd entries of Pascal's triangle."""
    rows, columns = np.indices((2**order, 2**order))
    return (rows & columns) == 0


@given(SOLIDS)
@settings(deadline=None)
def test_box_counts_equal_the_naive_reference(mask):
    mask.flags.writeable = False
    np.testing.assert_array_equal(box_counts(mask), naive.box_counts(mask))


def test_box_counts_are_the_same_on_any_number_of_threads():
    mask = np.random.default_rng(0).random((1500, 1501)) < 0.01
    with use_threads(1):
        alone = box_counts(mask)
    with use_threads(4):
        np.testing.assert_array_equal(box_counts(mask), alone)


LINE = np.zeros((256, 256), bool)
LINE[100] = True
PLANE = np.zeros((64, 64, 64), bool)
PLANE[:, 20] = True


@pytest.mark.row("S15")
@pytest.mark.parametrize(
    ("mask", "dimension"),
    [
        (LINE, 1.0),
        (np.eye(256, dtype=bool), 1.0),
        (pascal(8), np.log2(3)),
        (np.ones((256, 256), bool), 2.0),
        (PLANE, 2.0),
        (np.ones((64, 64, 64), bool), 3.0),
    ],
    ids=["line", "diagonal", "Sierpinski", "square", "plane in space", "cube"],
)
def test_dimensions_of_known_bodies(mask, dimension):
    found = box_dimension(mask)
    assert found.dimension == pytest.approx(dimension, abs=1e-9)
    assert found.standard_error < 1e-9
    assert (found.smallest, found.largest) == (1, mask.shape[0] // 4)


@pytest.mark.row("S15")
def test_a_random_walk_in_space_is_nearly_two_dimensional():
    rng = np.random.default_rng(1)
    steps = rng.integers(0, 3, 60_000)
    walk = np.zeros((60_000, 3), np.int64)
    walk[np.arange(60_000), steps] = rng.choice((-1, 1), 60_000)
    cells = walk.cumsum(axis=0) % 256
    mask = np.zeros((256, 256, 256), bool)
    mask[tuple(cells.T)] = True
    assert box_dimension(mask, smallest=2, largest=32).dimension == pytest.approx(1.9, abs=0.2)


@pytest.mark.row("S15")
def test_below_its_width_a_trail_is_a_filled_body():
    thick = np.zeros((512, 512), bool)
    thick[240:248] = True
    assert box_dimension(thick, largest=4).dimension > 1.8
    assert box_dimension(thick, smallest=16).dimension == pytest.approx(1.0, abs=0.01)


def test_dimensions_that_cannot_be_measured_are_refused():
    with pytest.raises(InputError, match="no cell is set"):
        box_dimension(np.zeros((32, 32)))
    with pytest.raises(
        InputError, match="2 powers of two lie between smallest = 1 and largest = 2"
    ):
        box_dimension(np.ones((8, 8)))
    with pytest.raises(InputError, match=r"mask: shape \(4,\)"):
        box_counts(np.ones(4))


@given(PHASES)
@settings(deadline=None)
def test_charges_equal_the_naive_reference(phases):
    phases.flags.writeable = False
    np.testing.assert_array_equal(phase_charges(phases), naive.charges(phases))


def test_charges_add_up_to_the_turns_along_the_rim():
    y, x = np.indices((21, 24)) - np.array([10.5, 9.5])[:, None, None]
    twice = np.angle((x + 1j * y) * (x - 6 + 1j * (y + 3)))
    assert phase_charges(twice[None]).sum() == 2
    assert phase_charges(np.arctan2(y, x)[None])[0, 10, 9] == 1
    pair = np.angle((x + 1j * y) * (x - 6 - 1j * (y + 3)))
    assert phase_charges(pair[None]).sum() == 0
    assert np.abs(phase_charges(pair[None])).sum() == 2


def test_charges_of_what_has_no_phase():
    assert not phase_charges(np.full((2, 5, 5), np.nan)).any()
    with pytest.raises(InputError, match="phases: shape"):
        phase_charges(np.ones((5, 5)))


@given(TRACKS, st.floats(0.1, 100.0))
@settings(deadline=None)
def test_alignments_equal_the_naive_reference(tracks, radius):
    tracks.flags.writeable = False
    sums = inward_alignments(tracks, (0.5, -0.5), radius)
    expected = naive.inward_alignments(tracks, np.array((0.5, -0.5)), radius)
    np.testing.assert_allclose(sums, expected, rtol=1e-9, atol=1e-9)
    back = inward_alignments(tracks[:, ::-1], (0.5, -0.5), radius)
    np.testing.assert_allclose(back, sums * (-1, 1), rtol=1e-9, atol=1e-9)


@given(TRACKS)
@settings(deadline=None)
def test_turns_equal_the_naive_reference(tracks):
    centres = np.array([(0.25, -0.3), (1.7, 20.1)])
    expected = np.stack([naive.swept_angles(tracks, centre) for centre in centres], axis=1)
    difference = swept_turns(tracks, centres) - expected
    # Half a turn may be read either way.
    np.testing.assert_allclose(difference - np.round(difference), 0.0, atol=1e-6)


def test_a_circle_is_a_turn_about_its_inside_and_none_about_its_outside():
    angles = np.linspace(0, 6 * np.pi, 100)
    circle = 5 * np.stack((np.sin(angles), np.cos(angles)), axis=1)
    turns = swept_turns(np.stack((circle, circle[::-1])), [(0, 0), (1, 2), (9, 0)])
    np.testing.assert_allclose(turns, [(3, 3, 0), (-3, -3, 0)], atol=1e-9)


@pytest.mark.parametrize("count", [50, 500])
def test_rayleighs_p_value_is_uniform_and_polarisation_has_its_known_mean(count):
    rng = np.random.default_rng(count)
    found = [polarisation(rng.uniform(-9, 9, count) * 7) for _ in range(400)]
    order, p = np.array(found).T
    assert order.mean() == pytest.approx(np.sqrt(np.pi / count) / 2, rel=0.08)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_polarisation_of_one_heading_and_of_none():
    assert polarisation(np.full(20, 1.3)) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-8))
    for headings in ([], [np.nan], [[1.0]]):
        with pytest.raises(InputError, match="headings"):
            polarisation(headings)


@given(hnp.arrays(np.float32, (8, 9), elements=st.floats(-8, 8, width=16)))
@settings(deadline=None, max_examples=30)
def test_morans_i_equals_the_naive_reference(field):
    if np.ptp(field) > 0.01:
        assert moran(field)[0] == pytest.approx(naive.moran(field.astype(float)), abs=1e-5)
    else:
        assert abs(moran(field)[0]) <= 1.0


def test_morans_known_values_and_moments():
    board = np.indices((10, 12)).sum(axis=0) % 2
    assert moran(board)[0] == pytest.approx(-1.0)
    halves = np.arange(12) // 6 * np.ones((10, 1))
    # Of 218 links the 10 across the middle are between unlike cells.
    assert moran(halves)[0] == pytest.approx((208 - 2 * 5) / 218 + 0.0, abs=0.06)
    rng = np.random.default_rng(0)
    amounts = rng.exponential(size=120)
    scores = [moran(rng.permutation(amounts).reshape(10, 12))[1] for _ in range(1000)]
    assert np.mean(scores) == pytest.approx(0.0, abs=0.1)
    assert np.std(scores) == pytest.approx(1.0, abs=0.08)


def test_constant_frames_have_no_clusters():
    found = clustered_field(np.full((12, 12), 0.1))
    assert (found.strength, found.p_value) == (0.0, 0.5)
    labels, area = walker_clusters(np.empty((0, 2)), (9, 9))
    assert (labels.size, area) == (0, 0)


def test_positions_outside_are_refused():
    with pytest.raises(InputError, match="positions: 2 are NaN or outside"):
        walker_clusters([(1.0, np.nan), (9.0, 1.0), (0.0, 0.0)], (9, 9))


def test_occupancy_does_not_depend_on_the_order_in_time():
    tracks = np.random.default_rng(3).normal(0, 400, (5, 40, 2))
    there, back = Occupancy(tracks), Occupancy(tracks[:, ::-1])
    np.testing.assert_array_equal(there.visits, back.visits)
    assert there.visits.sum() == 200
    assert there.densest() == back.densest()
    tracks[:, 10:30] = 100.0
    assert np.hypot(*np.subtract(Occupancy(tracks).densest(), 100.0)) < 2 * there.bin_size


def test_occupancy_of_tracks_that_reach_far_stays_small():
    tracks = np.array([[(0.0, 0.0), (1e12, 5.0)], [(3.0, 3.0), (1e12, 1e12)]])
    assert Occupancy(tracks).visits.size <= 520**2


def test_monte_carlo_p_values_count_ties_against_the_observation():
    assert monte_carlo_p_value(3.0, [1.0, 2.0, 3.0, 4.0]) == 3 / 5
    assert monte_carlo_p_value(9.0, np.zeros(99)) == 0.01


def test_sign_flips_are_exact_for_any_symmetric_numbers():
    rng = np.random.default_rng(5)
    p = [sign_flip_p_value(rng.standard_cauchy(12) * np.arange(12), rng, 99) for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    pairs = [
        sign_flip_p_value(rng.normal(size=(12, 3)), rng, 99, two_sided=True) for _ in range(300)
    ]
    assert stats.kstest(pairs, "uniform").pvalue > 0.01
    with pytest.raises(InputError, match="draws: 18; at least 19"):
        sign_flip_p_value(np.ones(3), rng, 18)


@pytest.mark.parametrize("shape", [(16,), (9, 16), (9, 7), (4, 6, 5)])
def test_random_phases_keep_mean_and_spectrum(shape):
    rng = np.random.default_rng(2)
    values = rng.random(shape)
    drawn = phase_randomised(values, rng)
    assert drawn.mean() == pytest.approx(values.mean())
    np.testing.assert_allclose(np.abs(np.fft.fftn(drawn)), np.abs(np.fft.fftn(values)), atol=1e-9)
    assert np.abs(drawn - values).max() > 0.1


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
