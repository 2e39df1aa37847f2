"""Pictures of a trail."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive

__all__ = ["grey_levels", "save_image"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


def grey_levels(
    trail: NDArray[np.float32], gamma: float = 0.5, white: float = 0.995
) -> NDArray[np.uint8]:
    """Turn a trail into grey levels.

    Parameters
    ----------
    trail : ndarray of float32, shape (Y, X)
        Finite and ≥ 0.
    gamma : float, optional
        Exponent (> 0); below 1 faint trails are brightened.
    white : float, optional
        Share of the cells with trail that are darker than white, 0 to 1.

    Returns
    -------
    ndarray of uint8, shape (Y, X)
        0 where there is no trail, up to 255.

    Raises
    ------
    InputError
        `gamma` or `white` is out of its range.
    """
    exponent, share = positive("gamma", gamma), between("white", white, 0.0, 1.0)
    marked = trail[trail > 0.0]
    brightest = float(np.quantile(marked, share)) if marked.size else math.inf
    return np.asarray(255.0 * np.minimum(trail / brightest, 1.0) ** exponent, np.uint8)


def save_image(levels: NDArray[np.uint8], path: str | Path, colours: str = "magma") -> None:
    """Write grey levels as a picture, a pixel a cell, row 0 at the top.

    Parameters
    ----------
    levels : ndarray of uint8, shape (Y, X)
    path : str or Path
        Ends in .png or another kind of picture; an existing file is replaced.
    colours : str, optional
        One of Matplotlib's colour maps.

    Raises
    ------
    InputError
        The kind of picture or the colour map is unknown, or there is no such folder.
    """
    if not Path(path).parent.is_dir():
        raise InputError(f"path: {path}: there is no folder {Path(path).parent}")
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InputError(f"path: {path} ends in none of {', '.join(SUFFIXES)}")
    import matplotlib
    from matplotlib.image import imsave

    if colours not in matplotlib.colormaps:
        raise InputError(f"colours: {colours!r} is none of Matplotlib's colour maps")
    imsave(path, levels, cmap=colours, vmin=0, vmax=255)
