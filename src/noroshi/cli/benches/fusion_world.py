"""The world of the `fusion` benchmark: notional radars of several nations on one arc, and the lines between the nations.

A line delays by 1 to 30 s, loses one try in five and sends it again until it is through, says one thing in ten twice,
and reorders by its delays. Nothing is lost for good: it comes again, or by a relay. One nation's lines are cut for a
minute and then come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import radians

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.tracking import Measurements, free_fall_arc, propagate, radar_measurements

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EPOCH_NS = 1_900_000_000_000_000_000
BETA_KGM2 = 5000.0
LOWEST_M, FARTHEST_M, LEAST_ELEVATION_RAD = 100e3, 3.0e6, np.radians(3.0)
TRACKED_S = 180.0
EVERY_S = 5
"""Seconds of rows in an increment."""

RADARS = np.array(
    [  # notional: latitude, longitude deg; sigma of range m, of both angles mrad
        (36.0, 128.0, 45.0, 1.1),
        (40.5, 141.0, 25.0, 0.8),
        (34.5, 133.0, 60.0, 1.4),
        (43.5, 144.5, 40.0, 1.0),
        (33.0, 126.5, 50.0, 1.2),
        (38.0, 138.5, 30.0, 0.9),
        (35.5, 129.5, 70.0, 1.5),
        (44.5, 142.0, 55.0, 1.3),
    ]
)

LATENCY_S = (1.0, 30.0)
LOSS, TWICE = 0.2, 0.1
AGAIN_S = 10.0
"""After so long without a receipt a line tries again."""
CUT_S = (60.0, 120.0)
"""While the first node has no line that works."""


@dataclass(frozen=True)
class Scene:
    """What the radars of the first n nodes see: time s after the first detection, node, true values (k, 3), and the true
    states (k, 6) at those times.
    """

    nodes: int
    time_s: Floats
    node: Ints
    value: Floats
    truth: Floats


def scene(
    nodes: int, state: Floats | None = None, turn_s: float = np.inf, turn_mps2: Floats | None = None
) -> Scene:
    """The schedule of `nodes` radars at 1 Hz, staggered, on a notional arc of 2,700 km.

    turn_s, turn_mps2: from when on, after the first detection, an acceleration (3,) acts that is no free fall.
    """
    arc = free_fall_arc(radians(39.2), radians(125.7), radians(70.0), 2_700e3, 550e3)
    ticks = np.array(
        sorted((k + n / nodes, n) for k in range(int(arc.flight_time_s)) for n in range(nodes)), np.float64
    )
    time_s, node = ticks[:, 0], ticks[:, 1].astype(np.int64)
    states = propagate(arc.state if state is None else state, time_s, BETA_KGM2)[0]
    value, visible = _seen(states, node)
    first = time_s[visible][0]
    kept = visible & (time_s <= first + TRACKED_S)
    if turn_mps2 is not None:
        states = _turned(states, time_s, first + turn_s, turn_mps2)
        value, _ = _seen(states, node)
    return Scene(nodes, time_s[kept] - first, node[kept], value[kept], states[kept])


def _seen(states: Floats, node: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """Range, azimuth, elevation as each row's radar sees them, and whether it sees it at all."""
    value = np.zeros((len(states), 3))
    for n in range(int(node.max()) + 1):
        mine = node == n
        value[mine] = np.column_stack(look_angles(states[mine, :3], *np.radians(RADARS[n, :2])))
    high = ecef_to_geodetic(states[:, :3])[2] > LOWEST_M
    return value, high & (value[:, 2] > LEAST_ELEVATION_RAD) & (value[:, 0] < FARTHEST_M)


def _turned(states: Floats, time_s: Floats, from_s: float, turn_mps2: Floats) -> Floats:
    """The states with a constant acceleration from a time on, in steps of the schedule (under a second)."""
    made = states.copy()
    for k in range(1, len(made)):
        if time_s[k] > from_s:
            dt = time_s[k] - time_s[k - 1]
            made[k] = propagate(made[k - 1], [0.0, dt], BETA_KGM2)[0, 1]
            made[k, :3] += turn_mps2 * dt * dt / 2
            made[k, 3:] += turn_mps2 * dt
    return made


def rows_of(one: Scene, rng: np.random.Generator) -> Measurements:
    """All rows of a scene with their noise."""
    radar = RADARS[one.node]
    sigma = np.column_stack((radar[:, 2], radar[:, 3] * 1e-3, radar[:, 3] * 1e-3))
    value = one.value + rng.standard_normal(one.value.shape) * sigma
    time_ns = EPOCH_NS + np.rint(one.time_s * 1e9).astype(np.int64)
    site_m = geodetic_to_ecef(np.radians(radar[:, 0]), np.radians(radar[:, 1]))
    return radar_measurements(time_ns, site_m, value, sigma)


def neighbours(shape: str, nodes: int) -> list[list[int]]:
    """Who has a line to whom."""
    if shape == "ring":
        return [sorted({(n - 1) % nodes, (n + 1) % nodes}) for n in range(nodes)]
    if shape == "star":
        return [list(range(1, nodes)), *([0] for _ in range(1, nodes))]
    return [[m for m in range(nodes) if m != n] for n in range(nodes)]


@dataclass(frozen=True)
class Spread:
    """arrivals: of each node, (s, piece), in order, repeats too; sent (pieces,): how often each went over a line."""

    arrivals: list[list[tuple[float, int]]]
    sent: Ints


def spread(
    made_s: Sequence[float], maker: Sequence[int], lines: list[list[int]], rng: np.random.Generator
) -> Spread:
    """Passes pieces on from node to node: each node relays to its neighbours what is new to it."""
    arrivals: list[list[tuple[float, int]]] = [[] for _ in lines]
    had: list[set[int]] = [set() for _ in lines]
    sent = np.zeros(len(made_s), np.int64)
    queue: list[tuple[float, int, int, int, int]] = []  # s, serial, node, piece, from whom
    for piece, (at, node) in enumerate(zip(made_s, maker, strict=True)):
        heappush(queue, (at, len(queue), node, piece, node))
    serial = len(queue)
    while queue:
        now, _, node, piece, sender = heappop(queue)
        arrivals[node].append((now, piece))
        if piece in had[node]:
            continue
        had[node].add(piece)
        for other in lines[node]:
            if other == sender and sender != node:
                continue
            for _ in range(2 if rng.random() < TWICE else 1):
                tries, at = _through(now, 0 in (node, other), rng)
                sent[piece] += tries
                serial += 1
                heappush(queue, (at, serial, other, piece, node))
    return Spread(arrivals, sent)


def _through(now: float, cut: bool, rng: np.random.Generator) -> tuple[int, float]:
    """Tries that it takes, and when the one that is through arrives."""
    tries = 1
    while rng.random() < LOSS or (cut and CUT_S[0] <= now < CUT_S[1]):
        now, tries = now + AGAIN_S, tries + 1
    return tries, now + float(rng.uniform(*LATENCY_S))
