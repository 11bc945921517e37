"""The `areas` benchmark: how early areas are warned against how many people are warned for nothing, by granularity.

Flights with the published ranges and heights of six days, over or beside Japan; where they begin is a region, and which
way they go is drawn around a notional azimuth, so that other areas are concerned each time. Three notional radars see
them, the tracker and the rules are those of a node. Of each granularity (country, regions, places, and an agency's own
areas, here squares of a degree):

- lead time: from the first warning of an area to the moment at which the object is first abeam of one of its places that
  it truly passes within the half-width; p10 (nine areas of ten have more) and p50. What is missed has none.
- people warned, all that live in the warned areas, for each person who truly lives within the half-width of the true
  track, or within `fall_near_m` of the true fall.
- areas outside: warned, though not one of their places lies within the over-warning bound of the true track or fall: the
  half-width and two of the largest errors with which anybody is warned. It does not depend on what the tracker claims.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from noroshi.cli.benches.arcs import RADARS, look, sigmas, site_m
from noroshi.cli.benches.report import Result, result
from noroshi.clock import NS_PER_S, seconds
from noroshi.exercise.replays import bound_m
from noroshi.geo.frames import ecef_to_geodetic
from noroshi.geo.geodesic import distance_m, off_track
from noroshi.geo.places import PlaceTable, decode
from noroshi.service.resources import packaged_places
from noroshi.tracking import (
    Arc,
    TrackFilter,
    arc_fall,
    arc_state,
    free_fall_arc,
    ground_track,
    last_observation,
    radar_measurements,
)
from noroshi.tracking.prediction import predict_falls
from noroshi.warning import (
    Evidence,
    WarningRules,
    WarningState,
    apply,
    draft_of,
    fall_of,
    own_watch,
    watch_over,
)
from noroshi.warning.area_list import AreaList, OwnArea, Polygon, packed
from noroshi.warning.watch import Floats, Ints, Watch

FLIGHTS = {  # latitude, longitude, azimuth deg, range km, apogee km; ranges and heights are published, the rest notional
    "2017-08-29": (39.3, 125.8, 75.0, 2700.0, 550.0),
    "2017-09-15": (39.3, 125.8, 72.0, 3700.0, 800.0),
    "2022-03-24": (39.2, 125.7, 72.0, 1090.0, 6200.0),
    "2022-10-04": (40.6, 126.4, 84.8, 4600.0, 1000.0),
    "2022-11-03": (39.2, 125.7, 88.0, 750.0, 2000.0),
    "2023-07-12": (39.2, 125.7, 72.0, 1000.0, 6000.0),
}
AZIMUTH_SPREAD_DEG = 8.0
RUNS, QUICK_RUNS = 8, 1
QUICK_FLIGHTS = ("2017-08-29", "2022-10-04")
BETA_KGM2 = 5000.0
LOWEST_M, MAX_RANGE_M, MIN_ELEVATION_RAD = 100e3, 2.0e6, math.radians(3.0)
EAGER_S, EAGER_FOR_S, STEP_S, LONGEST_S = 1.0, 30.0, 5.0, 600.0
COURSE_STEP_S = 15.0
SQUARE_DEG = 1.0
GRANULARITIES = ("country", "regions", "places", "own areas")
START_NS = 1_900_000_000 * NS_PER_S


@dataclass
class Tally:
    """What was found of one granularity, over all flights."""

    lead_s: list[float] = field(default_factory=list)
    warned_people: int = 0
    under_people: int = 0
    outside: int = 0
    missed: int = 0
    warned: int = 0
    farthest_m: float = -math.inf


@dataclass(frozen=True)
class Truth:
    """A watch beside the true flight: per place whether it is truly concerned, when, and how far inside the bound."""

    under: np.ndarray[tuple[int], np.dtype[np.bool_]]
    at_s: Floats
    beyond_m: Floats


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark."""
    places = decode(packaged_places())
    rules = {
        "country": WarningRules(edition=2, granularity="country"),
        "regions": WarningRules(edition=2),
        "places": WarningRules(edition=2, granularity="place"),
        "own areas": WarningRules(edition=2),
    }
    watches = {name: watch_over(places, ("JP",), rules[name]) for name in GRANULARITIES[:3]}
    watches["own areas"] = own_watch(squares(places), places, "JP", rules["own areas"])
    tallies = {name: Tally() for name in GRANULARITIES}
    flights = {name: FLIGHTS[name] for name in (QUICK_FLIGHTS if quick else FLIGHTS)}
    runs = QUICK_RUNS if quick else RUNS
    for number, (name, figures) in enumerate(flights.items()):
        progress(f"areas: {name}, {runs} azimuths")
        for turn in range(runs):
            rng = np.random.default_rng([seed, number, turn])
            _play(figures, rng, watches, rules, tallies)
    count = runs * len(flights)
    return [row for name in GRANULARITIES for row in _rows(name, tallies[name], rules[name], count)]


