"""Systems: known orbits, Jacobians, users' own functions and what is compiled for whom."""

import math
from dataclasses import replace

import numba
import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.systems import trajectory, user_system
from swarmloom_protocols.consensus.dynamics.integrators import _Loop

SYSTEMS = [
    known.logistic(3.7),
    known.tent(1.9),
    known.henon(),
    known.circle_map(),
    known.coupled_logistic_maps(5),
    known.lorenz(),
    known.rossler(),
    known.van_der_pol(1.5),
    known.damped_oscillator(2.0, 0.3),
    known.double_well(0.2, 0.1),
    known.torus(),
]


def grow(state, parameters):
    return (parameters[0] * state[0] * (1.0 - state[0]),)


def stored_kernels(folder):
    return {path.name for path in folder.rglob("*.kernel")}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_jacobians_are_the_derivatives(system):
    state = np.random.default_rng(0).uniform(0.05, 0.45, system.dimension)
    width = 1e-6
    columns = [
        (system(state + width * unit) - system(state - width * unit)) / (2 * width)
        for unit in np.eye(system.dimension)
    ]
    np.testing.assert_allclose(
        system.jacobian_at(state), np.column_stack(columns), rtol=1e-7, atol=1e-7
    )


def test_a_map_is_iterated_from_its_start():
    x, expected = 0.3, []
    for _ in range(50):
        expected.append(x)
        x = 3.9 * x * (1 - x)
    states = trajectory(known.logistic(3.9), 50)
    np.testing.assert_array_equal(states.ravel(), expected)
    np.testing.assert_array_equal(trajectory(known.logistic(3.9), 40, skip=10), states[10:])


def test_a_flow_is_integrated_to_fourth_order():
    system = known.damped_oscillator(1.0, 0.0)

    def error(steps):
        return abs(trajectory(system, 1, dt=10 / steps, skip=steps)[0, 0] - math.cos(10.0))

    assert error(200) < 1e-5
    assert 14 < error(100) / error(200) < 18


def test_the_torus_keeps_its_two_circles_and_frequencies():
    states = trajectory(known.torus(), 10, dt=0.05, skip=2000)
    np.testing.assert_allclose(np.hypot(states[:, 0], states[:, 1]), 1.0, atol=1e-6)
    turned = np.diff(np.unwrap(np.arctan2(states[:, 3], states[:, 2])))
    np.testing.assert_allclose(turned, 0.05 * math.sqrt(2), atol=1e-7)


def test_parameters_change_without_compiling_again():
    system = known.logistic(3.0)
    other = system.with_parameters(r=2.0)
    assert other.stepper is system.stepper is known.logistic(1.0).stepper
    assert other([0.25])[0] == pytest.approx(0.375)
    assert system([0.25])[0] == pytest.approx(0.5625)


def test_a_users_function_is_compiled_and_equals_the_librarys():
    mine = user_system("mine", grow, kind="map", start=[0.3], parameters={"r": 3.9})
    assert mine.compiled
    assert not mine.note
    np.testing.assert_array_equal(trajectory(mine, 100), trajectory(known.logistic(3.9), 100))
    assert mine.jacobian_at([0.3])[0, 0] == pytest.approx(3.9 * 0.4, abs=1e-9)


def test_a_users_jacobian_is_taken():
    mine = user_system(
        "mine",
        lambda x, p: (x[0] * x[1], x[0] + x[1]),
        kind="flow",
        start=[1.0, 2.0],
        jacobian=lambda x, p: ((x[1], x[0]), (1.0, 1.0)),
    )
    np.testing.assert_array_equal(mine.jacobian_at([3.0, 4.0]), [[4.0, 3.0], [1.0, 1.0]])


def test_systems_of_one_name_keep_their_own_code():
    def double(factor):
        return user_system("same", lambda x, p: (factor * x[0],), kind="map", start=[1.0])

    first, second = double(2.0), double(3.0)
    assert trajectory(first, 4).ravel().tolist() == [1, 2, 4, 8]
    assert trajectory(second, 4).ravel().tolist() == [1, 3, 9, 27]
    assert trajectory(first, 4).ravel().tolist() == [1, 2, 4, 8]


