"""Update of columns, each with its own row: what `tracking.kernels.updating` says, where each step is explained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels import motion, sensing, states
from noroshi.tracking.kernels import updating as rules
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.plain.matrices import cholesky

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Sight:
    """What n rows of one kind have in common, and their columns, the row last.

    first, last: of the components range, two angles, range rate; frame (3, 3, n): its axes as rows; value, sigma2
    (4, n): what was seen, and its variance, as the coordinates have it; clock_s (n,); site (3, n).
    """

    first: int
    last: int
    aimed: bool
    frame: Floats
    value: Floats
    sigma2: Floats
    clock_s: Floats
    site: Floats

    def part(self, chosen: NDArray[np.intp]) -> Sight:
        """Some of the rows."""
        columns = (self.frame, self.value, self.sigma2, self.clock_s, self.site)
        return Sight(self.first, self.last, self.aimed, *(column[..., chosen] for column in columns))

    @property
    def size(self) -> int:
        """How many numbers of the state it depends on."""
        return 6 if self.last == 4 else 3


@dataclass(frozen=True)
class Line:
    """A row as a line: h (4, 6, n), expected (4, n) at the mean, noise (4, 4, n) of what the line misses."""

    h: Floats
    expected: Floats
    noise: Floats


def update_columns(mean: Floats, cov: Floats, rows: Rows, method: int) -> tuple[Floats, Floats, Floats]:
    """States mean (7, n), cov (7, 7, n), each updated with its own of the n rows; and the squared distances (n,)."""
    mean, cov, distance = mean.copy(), cov.copy(), np.zeros(mean.shape[1])
    infrared, rated = rows.model == sensing.INFRARED, rows.rate[:, 1] > 0
    for first, last, chosen in (
        (1, 3, infrared),
        (0, 4, ~infrared & rated),
        (0, 3, ~infrared & ~rated),
    ):
        which = np.flatnonzero(chosen)
        if len(which):
            sight = sighted(rows, which, first, last, method % rules.CONSIDERED == rules.ITERATED)
            mean[:, which], cov[:, :, which], distance[which] = _update(
                mean[:, which], cov[:, :, which], sight, method
            )
    return mean, cov, distance


def sighted(rows: Rows, which: NDArray[np.intp], first: int, last: int, aimed: bool) -> Sight:
    """The chosen rows, made ready."""
    site, seen = rows.site_m[which].T.copy(), rows.value[which].T
    variance = (rows.sigma[which] ** 2 + rows.bias[which] ** 2).T
    x, y, z = site
    flat = np.sqrt(x * x + y * y)
    s, c = z, flat * (1 - motion.E2)
    for _ in range(3):
        su, cu = (1 - motion.FLATTENING) * s, c
        su, cu = su / np.sqrt(su * su + cu * cu), cu / np.sqrt(su * su + cu * cu)
        s = z + motion.E2 / (1 - motion.E2) * motion.POLAR_M * su**3
        c = flat - motion.E2 * motion.EQUATOR_M * cu**3
    sa, ca = s / np.sqrt(s * s + c * c), c / np.sqrt(s * s + c * c)
    pole = flat == 0
    safe = np.where(pole, 1.0, flat)
    so, co = np.where(pole, 0.0, y / safe), np.where(pole, 1.0, x / safe)
    east = np.stack((-so, co, np.zeros_like(so)))
    north, up = np.stack((-sa * co, -sa * so, ca)), np.stack((ca * co, ca * so, sa))
    value, sigma2 = np.zeros((4, len(which))), np.zeros((4, len(which)))
    value[:3], value[3] = seen, rows.rate[which, 0]
    sigma2[:3], sigma2[3] = variance, rows.rate[which, 1] ** 2
    frame = np.stack((east, north, up))
    if aimed:
        sz, cz, se, ce = np.sin(seen[1]), np.cos(seen[1]), np.sin(seen[2]), np.cos(seen[2])
        level = east * sz + north * cz
        frame = np.stack((east * cz - north * sz, up * ce - level * se, level * ce + up * se))
        bent = se * ce * variance[1]
        value[1], value[2] = 0.0, 0.5 * bent
        sigma2[1] = variance[1] * (ce * ce + se * se * variance[2])
        sigma2[2] = variance[2] + 0.5 * bent * bent
    return Sight(first, last, aimed, frame, value, sigma2, rows.clock_s[which], site)


def _update(mean: Floats, cov: Floats, sight: Sight, method: int) -> tuple[Floats, Floats, Floats]:
    considered, method = method >= rules.CONSIDERED, method % rules.CONSIDERED
    if method == rules.SIGMA_POINT:
        line = with_noise(regress(mean, cov, sight), mean, cov, sight)
        return absorb(mean, cov, innovation(line, sight), line, sight, considered)
    line = with_noise(tangent(mean, sight), mean, cov, sight)
    if method == rules.EXTENDED:
        return absorb(mean, cov, innovation(line, sight), line, sight, considered)
    line, curved = second_order(cov, line, sight)
    out_mean, out_cov, distance = absorb(mean, cov, innovation(line, sight), line, sight, considered)
    which = np.flatnonzero(curved)
    if len(which):
        out_mean[:, which], out_cov[:, :, which], distance[which] = _iterate(
            mean[:, which], cov[:, :, which], sight.part(which), considered
        )
    return out_mean, out_cov, distance


def _iterate(mean: Floats, cov: Floats, sight: Sight, considered: bool) -> tuple[Floats, Floats, Floats]:
    line = with_noise(regress(mean, cov, sight), mean, cov, sight)
    missed = np.maximum(line.noise[1, 1], line.noise[2, 2])
    about, spread, distance = absorb(mean, cov, innovation(line, sight), line, sight, considered)
    angles = sight.first == 1
    wide = np.flatnonzero(missed > rules.WIDE_RAD**2)
    if len(wide) and not angles:
        about[:3, wide], spread[:, :, wide] = laid(sight.part(wide), spread[:, :, wide])
    elif len(wide):
        part = sight.part(wide)
        line = straight_line(mean[:, wide], cov[:, :, wide], part)
        about[:, wide], spread[:, :, wide], _ = absorb(
            mean[:, wide], cov[:, :, wide], innovation(line, part), line, part, considered
        )
    passes = rules.INFRARED_PASSES if angles or sight.last == 4 else rules.PASSES
    for _ in range(passes - 1):
        line = with_noise(regress(about, spread, sight), about, spread, sight)
        nu = innovation(line, sight)
        nu -= np.einsum("ijn,jn->in", line.h[:, : sight.size], (mean - about)[: sight.size])
        about, spread, _ = absorb(mean, cov, nu, line, sight, considered)
    if angles:
        keep = closed(mean, cov, about, spread, sight)
        about, spread = np.where(keep, about, mean), np.where(keep, spread, cov)
    return about, spread, distance


def seen(sight: Sight, d: Floats) -> Floats:
    """Range and two angles (3, ...) of places d (3, ...) along the axes."""
    flat = d[0] * d[0] + d[1] * d[1]
    r = np.sqrt(flat + d[2] * d[2])
    if not sight.aimed:
        return np.stack((r, np.arctan2(d[0], d[1]), np.arctan2(d[2], np.sqrt(flat))))
    q = np.sqrt(2 / np.maximum(r * (r + d[2]), sensing.NEAREST_M**2))
    return np.stack((r, q * d[0], q * d[1]))


def _along(sight: Sight, v: Floats) -> Floats:
    found: Floats = np.einsum("ijn,j...n->i...n", sight.frame, v)
    return found


def tangent(mean: Floats, sight: Sight) -> Line:
    """The line by the derivative at the mean."""
    n = mean.shape[1]
    d = _along(sight, mean[:3] - sight.site)
    expected, h = np.zeros((4, n)), np.zeros((4, 6, n))
    expected[:3] = seen(sight, d)
    flat = np.maximum(d[0] * d[0] + d[1] * d[1], sensing.NEAREST_M**2 * 1e-6)
    r = np.maximum(np.sqrt(flat + d[2] * d[2]), sensing.NEAREST_M)
    u = d / r
    if sight.aimed:
        q2 = 2 / np.maximum(r * (r + d[2]), sensing.NEAREST_M**2)
        q = np.sqrt(q2)
        turn = -0.25 * q2 * q * (2 * r + d[2]) * u
        turn[2] += -0.25 * q2 * q * r
        a, b = d[0] * turn, d[1] * turn
        a[0] += q
        b[1] += q
    else:
        g = np.sqrt(flat)
        a = np.stack((d[1] / flat, -d[0] / flat, np.zeros(n)))
        b = np.stack((-u[0] * d[2] / (r * g), -u[1] * d[2] / (r * g), g / (r * r)))
    h[:3, :3] = np.einsum("ijn,jkn->ikn", np.stack((u, a, b)), sight.frame)
    if sight.last == 4:
        r = np.maximum(expected[0], sensing.NEAREST_M)
        expected[3] = (h[0, :3] * mean[3:6]).sum(0)
        h[3, 3:] = h[0, :3]
        h[3, :3] = (mean[3:6] - expected[3] * h[0, :3]) / r
    return Line(h, expected, np.zeros((4, 4, n)))


def regress(mean: Floats, cov: Floats, sight: Sight) -> Line:
    """The line by regression over sigma points."""
    n, size, last = mean.shape[1], sight.size, sight.last
    low = cholesky(np.ascontiguousarray(cov[:size, :size]))
    d, v = _along(sight, mean[:3] - sight.site), _along(sight, mean[3:6])
    middle = np.zeros((4, n))
    middle[:3] = seen(sight, d)
    r = np.maximum(middle[0], sensing.NEAREST_M)
    middle[0] = r
    middle[3] = (d * v).sum(0) / r
    c = _along(sight, low[:3, :3])
    points = np.stack((d[:, None] + states.SPREAD * c, d[:, None] - states.SPREAD * c), 1)
    out = np.zeros((4, 2, 3, n))
    out[:3] = seen(sight, points) - middle[:3, None, None]
    if not sight.aimed:
        out[1] = _wrap(out[1])
    slope = np.zeros((4, 6, n))
    product = np.zeros(n)
    if last == 4:
        e = _along(sight, low[3:6])
        turned = states.SPREAD * e[:, :3]
        faster = np.stack((v[:, None] + turned, v[:, None] - turned), 1)
        near = np.maximum(out[0] + r, sensing.NEAREST_M)
        out[3] = (points * faster).sum(0) / near - middle[3]
        ways = (points[:, 0] / near[0] - points[:, 1] / near[1]) / (2 * states.SPREAD)
        product = (np.einsum("ian,ibn->abn", ways, e[:, 3:]) ** 2).sum((0, 1))
        slope[3, 3:] = (d[:, None] * e[:, 3:]).sum(0) / r
    slope[:, :3] = (out[:, 0] - out[:, 1]) / (2 * states.SPREAD)
    mid = states.OUTER * out.sum((1, 2))
    off = out - mid[:, None, None]
    noise = states.OUTER * np.einsum("isan,jsan->ijn", off, off)
    noise -= np.einsum("ian,jan->ijn", slope[:, :3], slope[:, :3])
    if last == 4:
        noise[3, 3] = rules.REPEATED * (noise[3, 3] + product)
    h = np.zeros((4, 6, n))
    for j in range(size - 1, -1, -1):
        rest = np.einsum("ikn,kn->in", h[:, j + 1 : size], low[j + 1 : size, j])
        h[:, j] = (slope[:, j] - rest) / low[j, j]
    return Line(h, middle + mid, noise)


def laid(sight: Sight, spread: Floats) -> tuple[Floats, Floats]:
    """The place that rows with a range give, and a covariance with it in place of the prior's."""
    r = sight.value[0]
    scaled = np.stack((r * r * sight.sigma2[1], r * r * sight.sigma2[2], sight.sigma2[0]))
    out = spread.copy()
    out[:3], out[:, :3] = 0.0, 0.0
    out[:3, :3] = np.einsum("kin,kn,kjn->ijn", sight.frame, scaled, sight.frame)
    return sight.site + r * sight.frame[2], out


