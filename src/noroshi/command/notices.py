"""Notices of planned launches and exercises: their life, who has been told, and what on the picture they explain.

A notice explains a track; it never suppresses a warning, and that there is none says nothing: no function here or
elsewhere gives a notice any weight as evidence. It is delivered to a watch only when that watch itself says so: a
ministry's word counts for the ministry. The newest step holds all of it, so steps may come late or out of order: an
older number is history.

    life_defect(held, body, origin="JPN", unit="jp-mofa")      # '' or why this step is refused
    fit(body, sight)                                            # 'fits', 'possible', or what speaks against it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt, tau
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np

from noroshi.clock import seconds
from noroshi.command.posts import Seat
from noroshi.geo.areas import Area, AreaError, RingError, circle, from_rings_deg
from noroshi.geo.geodesic import cut_long, inverse
from noroshi.messages import KINDS, Envelope, derive, label_for, seal
from noroshi.messages.bodies_notice import NoticeBody, NoticeStep
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import DAY_S
from noroshi.messages.signing import ID_BYTES

RELEASE = "transparency-notice-release"
"""The decision of the catalogue that a unit must be able to take, to give a notice."""

LONGEST_WINDOW_NS = seconds(60 * DAY_S)
"""A window of weeks is usual, for weather; one without an end would explain everything, and so nothing."""

FURTHEST_AHEAD_NS = seconds(400 * DAY_S)
"""Yearly programmes are announced; further ahead it is a mistake in the year."""

LARGEST_REACH_M = 500_000.0
"""From the middle of a launch area to its border: a ship's launch box; a whole sea would explain too much."""

MOST_OBJECTS = 100
MOST_WATCHES = 50
LONGEST_TITLE = 200

NoticeState = Literal["announced", "go", "done", "withdrawn", "expired"]

NOTICE_TABLE: Mapping[tuple[NoticeState | None, NoticeStep | Literal["expire"]], NoticeState] = (
    MappingProxyType(
        {
            (None, "announced"): "announced",
            (None, "updated"): "announced",
            (None, "go"): "go",
            (None, "withdrawn"): "withdrawn",
            ("announced", "updated"): "announced",
            ("announced", "go"): "go",
            ("announced", "done"): "done",
            ("announced", "withdrawn"): "withdrawn",
            ("announced", "expire"): "expired",
            ("go", "updated"): "announced",
            ("go", "done"): "done",
            ("go", "withdrawn"): "withdrawn",
            ("go", "expire"): "expired",
        }
    )
)
"""(state, step) -> state; None: not known here yet, since its beginning may have been missed. Others are refused."""

ASKING = frozenset({"announced", "updated", "go", "withdrawn"})
"""Steps that every watch must acknowledge; `done` changes nothing for it."""

SAYS: Mapping[str, str] = MappingProxyType(
    {
        "no-authority": "the structure gives this unit no authority to release notices",
        "not-this-posts-duty": "this post has not the duty `notify`",
        "speaks-for-another-unit": "a post gives notices of its own unit only",
        "claims-the-other-realm": "its title claims another realm than this one",
        "too-many-notices": "this partner has as many notices open as may be",
        "unknown-notice": "nothing is known of the notice that this step goes on with",
        "not-the-issuer": "only the unit that announced it may go on with it",
        "contradicts-itself": "another notice with the same number said something else",
        "older-than-known": "a step with a higher number is known already",
        "window-is-none": "the window ends before it begins",
        "window-over": "the window is over",
        "window-too-long": "the window is longer than 60 days",
        "window-too-far": "the window lies more than 400 days ahead",
        "expires-before-window": "it would expire before its window ends",
        "expired": "it has expired",
        "area-is-none": "exactly one of a polygon and a circle is needed, and it must enclose a surface",
        "area-too-large": "the launch area reaches further than 500 km from its middle",
        "no-watch": "no watch is named that must know of it",
        "unknown-unit": "a unit is named that no node serves",
        "watch-not-addressed": "a unit is named whose partner is not in the label",
        "deadline-too-late": "watches must have acknowledged before the window ends, and before now is too late",
    }
)
"""Why a notice is refused, in words for whoever gave it. A reason `notice-is-<state>` says that its life is over."""


@dataclass(slots=True)
class WatchState:
    """One watch and one step of a notice. level: how far up it was escalated; next_ns: when the next one is
    asked; alarmed: whether it is "not informed", to be seen by all.
    """

    unit: str
    next_ns: int
    acknowledged_ns: int | None = None
    post: str = ""
    level: int = 0
    alarmed: bool = False

    @property
    def told(self) -> bool:
        """Whether the watch itself has said that it knows."""
        return self.acknowledged_ns is not None


