"""Dynamical systems, maps and flows, as compiled functions; `known_systems` holds a library.

A `System` holds a rule (the next state of a map, the velocity of a flow) and its Jacobian. Loops
over them are compiled for each system by `System.specialise`. Code of the systems that the library
ships is kept on disk under a key that covers the rule's code (`swarmloom.kernel_cache`); code of
anybody else's is kept in memory alone, with the system itself, so that no system is ever served
what was compiled for another.
"""

from __future__ import annotations

import importlib
import math
import types
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom.kernel_cache import fingerprint
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["WORK_ROWS", "Kind", "Rule", "System", "copy_state", "trajectory", "user_system"]

FloatArray = NDArray[np.float64]
Rule = Callable[[FloatArray, FloatArray, FloatArray], None]
UserRule = Callable[[FloatArray, FloatArray], Any]
Kind = Literal["map", "flow"]

# Balances the error of central differences with that of rounding.
DIFFERENCE = float(np.finfo(np.float64).eps) ** (1 / 3)
# Rows of scratch that a step needs: four slopes and the point where the next one is taken.
WORK_ROWS = 5


@dataclass(frozen=True, eq=False)
class System:
    """A map x → f(x) or a flow dx/dt = f(x), with its Jacobian and its parameters.

    Attributes
    ----------
    name : str
        For people; two systems may have the same.
    kind : {"map", "flow"}
    dimension : int
        D, components of a state.
    rule : callable
        ``rule(state, parameters, out)`` writes f(state) into `out`, all float64 vectors.
    jacobian : callable
        ``jacobian(state, parameters, out)`` writes ∂f_i/∂x_j into ``out[i, j]``.
    parameters : mapping of str to float
        In the order in which `rule` reads them.
    start : tuple of float
        Where orbits begin unless told otherwise.
    compiled : bool
        Whether loops over it are machine code; if not, `note` says why.
    shipped : bool
        Whether the rule's code is the library's, so that machine code may be kept on disk.
    note : str
        What a user should know about how it is run, "" if nothing.
    """

    name: str
    kind: Kind
    dimension: int
    rule: Rule
    jacobian: Rule
    parameters: Mapping[str, float]
    start: tuple[float, ...]
    compiled: bool = True
    shipped: bool = False
    note: str = ""
    _kernels: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def values(self) -> FloatArray:
        """The parameters as a fresh vector, as `rule` and `jacobian` take them."""
        return np.array(list(self.parameters.values()), np.float64)

    def with_parameters(self, **changes: float) -> System:
        """Return the same system, compiled code included, with other parameters.

        Raises
        ------
        InputError
            A name is not one of the system's parameters, or a value is not finite.
        """
        for name, value in changes.items():
            if name not in self.parameters:
                allowed = ", ".join(self.parameters) or "none"
                raise InputError(f"{self.name}: no parameter {name!r}; allowed: {allowed}")
            between(name, value, -math.inf)
        return replace(self, parameters={**self.parameters, **changes})

    def state(self, start: ArrayLike | None = None, *, argument: str = "start") -> FloatArray:
        """Return a fresh copy of a state, of `start` by default, after checking it.

        Raises
        ------
        InputError
            Its shape is not (D,), or a component is not finite.
        """
        state = real_array(argument, self.start if start is None else start).copy()
        if state.shape != (self.dimension,) or not np.isfinite(state).all():
            allowed = f"{self.dimension} finite numbers"
            raise InputError(f"{argument} of {self.name}: {state!r}; allowed: {allowed}")
        return state

    def __call__(self, state: ArrayLike) -> FloatArray:
        """Return f(state): the next state of a map, the velocity of a flow; shape (D,)."""
        result = np.empty(self.dimension)
        self.rule(self.state(state, argument="state"), self.values, result)
        return result

    def jacobian_at(self, state: ArrayLike) -> FloatArray:
        """Return ∂f_i/∂x_j at a state, shape (D, D)."""
        result = np.empty((self.dimension, self.dimension))
        self.jacobian(self.state(state, argument="state"), self.values, result)
        return result

    def specialise(self, maker: Callable[[System], Callable[..., Any]]) -> Any:
        """Return the loop that `maker` writes over this system, compiled once.

        Parameters
        ----------
        maker : callable
            A function of a module. It is handed the system and returns a function whose closure
            holds `rule`, `jacobian` or `stepper`, and never the parameters: systems that differ
            in their parameters alone share the loop.

        Returns
        -------
        callable
            Machine code that releases the GIL; the plain function where `compiled` is False.
        """
        return self.keep(maker, lambda: self._compile(maker(self)))

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made of this system's functions under a key, making it the first time."""
        if key not in self._kernels:
            self._kernels[key] = make()
        return self._kernels[key]

    def _compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not self.compiled:
            return function
        compiled: Callable[..., Any] = _on_disk(function) if self.shipped else _in_memory(function)
        return compiled

    @property
    def stepper(self) -> Callable[[FloatArray, FloatArray, float, FloatArray], None]:
        """``step(state, parameters, dt, work)``: one iteration, or one step of RK4, in place.

        `work` is scratch of shape (WORK_ROWS, D); `dt` is ignored for maps.
        """
        made: Callable[[FloatArray, FloatArray, float, FloatArray], None]
        made = self.specialise(_make_iteration if self.kind == "map" else _make_runge_kutta)
        return made