def straight_line(mean: Floats, cov: Floats, sight: Sight) -> Line:
    """A first line for angles alone, exact at any width of the prior."""
    n = mean.shape[1]
    d = _along(sight, mean[:3] - sight.site)
    noise = np.zeros((4, 4, n))
    bare = np.zeros((4, 6, n))
    noise[1, 1], noise[2, 2] = sight.sigma2[1], sight.sigma2[2]
    r = np.maximum(np.maximum(d[2], 0.2 * np.sqrt((d * d).sum(0))), sensing.NEAREST_M)
    for _ in range(3):
        bare[1, :3], bare[2, :3] = sight.frame[0] / r, sight.frame[1] / r
        h = bare[1:3, :3]
        s = np.einsum("ian,abn,jbn->ijn", h, cov[:3, :3], h) + noise[1:3, 1:3]
        det = s[0, 0] * s[1, 1] - s[0, 1] ** 2
        g0 = (s[1, 1] * d[0] - s[0, 1] * d[1]) / r / det
        g1 = (s[0, 0] * d[1] - s[0, 1] * d[0]) / r / det
        moved = -np.einsum("an,abn,bn->n", sight.frame[2], cov[:3, :3], h[0] * g0 + h[1] * g1)
        r = np.maximum(np.maximum(d[2] + moved, 0.05 * r), sensing.NEAREST_M)
    expected = np.zeros((4, n))
    expected[1], expected[2] = d[0] / r, d[1] / r
    return Line(bare, expected, noise)


