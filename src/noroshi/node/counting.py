"""How many objects there are: what each partner counts, what the picture holds, and where the two differ.

An occurrence is all that begins within `TOGETHER_NS` of one another. Where it has more than one object, a node tells
each audience how many its own sensors saw of what that audience may know, and shows its staff all counts with their
origin; of a partner that has said nothing its tracks are counted. The picture's own count carries its bounds. A post
corrects a count with one message, which takes the place of the first and goes to all who had it.
"""

from __future__ import annotations

from collections.abc import Iterator

from noroshi.clock import seconds
from noroshi.command.counts import Count
from noroshi.command.posts import Task
from noroshi.messages import KINDS, Message
from noroshi.messages.bodies_counts import CountBody
from noroshi.messages.canonical import encode
from noroshi.messages.signing import ID_BYTES
from noroshi.node import tasks
from noroshi.node.events import REDUCED, Event, Partners
from noroshi.node.speak import say
from noroshi.node.state import State
from noroshi.node.work import MS_PER_NS, Work

TIMER = "count"

TOGETHER_NS = seconds(120.0)
"""What begins within two minutes of what was there before is one occurrence: stages part, and salvoes go, within it."""

SETTLE_NS = seconds(1.0)
"""From a new object to the count: what opens in one second is counted together, and all is said well within 5 s."""

AGAIN_NS = seconds(2.0)
WATCHED_NS = seconds(30.0)
"""After a new object it is counted again so often and for so long: by then it is sure, or it is none."""

ASK_AFTER_NS = seconds(20.0)
"""A difference that is still there so long after the newest object is for people: what one radar sees now another sees a
moment later.
"""

ANSWER_NS = seconds(600.0)
"""How long a watch has to settle a count; it stands as it is where nobody answers."""

SURE_ROWS = 5
"""Measurements that make an object more than a false one; with fewer it counts as possible."""

TOLD_ROWS = 3
"""The first measurements that can be told to be of one object: any two fit a path."""

MAX_COUNT = 100_000
"""More objects than this nobody counts."""

MAX_KEPT = 2_000
"""Counts that are kept, the oldest go first: more occurrences than there are in a day."""


def opened(work: Work, event: Event) -> None:
    """A picture has a new object, or a partner a first sight of one: where there are several, all are counted soon."""
    state = work.state
    if REDUCED in event.audience or event.audience not in state.picture_audiences():
        return
    found = _together(state, event)
    if len(found) > 1:
        name = f"{TIMER}:{'+'.join(sorted(event.audience))}:{found[0].number}"
        work.timer(name, min(state.timers.get(name, work.now_ns + SETTLE_NS), work.now_ns + SETTLE_NS))


def due(work: Work, rest: str) -> None:
    """Counts: says to the audience what own sensors saw, if that is news, or shows our own staff all counts."""
    state = work.state
    names, _, number = rest.partition(":")
    audience = frozenset(names.split("+"))
    event = next((one for one in state.events.of(audience) if one.number == int(number)), None)
    if event is None or audience not in state.picture_audiences():
        return
    found = _together(state, event)
    if audience == state.own_audience:
        _show(work, found)
    else:
        _say(work, found)
    if work.now_ns < found[-1].known_ns + WATCHED_NS:
        work.timer(f"{TIMER}:{rest}", work.now_ns + AGAIN_NS)


def heard(work: Work, message: Message, body: CountBody) -> None:
    """A partner's count, or that of one of our own posts: shown beside the others at once."""
    state, envelope = work.state, message.envelope
    work.record("note", encode({"about": "count-heard", "partner": envelope.origin, "count": body.count}))
    audience = envelope.label.audience | {envelope.origin}
    ours = _ours(work, audience, envelope.origin, envelope.event)
    if ours is None:
        says = f"{envelope.origin} counts {body.count} objects in what this node sees nothing of"
        work.show("count", says, lane=0, partner=envelope.origin, count=body.count)
        return
    found = _together(state, ours)
    name = _name(found, envelope.origin)
    known = state.counts.get(name)
    if known is not None and known.number >= body.number:
        return
    basis = _seen(_sound(work, found), state.own) if envelope.origin == state.own else 0
    _keep(state.counts, name, Count(message.id, body.number, body.count, envelope.post, basis))
    tasks.close(work, f"{TIMER}:{body.supersedes.hex()}", "done")
    if body.supersedes:
        why = body.why.replace("-", " ") if body.why else "counted anew"
        work.show(
            "count-correction",
            f"{envelope.origin} corrects its count to {body.count}: {why}",
            lane=0,
            event=state.event_alias(found[0]).hex(),
            partner=envelope.origin,
            post=envelope.post,
            count=body.count,
            supersedes=body.supersedes.hex(),
            why=body.why,
        )
    _show(work, found)