@kernel
def copy_state(source: FloatArray, target: FloatArray) -> None:
    """Write one vector over another; loops over systems compile faster than with slices."""
    for i in range(source.size):
        target[i] = source[i]


def _on_disk(function: Callable[..., Any]) -> Any:
    if not isinstance(function, types.FunctionType):
        return kernel(function)
    # The same name in every process, for this code and for what it reaches.
    return kernel(_renamed(function, fingerprint(function)[:16]))


def _in_memory(function: Callable[..., Any]) -> Any:
    numba: Any = importlib.import_module("numba")
    named = _renamed(function, uuid.uuid4().hex)
    return numba.njit(named, nogil=True, error_model="numpy")


def _renamed(function: Callable[..., Any], suffix: str) -> Callable[..., Any]:
    """Return a copy of a function whose qualified name no other loop has.

    Numba tells machine code apart by module, qualified name and a number that counts from 1 in each
    process. Loops that one maker writes for two systems share the first two, and where one is read
    from disk it can bring the number of the other; the linker then takes one for both.
    """
    if not isinstance(function, types.FunctionType):
        return function
    parts = function.__globals__, function.__name__, function.__defaults__, function.__closure__
    copy = types.FunctionType(function.__code__, *parts)
    copy.__kwdefaults__, copy.__module__ = function.__kwdefaults__, function.__module__
    copy.__qualname__ = f"{function.__qualname__}_{suffix}"
    return copy


def _make_iteration(system: System) -> Callable[..., None]:
    rule = system.rule

    def iterate(state: FloatArray, parameters: FloatArray, dt: float, work: FloatArray) -> None:
        rule(state, parameters, work[0])
        copy_state(work[0], state)

    return iterate


@kernel
def _ahead(state: FloatArray, reach: float, slope: FloatArray, point: FloatArray) -> None:
    for i in range(state.size):
        point[i] = state[i] + reach * slope[i]


@kernel
def _move(state: FloatArray, dt: float, slopes: FloatArray) -> None:
    """Add the mean of four slopes that Runge and Kutta weigh 1, 2, 2, 1."""
    for i in range(state.size):
        inner = 2.0 * (slopes[1, i] + slopes[2, i])
        state[i] += dt / 6.0 * (slopes[0, i] + inner + slopes[3, i])


def _make_runge_kutta(system: System) -> Callable[..., None]:
    rule = system.rule

    def runge_kutta(state: FloatArray, parameters: FloatArray, dt: float, work: FloatArray) -> None:
        rule(state, parameters, work[0])
        for stage in range(1, 4):
            _ahead(state, dt if stage == 3 else 0.5 * dt, work[stage - 1], work[4])
            rule(work[4], parameters, work[stage])
        _move(state, dt, work)

    return runge_kutta


def _make_orbit(system: System) -> Callable[..., None]:
    step = system.stepper

    def orbit(
        state: FloatArray, parameters: FloatArray, dt: float, skip: int, states: FloatArray
    ) -> None:
        work = np.empty((WORK_ROWS, state.size))
        for _ in range(skip):
            step(state, parameters, dt, work)
        for row in range(states.shape[0]):
            copy_state(state, states[row])
            step(state, parameters, dt, work)

    return orbit


