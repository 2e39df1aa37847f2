"""Twelve small models of handwritten digits, each with its own view, training slice and price.

None sees the whole picture at full resolution: some see a part of it, some a coarse or summed
version, two know only some of the digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TRAINING_IMAGES = 400
TOPICS = 6
ROUND = (0, 3, 5, 6, 8, 9)
STRAIGHT = (1, 2, 4, 7)


@dataclass(frozen=True)
class Specialist:
    """One of the twelve: what it sees, how it learns, on how much, and what a call costs.

    Attributes
    ----------
    name, role : str
    price : float
        Of one call.
    view : callable
        Images (n, 8, 8) → features (n, d).
    make : callable
        ``make(seed)`` gives an untrained scikit-learn estimator.
    images : int
        Size of its slice of the training images.
    digits : tuple of int
        The digits it was taught.
    """

    name: str
    role: str
    price: float
    view: Callable[[FloatArray], FloatArray]
    make: Callable[[int], Any]
    images: int = 120
    digits: tuple[int, ...] = tuple(range(10))


@dataclass(frozen=True)
class Trained:
    """A specialist that has learned; predicts from whole images, of which it uses its view."""

    specialist: Specialist
    estimator: Any

    def predict(self, images: FloatArray) -> IntArray:
        """Name the digit on each image.

        Parameters
        ----------
        images : ndarray of float64, shape (n, 64) or (n, 8, 8)

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        pictures = np.asarray(images, dtype=np.float64).reshape(-1, 8, 8)
        return np.asarray(self.estimator.predict(self.specialist.view(pictures)))


@dataclass(frozen=True)
class Job:
    """The images to be named, and the models that may be asked.

    Attributes
    ----------
    images : ndarray of float64, shape (n, 64)
    truth : ndarray of int64, shape (n,)
        Kept from the swarm but for the graded share.
    topics : ndarray of int64, shape (n,)
        Cluster of each image, found without labels.
    models : tuple of Trained
    """

    images: FloatArray
    truth: IntArray
    topics: IntArray
    models: tuple[Trained, ...]


def make_job(seed: int = 0) -> Job:
    """Split the 1,797 images, train the twelve, and sort the rest into topics.

    Parameters
    ----------
    seed : int
        Of the split, the slices and the models.

    Returns
    -------
    Job
        The images that no model was trained on.
    """
    rng = np.random.default_rng(seed)
    images, truth = load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    training, rest = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    # On arrays this small a second thread costs more than it brings, most of all on a busy machine.
    with threadpool_limits(1):
        models = tuple(train(one, images[training], truth[training], rng) for one in SPECIALISTS)
        topics = clusters(images[training], images[rest], seed)
    return Job(images[rest], truth[rest], topics, models)


def train(
    specialist: Specialist, images: FloatArray, truth: IntArray, rng: np.random.Generator
) -> Trained:
    """Train one specialist on a random slice of the training images.

    Parameters
    ----------
    specialist : Specialist
    images : ndarray of float64, shape (m, 64)
    truth : ndarray of int64, shape (m,)
    rng : numpy.random.Generator

    Returns
    -------
    Trained
    """
    known = np.flatnonzero(np.isin(truth, specialist.digits))
    rows = rng.choice(known, min(specialist.images, len(known)), replace=False)
    estimator = specialist.make(int(rng.integers(2**31)))
    estimator.fit(specialist.view(_pictures(images[rows])), truth[rows])
    return Trained(specialist, estimator)


