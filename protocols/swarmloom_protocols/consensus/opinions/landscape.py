"""The opinions of a group of experts, and what the models make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.device import Device, resolve
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, whole
from swarmloom_protocols.consensus.opinions.arguments import (
    FloatArray,
    opinions_of,
    per_expert,
)
from swarmloom_protocols.consensus.opinions.models import Model
from swarmloom_protocols.consensus.opinions.motions import Crowd, Motion

__all__ = ["OpinionLandscape", "Run", "Trajectory"]

# The number of a step is a word of the random streams.
MOST_STEPS = (1 << 32) - 1


@dataclass(frozen=True)
class Trajectory:
    """Opinions at several times.

    Attributes
    ----------
    steps : ndarray of int64, shape (T,)
        How many steps the landscape had made.
    values : ndarray of float64, shape (T, n, D)
        Opinions then.
    """

    steps: NDArray[np.int64]
    values: FloatArray


@dataclass(frozen=True)
class Run:
    """How a run ended.

    Attributes
    ----------
    steps : int
        Steps made.
    frozen : bool
        Whether it ended because nothing moves any more.
    moved : float
        How far an opinion moved along an axis in the last step at most; 0 without a step, NaN
        where it was not measured (no tolerance).
    trajectory : Trajectory or None
        What was recorded on the way.
    """

    steps: int
    frozen: bool
    moved: float
    trajectory: Trajectory | None


class OpinionLandscape:
    """Opinions of n experts in D dimensions, moved by one model or another.

    Parameters
    ----------
    values : array-like of float, shape (n,) or (n, D)
        Opinions at the beginning.
    confidence : float or array-like of float, shape (n,), optional
        How much each counts for others, above 0 to 1; all the same by default.
    influence_radius : float or array-like of float, shape (n,), optional
        How far each listens, in `HegselmannKrause` and `Deffuant`; from 0, may be infinite.
    inertia : float, optional
        Share of the last movement that is kept, 0 to below 1: v ← inertia · v + (model's target
        − x), x ← x + v (Polyak's heavy ball, 1964). Not for models that draw at random.
    momentum : array-like of float, shape (n,) or (n, D), optional
        v at the beginning; at rest by default.
    rng : numpy.random.Generator, optional
        Where random numbers begin; `Deffuant` and `Voter` need it. One number is drawn from it, and
        each step's depend on that and the number of the step alone: neither on threads nor on how
        steps are grouped into runs.

    Raises
    ------
    InputError
        An argument has another shape or is out of its range, the first such entry is named.

    Examples
    --------
    >>> from swarmloom_protocols.consensus.opinions.models import HegselmannKrause
    >>> crew = OpinionLandscape([0.0, 0.1, 0.2, 0.8, 0.9], influence_radius=0.25)
    >>> run = crew.run(HegselmannKrause())
    >>> run.frozen, crew.values[:, 0].round(2).tolist()
    (True, [0.1, 0.1, 0.1, 0.85, 0.85])
    """

    def __init__(
        self,
        values: ArrayLike,
        *,
        confidence: ArrayLike = 1.0,
        influence_radius: ArrayLike = 0.2,
        inertia: float = 0.0,
        momentum: ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._values = opinions_of("values", values)
        self._first = self._values.copy()
        n = len(self._values)
        self._confidence = per_expert("confidence", confidence, n, low=0.0, high=1.0, above=True)
        self._radii = per_expert("influence_radius", influence_radius, n, low=0.0, high=np.inf)
        self._inertia = between("inertia", inertia, 0.0, np.nextafter(1.0, 0.0))
        self._momentum = self._started(momentum)
        self._seeded = rng is not None
        draw = 0 if rng is None else generator("rng", rng).integers(1 << 32)
        self._seed = np.uint32(draw)
        self._steps_taken = 0

    def _started(self, momentum: ArrayLike | None) -> FloatArray:
        if momentum is None:
            return np.zeros_like(self._values)
        given = opinions_of("momentum", momentum)
        if given.shape != self._values.shape:
            raise InputError(f"momentum: shape {given.shape}; allowed: {self._values.shape}")
        return given

    # -- state ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Return how many experts there are."""
        return len(self._values)

    @property
    def dimensions(self) -> int:
        """Dimensions of an opinion."""
        return int(self._values.shape[1])

    @property
    def values(self) -> FloatArray:
        """Opinions, a copy of shape (n, D)."""
        return self._values.copy()

    @property
    def confidence(self) -> FloatArray:
        """How much each counts for others, a copy of shape (n,)."""
        return self._confidence.copy()

    @property
    def influence_radius(self) -> FloatArray:
        """How far each listens, a copy of shape (n,)."""
        return self._radii.copy()

    @property
    def momentum(self) -> FloatArray:
        """The last step's movement, a copy of shape (n, D)."""
        return self._momentum.copy()

    @property
    def steps_taken(self) -> int:
        """Steps since the beginning."""
        return self._steps_taken

    # -- moving ---------------------------------------------------------------------------------

    def step(self, model: Model, *, device: Device = "auto") -> float:
        """Make one step.

        Parameters
        ----------
        model : Model
            How opinions move.
        device : {"auto", "cpu", "cuda"}, optional
            Where to compute.

        Returns
        -------
        float
            How far an opinion moved along an axis at most.

        Raises
        ------
        InputError
            What `run` raises.
        """
        # A tolerance that nothing meets, so that the movement is measured.
        return self.run(model, 1, tolerance=0.0, device=device).moved

    def run(
        self,
        model: Model,
        steps: int = 1000,
        *,
        tolerance: float | None = 1e-9,
        record_every: int | None = None,
        most_records: int = 1000,
        device: Device = "auto",
    ) -> Run:
        """Make steps until nothing moves any more.

        Parameters
        ----------
        model : Model
            How opinions move.
        steps : int, optional
            At most so many.
        tolerance : float, optional
            A run ends where no opinion moves by more than this along an axis: in its last step
            and, with the models that draw at random, in any meeting that could follow. None makes
            all steps without looking, which saves that work.
        record_every : int, optional
            Records the opinions before the first step and after each so many; none by default.
        most_records : int, optional
            Bound of what is recorded (≥ 2): when it is reached every other record is dropped, and
            from then on half as many are made.
        device : {"auto", "cpu", "cuda"}, optional
            Where to compute. Meetings, copies and means on a graph are always on the CPU, means on
            a line unless a GPU is asked for.

        Returns
        -------
        Run

        Raises
        ------
        InputError
            An argument is out of its range, the model does not fit these experts, or draws at
            random and there is no `rng` or an inertia; no opinion has moved then.
        DeviceError
            A GPU was asked for and there is none.
        """
        steps = whole("steps", steps, 0, MOST_STEPS - self._steps_taken)
        limit = -1.0 if tolerance is None else between("tolerance", tolerance, 0.0)
        recorder = None if record_every is None else _Recorder(record_every, most_records)
        motion = self._begun(model, device)
        if recorder is not None:
            recorder.note(0, self._steps_taken, self._values)
        made, moved, frozen = 0, 0.0, False
        while made < steps and not frozen:
            together = self._together(steps - made, limit, made, recorder)
            moved = self._advance(motion, together, measured=limit >= 0.0)
            made += together
            if recorder is not None:
                recorder.note(made, self._steps_taken, self._values)
            frozen = limit >= 0.0 and motion.settled(self._values, moved, limit)
        return Run(made, frozen, moved, None if recorder is None else recorder.trajectory())

    # -- inside ---------------------------------------------------------------------------------

    def _begun(self, model: Model, device: Device) -> Motion:
        if not isinstance(model, Model):
            raise InputError(f"model: {model!r}; allowed: a Model, such as HegselmannKrause()")
        resolve(device, size=0)
        name = type(model).__name__
        if model.random and not self._seeded:
            raise InputError(f"rng: {name} draws at random; give the landscape a Generator")
        if model.random and self._inertia > 0.0:
            raise InputError(f"inertia is {self._inertia:g}; allowed with {name}: 0")
        crowd = Crowd(self._values, self._first, self._confidence, self._radii, self._seed)
        return model.begin(crowd, device)

    def _together(self, left: int, limit: float, made: int, recorder: _Recorder | None) -> int:
        """Return how many steps to make before something is to be done between them."""
        if limit >= 0.0 or self._inertia > 0.0:
            return 1
        return left if recorder is None else min(left, recorder.until_next(made))

    def _advance(self, motion: Motion, steps: int, *, measured: bool) -> float:
        before = self._values
        after = motion.advance(before, self._steps_taken, steps)
        if self._inertia > 0.0:
            self._momentum = self._inertia * self._momentum + (after - before)
            after = before + self._momentum
        elif steps == 1:
            self._momentum = after - before
        self._values = after
        self._steps_taken += steps
        return float(np.abs(self._momentum).max()) if measured else np.nan


class _Recorder:
    """A bounded record: when it is full, every other entry goes and the stride doubles."""

    def __init__(self, every: int, most: int) -> None:
        self._every = whole("record_every", every, 1)
        self._most = whole("most_records", most, 2)
        self._steps: list[int] = []
        self._values: list[FloatArray] = []

    def note(self, made: int, steps_taken: int, values: FloatArray) -> None:
        """Record opinions if it is time to."""
        if made % self._every:
            return
        if len(self._steps) == self._most:
            self._steps, self._values = self._steps[::2], self._values[::2]
            self._every *= 2
            if made % self._every:
                return
        self._steps.append(steps_taken)
        self._values.append(values.copy())

    def until_next(self, made: int) -> int:
        """Return how many steps there are to the next record."""
        return self._every - made % self._every

    def trajectory(self) -> Trajectory:
        """Return what was recorded."""
        return Trajectory(np.array(self._steps, np.int64), np.array(self._values))
