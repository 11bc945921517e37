"""Notices stage: takes announced launches in, asks every watch for its own word, and shows what a notice explains.

Nothing here is evidence and nothing of it reaches the warning stage: a picture with a notice and one without are warned
of alike. Who is asked, and who is next when no word comes, is in `informing`.
"""

from __future__ import annotations

import msgspec
import numpy as np

from noroshi.clock import seconds
from noroshi.command.notices import (
    ASKING,
    LONGEST_ASCENT_NS,
    NOTICE_TABLE,
    RELEASE,
    Notice,
    Sight,
    WatchState,
    fit,
    form_defect,
    life_defect,
    source_defect,
)
from noroshi.gateways.realm import check_realm_words
from noroshi.geo.frames import ecef_to_geodetic
from noroshi.messages import Envelope, Message
from noroshi.messages.bodies import AcknowledgementBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.kinds import DAY_S
from noroshi.messages.trust import REAL
from noroshi.node import groups, informing, tasks
from noroshi.node.events import Estimate, Event
from noroshi.node.outlook import Outlook
from noroshi.node.state import State
from noroshi.node.work import Work
from noroshi.tracking import TrackError, track_launch

MOST_OPEN = 500
"""Notices of one partner that are open at a time: more than any programme; each is looked at with every picture."""

SIGMAS_ALONG = 2.0
"""So far along the line of sight a notice may still explain what was seen: as for the launch."""

PLACES_ALONG = 33
"""Looked at there: nearer to one another than the reach that any of them has."""

KEPT_NS = seconds(8 * DAY_S)
"""After it has expired it is kept for so long: late answers still find what they answer."""

STEP_WORDS = {
    "announced": "announced",
    "updated": "changed what it had announced",
    "go": "said that it goes ahead today",
    "done": "said that it is done",
    "withdrawn": "withdrew",
}


def defect(state: State, message: Message, body: NoticeBody, now_ns: int) -> str:
    """Why a notice may have no effect here, or an empty text. `command.notices.SAYS` has the words."""
    envelope = message.envelope
    if body.unit != envelope.unit:
        return "speaks-for-another-unit"
    if body.unit not in state.able(RELEASE, "decide"):
        return "no-authority"
    own = envelope.origin == state.own
    post = state.posts.get(envelope.post)
    if own and (post is None or informing.DUTY not in post.duties):
        return "not-this-posts-duty"
    reason = (
        _words_defect(state, body)
        or form_defect(body, envelope.expires_ns, now_ns)
        or _addressed_defect(state, envelope, body)
        or (source_defect(body, now_ns) if own else "")
    )
    held = state.notices.get(body.notice)
    reason = reason or life_defect(held, body, origin=envelope.origin, unit=body.unit)
    if not reason and held is None:
        many = sum(one.open and one.origin == envelope.origin for one in state.notices.values())
        return "too-many-notices" if many >= MOST_OPEN else ""
    return reason


def _words_defect(state: State, body: NoticeBody) -> str:
    """A notice in an exercise may not claim to be real; a real one may well announce an exercise."""
    real = state.genesis.realm == REAL
    return "" if real or not check_realm_words(body.title, state.genesis.realm) else "claims-the-other-realm"


def _addressed_defect(state: State, envelope: Envelope, body: NoticeBody) -> str:
    told = envelope.label.audience | {envelope.origin}
    for unit in (*body.watches, *body.informed):
        partner = informing.partner_of(state, unit)
        if not partner:
            return "unknown-unit"
        if partner not in told:
            return "watch-not-addressed"
    return ""