def defect(state: State, message: Message, body: CountBody) -> str:
    """Why a count may have no effect here, or an empty text. A correction goes to all who had what it corrects."""
    envelope = message.envelope
    if not 0 <= body.least <= body.count <= body.most <= MAX_COUNT or body.number < 1:
        return "impossible-count"
    if not envelope.event or len(body.supersedes) not in (0, ID_BYTES):
        return "counts-nothing"
    if envelope.origin != state.own or not envelope.post:
        return ""
    if envelope.post not in state.posts_with("watch"):
        return "no-authority"
    if not body.supersedes:
        return ""
    if state.known.key(state.own, body.supersedes) not in state.known:
        return "corrects-nothing-known"
    had = state.given_to(state.own, body.supersedes) | {state.own}
    return "" if had <= envelope.label.audience | {state.own} else "narrower-than-what-it-corrects"


def _say(work: Work, found: list[Event]) -> None:
    """Tells an audience what our own sensors saw of what it may know; anew only when that has changed."""
    state, audience = work.state, found[0].audience
    unit = state.genesis.assessing_unit
    told = [
        one.partners for one in state.policy.audiences(unit, KINDS["count"].content) if one.edition == "full"
    ]
    if audience not in told:
        return
    sound = _sound(work, found)
    count = _seen(sound, state.own)
    name = f"{'+'.join(sorted(audience))}:{found[0].number}"
    before = state.counts_said.get(name)
    if count == (before.count if before is not None else 1) or count == 0:
        return
    ours = _own_picture(state, found[0])
    spoken = state.counts.get(_name(ours, state.own)) if ours else None
    if spoken is not None and spoken.by and spoken.basis >= count:
        return  # a post has corrected what this counts
    number = max(before.number if before else 0, spoken.number if spoken else 0) + 1
    body = CountBody(
        number=number, count=count, least=min(_firm(sound), count), most=count, supersedes=before.id if before else b""
    )  # fmt: skip
    message = say(work, "count", unit, audience, body, event=state.event_alias(found[0]))
    _keep(state.counts_said, name, Count(message.id, number, count, ""))


def _show(work: Work, found: list[Event]) -> None:
    """All counts of an occurrence of our own picture: each partner's, and the picture's with its bounds."""
    state = work.state
    sound = _sound(work, found)
    partners = sorted({name for event in sound for name in event.estimate.partners} | _stated(state, found))
    counts = {name: state.counts.get(_name(found, name)) for name in partners}
    told = {name: one.count if one is not None else _seen(sound, name) for name, one in counts.items()}
    sure, most = max(sum(1 for one in sound if one.estimate.rows >= SURE_ROWS), 1), len(sound)
    least = min(_firm(sound), sure)
    differs = len(set(told.values())) > 1
    words = ", ".join(f"{name} counts {count}" for name, count in told.items())
    held = f"{sure}" if least == most else f"{sure} ({least} to {most})"
    said = f"{'Counts differ' if differs else 'Counts agree'}: {words}; the picture holds {held}"
    if not differs:
        for stated, _ in _said_of(state, found):
            tasks.close(work, f"{TIMER}:{stated.id.hex()}", "expired")
    elif work.now_ns >= found[-1].known_ns + ASK_AFTER_NS:
        _ask(work, found, told)
    key = str(found[0].number)
    before = state.counts_shown.get(key)
    if before == said or (before is None and most == 1 and not differs):
        return
    state.counts_shown.pop(key, None)
    if len(state.counts_shown) >= MAX_KEPT:
        del state.counts_shown[next(iter(state.counts_shown))]
    state.counts_shown[key] = said
    noted = {
        "about": "count",
        "differs": differs,
        "counts": told,
        "least": least,
        "count": sure,
        "most": most,
    }
    work.record("note", encode(noted))
    work.show(
        "count",
        said,
        lane=0,
        key=f"count:{key}",
        event=state.event_alias(found[0]).hex(),
        events=[state.event_alias(one).hex() for one in found],
        differs=differs,
        partners=[
            {"partner": name, "count": told[name], "stated": one is not None, "by": one.by if one else ""}
            for name, one in counts.items()
        ],
        count=sure,
        least=least,
        most=most,
        since_ms=found[0].known_ns // MS_PER_NS,
    )


