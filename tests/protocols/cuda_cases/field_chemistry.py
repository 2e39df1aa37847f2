"""Anisotropic and Perona–Malik diffusion, reactions, presets, gradient fields."""

import numpy as np

from swarmloom_protocols.stigmergy.field.anisotropic import anisotropic_steps
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.gradient_fields import gradient_field
from swarmloom_protocols.stigmergy.field.perona_malik import perona_malik_steps
from swarmloom_protocols.stigmergy.field.presets import (
    fisher_kpp_steps,
    fitzhugh_nagumo_steps,
    gray_scott_steps,
)
from swarmloom_protocols.stigmergy.field.reaction_networks import (
    Amplifier,
    Catalyst,
    Dampener,
    Inhibitor,
    ReactionNetwork,
    parse_reactions,
)
from swarmloom_protocols.stigmergy.field.reactions import react, reaction_diffusion_steps
from tests.naive import anisotropic as naive_anisotropic
from tests.naive import gradients as naive_gradients
from tests.naive import reactions as naive_reactions
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


def two_channels(rng, size):
    return plane(rng, size, 2), size % 2, SIDES


def preset_steps(start, model, sides, device="auto"):
    if model:
        return gray_scott_steps(start, 0.04, 0.06, (0.2, 0.1), 0.9, 2, sides, device)
    return fitzhugh_nagumo_steps(start, 0.08, 0.7, 0.8, 0.3, (1.0, 0.2), 0.05, 2, sides, device)


def naive_preset_steps(start, model, sides):
    codes = boundary_codes(sides)
    if model:
        return naive_reactions.gray_scott_steps(start, 0.04, 0.06, (0.2, 0.1), 0.9, 2, codes)
    return naive_reactions.fitzhugh_nagumo_steps(
        start, 0.08, 0.7, 0.8, 0.3, (1.0, 0.2), 0.05, 2, codes
    )


def population(rng, size):
    return 1.5 * plane(rng, size), 0.5, 0.9, 1.2, 0.2, 2, SIDES


def naive_fisher_kpp_steps(*arguments):
    return naive_reactions.fisher_kpp_steps(*arguments[:-1], boundary_codes(arguments[-1]))


NETWORK = ReactionNetwork(
    ("A", "B", "C"),
    parse_reactions("A + B <-> C", 2.0, 0.3) + parse_reactions("C -> 2 A", 0.4),
    [
        Catalyst("A", 0.5, 0.4, affects=("C",)),
        Inhibitor("B", 0.5, 0.4),
        Amplifier("C", 0.5, 0.4),
        Dampener("A", 0.5, 0.4),
    ],
)


def mixture(rng, size):
    return rng.random((3, (size + 2) // 3)).astype(np.float32), 0.2


def reacted(start, time, device="auto"):
    return react(start, NETWORK, time, device, relative_tolerance=1e-6)


def naive_reacted(start, time):
    if start.size == 0:
        return start
    return naive_reactions.react(start, NETWORK, time)


LOSSES = [0.5, 0.0, 0.1]


def split(rng, size):
    return plane(rng, (size + 2) // 3, 3), [0.5, 0.1, 0.8], 0.1


def split_steps(start, diffusion, dt, device="auto"):
    return reaction_diffusion_steps(
        start,
        NETWORK,
        diffusion,
        dt,
        2,
        SIDES,
        device,
        relative_tolerance=1e-6,
        evaporation=LOSSES,
    )


def naive_split_steps(start, diffusion, dt):
    if start.size == 0:
        return start
    codes = boundary_codes(SIDES)
    return naive_reactions.reaction_diffusion_steps(start, NETWORK, diffusion, dt, 2, codes, LOSSES)


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
    f"{PACKAGE}.preset_cuda.pair": Case(preset_steps, naive_preset_steps, two_channels),
    f"{PACKAGE}.preset_cuda.fisher": Case(fisher_kpp_steps, naive_fisher_kpp_steps, population),
    f"{PACKAGE}.reaction_cuda.react": Case(reacted, naive_reacted, mixture),
    f"{PACKAGE}.reaction_cuda.average": Case(split_steps, naive_split_steps, split),
}
