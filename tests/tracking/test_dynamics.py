"""Motion: frames agree with `geo.frames`, free fall keeps the Jacobi integral, drag slows, the grid does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.tracking import TrackError, propagate
from noroshi.tracking.dynamics import fly
from noroshi.tracking.kernels import motion, sensing
from tests.tracking.scenes import case, truth

MU, J2, A, W = 3.986004418e14, 1.08262668e-3, 6378137.0, 7.292115e-5


def test_scalar_frames_agree_with_geo_frames() -> None:
    rng = np.random.default_rng(2)
    lat, lon = rng.uniform(-1.57, 1.57, 300), rng.uniform(-np.pi, np.pi, 300)
    height = rng.uniform(0, 7e6, 300)
    points = geodetic_to_ecef(lat, lon, height)
    made = np.array([motion.geodetic(*point) for point in points])
    assert np.abs(made - np.column_stack((lat, lon, height))).max() < 1e-5
    assert np.abs(made[:, :2] - np.column_stack((lat, lon))).max() < 1e-11
    assert abs(motion.height(*geodetic_to_ecef(0.7, 1.0)[0])) < 1e-6
    assert abs(motion.height(*geodetic_to_ecef(0.7, 1.0, 100e3)[0]) - 100e3) < 1.0


def test_scalar_look_angles_agree_with_geo_frames() -> None:
    rng = np.random.default_rng(3)
    rot = np.zeros((3, 3))
    for _ in range(50):
        lat, lon, high = rng.uniform(-1.5, 1.5), rng.uniform(-3, 3), rng.uniform(0, 2000)
        site = geodetic_to_ecef(lat, lon, high)[0]
        target = site + rng.normal(0, 8e5, 3)
        sensing.site_frame(site, rot)
        x, y, z = target
        distance, azimuth, elevation = sensing.look(x, y, z, site, rot)
        expected = [column[0] for column in look_angles(target, lat, lon, high)]
        assert distance == pytest.approx(expected[0], abs=1e-6)
        assert np.angle(np.exp(1j * (azimuth - expected[1]))) == pytest.approx(0, abs=1e-10)
        assert elevation == pytest.approx(expected[2], abs=1e-10)
        assert np.allclose(sensing.place(distance, azimuth, elevation, site, rot), target, atol=1e-6)


def jacobi(state: np.ndarray) -> np.ndarray:
    """Energy in the turning frame, constant in free fall: v^2/2 - mu/r (1 + J2 term) - w^2 (x^2 + y^2)/2."""
    p, v = state[:, :3], state[:, 3:]
    r = np.linalg.norm(p, axis=1)
    sine2 = (p[:, 2] / r) ** 2
    potential = -MU / r * (1 - J2 * (A / r) ** 2 * (1.5 * sine2 - 0.5))
    result: np.ndarray = (v**2).sum(1) / 2 + potential - W**2 * (p[:, :2] ** 2).sum(1) / 2
    return result


@pytest.mark.parametrize("name", ["a500", "a4600", "lofted"])
def test_free_fall_keeps_the_jacobi_integral(name: str) -> None:
    arc = case(name).arc
    states = propagate(arc.state, np.arange(0, arc.flight_time_s - 1, 5.0))[0]
    constant = jacobi(states)
    assert np.ptp(constant) < 0.1  # J/kg: 15 um/s at these speeds


@pytest.mark.parametrize("name", ["a500", "a4600"])
def test_free_fall_with_drag_agrees_with_another_integrator(name: str) -> None:
    def slope(_: float, y: np.ndarray) -> np.ndarray:
        p, v = y[:3], y[3:]
        r = np.linalg.norm(p)
        z2, k = (p[2] / r) ** 2, 1.5 * J2 * (A / r) ** 2
        a = -MU / r**3 * p * (1 + k * (np.array([1, 1, 3]) - 5 * z2))
        a += W**2 * p * [1, 1, 0] + 2 * W * np.array([v[1], -v[0], 0])
        if p @ v < 0:
            h = ecef_to_geodetic(p)[2][0]
            a -= 0.5 * 1.225 * np.exp(-max(h, 0) / 7200) * np.linalg.norm(v) / 4000.0 * v
        return np.concatenate((v, a))

    arc = case(name).arc
    times = np.linspace(0, fly(arc.state, 4000.0)[0, 3] - 0.5, 6)
    mine = propagate(arc.state, times, 4000.0)[0]
    solved = solve_ivp(slope, (0, times[-1]), arc.state, "DOP853", times, rtol=1e-11, atol=1e-6, max_step=5.0)
    assert np.abs(mine[:, :3] - solved.y.T[:, :3]).max() < 0.5  # m; drag moves the fall by kilometres


def test_a_state_does_not_depend_on_the_other_times() -> None:
    arc = case("a1000").arc
    dense = propagate(arc.state, np.arange(0, 600, 0.5), 3000.0)[0]
    sparse = propagate(arc.state, np.arange(0, 600, 50.0), 3000.0)[0]
    assert np.array_equal(dense[::100], sparse)


def test_after_the_fall_an_object_rests_where_it_fell() -> None:
    arc = case("a1000").arc
    down = fly(arc.state, 3000.0)[0]
    states = propagate(arc.state, [down[3] - 1, down[3] + 1, 5000.0], 3000.0)[0]
    assert ecef_to_geodetic(states[0, :3])[2][0] > 0
    assert np.allclose(states[1:, :3], down[:3])
    assert not states[1:, 3:].any()


def test_more_drag_falls_later_and_shorter() -> None:
    arc = case("a2700").arc
    down = fly(np.tile(arc.state, (4, 1)), [2500.0, 5000.0, 10_000.0, 1e9])
    assert (np.diff(down[:, 3]) < 0).all()
    assert 10 < down[0, 3] - down[3, 3] < 25  # s, of the order that the literature on generic re-entry gives


def test_what_never_falls_says_so() -> None:
    assert fly(np.concatenate((truth()[0, :3], truth()[0, :3] / 6.4e6 * 12e3)))[0, 3] == -1


@pytest.mark.parametrize("times", [[1.0, 0.5], [-1.0], [float("nan")]])
def test_times_that_do_not_ascend_are_refused(times: list[float]) -> None:
    with pytest.raises(TrackError, match="ascend"):
        propagate(truth()[0], times)


def test_a_coefficient_must_be_positive_and_a_state_finite() -> None:
    with pytest.raises(TrackError, match="above 0"):
        propagate(truth()[0], [1.0], 0.0)
    with pytest.raises(TrackError, match="finite"):
        propagate([np.nan] * 6, [1.0])