def said(work: Work, message: Message, body: NoticeBody) -> None:
    """A step of a notice, ours or a partner's, that holds: it stands from now on, and every watch is asked."""
    state, envelope = work.state, message.envelope
    held = state.notices.get(body.notice)
    asks = body.step in ASKING
    next_ns = body.inform_by_ns
    if next_ns <= work.now_ns:  # it came late: whoever gets it now has some time as well
        next_ns = work.now_ns + seconds(state.genesis.rules.approve_within_s)
    way = frozenset((state.own,))
    if envelope.origin != state.own:
        way = frozenset(
            state.policy.route(envelope.origin, state.own, envelope.label.audience | {envelope.origin})
        )
    fresh = Notice(
        origin=envelope.origin,
        body=body,
        message=message.id,
        audience=envelope.label.audience,
        answer_to=way,
        state=NOTICE_TABLE[held.state if held is not None else None, body.step],
        expires_ns=envelope.expires_ns,
        shown_ns=work.now_ns,
        watches=[WatchState(unit, next_ns) for unit in body.watches],
    )
    if held is not None:
        fresh.older = [*held.older, held.message]
        fresh.events, fresh.beyond = held.events, held.beyond
        informing.settle(work, held)
        if not asks:
            fresh.watches, fresh.read_by = held.watches, held.read_by
    if body.step in ("done", "withdrawn"):
        fresh.ended_ns = work.now_ns
    state.notices[body.notice] = fresh
    informing.show(
        work,
        fresh,
        f"{envelope.origin}: {body.unit} {STEP_WORDS[body.step]}: “{body.title}” ({informing.window(body)})",
    )
    groups.notice(work, message, body)
    if asks:
        for watch in fresh.watches:
            informing.ask(work, fresh, watch)
        for unit in body.informed:
            informing.ask_reader(work, fresh, unit)
    informing.set_timer(work, fresh)


def find(state: State, message: bytes) -> Notice | None:
    """The notice of which this message is a step, its newest or an older one."""
    return next(
        (one for one in state.notices.values() if message == one.message or message in one.older), None
    )


def acknowledgement_defect(
    state: State, envelope: Envelope, body: AcknowledgementBody, notice: Notice
) -> str:
    """Why an acknowledgement of a notice does not count, or an empty text. For a watch only one on watch speaks."""
    if informing.partner_of(state, body.unit) not in notice.audience | {notice.origin}:
        return "not-a-recipient"
    if envelope.origin != state.own:
        return ""
    post = state.posts.get(envelope.post)
    if post is None or (notice.watch(body.unit) is not None and "watch" not in post.duties):
        return "not-this-posts-duty"
    return "" if envelope.label.audience <= notice.answer_to else "label-too-wide"


def acknowledged(work: Work, message: Message, body: AcknowledgementBody, notice: Notice) -> None:
    """A unit has said that it knows: a watch is informed by its own word, others' words count for themselves."""
    envelope = message.envelope
    what: str = notice.acknowledged(body.unit, envelope.post, body.of, envelope.time_ns)
    says = {
        "watch": f"{envelope.post} ({envelope.origin}) is informed of “{notice.body.title}”",
        "reader": f"{envelope.post} ({envelope.origin}) has read “{notice.body.title}”; that informs no watch",
        "older": f"{envelope.post} ({envelope.origin}) acknowledged an older form of “{notice.body.title}”",
    }
    for watch in notice.uninformed:
        if watch.next_ns < notice.expires_ns and informing.took_over(work, notice, watch, body.unit):
            watch.next_ns = notice.expires_ns
            what, says["over"] = "over", f"{envelope.post} knows that {watch.unit} is not informed"
    if not what:
        return
    for task_id, task in work.state.tasks.items():
        if task.fields.get("of") == body.of and (
            task.unit == body.unit or informing.is_about(task_id, body.unit, what)
        ):
            tasks.close(work, task_id, "done")
    if what == "watch":
        informing.clear(work, notice, body.unit, f"{body.unit} is informed")
        informing.note(work, notice, "informed", unit=body.unit)
    informing.show(work, notice, says[what])
    informing.set_timer(work, notice)


def due(work: Work, key: bytes) -> None:
    """A notice's timer: deadlines of watches, its expiry, its row of the day."""
    notice = work.state.notices.get(key)
    if notice is None:
        return
    if notice.open and work.now_ns >= notice.expires_ns:
        notice.state = NOTICE_TABLE[notice.state, "expire"]
        notice.ended_ns = work.now_ns
        informing.settle(work, notice)
        groups.notice_over(work, notice.body.notice)
        informing.show(work, notice, f"{notice.origin}'s notice “{notice.body.title}” has expired")
        return
    for watch in notice.uninformed:
        if informing.is_waited_for(work, notice) and watch.next_ns <= work.now_ns:
            informing.escalate(work, notice, watch)
    if work.now_ns >= notice.shown_ns + informing.SHOWN_EVERY_NS:
        informing.show(work, notice, "")
    informing.set_timer(work, notice)


