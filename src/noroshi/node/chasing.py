"""Acknowledgements: who is asked that a unit has understood an alert, one after the other, until somebody says so.

A unit's posts are asked in their order, then those of the unit above, and so on; a level that has nobody is named, and
when nobody is left that is an alarm. All of it is on the record, with its timers.

    chasing.begin(work, told, body)               # an alert has been signed
    chasing.go_on(work, message_id)               # the time of whoever was asked is over
    chasing.acknowledged(work, message_id, "jp-fdma", "jp-fdma.duty")
"""

from __future__ import annotations

import msgspec

from noroshi.clock import seconds
from noroshi.command.posts import Task
from noroshi.command.reach import Chase, Told, steps_for
from noroshi.messages.bodies import AlertBody
from noroshi.messages.canonical import encode
from noroshi.node import tasks
from noroshi.node.alarms import alarm, clear
from noroshi.node.reach_rows import show
from noroshi.node.state import State
from noroshi.node.work import ACTS_S, Work


def begin(work: Work, told: Told, body: AlertBody) -> None:
    state = work.state
    posts = {unit: state.posts_with("acknowledge", unit) for unit in {p.unit for p in state.posts.values()}}
    for one in body.references:  # what is superseded or over is not asked about any more
        for older in state.told.values():
            if older.identifier == one:
                state.chases.pop(older.message, None)
    chases = []
    for unit in body.recipients:
        if state.genesis.rules.receipt_within_s is msgspec.UNSET:  # a record from before anybody was chased
            _ask(work, told, body, unit, *posts.get(unit, ())[:1])
            continue
        relayed = any(word.unit == unit for word in told.words.values())
        if posts.get(unit) or not relayed:
            chases.append(Chase(unit, steps_for(state.structure, unit, posts), work.now_ns))
    if chases:
        state.chases[told.message] = chases
        go_on(work, told.message)


def go_on(work: Work, message: bytes) -> None:
    """Asks whoever is next in every chase about this message whose time has come, and sets the next time."""
    state = work.state
    body, told = state.alerts.get(message), state.told.get(message)
    chases = state.chases.get(message, [])
    if body is None or told is None or body.expires_ns <= work.now_ns:
        return
    changed = [one for one in chases if one.is_open and one.due_ns <= work.now_ns]
    for chase in changed:
        _step(work, told, body, chase)
    waiting = [one.due_ns for one in chases if one.is_open]
    if waiting:
        work.timer(f"chase:{message.hex()}", min(waiting))
    if any(len(one.asked) > 1 or not one.is_open for one in changed):
        show(work, message)


def _step(work: Work, told: Told, body: AlertBody, chase: Chase) -> None:
    """Asks the next post of a chase; levels that have none are named, and the end of the chase is an alarm."""
    state = work.state
    already = {one for many in state.chases[told.message] for one in many.asked}
    known = {row.unit for row in state.reach.rows(told.message) if row.acknowledged_ns is not None}
    while chase.place < len(chase.steps):
        unit, post = chase.steps[chase.place]
        chase.place += 1
        if not post:
            _escalation(work, told, chase, unit, "", f"nobody of {unit} can be asked here")
            continue
        if unit in known:
            chase.done_ns, chase.by = work.now_ns, post
            _escalation(work, told, chase, unit, post, f"{post}, which has the alert, is told")
            return
        if chase.asked:
            _escalation(work, told, chase, unit, post, f"{post} is asked")
        chase.asked.append((unit, post))
        chase.due_ns = work.now_ns + seconds(state.genesis.rules.approve_within_s)
        if (unit, post) not in already:
            _ask(work, told, body, unit, post)
        return
    chase.place = len(chase.steps) + 1
    who = "nobody is left to ask" if chase.asked else "no one can receive it"
    alarm(
        work, f"unacknowledged:{told.message.hex()}:{chase.unit}", "nobody-left" if chase.asked else "no-one",
        f"{told.identifier} is not acknowledged for {chase.unit}, and {who}",
        unit=chase.unit, of=told.message.hex(), detail=", ".join(post for _, post in chase.asked),
    )  # fmt: skip


def _escalation(work: Work, told: Told, chase: Chase, unit: str, post: str, says: str) -> None:
    body = {
        "about": "escalation", "of": told.message, "unit": chase.unit, "asked": unit, "post": post,
    }  # fmt: skip
    work.record("note", encode(body), ACTS_S)
    work.show(
        "escalation", f"{told.identifier} is not acknowledged for {chase.unit}: {says}", lane=1,
        of=told.message.hex(), unit=chase.unit, asked=unit, post=post,
    )  # fmt: skip


def _ask(work: Work, told: Told, body: AlertBody, unit: str, *posts: str) -> None:
    """Puts the alert before one post, where there is one."""
    state = work.state
    if not posts:
        return
    first = f"acknowledge:{told.message.hex()}:{unit}"
    tasks.add(
        work,
        Task(
            id=first if first not in state.tasks else f"{first}:{posts[0]}",
            action="acknowledge",
            duty="acknowledge",
            unit=unit,
            posts=posts,
            title=f"Acknowledge the alert {body.identifier}",
            deadline_ns=work.now_ns + seconds(state.genesis.rules.approve_within_s),
            audience=state.own_audience,
            event=told.event,
            fields={"kind": "acknowledgement", "of": told.message},
        ),
    )


def may_acknowledge(state: State, message: bytes, unit: str) -> bool:
    """Whether a unit that was not sent an alert has been asked about it in another's place."""
    return any(unit == asked for chase in state.chases.get(message, ()) for asked, _ in chase.asked)


def acknowledged(work: Work, message: bytes, unit: str, post: str) -> None:
    """A post has acknowledged: whoever was asked in the same chase need not any more."""
    head = f"acknowledge:{message.hex()}:"
    chases = work.state.chases.get(message, ())
    units = {unit}
    for chase in chases:
        if chase.done_ns is None and (chase.unit == unit or any(unit == one for one, _ in chase.asked)):
            chase.done_ns, chase.by = work.now_ns, post
            units.add(chase.unit)
            clear(work, f"unacknowledged:{message.hex()}:{chase.unit}", f"{post} has acknowledged")
    waiting = {one for chase in chases if chase.is_open for one, _ in chase.asked}
    for chase in chases:
        if chase.done_ns is not None:
            units |= {one for one, _ in chase.asked} - waiting
    for task_id in [one for one in work.state.tasks if one.startswith(head)]:
        if task_id.removeprefix(head).partition(":")[0] in units:
            tasks.close(work, task_id, "done")