def second_order(cov: Floats, line: Line, sight: Sight) -> tuple[Line, Bools]:
    """The line with the mean of the second order, and where that is so large that the row is curved."""
    expected = line.expected.copy()
    r = np.maximum(expected[0], sensing.NEAREST_M)
    u = line.h[0, :3]
    p = np.einsum("abn,bn->an", cov[:3, :3], u)
    total = cov[0, 0] + cov[1, 1] + cov[2, 2]
    across = total - (u * p).sum(0)
    bend, least = 0.5 * across / r, rules.CURVED_ABOVE**2
    noise = np.stack([line.noise[i, i] for i in range(4)])
    curved = total * across / r**4 > least * np.minimum(noise[1], noise[2])
    curved |= expected[1] ** 2 + expected[2] ** 2 > rules.AIM_RAD**2
    if sight.first == 0:
        curved |= bend * bend > least * noise[0]
    if sight.last == 4:
        speed = cov[3, 3] + cov[4, 4] + cov[5, 5]
        fastest = (line.h[3, :3] ** 2).sum(0)
        curved |= across * speed / (r * r) + fastest * total * total / (r * r) > least * noise[3]
    expected[0] += bend
    expected[1] -= (line.h[1, :3] * p).sum(0) / r
    expected[2] -= (line.h[2, :3] * p).sum(0) / r
    return Line(line.h, expected, line.noise), curved


