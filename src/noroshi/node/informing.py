"""Who is told of a notice: every watch is asked for its own word, and whoever is next when it does not come.

At the watch's own node its posts are asked, then one unit above after another; at its giver's, its posts are told to
reach the watch by other means. Both raise the same alarm, which only the watch's own word ends.
"""

from __future__ import annotations

from math import degrees
from typing import Any

from noroshi.clock import seconds, to_iso
from noroshi.command.notices import Notice, WatchState, launch_area
from noroshi.command.posts import Task
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import DAY_S
from noroshi.node import alarms, tasks
from noroshi.node.state import State
from noroshi.node.work import ACTS_S, MS_PER_NS, Work

TIMER = "notice"
"""The word with which the names of its timers begin."""

ALARM = "watch-not-informed"
"""What an alarm is about, and how its name begins."""

DUTY = "notify"
"""The duty of a post that may give notices of its unit."""

SHOWN_EVERY_NS = seconds(DAY_S)
"""The staff's rows are kept for a week, a notice stands for weeks: its row is shown anew each day."""


def partner_of(state: State, unit: str) -> str:
    """The partner whose node serves a unit; empty where nobody does."""
    return state.node_partners.get(state.serving.get(unit, ""), "")


def ask(work: Work, notice: Notice, watch: WatchState) -> None:
    """Asks whoever is next for this watch, where this node serves its unit: its posts, then those of the units above."""
    state = work.state
    if partner_of(state, watch.unit) != state.own:
        return
    unit, posts = _next_posts(state, watch)
    while not posts and unit:
        says = f"Nobody at {unit} can be told of “{notice.body.title}”"
        work.show("refusal", says, party=unit, reason="no-post", detail=notice.body.notice.hex())
        watch.level += 1
        unit, posts = _next_posts(state, watch)
    if not posts:
        watch.next_ns = notice.expires_ns
        says = f"Nobody is left who could be told of “{notice.body.title}” for {watch.unit}"
        _alarm(work, notice, watch, says)
    else:
        whom = "" if watch.level == 0 else f"; {watch.unit} has not said that it knows"
        _add_task(work, notice, f"{watch.unit}:{watch.level}", unit, posts, f"Say that you know{whom}")
        note(work, notice, "asked", unit=watch.unit, asked=unit, posts=list(posts), level=watch.level)


def ask_reader(work: Work, notice: Notice, unit: str) -> None:
    """Asks a unit that is only informed to say that it has read; its word counts for no watch."""
    state = work.state
    posts = state.posts_with("acknowledge", unit) or state.posts_with("watch", unit)
    if partner_of(state, unit) == state.own and posts:
        _add_task(work, notice, f"{unit}:reader", unit, posts[:1], "Say that you have read")


def _next_posts(state: State, watch: WatchState) -> tuple[str, tuple[str, ...]]:
    """The unit and posts that this level asks: the first of the watch, its others, then one unit above after another."""
    on_watch = state.posts_with("watch", watch.unit)
    if watch.level == 0:
        return watch.unit, on_watch[:1]
    if watch.level == 1 and len(on_watch) > 1:
        return watch.unit, on_watch[1:]
    above = units_above(state, watch.unit)
    place = watch.level - (2 if len(on_watch) > 1 else 1)
    if place >= len(above):
        return "", ()
    unit = above[place]
    posts = (
        state.posts_with("watch", unit)
        or state.posts_with("acknowledge", unit)
        or state.posts_with("approve", unit)
    )
    return unit, posts[:1]


def units_above(state: State, unit: str) -> tuple[str, ...]:
    """The units of our own side over a unit, the nearest first, by the structure's lines of command."""
    found: list[str] = []
    here = unit
    while True:
        over = [
            link.from_unit
            for link in state.structure.links
            if link.type == "command" and link.to_unit == here and link.from_unit not in (unit, *found)
        ]
        over = [one for one in over if partner_of(state, one) == state.own]
        if not over:
            return tuple(found)
        here = over[0]
        found.append(here)


def escalate(work: Work, notice: Notice, watch: WatchState) -> None:
    """A deadline has passed without the watch's own word: says so as an alarm, and asks whoever is next."""
    state = work.state
    own_watch = partner_of(state, watch.unit) == state.own
    note(work, notice, "uninformed", unit=watch.unit, level=watch.level)
    watch.level += 1
    watch.next_ns = work.now_ns + seconds(state.genesis.rules.approve_within_s)
    if not watch.alarmed:
        says = f"Watch not informed: {watch.unit} has not acknowledged “{notice.body.title}”"
        _alarm(work, notice, watch, says)
    if own_watch:
        ask(work, notice, watch)
    else:
        watch.next_ns = notice.expires_ns
        posts = state.posts_with(DUTY, notice.body.unit)
        _add_task(
            work, notice, f"{watch.unit}:giver", notice.body.unit, posts, f"Reach {watch.unit} by other means"
        )
    show(work, notice, "")


