"""What moves opinions, in plain loops: potentials, steps, noise, diagnostics."""

import cmath
import math


def gaussian_well(point, centres, widths, depths, confinement):
    """Value, gradient and Hessian at one point, as the sum is written down."""
    axes = range(len(point))
    value = confinement * sum(x * x for x in point) / 2
    gradient = [confinement * x for x in point]
    hessian = [[confinement * (i == j) for j in axes] for i in axes]
    for centre, width, depth in zip(centres, widths, depths, strict=True):
        away = [x - c for x, c in zip(point, centre, strict=True)]
        height = depth * math.exp(-sum(a * a for a in away) / (2 * width**2))
        value -= height
        for i in axes:
            gradient[i] += height * away[i] / width**2
            for j in axes:
                bend = (i == j) / width**2 - away[i] * away[j] / width**4
                hessian[i][j] += height * bend
    return value, gradient, hessian


def stable_exponent(k, alpha, beta):
    """log E exp(ikX) of a standard α-stable X (Samorodnitsky & Taqqu 1994, definition 1.1.6)."""
    if k == 0:
        return 0j
    sign = math.copysign(1, k)
    if alpha == 1:
        return -abs(k) * (1 + 1j * beta * sign * (2 / math.pi) * cmath.log(abs(k)))
    return -(abs(k) ** alpha) * (1 - 1j * beta * sign * math.tan(math.pi * alpha / 2))


def hill(values, count):
    """Hill's estimate from order statistics."""
    ordered = sorted((abs(value) for value in values), reverse=True)
    return count / sum(math.log(size / ordered[count]) for size in ordered[:count])
