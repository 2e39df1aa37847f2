"""Gradient fields: exact on what they are exact on, second order elsewhere, opposite in pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.gradient_fields import GradientKind, gradient_field
from tests.naive import gradients as naive

KINDS = [str(kind) for kind in GradientKind]
SIDES = st.sampled_from(
    [
        "reflecting",
        "periodic",
        "absorbing",
        ("reflecting", "absorbing"),
        ("absorbing", "reflecting"),
    ]
)


def waves(n):
    """2 + sin y · cos x over a period in n cells, and its gradient per cell."""
    step = 2 * math.pi / n
    y, x = np.meshgrid(step * np.arange(n), step * np.arange(n), indexing="ij")
    slopes = np.stack((np.cos(y) * np.cos(x), -np.sin(y) * np.sin(x)), axis=-1)
    return 2.0 + np.sin(y) * np.cos(x), slopes * step, step


@pytest.mark.row("S7")
@pytest.mark.parametrize("kind", ["attraction", "convergence"])
def test_the_error_on_waves_is_of_second_order(kind):
    errors = []
    for n in (16, 32, 64):
        field, slopes, step = waves(n)
        # ∇²(sin y · cos x) = −2 sin y · cos x, in units of step².
        expected = slopes if kind == "attraction" else 2.0 * step**2 * slopes
        found = gradient_field(field, kind, boundaries="periodic")
        errors.append(np.abs(found - expected).max() / np.abs(expected).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.1)


@pytest.mark.row("S7")
def test_a_linear_field_has_its_exact_slope():
    z, y, x = np.indices((5, 6, 7))
    found = gradient_field(10.0 + 0.5 * z - 0.25 * y + 1.5 * x, "attraction", axes=3)
    inner = found[1:-1, 1:-1, 1:-1]
    np.testing.assert_array_equal(inner, np.broadcast_to([0.5, -0.25, 1.5], inner.shape))
    assert not gradient_field(x, "convergence", axes=3)[2, 2:-2, 2:-2].any()


@pytest.mark.row("S7")
@pytest.mark.parametrize("pair", [("attraction", "repulsion"), ("convergence", "divergence")])
def test_pairs_are_opposite(pair):
    field = np.random.default_rng(0).random((12, 9))
    one, other = (gradient_field(field, kind, sources=[(3, 4, 2.0)]) for kind in pair)
    assert np.abs(one).max() > 0.1
    np.testing.assert_array_equal(one, -other)


@pytest.mark.row("S7")
def test_exploitation_and_exploration_share_attraction_out():
    field = 5.0 * np.random.default_rng(0).random((12, 9))
    found = {kind: gradient_field(field, kind, half_level=0.8) for kind in KINDS}
    np.testing.assert_allclose(
        found["exploitation"] - found["exploration"], found["attraction"], rtol=1e-5, atol=1e-6
    )
    # Opposite ways, each the stronger where little, or much, is marked.
    assert (found["exploitation"] * found["exploration"] <= 0).all()
    length = {kind: np.linalg.norm(found[kind], axis=-1) for kind in KINDS}
    stronger = length["exploitation"] > length["exploration"]
    np.testing.assert_array_equal(stronger[field != 0.8], (field > 0.8)[field != 0.8])


@pytest.mark.row("S7")
@pytest.mark.parametrize("kind", ["attraction", "convergence"])
def test_a_source_alone_attracts_from_everywhere(kind):
    source = np.array([9.3, 11.6])
    cells = np.zeros((21, 25))
    found = gradient_field(cells, kind, sources=[(*source, 3.0)], softening=6.0)[2:-2, 2:-2]
    way = source - np.moveaxis(np.indices(cells.shape), 0, -1)[2:-2, 2:-2]
    distance = np.linalg.norm(way, axis=-1)
    aligned = (way * found).sum(axis=-1) / (distance * np.linalg.norm(found, axis=-1))
    # The Laplacian of a softened source bends the other way beyond the softening.
    near = (distance > 0.5) & (distance < (4.0 if kind == "convergence" else 99.0))
    assert aligned[near].min() > 0.95
    if kind == "attraction":
        expected = 3.0 * way / (distance**2 + 36.0)[..., None] ** 1.5
        np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max())


@pytest.mark.row("S7")
def test_a_sink_undoes_a_source_and_superposition_is_linear():
    field = np.random.default_rng(1).random((10, 11))
    both = gradient_field(field, sources=[(4, 5, 2.0)], sinks=[(4, 5, 2.0)])
    np.testing.assert_allclose(both, gradient_field(field), atol=1e-6)
    apart = [gradient_field(0 * field, sources=[(*at, 1.0)]) for at in ((2, 3), (7, 8))]
    together = gradient_field(field, sources=[(2, 3, 1.0), (7, 8, 1.0)])
    np.testing.assert_allclose(together, sum(apart) + gradient_field(field), atol=1e-6)


def test_convergence_leads_to_the_crest_of_a_trail():
    x = np.arange(41)
    trail = np.broadcast_to(np.exp(-((x - 20) ** 2) / 50.0), (15, 41))
    flow = gradient_field(trail, "convergence")[7, :, 1]
    assert (flow[14:20] > 0).all()
    assert (flow[21:27] < 0).all()
    assert flow[20] == pytest.approx(0.0, abs=1e-6)


@given(
    st.integers(0, 2**31),
    st.sampled_from([(1, 1), (1, 4), (5, 6), (3, 4, 5), (2, 2, 3, 4), (2, 1, 3, 4)]),
    st.sampled_from(KINDS),
    SIDES,
    SIDES,
    SIDES,
)
@settings(deadline=None, max_examples=70)
def test_fields_equal_the_naive_reference(seed, shape, kind, side_z, side_y, side_x):
    rng = np.random.default_rng(seed)
    field = rng.random(shape).astype(np.float32)
    field.flags.writeable = False
    sources, sinks = rng.uniform(0.0, 4.0, (2, 2, 3 if len(shape) == 2 else 4))
    axes, sides = min(3, len(shape)), {"y": side_y, "x": side_x, "z": side_z}
    found = gradient_field(field, kind, sources, sinks, 0.7, 1.3, sides, axes=axes)
    # A plane has no sides along z.
    known = boundary_codes(sides | ({"z": "reflecting"} if axes == 2 else {}))
    given = kind, sources.astype("f4"), sinks.astype("f4"), 0.7, 1.3, known
    np.testing.assert_allclose(found, naive.gradient_field(field, *given), rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    field = np.random.default_rng(3).random((40, 50))
    expected = gradient_field(field, "convergence", sources=[(3, 4, 5.0)])
    monkeypatch.setattr(device, "BAND_ELEMENTS", 300)
    with use_threads(threads):
        found = gradient_field(field, "convergence", sources=[(3, 4, 5.0)])
    np.testing.assert_array_equal(found, expected)


def test_each_channel_of_a_plane_has_its_own_gradient():
    stack = np.random.default_rng(5).random((3, 6, 7))
    found = gradient_field(stack, "convergence", sources=[(2, 3, 1.0)], axes=2)
    alone = [gradient_field(one, "convergence", sources=[(2, 3, 1.0)]) for one in stack]
    np.testing.assert_array_equal(found, alone)
    with pytest.raises(InputError, match="axes=2"):
        gradient_field(stack)


def test_an_empty_grid_has_an_empty_field():
    assert gradient_field(np.zeros((0, 4))).shape == (0, 4, 2)
    assert gradient_field(np.zeros((2, 0, 4, 4)), axes=3).shape == (2, 0, 4, 4, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amounts": [[math.nan]]}, "amounts lie between nan"),
        ({"amounts": [[-1.0]]}, "amounts lie between -1"),
        ({"amounts": [1.0]}, "shape"),
        ({"kind": "aversion"}, "kind: 'aversion' is not one of 'attraction'"),
        ({"sources": [(1, 2)]}, r"sources: shape \(1, 2\)"),
        ({"sources": [(1, 2, -3.0)]}, r"sources: \[1.0, 2.0, -3.0\] at index 0"),
        ({"sinks": [(1, 2, 3), (1, math.nan, 3)]}, "sinks: .* at index 1"),
        ({"half_level": 0.0}, "half_level is 0.0"),
        ({"kind": "exploration", "half_level": 1e-60}, "half_level is 1e-60"),
        ({"sources": [(0, 1, 2, 3.0)]}, r"sources: shape \(1, 4\) is not \(n, 3\)"),
        ({"amounts": np.ones((2, 3, 3)), "sinks": [(1, 2, 3.0)], "axes": 3}, "sinks: shape"),
        ({"softening": 0.0}, "softening is 0.0"),
        ({"boundaries": "open"}, "boundaries"),
    ],
)
def test_unusable_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        gradient_field(**{"amounts": np.ones((3, 3)), **options})
