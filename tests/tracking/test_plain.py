"""The NumPy path: the same as the compiled one to 1e-9 sigma, for every kind of row and way; and without a compiler."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from noroshi.tracking import (
    Measurements,
    Tracks,
    arithmetic,
    concatenate,
    infrared_measurements,
    initiate,
    predict,
    propagate,
    update,
)
from noroshi.tracking.filtering import Coefficient, Method
from tests.tracking.honesty import detections
from tests.tracking.scenes import case

COUNT = 12
SAME_SIGMA = 1e-9


def scans(name: str, every: int, window_s: float) -> list[Measurements]:
    """Rows of several objects, one set per time."""
    one = case(name, window_s)
    rng = np.random.default_rng(6)
    beta = np.exp(rng.uniform(np.log(2500), np.log(10_000), COUNT))
    true = propagate(np.tile(one.arc.state, (COUNT, 1)), one.time_s, beta)
    return [detections(one, true[:, k], k, rng) for k in range(0, len(one.time_s), every)]


def apart(a: Tracks, b: Tracks) -> float:
    """Greatest difference in sigmas, and products of sigmas."""
    sigma = np.sqrt(np.einsum("nii->ni", a.covariance))
    mean = np.abs(a.mean - b.mean) / sigma
    cov = np.abs(a.covariance - b.covariance) / (sigma[:, :, None] * sigma[:, None])
    return float(max(mean.max(), cov.max()))


def hold(
    given: list[Measurements], method: Method = "iterated", coefficient: Coefficient = "estimated"
) -> Tracks:
    """Runs both over the same rows, and holds them together after each."""
    one = other = initiate(given[0])
    index = np.arange(COUNT)
    for scan in given[1:]:
        one = update(one, scan, index, method=method, coefficient=coefficient, using="numba")
        other = update(other, scan, index, method=method, coefficient=coefficient, using="numpy")
        assert apart(one, other) < SAME_SIGMA
    return one


@pytest.mark.parametrize("method", ["extended", "sigma-point", "iterated"])
def test_it_agrees_for_every_method(method: Method) -> None:
    hold(scans("a2700", 1, 8.0), method)


def test_it_agrees_with_a_clock_a_rate_and_angles_alone() -> None:
    given = scans("a1000", 1, 6.0)
    doubt = np.full(COUNT, 0.05)
    hold([replace(scan, clock_sigma_s=doubt) for scan in given])
    rate = np.column_stack((np.linspace(-3000, 3000, COUNT), np.full(COUNT, 900.0)))
    for method in ("extended", "sigma-point", "iterated"):
        hold([replace(scan, clock_sigma_s=doubt, rate=rate) for scan in given], method)
    angles = [
        infrared_measurements(one.time_ns, one.site_m, one.value[:, 1:], one.sigma[:, 1:]) for one in given
    ]
    hold(angles)
    hold([concatenate((radar[:5], other[5:])) for radar, other in zip(given, angles, strict=True)])


def test_it_agrees_through_re_entry_and_over_a_long_gap() -> None:
    given = scans("a500", 12, 300.0)
    last = hold(given)
    for seconds in (1, 30, 400):
        then = last.time_ns + seconds * 10**9
        assert apart(predict(last, then, using="numba"), predict(last, then, using="numpy")) < SAME_SIGMA


def test_a_considered_coefficient_keeps_its_doubt_and_tells_the_rest() -> None:
    given = scans("a500", 12, 300.0)
    learnt, kept = hold(given), hold(given, coefficient="considered")
    assert (kept.mean[:, 6] == initiate(given[0]).mean[:, 6]).all()
    assert (kept.covariance[:, 6, 6] >= learnt.covariance[:, 6, 6]).all()
    assert (np.linalg.eigvalsh(kept.covariance) > 0).all()


@pytest.mark.slow
def test_without_a_compiler_everything_works_and_says_so() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import numpy as np\n"
        "from noroshi.tracking import arithmetic, estimate, initiate, update\n"
        "from tests.tracking.scenes import rows\n"
        "assert arithmetic() == 'numpy'\n"
        "given = rows('a500', 3.0)\n"
        "track = initiate(given[:1])\n"
        "for k in range(1, len(given)): track = update(track, given, [k])\n"
        "alone = estimate(given)\n"
        "sigma = np.sqrt(np.diag(alone.covariance[0]))\n"
        "assert (abs(track.mean[0] - alone.mean[0]) < 1e-9 * sigma).all()\n"
    )
    assert arithmetic() == "numba"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