def clusters(training: FloatArray, images: FloatArray, seed: int) -> IntArray:
    """Sort images into topics by their blurred looks; no label is involved.

    Parameters
    ----------
    training, images : ndarray of float64, shape (m, 64) and (n, 64)
        What the clusters are found on, and what is sorted into them.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    gate = KMeans(TOPICS, n_init=4, random_state=seed).fit(coarse(_pictures(training)))
    return gate.predict(coarse(_pictures(images))).astype(np.int64)


def upper(images: FloatArray) -> FloatArray:
    """See the upper four rows."""
    return images[:, :4].reshape(len(images), -1)


def lower(images: FloatArray) -> FloatArray:
    """See the lower four rows."""
    return images[:, 4:].reshape(len(images), -1)


def left(images: FloatArray) -> FloatArray:
    """See the left four columns."""
    return images[:, :, :4].reshape(len(images), -1)


def right(images: FloatArray) -> FloatArray:
    """See the right four columns."""
    return images[:, :, 4:].reshape(len(images), -1)


def rim(images: FloatArray) -> FloatArray:
    """See the outer two rows and columns."""
    mask = np.ones((8, 8), dtype=bool)
    mask[2:6, 2:6] = False
    return images[:, mask]


def corners(images: FloatArray) -> FloatArray:
    """See a block of 3 × 3 pixels in each corner."""
    edge = np.r_[0:3, 5:8]
    return images[:, edge][:, :, edge].reshape(len(images), -1)


def coarse(images: FloatArray) -> FloatArray:
    """See 4 × 4 means of 2 × 2 pixels."""
    return images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(len(images), -1)


def profiles(images: FloatArray) -> FloatArray:
    """See the sums of the rows and of the columns."""
    return np.hstack([images.sum(axis=2), images.sum(axis=1)])


def gradients(images: FloatArray) -> FloatArray:
    """See histograms of eight gradient directions in four quarters (Dalal and Triggs 2005)."""
    down, across = np.gradient(images, axis=(1, 2))
    strength = np.hypot(down, across)
    bins = ((np.arctan2(down, across) + np.pi) / (2 * np.pi) * 8).astype(int) % 8
    histogram = np.stack([(strength * (bins == b)) for b in range(8)], axis=-1)
    quarters = histogram.reshape(-1, 2, 4, 2, 4, 8).sum(axis=(2, 4)).reshape(len(images), -1)
    return quarters / (np.linalg.norm(quarters, axis=1, keepdims=True) + 1e-9)


def _pictures(images: FloatArray) -> FloatArray:
    return np.asarray(images, dtype=np.float64).reshape(-1, 8, 8)


def _logistic(seed: int) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, random_state=seed))


def _neighbours(seed: int) -> Any:
    return KNeighborsClassifier(3)


def _forest(seed: int) -> Any:
    return RandomForestClassifier(30, random_state=seed)


def _tree(seed: int) -> Any:
    return DecisionTreeClassifier(min_samples_leaf=2, random_state=seed)


def _bayes(seed: int) -> Any:
    return GaussianNB(var_smoothing=1e-2)


def _network(seed: int) -> Any:
    network = MLPClassifier((24,), solver="lbfgs", alpha=1.0, max_iter=3000, random_state=seed)
    return make_pipeline(StandardScaler(), network)


def _machine(seed: int) -> Any:
    return make_pipeline(StandardScaler(), SVC(C=10.0, random_state=seed))


SPECIALISTS = (
    Specialist("top", "reader of the upper half", 1.0, upper, _logistic),
    Specialist("bottom", "reader of the lower half", 1.0, lower, _logistic),
    Specialist("left", "reader of the left half", 1.0, left, _neighbours),
    Specialist("right", "reader of the right half", 1.5, right, _forest),
    Specialist("rim", "reader of the rim", 1.0, rim, _neighbours),
    Specialist("corners", "reader of the corners", 0.5, corners, _tree, images=100),
    Specialist("squint", "reader of a blurred picture", 0.5, coarse, _bayes, images=80),
    Specialist("glance", "quick reader of a blurred picture", 0.5, coarse, _tree, images=80),
    Specialist("profile", "reader of row and column sums", 1.5, profiles, _network, images=100),
    Specialist("strokes", "reader of stroke directions", 3.0, gradients, _machine, images=160),
    Specialist("curves", "expert for round digits", 2.0, lower, _machine, 160, ROUND),
    Specialist("lines", "expert for straight digits", 2.0, left, _machine, 160, STRAIGHT),
)
