"""Which free-text answers are the same answer: codes for votes from what people and models write.

An equivalence takes a sequence of answers and returns the class of each, numbered in order of
appearance; −1 is no answer (nothing but white space and punctuation). The classes of one call
are a partition. Near is not the same: two answers that an embedding or a tolerance puts together
may contradict each other ("is alive", "is not alive"; 9.8 and 9.9), so take the strictest
equivalence that serves.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.consensus.text_forms import normal_form, stated_number

__all__ = ["Equivalence", "by_embedding", "by_judge", "normalised", "numbers"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# Verdicts that a judge's equivalence remembers.
MOST_VERDICTS = 1 << 16


class Equivalence(Protocol):
    """What tells which answers are the same."""

    def __call__(self, answers: Sequence[str]) -> IntArray:
        """Return the class of each answer.

        Parameters
        ----------
        answers : sequence of str
            What was said about one item.

        Returns
        -------
        ndarray of int64, shape (answers,)
            0, 1, … in order of appearance, −1 for no answer.
        """
        ...


def normalised(
    *,
    case: bool = True,
    articles: bool = True,
    punctuation: bool = True,
    latex: bool = True,
    units: bool = False,
) -> Equivalence:
    """Return the equivalence of answers that differ in spelling alone.

    Parameters
    ----------
    case, articles, punctuation, latex, units : bool, optional
        What does not count, as in `normal_form`.

    Returns
    -------
    Equivalence
    """

    def classes(answers: Sequence[str]) -> IntArray:
        return _codes(
            normal_form(
                text,
                case=case,
                articles=articles,
                punctuation=punctuation,
                latex=latex,
                units=units,
            )
            for text in _texts(answers)
        )

    return classes


def numbers(tolerance: float = 1e-9, *, last: bool = False) -> Equivalence:
    """Return the equivalence of numbers that are nearly equal.

    A number joins the first class whose first number is within the tolerance: all numbers of a
    class are near its first one, and perhaps twice as far from each other. Answers that are no
    numbers are compared by their normal form.

    Parameters
    ----------
    tolerance : float, optional
        Largest difference, relative to the larger of two numbers, within [0, 1).
    last : bool, optional
        Take the last number in each answer rather than answers that are numbers as a whole.

    Returns
    -------
    Equivalence

    Raises
    ------
    InputError
        The tolerance is out of range.
    """
    between("tolerance", tolerance, 0.0, np.nextafter(1.0, 0.0))

    def classes(answers: Sequence[str]) -> IntArray:
        leaders: list[float] = []
        return _codes(_number_key(text, leaders, tolerance, last) for text in _texts(answers))

    return classes


def _number_key(text: str, leaders: list[float], tolerance: float, last: bool) -> float | str:
    """Return the first number within the tolerance, perhaps this new one, or the normal form."""
    number = stated_number(text, last=last)
    if number is None:
        return normal_form(text)
    for leader in leaders:
        if abs(number - leader) <= tolerance * max(abs(number), abs(leader)):
            return leader
    leaders.append(number)
    return number


def by_embedding(
    embed: Callable[[Sequence[str]], ArrayLike], threshold: float = 0.9
) -> Equivalence:
    """Return the equivalence of answers whose embeddings point the same way.

    Greedy, not connected components: an answer joins the class whose first answer it is nearest
    to, if the cosine is at least the threshold. So every answer is near its class's first one,
    and no chain of small steps joins answers that are far apart. The classes may depend on the
    order of the answers.

    Parameters
    ----------
    embed : callable
        Takes the distinct normal forms of the answers, returns their embeddings, array-like of
        finite floats, shape (answers, dimensions). Called once for each call, if at all.
    threshold : float, optional
        Smallest cosine of the same answer, within (−1, 1].

    Returns
    -------
    Equivalence
        Raises `InputError` where the embeddings have another shape or are not finite.

    Raises
    ------
    InputError
        The threshold is out of range.
    """
    between("threshold", threshold, np.nextafter(-1.0, 0.0), 1.0)

    def classes(answers: Sequence[str]) -> IntArray:
        forms = _forms(answers)
        texts = list(dict.fromkeys(form for form in forms if form))
        if not texts:
            return _codes(forms)
        leaders = _leaders(_directions(embed(texts), len(texts)), threshold)
        leader_of = dict(zip(texts, leaders, strict=True)) | {"": ""}
        return _codes(leader_of[form] for form in forms)

    return classes


def _directions(embeddings: ArrayLike, count: int) -> FloatArray:
    """Return embeddings of length 1, or 0 where they are 0."""
    vectors = np.array(embeddings, np.float64)
    if vectors.ndim != 2 or vectors.shape[0] != count or not np.isfinite(vectors).all():
        raise InputError(
            f"embed returned shape {vectors.shape}; allowed: ({count}, dimensions), all finite"
        )
    # Scaled first, for squares of large and small numbers to be neither infinite nor 0.
    vectors /= np.maximum(np.abs(vectors).max(1, keepdims=True, initial=0.0), 1e-300)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    return vectors


def _leaders(directions: FloatArray, threshold: float) -> list[int]:
    """Return the row that begins each row's class."""
    first, leaders = [0], [0]
    for row in range(1, len(directions)):
        cosines = directions[first] @ directions[row]
        nearest = int(cosines.argmax())
        # A cosine of equal directions is 1 to rounding.
        joins = cosines[nearest] >= threshold - 1e-12
        leaders.append(first[nearest] if joins else row)
        if not joins:
            first.append(row)
    return leaders