def seen(work: Work, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    """Holds one of our own pictures against the notices: which of them it may carry, and which no longer."""
    first_ns = outlook.first_observed_ns
    near = [
        one
        for one in work.state.notices.values()
        if event.number in one.events
        or event.number in one.beyond
        or (
            one.open
            and one.body.from_ns - LONGEST_ASCENT_NS <= first_ns <= one.body.to_ns + 2 * LONGEST_ASCENT_NS
        )
    ]
    if not near:
        return
    sight = _sight(estimate, outlook)
    for notice in near:
        verdict = fit(notice.body, sight)
        carried = event.number in notice.events
        if verdict in ("fits", "possible"):
            if not carried:
                _attach(work, event, notice)
        elif carried or event.number in notice.beyond:
            _detach(work, event, notice, verdict)


def put_away(work: Work, origin: str, message: bytes) -> None:
    """Its giver has taken the newest step of a notice back: it is shown no more, and explains nothing."""
    notice = find(work.state, message)
    if notice is None or notice.origin != origin or notice.message != message:
        return
    informing.settle(work, notice)
    groups.notice_over(work, notice.body.notice)
    notice.body = msgspec.structs.replace(notice.body, title="(taken back)")
    notice.state, notice.ended_ns = "withdrawn", work.now_ns
    notice.events.clear()
    notice.beyond.clear()
    informing.show(work, notice, "")
    informing.set_timer(work, notice)


def prune(state: State, now_ns: int) -> None:
    """Lets go of notices that have been over for long."""
    state.notices = {
        key: one
        for key, one in state.notices.items()
        if one.open or max(one.expires_ns, one.ended_ns) + KEPT_NS >= now_ns
    }


# Events


def _sight(estimate: Estimate, outlook: Outlook) -> Sight:
    only_directions = "radar" not in estimate.sensings
    along = _along(estimate) if only_directions else ()
    try:
        launch = track_launch(estimate.filter)
    except TrackError:
        return Sight(outlook.first_observed_ns, outlook.position, along=along)
    if not launch.valid[0]:
        return Sight(outlook.first_observed_ns, outlook.position, along=along)
    covariance = launch.covariance[0]
    known = (
        float(launch.lat_rad[0]),
        float(launch.lon_rad[0]),
        float(np.sqrt(max(covariance[0, 0], covariance[1, 1]))),
        int(launch.time_ns[0]),
        seconds(float(np.sqrt(covariance[2, 2]))),
    )
    return Sight(outlook.first_observed_ns, outlook.position, known, along)


def _along(estimate: Estimate) -> tuple[tuple[float, float, float], ...]:
    """Places above the ground from end to end of an estimate's longest axis: of directions, along the line of sight."""
    tracks = estimate.filter.tracks
    spread, axes = np.linalg.eigh(tracks.covariance[0, :3, :3])
    half_m = SIGMAS_ALONG * np.sqrt(max(float(spread[-1]), 0.0)) * axes[:, -1]
    places = tracks.position_m[0] + np.linspace(-1.0, 1.0, PLACES_ALONG)[:, None] * half_m
    lat, lon, height = ecef_to_geodetic(places)
    return tuple(
        (float(lat[row]), float(lon[row]), float(height[row])) for row in np.flatnonzero(height >= 0.0)
    )


def _attach(work: Work, event: Event, notice: Notice) -> None:
    if len(notice.events) >= notice.body.count:
        if event.number not in notice.beyond:
            notice.beyond.append(event.number)
            _note_event(work, event, notice, "beyond")
            informing.show(
                work,
                notice,
                f"Event {event.number} is one more than the {notice.body.count} that “{notice.body.title}” announced",
            )
        return
    if event.number in notice.beyond:
        notice.beyond.remove(event.number)
    notice.events.append(event.number)
    _note_event(work, event, notice, "attached")
    what = f"what {notice.origin} announced: “{notice.body.title}”"
    says = f"Event {event.number} may be {what}. Warnings go on as they would"
    informing.show(work, notice, says)


def _detach(work: Work, event: Event, notice: Notice, verdict: str) -> None:
    for numbers in (notice.events, notice.beyond):
        if event.number in numbers:
            numbers.remove(event.number)
    _note_event(work, event, notice, verdict)
    words = {"outside-window": "outside its window", "outside-area": "not from its area"}
    why = words.get(verdict, "not towards its azimuths")
    informing.show(work, notice, f"Event {event.number} is not what “{notice.body.title}” announced: {why}")


def _note_event(work: Work, event: Event, notice: Notice, step: str) -> None:
    informing.note(work, notice, step, event=work.state.event_alias(event), number=event.number)