@dataclass(slots=True)
class Notice:
    """A notice as one node holds it. message: the id of its newest step, older: of those before; answer_to: who gets our
    posts' acknowledgements; read_by: units other than its watches that have said that they know; events: numbers of our
    own events that carry it, beyond: of those that would, were the announced objects not all there already.
    """

    origin: str
    body: NoticeBody
    message: bytes
    audience: frozenset[str]
    answer_to: frozenset[str]
    state: NoticeState
    expires_ns: int
    shown_ns: int
    watches: list[WatchState]
    older: list[bytes] = field(default_factory=list)
    read_by: dict[str, int] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)
    beyond: list[int] = field(default_factory=list)
    ended_ns: int = 0

    @property
    def open(self) -> bool:
        """Whether it may still explain something that is launched now."""
        return self.state in ("announced", "go")

    @property
    def uninformed(self) -> tuple[WatchState, ...]:
        """The watches that have not acknowledged its newest step."""
        return tuple(one for one in self.watches if not one.told)

    def watch(self, unit: str) -> WatchState | None:
        """The state of one watch; None for a unit that is none of its watches."""
        return next((one for one in self.watches if one.unit == unit), None)

    def acknowledged(
        self, unit: str, post: str, of: bytes, time_ns: int
    ) -> Literal["watch", "reader", "older", ""]:
        """Notes who has said that it knows: a watch of the newest step, or a unit whose word counts for no watch.

        `older` where an earlier step is meant: the watch does not know what is true now. Empty where it is no news.
        """
        if of != self.message:
            return "older"
        found = self.watch(unit)
        if found is None:
            if unit in self.read_by:
                return ""
            self.read_by = dict(sorted({**self.read_by, unit: time_ns}.items()))
            return "reader"
        if found.told:
            return ""
        found.acknowledged_ns, found.post = time_ns, post
        return "watch"


def life_defect(held: Notice | None, body: NoticeBody, *, origin: str, unit: str) -> str:
    """Why a step does not follow on what is known of its notice, or an empty text."""
    if held is None:
        return "" if (None, body.step) in NOTICE_TABLE else "unknown-notice"
    if (held.origin, held.body.unit) != (origin, unit):
        return "not-the-issuer"
    if body.number == held.body.number:
        return "contradicts-itself" if body != held.body else "older-than-known"
    if body.number < held.body.number:
        return "older-than-known"
    return "" if (held.state, body.step) in NOTICE_TABLE else f"notice-is-{held.state}"


def form_defect(body: NoticeBody, expires_ns: int, now_ns: int) -> str:
    """What in a notice cannot be meant, or an empty text; asked by its giver's node and by all that receive it."""
    if body.from_ns >= body.to_ns:
        return "window-is-none"
    if body.to_ns - body.from_ns > LONGEST_WINDOW_NS:
        return "window-too-long"
    if body.from_ns > now_ns + FURTHEST_AHEAD_NS:
        return "window-too-far"
    if body.to_ns <= now_ns and body.step in ("announced", "updated", "go"):
        return "window-over"
    if expires_ns < body.to_ns:
        return "expires-before-window"
    if expires_ns <= now_ns:
        return "expired"
    if not body.watches:
        return "no-watch"
    return _area_defect(body)


def source_defect(body: NoticeBody, now_ns: int) -> str:
    """What its giver's node asks besides: whoever receives it late cannot help that."""
    latest_ns = body.from_ns if body.step == "announced" else body.to_ns
    late = body.step in ASKING and not now_ns < body.inform_by_ns <= max(latest_ns, now_ns)
    return "deadline-too-late" if late and body.step != "withdrawn" else ""


def launch_area(body: NoticeBody) -> Area:
    """The launch area. Raises AreaError or RingError where it is none."""
    if body.circle is not None:
        return circle(body.circle.latitude_rad, body.circle.longitude_rad, body.circle.radius_m)
    rings = [[(float(np.degrees(lon)), float(np.degrees(lat))) for lat, lon in ring] for ring in body.area]
    return from_rings_deg(rings)


def _area_defect(body: NoticeBody) -> str:
    if (body.circle is None) == (not body.area):
        return "area-is-none"
    try:
        area = launch_area(body)
    except (AreaError, RingError):
        return "area-is-none"
    if area.is_empty:
        return "area-is-none"
    return "area-too-large" if _extent(area)[2] > LARGEST_REACH_M else ""


Fit = Literal["fits", "possible", "outside-window", "outside-area", "outside-azimuth"]

CLOCK_SLACK_NS = seconds(10.0)
"""Between the clocks of who launches and of who watches."""

LONGEST_ASCENT_NS = seconds(300.0)
"""From the launch to where a sensor first sees an object, where nothing better is known."""

SHALLOWEST = 3.0
"""Ground that an ascending object covers, as a multiple of its height: a flat trajectory in its first minutes."""

START_M = 30_000.0
"""And what is added to it: a low object has turned over already."""

AZIMUTH_SLACK_RAD = 0.05
"""Of a bearing: launch azimuths are announced in whole degrees, and the Earth turns beneath the flight."""

SURE_SIGMA_M = 100_000.0
"""An estimated launch point counts when it is known no worse than this."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one picture tells of an object's origin, by its own observations. Angles rad, lengths m, times UTC ns.

    position: latitude, longitude, height of the newest estimate; launch: latitude, longitude, sigma of either axis, time
    and sigma of the time in ns, where it can be told. along: where else it may be, while only directions are known.
    """

    first_observed_ns: int
    position: tuple[float, float, float]
    launch: tuple[float, float, float, int, int] | None = None
    along: tuple[tuple[float, float, float], ...] = ()


