"""Trails as graphs: thinning, masks, and nine frames whose junctions and ends are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.patterns.thinning import skeleton
from swarmloom_protocols.stigmergy.patterns.trail_graph import trail_graph
from swarmloom_protocols.stigmergy.patterns.trail_mask import trail_mask
from tests.naive import patterns as naive
from tests.protocols.stigmergy.patterns.known_fields import ANSWERS, NOISES, SEEDS, frame

EIGHT = np.ones((3, 3))
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12))


def blots(seed, shape=(48, 60)):
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.0, 3.0)) > 0.0


def topology(mask):
    """Number of 8-connected components, and of 4-connected ones of the rest."""
    outside = np.pad(~mask, 1, constant_values=True)
    return ndimage.label(mask, EIGHT)[1], ndimage.label(outside)[1]


def counts(field, **options):
    graph = trail_graph(trail_mask(field, **options))
    return len(graph.junctions), len(graph.endpoints), graph.components, graph.cycles


@given(MASKS)
@settings(deadline=None)
def test_skeleton_equals_the_naive_reference(mask):
    mask.flags.writeable = False
    np.testing.assert_array_equal(skeleton(mask), naive.skeleton(mask))


@pytest.mark.parametrize("seed", range(3))
def test_skeleton_of_blots_equals_the_naive_reference(seed):
    mask = blots(seed, (30, 34))
    np.testing.assert_array_equal(skeleton(mask), naive.skeleton(mask))


def test_columns_that_are_contiguous_are_thinned_as_rows_are():
    mask = np.asfortranarray(blots(4, (30, 34)))
    np.testing.assert_array_equal(skeleton(mask), naive.skeleton(mask))
    np.testing.assert_array_equal(skeleton(mask[::2, ::-1]), naive.skeleton(mask[::2, ::-1]))


@pytest.mark.parametrize("seed", range(40))
def test_thinning_keeps_components_and_holes(seed):
    mask = blots(seed)
    thin = skeleton(mask)
    assert not (thin & ~mask).any()
    assert topology(thin) == topology(mask)


def test_skeleton_has_the_length_of_another_librarys():
    morphology = pytest.importorskip("skimage.morphology")
    mask = trail_mask(frame("lattice", 0, 0.1))
    assert skeleton(mask).sum() == pytest.approx(morphology.skeletonize(mask).sum(), rel=0.1)


@pytest.mark.row("S11")
@pytest.mark.parametrize("noise", NOISES)
def test_at_least_99_percent_of_the_known_frames_are_read_exactly(noise):
    wrong = [
        (name, seed)
        for name, answer in ANSWERS.items()
        for seed in SEEDS
        if counts(frame(name, seed, noise)) != answer
    ]
    assert len(wrong) <= 0.01 * len(ANSWERS) * len(SEEDS), wrong


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_positions_and_degrees_of_a_star(noise):
    graph = trail_graph(trail_mask(frame("star", 3, noise)))
    assert graph.degrees.tolist() == [6]
    tips = np.hypot(*(graph.endpoints - graph.junctions[0]).T)
    np.testing.assert_allclose(tips, 65.0, atol=5.0)
    assert graph.length == pytest.approx(6 * 55.0, rel=0.1)


def test_a_trail_of_another_height_and_unit_is_the_same_trail():
    field = frame("Y", 0, 0.1)
    assert counts(1e4 * field - 3e3) == counts(1e-6 * field) == ANSWERS["Y"]


def test_a_single_spike_does_not_hide_the_trails():
    field = frame("X", 0, 0.1)
    field[5, 5] = 1e3
    assert counts(field)[:2] == ANSWERS["X"][:2]


def test_nothing_in_constant_frames_and_in_an_empty_mask():
    for value in (0.0, 0.1, -7e8):
        assert not trail_mask(np.full((20, 30), value)).any()
    graph = trail_graph(np.zeros((20, 30), bool))
    assert (graph.components, graph.cycles, graph.length) == (0, 0, 0.0)
    assert graph.junctions.shape == graph.endpoints.shape == (0, 2)


def test_a_disc_is_one_component_without_ends_of_note():
    y, x = np.indices((60, 60)) - 30
    graph = trail_graph(np.hypot(y, x) < 15)
    assert (graph.components, graph.cycles, len(graph.junctions)) == (1, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_components_and_cycles_of_any_mask_are_those_of_its_pixels_without_pruning(seed):
    mask = blots(seed)
    graph = trail_graph(mask, junction_reach=0.0, shortest_branch=0.0)
    components, regions = topology(mask)
    assert graph.components == components
    # Discs fill holes that are smaller than they are; none opens a new one.
    assert graph.cycles <= regions - 1


@pytest.mark.parametrize(
    "field",
    [np.ones(9), np.ones((3, 9, 9)), np.ones((0, 9)), np.ones((7, 90))],
    ids=["1-D", "3-D", "empty", "tiny"],
)
def test_frames_of_other_shapes_are_refused(field):
    with pytest.raises(InputError, match=r"field: shape .* allowed: \(Y, X\)"):
        trail_mask(field)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_refused(value):
    field = np.ones((9, 9))
    field[2, 3] = value
    with pytest.raises(InputError, match="1 values are NaN or infinite"):
        trail_mask(field)


@pytest.mark.parametrize(
    "options",
    [{"smoothing": 0.0}, {"smoothing": np.nan}, {"floor": 1.5}, {"smallest_area": 0}],
)
def test_parameters_out_of_range_are_refused(options):
    (name,) = options
    with pytest.raises(InputError, match=name):
        trail_mask(np.eye(20), **options)


@pytest.mark.parametrize("options", [{"junction_reach": -1.0}, {"shortest_branch": np.inf}])
def test_graph_parameters_out_of_range_are_refused(options):
    (name,) = options
    with pytest.raises(InputError, match=name):
        trail_graph(np.eye(20), **options)


@given(st.sampled_from([(5,), (2, 3, 4), ()]))
def test_masks_of_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match="mask: shape"):
        skeleton(np.zeros(shape, bool))