def _ask(work: Work, found: list[Event], told: dict[str, int]) -> None:
    """Asks a watch whose count differs whether to correct it: one task for each audience that was told of it."""
    state = work.state
    others = [count for name, count in told.items() if name != state.own]
    posts = state.posts_with("watch", state.genesis.assessing_unit)
    if not others or not posts or state.own not in told:
        return
    rival = min(set(others), key=lambda count: (-others.count(count), count))
    fewer = rival < told[state.own]
    for before, first in _said_of(state, found) if rival != told[state.own] else ():
        tasks.add(
            work,
            Task(
                id=f"{TIMER}:{before.id.hex()}",
                action="correct-count",
                duty="watch",
                unit=state.genesis.assessing_unit,
                posts=posts,
                title=f"Counts differ: agree to correct ours from {before.count} to {rival}, or refuse and stand by it",
                deadline_ns=work.now_ns + ANSWER_NS,
                audience=first.audience,
                event=state.event_alias(first),
                fields={
                    "kind": "count",
                    "number": before.number + 1,
                    "count": rival,
                    "ours": before.count,
                    "supersedes": before.id,
                    "why": "separated-parts" if fewer else "more-seen",
                },
            ),
        )


def _said_of(state: State, found: list[Event]) -> Iterator[tuple[Count, Event]]:
    """What was said of an occurrence of our own picture: each audience's statement, and by whose alias it was called."""
    for audience, event in found[0].known_as.items():
        theirs = _together(state, event)
        said = state.counts_said.get(f"{'+'.join(sorted(audience))}:{theirs[0].number}") if theirs else None
        if said is not None:
            yield said, theirs[0]


def _together(state: State, event: Event) -> list[Event]:
    """The events of the same audience that belong to one occurrence with this one, the first of them first."""
    found: list[Event] = []
    held = False
    for one in sorted(state.events.of(event.audience), key=lambda each: (each.known_ns, each.number)):
        if found and one.known_ns > found[-1].known_ns + TOGETHER_NS:
            if held:
                break
            found = []
        found.append(one)
        held = held or one is event
    return found


def _ours(work: Work, audience: Partners, origin: str, alias: bytes) -> Event | None:
    """The event of our own picture that an alias means; where we cannot know it, the newest that may be meant."""
    state = work.state
    known = state.events.of(audience)
    event = (
        next((one for one in known if state.event_alias(one) == alias), None)
        if origin == state.own
        else state.events.find(audience, origin, alias)
    )
    found = _own_picture(state, event) if event is not None else []
    if found:
        return found[0]
    active = state.events.active(state.own_audience)
    return active[-1] if active and active[-1].known_ns + TOGETHER_NS >= work.now_ns else None


def _own_picture(state: State, event: Event) -> list[Event]:
    """The occurrence of our own picture to which an audience's event belongs."""
    for one in state.events.of(state.own_audience):
        if one is event or one.known_as.get(event.audience) is event:
            return _together(state, one)
    return []


def _sound(work: Work, found: list[Event]) -> list[Event]:
    """Those of these objects that count. What is lost again before anything says that its rows are of one object was
    none: a row of one object that was taken for another's leaves such a picture behind.
    """
    lost_ns = work.now_ns - seconds(work.state.genesis.rules.lost_after_s)
    kept = [
        one for one in found
        if one.estimate.rows >= TOLD_ROWS
        or (one.over_ns is None and one.estimate.rows and one.estimate.filter.last_observed_ns >= lost_ns)
    ]  # fmt: skip
    return kept or found[:1]


def _seen(found: list[Event], partner: str) -> int:
    """How many of these objects a partner's sensors saw."""
    return sum(1 for one in found if partner in one.estimate.partners)


def _firm(found: list[Event]) -> int:
    """How many of these objects two partners or two kinds of sensing saw, at least 1: the rest may be nothing."""
    firm = sum(1 for one in found if len(one.estimate.partners) > 1 or len(one.estimate.sensings) > 1)
    return max(firm, 1)


def _name(found: list[Event], partner: str) -> str:
    return f"{found[0].number}:{partner}"


def _stated(state: State, found: list[Event]) -> set[str]:
    head = f"{found[0].number}:"
    return {name.removeprefix(head) for name in state.counts if name.startswith(head)}


def _keep(counts: dict[str, Count], name: str, count: Count) -> None:
    counts[name] = count
    while len(counts) > MAX_KEPT:
        del counts[next(iter(counts))]