def trajectory(
    system: System,
    steps: int,
    *,
    start: ArrayLike | None = None,
    dt: float = 0.01,
    skip: int = 0,
) -> FloatArray:
    """Follow a system.

    Parameters
    ----------
    system : System
        What to follow.
    steps : int
        States wanted.
    start : array-like of float, shape (D,), optional
        Where to begin; the system's own start by default.
    dt : float, optional
        Step of a flow's integration (classical Runge–Kutta of order 4); ignored for maps.
    skip : int, optional
        Steps left out before the first state that is returned.

    Returns
    -------
    ndarray of float64, shape (steps, D)
        The first row is the start where `skip` is 0. An orbit that escapes ends in infinities or
        NaN; it is returned as it is.

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    positive("dt", dt)
    states = np.empty((whole("steps", steps, 0), system.dimension))
    run = system.specialise(_make_orbit)
    run(system.state(start), system.values, float(dt), whole("skip", skip, 0), states)
    return states


def user_system(
    name: str,
    rule: UserRule,
    *,
    kind: Kind,
    start: ArrayLike,
    parameters: Mapping[str, float] | None = None,
    jacobian: UserRule | None = None,
) -> System:
    """Make a system of one's own function.

    Parameters
    ----------
    name : str
        For people.
    rule : callable
        ``rule(state, parameters)`` returns the D components of f as a tuple or an array; both
        arguments are float64 vectors. It is compiled here and now: globals and variables of an
        enclosing function keep the values that they have at this moment. What is to change later
        has to be a parameter.
    kind : {"map", "flow"}
        Whether f is the next state or the velocity.
    start : array-like of float, shape (D,)
        Where orbits begin.
    parameters : mapping of str to float, optional
        Names and values, in the order in which `rule` reads them.
    jacobian : callable, optional
        ``jacobian(state, parameters)`` returns D rows of D numbers. Central differences by
        default: right to about 1e-10 of the size of f.

    Returns
    -------
    System
        Where Numba cannot compile a function, `System.compiled` is False, `System.note` says why,
        and a RuntimeWarning says it too: everything works, about a hundred times slower.

    Raises
    ------
    InputError
        `start` is no finite vector, a parameter is not finite, or a function returns another
        shape.
    """
    if kind not in ("map", "flow"):
        raise InputError(f"kind is {kind!r}; allowed: 'map', 'flow'")
    begin = real_array(f"start of {name}", start).copy()
    if begin.ndim != 1 or not begin.size or not np.isfinite(begin).all():
        raise InputError(f"start of {name}: {begin!r}; allowed: a vector of finite numbers")
    named = {key: between(key, value, -math.inf) for key, value in (parameters or {}).items()}
    values = np.array(list(named.values()), np.float64)
    _check_shape(f"rule of {name}", rule(begin.copy(), values), (begin.size,))
    if jacobian is not None:
        given = jacobian(begin.copy(), values)
        _check_shape(f"jacobian of {name}", given, (begin.size, begin.size))
    return _built(name, kind, named, begin, (rule, jacobian))


def _check_shape(what: str, returned: Any, shape: tuple[int, ...]) -> None:
    if np.shape(returned) != shape:
        raise InputError(f"{what} returned the shape {np.shape(returned)}; allowed: {shape}")


def _built(
    name: str,
    kind: Kind,
    parameters: Mapping[str, float],
    start: FloatArray,
    functions: tuple[UserRule, UserRule | None],
) -> System:
    """Compile a user's functions where that can be done."""
    values = np.array(list(parameters.values()), np.float64)
    system_start = tuple(start.tolist())
    try:
        rule, jacobian = _wrapped(*functions, compiled=True)
        rule(start, values, np.empty(start.size))
        jacobian(start, values, np.empty((start.size, start.size)))
        return System(name, kind, start.size, rule, jacobian, parameters, system_start)
    except importlib.import_module("numba").core.errors.NumbaError as error:
        reason = " ".join(str(error).split())[:200]
        note = f"{name} runs as plain Python, slowly: Numba cannot compile it ({reason})"
    warnings.warn(note, RuntimeWarning, stacklevel=3)
    rule, jacobian = _wrapped(*functions, compiled=False)
    parts = (rule, jacobian, parameters, system_start)
    return System(name, kind, start.size, *parts, compiled=False, note=note)


def _wrapped(rule: UserRule, jacobian: UserRule | None, *, compiled: bool) -> tuple[Rule, Rule]:
    def make(function: Any) -> Any:
        return _in_memory(getattr(function, "py_func", function)) if compiled else function

    filling = make(_filling(make(rule)))
    if jacobian is None:
        return filling, make(_differences(filling))
    return filling, make(_filling_rows(make(jacobian)))


def _filling(function: Any) -> Rule:
    def fill(state: FloatArray, parameters: FloatArray, out: FloatArray) -> None:
        returned = function(state, parameters)
        if len(returned) != out.size:
            raise ValueError("the rule returned another number of components than at the start")
        for i in range(out.size):
            out[i] = returned[i]

    return fill


def _filling_rows(function: Any) -> Rule:
    def fill_rows(state: FloatArray, parameters: FloatArray, out: FloatArray) -> None:
        returned = function(state, parameters)
        if len(returned) != out.shape[0]:
            raise ValueError("the jacobian returned another number of rows than at the start")
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = returned[i][j]

    return fill_rows


def _differences(rule: Any) -> Rule:
    def differences(state: FloatArray, parameters: FloatArray, out: FloatArray) -> None:
        point, above, below = state.copy(), np.empty(state.size), np.empty(state.size)
        for j in range(state.size):
            width = DIFFERENCE * max(1.0, abs(state[j]))
            point[j] = state[j] + width
            rule(point, parameters, above)
            point[j] = state[j] - width
            rule(point, parameters, below)
            point[j] = state[j]
            for i in range(state.size):
                out[i, j] = (above[i] - below[i]) / (2.0 * width)

    return differences
