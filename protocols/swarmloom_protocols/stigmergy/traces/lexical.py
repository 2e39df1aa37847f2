"""Vectors of texts that share words or parts of words: no model, no download, no meaning.

Each text is a bag of its words and of the pieces of three and four letters in them, hashed into a
fixed number of signed places (Weinberger et al. 2009, feature hashing; the pieces as in Bojanowski
et al. 2017). "parse invoices" and "parsing an invoice" come out near; "car" and "automobile" do
not.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["LEXICAL_SIZE", "lexical_vectors"]

LEXICAL_SIZE = 512

_WORDS = re.compile(r"[^\W_]+")
_PIECES = (3, 4)
# On pairs of task descriptions these part what belongs together from the rest: a whole word counts
# half as much as its pieces may, and words of fewer than five letters, most of them "the" and
# "of", in proportion to their length.
_WHOLE_WORD = 0.5
_FULL_LENGTH = 5
_SIGN_BIT = 1 << 31


def lexical_vectors(keys: Sequence[Hashable]) -> npt.NDArray[np.float32]:
    """Give each text its vector, the same in every process.

    Parameters
    ----------
    keys : sequence of hashable, length N
        Texts; anything else is taken as what `str` makes of it.

    Returns
    -------
    ndarray of float32, shape (N, 512)
        Of length 1, or 0 for a text without letters and digits.
    """
    vectors = np.zeros((len(keys), LEXICAL_SIZE), dtype=np.float32)
    for vector, key in zip(vectors, keys, strict=True):
        for feature, weight in _features(str(key)).items():
            # Python's own hash differs from process to process.
            code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
            vector[code % LEXICAL_SIZE] += -weight if code & _SIGN_BIT else weight
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0.0)
    return vectors


def _features(text: str) -> dict[str, float]:
    features: defaultdict[str, float] = defaultdict(float)
    for word in _WORDS.findall(unicodedata.normalize("NFKC", text).casefold()):
        pieces = list(_pieces(word))
        importance = min(len(word), _FULL_LENGTH) / _FULL_LENGTH
        features[f"={word}"] += _WHOLE_WORD * importance
        for piece in pieces:
            features[piece] += importance * len(pieces) ** -0.5
    return features


def _pieces(word: str) -> Iterator[str]:
    marked = f"<{word}>"
    for size in _PIECES:
        for start in range(len(marked) - size + 1):
            yield marked[start : start + size]