def squares(places: PlaceTable) -> AreaList:
    """An agency's own areas: squares of a degree over Japan, as far as somebody lives in them."""
    rows = [i for i in range(len(places)) if places.region_of(i).country.alpha2 == "JP"]
    lat, lon = np.degrees(places.latitude_rad[rows]), np.degrees(places.longitude_rad[rows])
    corners = sorted({(math.floor(a), math.floor(b)) for a, b in zip(lat, lon, strict=True)})
    areas = []
    for south, west in corners:
        ring = [(south, west), (south, west + 1), (south + 1, west + 1), (south + 1, west)]
        outer = packed(np.radians(np.array(ring, np.float64) * SQUARE_DEG))
        name = f"{south} N {west} E"
        areas.append(OwnArea(id=f"{south}-{west}", name=name, polygons=(Polygon(outer),)))
    return AreaList(agency="Benchmark", version=1, expires_ns=2 * START_NS, areas=tuple(areas))


def _play(
    figures: tuple[float, ...],
    rng: np.random.Generator,
    watches: dict[str, Watch],
    rules: dict[str, WarningRules],
    tallies: dict[str, Tally],
) -> None:
    lat, lon, azimuth, range_km, apogee_km = figures
    azimuth += rng.uniform(-AZIMUTH_SPREAD_DEG, AZIMUTH_SPREAD_DEG)
    start = (math.radians(lat), math.radians(lon), math.radians(azimuth))
    arc = free_fall_arc(*start, range_km * 1e3, apogee_km * 1e3)
    truths = {name: _truth(arc, watch, rules[name]) for name, watch in watches.items()}
    states: dict[str, WarningState | None] = dict.fromkeys(watches)
    warned: dict[str, dict[str, float]] = {name: {} for name in watches}
    for now_s, track in _looks(arc, rng):
        falls = predict_falls(track.tracks)
        course, fall = ground_track(track.tracks, COURSE_STEP_S, falls=falls), fall_of(falls)
        if len(course.time_ns) < 2:
            continue
        now_ns = START_NS + seconds(now_s)
        evidence = Evidence(track.first_observed_ns, track.last_observed_ns, len(track))
        seen = last_observation(track.measurements)
        for name, watch in watches.items():
            draft = draft_of(course, fall, watch, rules[name], evidence, now_ns)
            states[name], body = apply(states[name], draft, seen, ("radar",), ("JPN",), rules[name], now_ns)
            for area in body.areas if body is not None and body.state in ("issued", "updated") else ():
                warned[name].setdefault(area.region, now_s)
    for name, watch in watches.items():
        _count(tallies[name], watch, truths[name], warned[name])