def _add_task(work: Work, notice: Notice, name: str, unit: str, posts: tuple[str, ...], title: str) -> None:
    tasks.add(
        work,
        Task(
            id=f"notice:{notice.message.hex()}:{name}",
            action="acknowledge",
            duty="acknowledge",
            unit=unit,
            posts=posts,
            title=f"{title}: “{notice.body.title}” ({window(notice.body)})",
            deadline_ns=notice.expires_ns,
            audience=notice.answer_to,
            event=b"",
            fields={"kind": "acknowledgement", "of": notice.message},
        ),
    )


def is_waited_for(work: Work, notice: Notice) -> bool:
    """Whether anybody still has to know of its newest step."""
    return notice.state != "done" and work.now_ns < notice.expires_ns


def settle(work: Work, notice: Notice) -> None:
    """What was asked about this step is asked no more."""
    for task_id, task in work.state.tasks.items():
        if task.fields.get("of") == notice.message:
            tasks.close(work, task_id, "expired")
    for watch in notice.watches:
        clear(work, notice, watch.unit, f"Nobody waits any longer for {watch.unit}")


def clear(work: Work, notice: Notice, unit: str, says: str) -> None:
    """Ends the alarm about a watch, if it is raised."""
    watch = notice.watch(unit)
    if watch is not None and watch.alarmed:
        watch.alarmed = False
        alarms.clear(work, _alarm_name(notice, unit), says)


def _alarm(work: Work, notice: Notice, watch: WatchState, says: str) -> None:
    watch.alarmed = True
    about = notice.body.notice.hex()
    alarms.alarm(work, _alarm_name(notice, watch.unit), ALARM, says, about=about, unit=watch.unit)


def _alarm_name(notice: Notice, unit: str) -> str:
    return f"{ALARM}:{notice.body.notice.hex()}:{unit}"


def set_timer(work: Work, notice: Notice) -> None:
    """The next moment at which something of this notice is due; none once it is over and nobody is waited for."""
    name = f"{TIMER}:{notice.body.notice.hex()}"
    whose = notice.origin == work.state.own
    waited = [
        one.next_ns
        for one in notice.uninformed
        if is_waited_for(work, notice) and (whose or partner_of(work.state, one.unit) == work.state.own)
    ]
    if notice.open:
        waited += [notice.expires_ns, notice.shown_ns + SHOWN_EVERY_NS]
    due_ns = [at for at in waited if at > work.now_ns]
    if due_ns:
        work.timer(name, min(due_ns))
    else:
        work.state.timers.pop(name, None)


# The staff's row


def show(work: Work, notice: Notice, says: str) -> None:
    """The newest state of one notice."""
    body, state = notice.body, work.state
    notice.shown_ns = work.now_ns
    work.show(
        "notice",
        says,
        key=f"notice:{body.notice.hex()}",
        notice=body.notice.hex(),
        id=notice.message.hex(),
        number=body.number,
        partner=notice.origin,
        unit=body.unit,
        state=notice.state,
        title=body.title,
        object=body.object,
        count=body.count,
        from_ms=body.from_ns // MS_PER_NS,
        to_ms=body.to_ns // MS_PER_NS,
        expires_ms=notice.expires_ns // MS_PER_NS,
        azimuth_deg=[round(degrees(body.azimuth_from_rad), 1), round(degrees(body.azimuth_to_rad), 1)],
        rings=launch_area(body).to_rings_deg(),
        inform_by_ms=body.inform_by_ns // MS_PER_NS,
        watches=[
            {
                "unit": one.unit,
                "partner": partner_of(state, one.unit),
                "informed_ms": one.acknowledged_ns // MS_PER_NS if one.acknowledged_ns is not None else None,
                "by": one.post,
                "alarm": one.alarmed,
            }
            for one in notice.watches
        ],
        read_by=sorted(notice.read_by),
        events=[
            state.alias("event", number, state.own_audience).hex()
            for number in (*notice.events, *notice.beyond)
        ],
        beyond=[state.alias("event", number, state.own_audience).hex() for number in notice.beyond],
    )


def window(body: NoticeBody) -> str:
    """The window of a notice, in words."""
    return f"{to_iso(body.from_ns, digits=0)} to {to_iso(body.to_ns, digits=0)}"


def took_over(work: Work, notice: Notice, watch: WatchState, unit: str) -> bool:
    """Whether a unit above was asked because this watch is silent: it knows of that now, and nobody higher is asked."""
    head = f"notice:{notice.message.hex()}:{watch.unit}:"
    return unit != watch.unit and any(
        task_id.startswith(head) and task.unit == unit for task_id, task in work.state.tasks.items()
    )


def is_about(task_id: str, unit: str, what: str) -> bool:
    """Whether a task was to get a watch informed that has now said so itself."""
    return what == "watch" and task_id.startswith("notice:") and task_id.split(":")[2] == unit


def note(work: Work, notice: Notice, step: str, **fields: Any) -> None:
    """What a review must be able to tell later, on the record."""
    work.record(
        "note", encode({"about": "notice", "step": step, "notice": notice.body.notice, **fields}), ACTS_S
    )
