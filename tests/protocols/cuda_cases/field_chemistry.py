"""Anisotropic and Perona–Malik diffusion, reactions, presets, gradient fields."""

import numpy as np

from swarmloom_protocols.stigmergy.field.anisotropic import anisotropic_steps
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.gradient_fields import gradient_field
from swarmloom_protocols.stigmergy.field.perona_malik import perona_malik_steps
from tests.naive import anisotropic as naive_anisotropic
from tests.naive import gradients as naive_gradients
from tests.protocols.cuda_cases.case import Case

PACKAGE = "swarmloom_protocols.stigmergy.field"
SIDES = {"y": "periodic", "x": ("reflecting", "absorbing")}


def plane(rng, size, *leading):
    width = min(size, 16)
    return rng.random((*leading, size // max(width, 1), width)).astype(np.float32)


def tensor_field(rng, size):
    start = plane(rng, size)
    tensors = np.zeros((*start.shape, 2, 2))
    tensors[..., 0, 1] = tensors[..., 1, 0] = rng.uniform(-0.5, 0.5, start.shape)
    tensors[..., 0, 0], tensors[..., 1, 1] = rng.uniform(0.5, 1.0, (2, *start.shape))
    return start, tensors, SIDES, 0.15, 2


def naive_anisotropic_steps(start, tensors, sides, dt, steps):
    return naive_anisotropic.anisotropic_steps(start, tensors, boundary_codes(sides), dt, steps)


def noise(rng, size):
    conductance = ["exponential", "rational", "constant"][size % 3]
    return plane(rng, size), conductance, 0.4, 1.3, 0.15, 2, SIDES


def naive_perona_malik_steps(start, conductance, threshold, rate, dt, steps, sides):
    settings = boundary_codes(sides), conductance, threshold, rate, dt, steps
    return naive_anisotropic.perona_malik_steps(start, *settings)


def landscape(kind, points):
    def arguments(rng, size):
        sources, sinks = rng.uniform(0.0, 9.0, (2, points, 3)).astype(np.float32)
        return plane(rng, size), kind, sources, sinks, 0.8, 1.5, SIDES

    return arguments


def naive_gradient_field(*arguments):
    return naive_gradients.gradient_field(*arguments[:-1], boundary_codes(arguments[-1]))


CASES = {
    f"{PACKAGE}.anisotropic_cuda.anisotropic": Case(
        anisotropic_steps, naive_anisotropic_steps, tensor_field
    ),
    f"{PACKAGE}.perona_malik_cuda.perona_malik": Case(
        perona_malik_steps, naive_perona_malik_steps, noise
    ),
    f"{PACKAGE}.gradient_cuda.gradient": Case(
        gradient_field, naive_gradient_field, landscape("exploration", 0)
    ),
    f"{PACKAGE}.gradient_cuda.laplacian": Case(
        gradient_field, naive_gradient_field, landscape("convergence", 0)
    ),
    f"{PACKAGE}.gradient_cuda.superpose": Case(
        gradient_field, naive_gradient_field, landscape("exploitation", 2)
    ),
}
