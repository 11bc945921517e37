"""A post asks for an alert of its own: for areas of a standing warning or, where the root allows it, for any.

The node drafts it from the approved public words, and the same posts sign it as any other. What would be wider than the
unit's authority, or than what is warned of, is refused before anybody can sign it, with the widest that would pass.
"""

from __future__ import annotations

from collections.abc import Collection

from noroshi.clock import seconds
from noroshi.command.alerts import ISSUE
from noroshi.command.scope import Narrowed, Region, narrow
from noroshi.messages import Message, Refused
from noroshi.messages.bodies import AreaRow, Ring
from noroshi.messages.bodies_alerts import AlertRequestBody
from noroshi.node import drafting, warranting
from noroshi.node.state import State
from noroshi.node.work import Work


def defect(state: State, message: Message, body: AlertRequestBody) -> Refused | None:
    """Why a post's request may have no effect, with what would pass instead, or None."""
    envelope = message.envelope
    post = state.posts.get(envelope.post)
    reason, detail = "", f"{envelope.post} for {envelope.unit}"
    if envelope.origin != state.own or envelope.label.audience - state.own_audience:
        reason = "label-too-wide" if envelope.origin == state.own else "not-this-nodes-post"
    elif body.unit != envelope.unit:
        reason = "speaks-for-another-unit"
    elif body.unit not in state.able(ISSUE, "decide"):
        reason = "no-authority"
    elif post is None or "watch" not in post.duties:
        reason = "not-this-posts-duty"
    elif warranting.templates(state) is None:
        reason = "templates-not-approved"
    else:
        warned = _warned(state, body)
        if isinstance(warned, str):
            reason = warned
        else:
            found = narrowed(state, body, warned)
            reason, detail = found.reason, f"{envelope.post}: {found.words}"
    return Refused(reason, detail) if reason else None


def asked(work: Work, message: Message, body: AlertRequestBody) -> None:
    """Drafts what was asked for; that it may be is known."""
    state, post = work.state, message.envelope.post
    desk = drafting.desk_of(work, body.unit)
    if desk is None:
        work.refuse(f"post:{post}", "no-post", f"nobody of {body.unit} could sign it")
        return
    wanted = set(body.areas)
    named = {
        number: [area for area in _stands(state, number)[0] if (area.country, area.region) in wanted]
        for number in _rests_on(state, body)
    }
    number = max(named, key=lambda one: (len(named[one]), one > 0, -one), default=0)
    is_warned = bool(named.get(number))
    if is_warned:
        areas, rings = named[number], _stands(state, number)[1]
    else:
        areas = [_area(work, body, region) for region in dict.fromkeys(body.areas)]
        number, rings = drafting.number_without_event(state), []
    draft = drafting.draft_alert(work, desk, number, areas, rings)
    if draft is not None:
        names = ", ".join(dict.fromkeys(area.region for area in areas))
        matter = state.hazard_matters.get(number)
        why = f"the word of {matter.cited.agency}" if matter is not None else "the standing warning"
        why = why if is_warned else "no warning"
        work.show(
            "alert-request", f"{post} asked for an alert for {names}, on {why}", lane=1, unit=body.unit, post=post,
            identifier=draft.body.identifier, regions=[area.region for area in areas],
        )  # fmt: skip


def narrowed(state: State, body: AlertRequestBody, warned: Collection[Region] | None) -> Narrowed:
    """What of the request may be alerted, and why not all of it."""
    known = {(region.country, region.name) for region in state.watch.regions}
    held = drafting.scope_for(state, body.unit)
    found = narrow(body.areas, held, warned)
    if not found.reason and warned is None and not known.issuperset(body.areas):
        passing = tuple(one for one in body.areas if one in known)
        return Narrowed(passing, "unknown-region")
    return found


def _rests_on(state: State, body: AlertRequestBody) -> list[int]:
    """The own events with a standing warning, and the hazards of other agencies that the rules of our nation cover, that
    a request may rest on: the one it names, else all.
    """
    found = []
    for number, warning in state.warned.items():
        event = state.events.get(state.own_audience, number)
        if warning.valid_until_ns >= state.now_ns and body.event in (b"", state.event_alias(event)):
            found.append(number)
    for number, matter in state.hazard_matters.items():
        named = body.event in (b"", drafting.alias_of(state, number))
        stands = matter.is_open and matter.until_ns > state.now_ns and not warranting.is_held(state, matter)
        if named and stands and matter.concerns(body.unit):
            found.append(number)
    return found


def _stands(state: State, number: int) -> tuple[list[AreaRow], list[Ring]]:
    """The areas and the outlines that are warned of, by ourselves or by another agency."""
    if number in state.warned:
        return state.warned[number].areas, state.warned[number].corridor
    matter = state.hazard_matters[number]
    return matter.areas, matter.rings


def _warned(state: State, body: AlertRequestBody) -> frozenset[Region] | str | None:
    """The regions that are warned of; None where a person may alert without a warning; or why neither."""
    regions = {
        (area.country, area.region) for number in _rests_on(state, body) for area in _stands(state, number)[0]
    }
    alone = not body.event and warranting.rules(state).without_warning
    if regions and (not alone or not regions.isdisjoint(body.areas)):
        return frozenset(regions)
    return None if alone else "no-warning"


def _area(work: Work, body: AlertRequestBody, region: Region) -> AreaRow:
    """An area of which nothing is predicted: its probability is 0, its time from now until the alert runs out."""
    state, watch = work.state, work.state.watch
    country, name = region
    place = next(i for i, one in enumerate(watch.regions) if (one.country, one.name) == region)
    row = watch.regions[place]
    people = int(watch.people[watch.region == place].sum())
    expires_ns = work.now_ns + seconds(state.genesis.rules.alert_expires_s)
    return AreaRow(
        kind=body.kind, region=name, country=country, probability=0.0, from_ns=work.now_ns, to_ns=expires_ns,
        people=people, places=[], region_ja=row.name_ja, region_ko=row.name_ko,
    )  # fmt: skip
