"""Replays of the public record: flights and timings as they were published, played with real nodes, and held together.

A replay is the packaged scenario with another start, other flights, and sensors that lose sight when the public record
says so. What noroshi says is read from the rows that each node's staff saw, and every area that was warned or told is
held against the true track: none may lie beyond the over-warning bound, which is agreed beforehand and does not depend
on what the tracker thinks of itself.

    replays = load_replays(text, "public-timings.yaml")
    scenario = as_scenario(replays.replays[0], base)
    said = moments(replay, rows_by_node, start_ns)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from noroshi.clock import NS_PER_S, from_iso
from noroshi.documents import convert, fail, parse
from noroshi.exercise.injects import SensorDown
from noroshi.exercise.parts import Part, Seconds, Trigraph
from noroshi.exercise.scenario import Flight, Scenario, World
from noroshi.exercise.world import Truth
from noroshi.geo.frames import ecef_to_geodetic
from noroshi.geo.geodesic import distance_m, off_track
from noroshi.warning import WarningRules
from noroshi.warning.lifecycle import BOUND_SIGMAS
from noroshi.warning.watch import Watch

NEVER_S = 1e9
TRACK_STEP_S = 5.0


class Reported(Part, frozen=True, kw_only=True):
    """One moment of the public record, s after the reported minute of launch."""

    after_s: Seconds
    what: Literal["alert", "passage", "fall", "end", "denial"]
    regions: str


class Replay(Part, frozen=True, kw_only=True):
    """One day. alerting: whose public was told; lost_after_s: so long after the first detection sensors go blind."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    title: str
    start: str
    duration_s: Annotated[float, Meta(gt=0.0, le=86_400.0)]
    alerting: Trigraph
    flights: tuple[Flight, ...]
    reported: tuple[Reported, ...]
    lost_after_s: Seconds | None = None


class Replays(Part, frozen=True, kw_only=True):
    """All of a file. base: the packaged scenario whose nations, sensors, posts and links they are played with."""

    schema: Literal["noroshi.replays/1"]
    base: str
    replays: Annotated[tuple[Replay, ...], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that noroshi said. after_s: after the reported minute of launch; partner: whose node said it.

    what: `detected`, `draft`, `proposed`, `warning`, `lost`, `alert`, `end`; reason: of an end.
    """

    after_s: float
    what: str
    partner: str
    regions: tuple[str, ...] = ()
    reason: str = ""


def load_replays(text: str, file: str) -> Replays:
    """The replays in a file's text. Raises InputError."""
    document = parse(text, file)
    found = convert(document, Replays)
    for index, one in enumerate(found.replays):
        try:
            from_iso(one.start)
        except ValueError:
            fail(
                document,
                ("replays", index, "start"),
                f"{one.start!r} is no time with a zone",
                "write it in UTC",
            )
        if one.id in {other.id for other in found.replays[:index]}:
            fail(document, ("replays", index, "id"), f"{one.id!r} is there twice", "give each day its own id")
    return found


def as_scenario(replay: Replay, base: Scenario) -> Scenario:
    """The day as a scenario, in a realm of its own; sensors see until the end, see `blinded`."""
    return msgspec.structs.replace(
        base,
        id=f"replay-{replay.id}",
        title=replay.title,
        start=replay.start,
        duration_s=replay.duration_s,
        world=World(flights=replay.flights),
        injects=(),
        consultations=(),
        expectations=(),
    )


def blinded(scenario: Scenario, replay: Replay, first_seen_ns: int) -> Scenario:
    """The same with all sensors blind from `lost_after_s` after the first detection on, where the day says so."""
    if replay.lost_after_s is None:
        return scenario
    at_s = (first_seen_ns - from_iso(replay.start)) / NS_PER_S + replay.lost_after_s
    down = tuple(SensorDown(id=f"blind-{one.id}", at_s=at_s, sensor=one.id) for one in scenario.sensors)
    return msgspec.structs.replace(scenario, injects=down)


def moments(
    rows: Mapping[str, Iterable[Mapping[str, Any]]], partners: Mapping[str, str], start_ns: int
) -> tuple[Moment, ...]:
    """What the nodes said, in order: the first draft, every new warning, alert and end, and each loss.

    rows: what each node's staff were shown; partners: whose node it is.
    """
    found: list[Moment] = []
    for node, shown in rows.items():
        own, drafted, known = partners[node], False, frozenset[str]()
        for row in shown:
            after_s = row["time_ms"] / 1e3 - start_ns / NS_PER_S
            names = tuple(dict.fromkeys(area["region"] for area in row.get("areas") or ()))
            match row["type"]:
                case "event" if row["step"] == "opened" and row["partner"] == own:
                    found.append(Moment(after_s, "detected", own))
                case "draft" if not (drafted and row["state"] == "draft") and row["state"] != "dropped":
                    drafted = True
                    found.append(Moment(after_s, row["state"], own, names))
                case "picture" if row["says"].startswith("Track lost"):
                    found.append(Moment(after_s, "lost", own))
                case "warning" if row["partner"] == own:
                    if row["state"] == "ended":
                        found.append(Moment(after_s, "warning ended", own, names, row["reason"]))
                    elif not set(names) <= known:
                        found.append(Moment(after_s, "warning", own, names))
                    known |= set(names)
                case "alert" if row["partner"] == own:
                    what = "end" if row["alert_type"] == "Cancel" else "alert"
                    found.append(Moment(after_s, what, own, names, row["reason"]))
    return tuple(sorted(found, key=lambda one: (one.after_s, one.partner, one.what)))


def bound_m(rules: WarningRules) -> tuple[float, float]:
    """The over-warning bound, m: from the true ground track, and from the true fall."""
    slack_m = BOUND_SIGMAS * rules.warn_sigma_m
    return rules.pass_half_width_m + slack_m, rules.near_m + slack_m


def beyond_bound(
    regions: Iterable[str], watch: Watch, truth: Truth, flights: Sequence[Flight], rules: WarningRules
) -> dict[str, float]:
    """How far, m, each of these regions lies beyond the bound, by the nearest of its places; below 0 where within.

    Where nothing flies every region is `NEVER_S` beyond.
    """
    numbers = {region.name: number for number, region in enumerate(watch.regions)}
    return {name: _beyond(watch, numbers[name], truth, flights, rules) for name in regions if name in numbers}


def _beyond(watch: Watch, region: int, truth: Truth, flights: Sequence[Flight], rules: WarningRules) -> float:
    rows = np.flatnonzero(watch.region == region)
    lat, lon = watch.latitude_rad[rows], watch.longitude_rad[rows]
    over_m, fall_m = bound_m(rules)
    best = NEVER_S
    for flight in flights:
        times = np.arange(flight.launch_s, truth.end_s(flight.id), TRACK_STEP_S)
        track_lat, track_lon, _ = ecef_to_geodetic(truth.positions_m(flight.id, times))
        away = np.abs(off_track(lat, lon, track_lat, track_lon).cross_m).min()
        fall = distance_m(lat, lon, np.full(len(lat), track_lat[-1]), np.full(len(lat), track_lon[-1])).min()
        best = min(best, float(away) - over_m, float(fall) - fall_m)
    return best