def with_noise(line: Line, mean: Floats, cov: Floats, sight: Sight) -> Line:
    """The line with the noise of the sensor and of an uncertain clock."""
    noise = line.noise.copy()
    for i in range(sight.first, sight.last):
        noise[i, i] += sight.sigma2[i]
    if (sight.clock_s > 0).any():
        speed = np.einsum("ijn,jn->in", line.h[:, :3], mean[3:6])
        if sight.last == 4:
            r2 = (mean[:3] ** 2).sum(0)
            speed[3] -= motion.MU / (r2 * np.sqrt(r2)) * (line.h[3, 3:] * mean[:3]).sum(0)
        part = np.einsum("ian,abn,jbn->ijn", line.h[:, :3], cov[3:6, 3:6], line.h[:, :3])
        noise += (speed[:, None] * speed[None] + part) * sight.clock_s**2
    return Line(line.h, line.expected, noise)


def innovation(line: Line, sight: Sight) -> Floats:
    """What was seen less what was expected (4, n)."""
    nu = sight.value - line.expected
    if not sight.aimed:
        nu[1] = _wrap(nu[1])
    return nu


def absorb(
    mean: Floats, cov: Floats, nu: Floats, line: Line, sight: Sight, considered: bool
) -> tuple[Floats, Floats, Floats]:
    """The Kalman update component by component in Joseph form, noise made white; and the squared distance."""
    first, last, size = sight.first, sight.last, sight.size
    low = cholesky(np.ascontiguousarray(line.noise[first:last, first:last]))
    h, z = line.h[first:last, :size].copy(), nu[first:last].copy()
    for i in range(last - first):
        for k in range(i):
            z[i] -= low[i, k] * z[k]
            h[i] -= low[i, k] * h[k]
        z[i] /= low[i, i]
        h[i] /= low[i, i]
    mean, cov, distance = mean.copy(), cov.copy(), np.zeros(mean.shape[1])
    for i in range(last - first):
        hp = np.einsum("an,abn->bn", h[i], cov[:size])
        s = (h[i] * hp[:size]).sum(0) + 1.0
        distance += z[i] ** 2 / s
        gain = hp / s
        if considered:
            gain[6] = 0.0
        mean += gain * z[i]
        cov -= gain[:, None] * hp
        rest = gain - np.einsum("abn,bn->an", cov[:, :size], h[i])
        cov += rest[:, None] * gain
        for a in range(1, 7):
            cov[a, :a] = cov[:a, a]
        for j in range(i + 1, last - first):
            z[j] -= (h[j] * gain[:size]).sum(0) * z[i]
    return mean, cov, distance


def closed(mean: Floats, cov: Floats, about: Floats, spread: Floats, sight: Sight) -> Bools:
    """Whether angles alone have found the distance from their sensor, and near the track."""
    along = _along(sight, about[:3] - sight.site)[2]
    variance = np.einsum("an,abn,bn->n", sight.frame[2], spread[:3, :3], sight.frame[2])
    low = cholesky(np.ascontiguousarray(cov[:3, :3]))
    step = (about - mean)[:3]
    for i in range(3):
        step[i] = (step[i] - (low[i, :i] * step[:i]).sum(0)) / low[i, i]
    near = (step**2).sum(0) < rules.FLUNG
    found: Bools = near & (along > sensing.NEAREST_M) & (variance < rules.OPEN**2 * along * along)
    return found


def _wrap(angle: Floats) -> Floats:
    turned: Floats = angle - 2 * np.pi * np.ceil((angle - np.pi) / (2 * np.pi))
    return turned