def fit(body: NoticeBody, sight: Sight) -> Fit:
    """Whether a notice may explain an object: in its window, from its area, towards its azimuths.

    `fits` where the launch itself is known well enough; `possible` while only the way from the area speaks for it.
    """
    low_ns, high_ns = sight.first_observed_ns - LONGEST_ASCENT_NS, sight.first_observed_ns
    known = sight.launch if sight.launch is not None and sight.launch[2] <= SURE_SIGMA_M else None
    if known is not None:
        low_ns, high_ns = max(low_ns, known[3] - 2 * known[4]), min(high_ns, known[3] + 2 * known[4])
    if high_ns < body.from_ns - CLOCK_SLACK_NS or low_ns > body.to_ns + CLOCK_SLACK_NS:
        return "outside-window"
    area = launch_area(body)
    verdict = _from_area(body, area, sight.position, known)
    if known is not None or verdict == "possible":
        return verdict
    return (
        "possible" if any(_from_area(body, area, one, None) == "possible" for one in sight.along) else verdict
    )


def _from_area(
    body: NoticeBody,
    area: Area,
    position: tuple[float, float, float],
    known: tuple[float, float, float, int, int] | None,
) -> Fit:
    """Whether what is at this position may come from the area, towards its azimuths. known: the launch, see `Sight`."""
    latitude, longitude, height = position
    if known is not None:
        away_m, reach_m = _away_m(area, known[0], known[1]), 2.0 * known[2]
    else:
        away_m, reach_m = _away_m(area, latitude, longitude), START_M + SHALLOWEST * max(height, 0.0)
    if away_m > reach_m:
        return "outside-area"
    middle_lat, middle_lon, border_m = _extent(area)
    far_m, bearing, _ = (float(value[0]) for value in inverse(middle_lat, middle_lon, latitude, longitude))
    if far_m > 2.0 * border_m + START_M:
        slack = AZIMUTH_SLACK_RAD + border_m / far_m
        if not _between(bearing, body.azimuth_from_rad, body.azimuth_to_rad, slack):
            return "outside-azimuth"
    return "fits" if known is not None else "possible"


def _between(azimuth: float, first: float, last: float, slack: float) -> bool:
    """Whether an azimuth lies in a range, clockwise from the first to the last, or no further than slack from it."""
    width = last - first if first <= last <= first + tau else (last - first) % tau
    if width + 2.0 * slack >= tau:
        return True
    return (azimuth - first + slack) % tau <= width + 2.0 * slack


def _away_m(area: Area, latitude_rad: float, longitude_rad: float) -> float:
    """How far a point is from an area; 0 inside."""
    if bool(area.contains(latitude_rad, longitude_rad)[0]):
        return 0.0
    border = np.concatenate(
        [np.column_stack(cut_long(ring[:, 0], ring[:, 1], 20_000.0)[:2]) for ring in area.rings]
    )
    here = np.full(len(border), latitude_rad), np.full(len(border), longitude_rad)
    return float(inverse(*here, border[:, 0], border[:, 1])[0].min())


def _extent(area: Area) -> tuple[float, float, float]:
    """The middle of an area, and how far its border reaches from there."""
    corners = np.concatenate(area.rings)
    lat, lon = corners[:, 0], corners[:, 1]
    flat = np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))).mean(axis=0)
    middle_lat = float(np.arctan2(flat[2], sqrt(flat[0] ** 2 + flat[1] ** 2)))
    middle_lon = float(np.arctan2(flat[1], flat[0]))
    here = np.full(len(lat), middle_lat), np.full(len(lat), middle_lon)
    return middle_lat, middle_lon, float(inverse(*here, lat, lon)[0].max())


def notice_id(partner: str, unit: str, name: str) -> bytes:
    """What a notice that its issuer calls `name` is called in messages: the same in all its steps."""
    return derive(b"noroshi notice", partner, unit, name)[:ID_BYTES]


def notice_message(
    seat: Seat, body: NoticeBody, partners: Iterable[str], expires_ns: int, now_ns: int
) -> bytes:
    """The signed message with which a post gives a step of a notice to its own node, for itself and these partners.

    The id follows from the content, so what is given twice counts once.
    """
    own = seat.certificate
    label = label_for({own.partner, *partners})
    identity = derive(
        seat.ids_secret, "notice", own.subject, "+".join(label.releasable_to), encode(body), expires_ns
    )
    envelope = Envelope(
        v=KINDS["notice"].since,
        realm=own.realm,
        origin=own.partner,
        node=seat.node,
        post=own.subject,
        unit=own.unit,
        id=identity[:ID_BYTES],
        kind="notice",
        time_ns=now_ns,
        time_error_ns=0,
        label=label,
        expires_ns=expires_ns,
        body=msgspec.Raw(b""),
    )
    return seal(envelope, body, own, seat.scheme, seat.secret).raw