needs_numba = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@needs_numba
def test_the_disk_holds_shipped_systems_and_no_others(tmp_path, monkeypatch):
    from swarmloom import kernel_cache

    monkeypatch.setattr(kernel_cache, "cache_home", lambda chosen: tmp_path)
    mine = user_system("mine", grow, kind="map", start=[0.3], parameters={"r": 3.9})
    trajectory(mine, 3)
    assert not stored_kernels(tmp_path)
    trajectory(replace(known.logistic(), _kernels={}), 3)
    stored = stored_kernels(tmp_path)
    assert any("orbit" in name for name in stored)
    trajectory(replace(known.tent(), _kernels={}), 3)
    trajectory(replace(known.logistic(3.5), _kernels={}), 3)
    # The tent map has files of its own; the second logistic map reads those of the first.
    assert sum("_make_orbit" in name for name in stored_kernels(tmp_path)) == 2


@needs_numba
def test_what_numba_cannot_compile_runs_slowly_and_says_so():
    table = {"r": 3.9}
    with pytest.warns(RuntimeWarning, match="mine runs as plain Python, slowly"):
        mine = user_system(
            "mine", lambda x, p: (table["r"] * x[0] * (1.0 - x[0]),), kind="map", start=[0.3]
        )
    assert not mine.compiled
    np.testing.assert_array_equal(trajectory(mine, 100), trajectory(known.logistic(3.9), 100))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": [np.nan]}, "finite"),
        ({"start": []}, "vector"),
        ({"kind": "wave"}, "'map', 'flow'"),
        ({"parameters": {"r": np.inf}}, "r is inf"),
        ({"start": [0.1, 0.2]}, r"returned the shape \(1,\)"),
        ({"jacobian": lambda x, p: (1.0,)}, "jacobian of mine"),
    ],
)
def test_unusable_systems_are_refused(change, message):
    arguments = {"kind": "map", "start": [0.3], "parameters": {"r": 3.9}} | change
    with pytest.raises(InputError, match=message):
        user_system("mine", grow, **arguments)


def test_unusable_arguments_are_refused():
    system = known.henon()
    with pytest.raises(InputError, match="no parameter 'c'; allowed: a, b"):
        system.with_parameters(c=1.0)
    with pytest.raises(InputError, match="start of henon"):
        trajectory(system, 3, start=[0.0])
    with pytest.raises(InputError, match="steps"):
        trajectory(system, -1)
    with pytest.raises(InputError, match="dt"):
        trajectory(system, 1, dt=0.0)


def test_read_only_starts_and_no_steps_will_do():
    start = np.array([0.1, 0.2])
    start.flags.writeable = False
    assert trajectory(known.henon(), 0, start=start).shape == (0, 2)
    assert trajectory(known.henon(), 1, start=start).tolist() == [[0.1, 0.2]]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_loops_of_different_systems_never_share_a_name():
    # The linker takes functions of one name for one, also where one was read from disk.
    def turned(state, parameters):
        return (parameters[0] * state[0],)

    mine = [
        user_system("turned", turned, kind="map", start=[0.3], parameters={"r": r})
        for r in (0.5, 0.9)
    ]
    systems = [known.henon(), known.lorenz(), known.rossler(), known.logistic(), *mine]
    loops = [system.stepper for system in systems]
    # One maker, told to write two different loops over one system.
    loops += [known.double_well().specialise(_Loop(method)) for method in ("", "StormerVerlet")]
    names = {loop.py_func.__qualname__ for loop in loops}
    assert len(names) == len(loops)
    again = replace(known.henon(), _kernels={}).stepper.py_func.__qualname__
    assert again == known.henon(1.2).stepper.py_func.__qualname__
    assert turned.__qualname__.endswith("turned")