def by_judge(same: Callable[[str, str], bool]) -> Equivalence:
    """Return the equivalence that somebody decides, asked as rarely as possible.

    Answers of one normal form are the same without asking. Each other form is compared with one
    answer of each class, the largest classes first, until one is the same: whoever is the same as
    an answer is taken to be the same as all of its class, whatever a judge would say of them, so
    that the classes are a partition also where the judge contradicts itself. No pair is asked for
    twice, in later calls neither (of the last 65,536 verdicts).

    Parameters
    ----------
    same : callable
        Takes two answers as they were given, tells whether they mean the same.

    Returns
    -------
    Equivalence
        Raises `InputError` where the judge returns no bool, and what the judge raises.
    """
    verdicts: OrderedDict[frozenset[str], bool] = OrderedDict()

    def agree(one: str, other: str, spelled: dict[str, str]) -> bool:
        pair = frozenset((one, other))
        if pair not in verdicts:
            verdicts[pair] = _verdict(same(spelled[one], spelled[other]))
            if len(verdicts) > MOST_VERDICTS:
                verdicts.popitem(last=False)
        return verdicts[pair]

    def classes(answers: Sequence[str]) -> IntArray:
        forms = _forms(answers)
        spelled = dict(zip(reversed(forms), reversed(answers), strict=True))
        sizes: Counter[str] = Counter()
        leader_of = {"": ""}
        # Large classes first: most answers then find theirs with the first question.
        for form, count in Counter(form for form in forms if form).most_common():
            ranked = (leader for leader, _ in sizes.most_common())
            leader_of[form] = next((one for one in ranked if agree(one, form, spelled)), form)
            sizes[leader_of[form]] += count
        return _codes(leader_of[form] for form in forms)

    return classes


def _verdict(said: object) -> bool:
    if not isinstance(said, bool | np.bool_):
        raise InputError(f"the judge said {said!r}; allowed: True or False")
    return bool(said)


def _texts(answers: Sequence[str]) -> Sequence[str]:
    if isinstance(answers, str):
        raise InputError("answers is one text; allowed: a sequence of texts")
    for answer in answers:
        if not isinstance(answer, str):
            raise InputError(f"answers has {answer!r}; allowed: texts, empty for no answer")
    return answers


def _forms(answers: Sequence[str]) -> list[str]:
    return [normal_form(text) for text in _texts(answers)]


def _codes(keys: Iterable[Hashable]) -> IntArray:
    """Give keys numbers in order of appearance; the empty text has −1."""
    codes: dict[Hashable, int] = {"": -1}
    return np.fromiter((codes.setdefault(key, len(codes) - 1) for key in keys), np.int64)
