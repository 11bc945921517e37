"""The agency's own areas: which list counts for an object, its expiry, and a newer list from our root.

An object that was first seen before the expiry keeps the list to its end, so that a warning keeps its areas; one that is
seen later is warned by the built-in regions, and the operator is told, in good time before as well.

    watch = watch_for(state, track.first_observed_ns)
"""

from __future__ import annotations

from noroshi.clock import to_iso
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import DAY_S, Lane
from noroshi.node import security, trusting
from noroshi.node.alarms import alarm, clear
from noroshi.node.state import State
from noroshi.node.work import FOR_EVER_S, MS_PER_NS, Work
from noroshi.warning.area_list import AreaList, open_areas
from noroshi.warning.watch import Watch

NEAR_NS = int(14 * DAY_S) * 10**9
"""An agency has two weeks to bring its next list."""

TIMER = "areas"
ALARM = "areas:list"


def watch_for(state: State, first_observed_ns: int) -> Watch:
    """The places and areas by which an object is warned that was first seen at this time."""
    own = state.own_watch
    if own is None or state.area_list is None or not state.area_list.holds(first_observed_ns):
        return state.watch
    return own


def list_now(state: State, now_ns: int) -> AreaList | None:
    """The agency's list, while it may be used."""
    given = state.area_list
    return given if given is not None and given.holds(now_ns) else None


def begin(work: Work) -> None:
    """Looks at the list with which the record begins, if there is one."""
    if work.state.area_list is not None:
        due(work)


def due(work: Work) -> None:
    """Tells where the list stands, and sets the timer for what comes next."""
    given = work.state.area_list
    if given is None:
        return
    if not given.holds(work.now_ns):
        _alarm(
            work, given, "expired", "area-list-expired",
            f"The area list of {given.agency} expired at {to_iso(given.expires_ns)}: new warnings name the built-in"
            " regions until a newer list is brought",
        )  # fmt: skip
    elif given.expires_ns - work.now_ns <= NEAR_NS:
        work.timer(TIMER, given.expires_ns)
        left_days = (given.expires_ns - work.now_ns) / (DAY_S * 1e9)
        _alarm(
            work, given, "near", "area-list-near-expiry",
            f"The area list of {given.agency} expires at {to_iso(given.expires_ns)}, in {left_days:.1f} days",
        )  # fmt: skip
    else:
        work.timer(TIMER, given.expires_ns - NEAR_NS)
        says = f"The area list of {given.agency}, version {given.version}, holds until {to_iso(given.expires_ns)}"
        clear(work, ALARM, says)
        _show(work, given, "good", says)


def adopt(work: Work, party: str, raw: bytes) -> None:
    """Puts a signed list in force, if it is ours, newer, usable, and not over."""
    state = work.state
    given = trusting.by_own_root(work, party, raw, open_areas, "an area list")
    if given is None:
        return
    before = state.area_list
    if given == before:
        work.duplicate()
        return
    if before is not None and given.version == before.version:
        security.contradicts(work, party, f"another area list of version {given.version}")
        return
    if before is not None and given.version < before.version:
        work.refuse(party, "stale-areas", f"version {given.version} after {before.version}")
        return
    if not given.holds(work.now_ns):
        work.refuse(
            party, "area-list-expired", f"version {given.version} expired at {to_iso(given.expires_ns)}"
        )
        return
    state.take_areas(given)
    body = {"about": "areas", "version": given.version, "before": before.version if before else 0}
    work.record("note", encode(body), FOR_EVER_S)
    due(work)


def _alarm(work: Work, given: AreaList, state: str, reason: str, says: str) -> None:
    alarm(work, ALARM, reason, says, agency=given.agency, version=given.version)
    _show(work, given, state, "")


def _show(work: Work, given: AreaList, state: str, says: str) -> None:
    work.show(
        "areas",
        says,
        lane=Lane.DECISION,
        key="areas",
        agency=given.agency,
        version=given.version,
        areas=len(given.areas),
        expires_ms=given.expires_ns // MS_PER_NS,
        state=state,
    )
