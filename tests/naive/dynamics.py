"""What moves opinions, in plain loops: potentials, steps, noise, diagnostics."""

import cmath
import itertools
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


def runge_kutta(rule, state, dt):
    """One classical step (Kutta 1901)."""

    def at(slope, share):
        return [x + share * dt * k for x, k in zip(state, slope, strict=True)]

    one = rule(state)
    two = rule(at(one, 0.5))
    three = rule(at(two, 0.5))
    four = rule(at(three, 1.0))
    slopes = zip(one, two, three, four, strict=True)
    steps = [dt / 6 * (a + 2 * b + 2 * c + d) for a, b, c, d in slopes]
    return [x + step for x, step in zip(state, steps, strict=True)]


def verlet(acceleration, q, v, dt):
    """One leapfrog step of one particle on a line."""
    v += dt / 2 * acceleration(q)
    q += dt * v
    return q, v + dt / 2 * acceleration(q)


def yoshida(acceleration, q, v, dt):
    """Three leapfrog steps (Yoshida 1990)."""
    outer = 1 / (2 - 2 ** (1 / 3))
    for share in (outer, 1 - 2 * outer, outer):
        q, v = verlet(acceleration, q, v, share * dt)
    return q, v


def noisy_step(drift, diffusion, slope, x, dt, push, milstein):
    """One step of Euler and Maruyama, or of Milstein, on a line."""
    moved = x + drift(x) * dt + diffusion(x) * push
    return moved + 0.5 * diffusion(x) * slope(x) * (push**2 - dt) * milstein


def zero_one(values, frequency):
    """K of one frequency, as Gottwald and Melbourne (2009) write it down."""
    mean = sum(values) / len(values)
    p, q, path = 0.0, 0.0, []
    for j, value in enumerate(values, 1):
        p += (value - mean) * math.cos(j * frequency)
        q += (value - mean) * math.sin(j * frequency)
        path.append((p, q))
    lags = len(values) // 10
    kept = len(values) - lags
    moved = []
    for n in range(1, lags + 1):
        squares = [math.dist(path[j + n], path[j]) ** 2 for j in range(kept)]
        moved.append(sum(squares) / kept)
    return correlation(list(range(1, lags + 1)), moved)


def correlation(x, y):
    """Pearson's."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    both = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    squares = sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y)
    return both / math.sqrt(squares)


def root_reached(x, y, steps):
    """Which cube root of 1 Newton's method is nearest to after some steps."""
    z = complex(x, y)
    for _ in range(steps):
        z -= (z**3 - 1) / (3 * z**2)
    roots = [cmath.exp(2j * math.pi * k / 3) for k in range(3)]
    return min(range(3), key=lambda k: abs(z - roots[k]))


def planar_hopf(f, g, omega):
    """The cubic coefficient a of r' = a·r³ for x' = −ωy + f, y' = ωx + g.

    Guckenheimer & Holmes (1983), equation (3.4.11); f and g hold the partial derivatives at 0 by
    name.
    """
    cubic = f["xxx"] + f["xyy"] + g["xxy"] + g["yyy"]
    mixed = f["xy"] * (f["xx"] + f["yy"]) - g["xy"] * (g["xx"] + g["yy"])
    mixed += f["yy"] * g["yy"] - f["xx"] * g["xx"]
    return cubic / 16 + mixed / (16 * omega)


def windows(series, width):
    """Variance and lag-1 autocorrelation of every window."""
    variances, slowing = [], []
    for start in range(len(series) - width + 1):
        part = series[start : start + width]
        mean = sum(part) / width
        variance = sum((x - mean) ** 2 for x in part) / width
        pairs = itertools.pairwise(part)
        covariance = sum((x - mean) * (y - mean) for x, y in pairs) / (width - 1)
        variances.append(variance)
        slowing.append(covariance / variance if variance > 0 else 0.0)
    return variances, slowing