def _looks(arc: Arc, rng: np.random.Generator) -> Iterator[tuple[float, TrackFilter]]:
    """The track at each look, with the time after launch, s: each second at first, then each fifth."""
    time_s = np.arange(0.0, arc_fall(arc, BETA_KGM2).time_s, 1.0)
    seen: list[tuple[float, int, Floats]] = []
    for radar, row in enumerate(RADARS):
        at = time_s + row[4]
        at = at[at < time_s[-1]]
        state = arc_state(arc, at, BETA_KGM2)[:, :3]
        value = look(state, radar)
        up = (
            (ecef_to_geodetic(state)[2] > LOWEST_M)
            & (value[:, 2] > MIN_ELEVATION_RAD)
            & (value[:, 0] < MAX_RANGE_M)
        )
        noisy = value + rng.standard_normal(value.shape) * sigmas(radar)
        seen += [(float(at[i]), radar, noisy[i]) for i in np.flatnonzero(up)]
    seen.sort(key=lambda one: one[:2])
    track, next_s = TrackFilter(), seen[0][0] + 2.0 if seen else 0.0
    for now_s, radar, value in seen:
        if now_s > seen[0][0] + LONGEST_S:
            return
        time_ns = np.array([START_NS + seconds(now_s)])
        track.add(radar_measurements(time_ns, site_m(radar), value[None, :], sigmas(radar)))
        if now_s >= next_s:
            next_s = now_s + (EAGER_S if now_s - seen[0][0] < EAGER_FOR_S else STEP_S)
            yield now_s, track


def _truth(arc: Arc, watch: Watch, rules: WarningRules) -> Truth:
    time_s = np.arange(0.0, arc_fall(arc, BETA_KGM2).time_s, 5.0)
    lat, lon, _ = ecef_to_geodetic(arc_state(arc, time_s, BETA_KGM2)[:, :3])
    away = off_track(watch.latitude_rad, watch.longitude_rad, lat, lon)
    over_m = np.abs(away.cross_m)
    fall_m = distance_m(
        watch.latitude_rad, watch.longitude_rad, np.full(len(watch), lat[-1]), np.full(len(watch), lon[-1])
    )
    along_m = np.concatenate([[0.0], np.cumsum(distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]))])
    most_over_m, most_fall_m = bound_m(rules)
    return Truth(
        (over_m <= rules.pass_half_width_m) | (fall_m <= rules.near_m),
        np.interp(away.along_m, along_m, time_s),
        np.minimum(over_m - most_over_m, fall_m - most_fall_m),
    )


def _count(tally: Tally, watch: Watch, truth: Truth, warned: dict[str, float]) -> None:
    listed = np.array([bool(name[0]) for name in watch.names], np.bool_)
    tally.under_people += int(watch.people[truth.under].sum())
    for number, region in enumerate(watch.regions):
        rows: Ints = np.flatnonzero(watch.region == number)
        under = rows[truth.under[rows] & listed[rows]]
        at_s = warned.get(region.name)
        if at_s is not None:
            tally.warned += 1
            tally.warned_people += int(watch.people[rows].sum())
            nearest_m = float(truth.beyond_m[rows].min())
            tally.farthest_m = max(tally.farthest_m, nearest_m)
            tally.outside += nearest_m > 0.0
        if len(under):
            lead_s = float(truth.at_s[under].min()) - at_s if at_s is not None else -math.inf
            tally.missed += lead_s < 0.0
            if at_s is not None:
                tally.lead_s.append(lead_s)


def _rows(name: str, tally: Tally, rules: WarningRules, count: int) -> list[Result]:
    over_km, fall_km = (one / 1e3 for one in bound_m(rules))

    def row(measure: str, values: Sequence[float], unit: str, **more: object) -> Result:
        return result("areas", f"{name}: {measure}", values, unit, **more)  # type: ignore[arg-type]  # must, holds

    per_person = tally.warned_people / tally.under_people if tally.under_people else math.nan
    lead = tally.lead_s or [math.nan]
    return [
        row("lead time, p10", [float(np.quantile(lead, 0.1))], "s"),
        row("lead time, p50", [float(np.quantile(lead, 0.5))], "s"),
        row("people warned for one truly concerned", [per_person], "people"),
        row(f"areas warned, of {count} flights", [tally.warned], "areas"),
        row(
            f"areas outside {over_km:.0f} km of the true track and {fall_km:.0f} km of the true fall",
            [tally.outside],
            "areas",
            must="0",
            holds=lambda value, _: value == 0,
        ),
        row("areas missed", [tally.missed], "areas", must="0", holds=lambda value, _: value == 0),
    ]
