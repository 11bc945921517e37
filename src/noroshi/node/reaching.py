"""Reach stage: an alert goes to relays and posts, receipts and acknowledgements come back, and who is silent shows.

Relays are whoever holds a certificate of that role under our own root. An alert goes to those of its recipients' units,
its end to exactly the relays that were given what it ends. A last hop without a receipt raises an alarm when its time is
over; a unit without an acknowledgement is chased: its next post, then the unit above, and no level is left out unsaid.

    reaching.issued(work, message, body)          # an alert has been signed
    reaching.delivered(work, message, body)       # a relay's receipts
    reaching.late(work, message_id)               # the time for receipts is over
"""

from __future__ import annotations

import msgspec

from noroshi.clock import seconds
from noroshi.command import readiness as tests
from noroshi.command.posts import Task
from noroshi.command.reach import Chase, Purpose, Relay, Told, Word, in_words, same_set, steps_for
from noroshi.command.relaying import keys_digest, keys_of
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody, bits_of
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.node import tasks
from noroshi.node.speak import pass_to
from noroshi.node.state import State
from noroshi.node.work import ACTS_S, MS_PER_NS, Work


def defect(state: State, message: Message) -> str:
    """Why a relay's statement does not count, or an empty text."""
    envelope, body = message.envelope, message.body
    if envelope.origin != state.own or message.signer.role != "relay":
        return "not-our-relay"
    if not envelope.label.audience <= state.own_audience:
        return "label-too-wide"
    if isinstance(body, ReadinessBody):
        return "" if body.step == "here" else "not-a-relays-word"
    if not isinstance(body, DeliveryBody):
        return "not-a-relays-word"
    if body.relay != envelope.post:
        return "speaks-for-another-relay"
    told = state.told.get(body.of)
    if told is None:
        return "delivery-of-nothing-known"
    word = told.words.get(body.relay)
    if word is None:
        return "never-given-to-it"
    return "" if body.roster == word.roster else "another-roster"


def issued(work: Work, message: Message, body: AlertBody) -> None:
    """An alert, its update or its end goes to its relays and posts."""
    state = work.state
    state.reach.sent(message.id, body.recipients, work.now_ns)
    state.alerts[message.id] = body
    purpose: Purpose = "end" if body.type == "Cancel" else "alert"
    before = tuple(one.message for one in state.told.values() if one.identifier in body.references)
    told = Told(
        message.id, body.identifier, purpose, message.raw, work.now_ns, (*body.recipients, body.unit), before,
        message.envelope.event,
    )  # fmt: skip
    state.told[message.id] = told
    for one in before if purpose == "end" else ():
        state.told[one].is_over = True
    _never_heard(work, told)
    hand_out(work, told)
    show(work, message.id)
    _chase_all(work, told, body)


def hand_out(work: Work, told: Told) -> None:
    """Puts a message before all relays that are to pass it on, and waits for their receipts."""
    timer = f"receipts:{told.message.hex()}"
    for relay in _relays_for(work, told):
        if told.given(relay, work.now_ns):
            pass_to(work, relay.name, told.raw, _LANES[told.purpose], told.message.hex())
            if timer not in work.state.timers:  # a relay that comes and goes puts no alarm off
                work.timer(timer, work.now_ns + within_ns(work.state))


_LANES = {"alert": Lane.WARNING, "end": Lane.WARNING, "test": Lane.NOTICE}


def within_ns(state: State) -> int:
    """How long a last hop may take with its receipt."""
    given = state.genesis.rules.receipt_within_s
    return seconds(tests.RECEIPT_WITHIN_S if given is msgspec.UNSET else given)


def certified(work: Work) -> frozenset[str]:
    """The names of our relays whose keys count now."""
    state = work.state
    return frozenset(one.subject for one in state.trust.valid(state.own, "relay", work.now_ns))


def _relays_for(work: Work, told: Told) -> list[Relay]:
    """An end goes to whoever was given what it ends, and to those that serve the same last hops; a test to all."""
    state, counting = work.state, certified(work)
    known = [relay for name, relay in sorted(state.relays.items()) if name in counting]
    if told.purpose == "test":
        return known
    if told.purpose == "alert":
        return [relay for relay in known if relay.unit in told.units]
    before = [state.told[one] for one in told.before if one in state.told]
    names = {name for one in before for name in one.words}
    rosters = {roster for one in before for roster in one.rosters}
    return [relay for relay in known if relay.name in names or relay.roster in rosters]


def _never_heard(work: Work, told: Told) -> None:
    """Says which relays of the recipients have a certificate and have never said that they are there."""
    state = work.state
    for one in state.trust.valid(state.own, "relay", work.now_ns):
        if one.unit in told.units and one.subject not in state.relays:
            alarm(
                work, f"relay-never-heard:{one.subject}", "relay-never-heard",
                f"The relay {one.subject} of {one.unit} has never been heard: its last hops get nothing",
                unit=one.unit, relay=one.subject,
            )  # fmt: skip


# What relays say


def here(work: Work, message: Message, body: ReadinessBody) -> bool:
    """A relay is there: it is given the keys that it lacks and what stands; whether its roster is new to us."""
    state, envelope = work.state, message.envelope
    name = envelope.post
    before = state.relays.get(name)
    new = all(one.roster != body.roster for one in state.relays.values())
    relay = Relay(name, envelope.unit, body.roster, body.hops, body.receipts, work.now_ns)
    state.relays[name] = relay
    clear(work, f"relay-never-heard:{name}", f"The relay {name} is heard")
    says = (
        f"The relay {name} of {relay.unit} serves {relay.hops} last hops ({relay.roster})"
        if before is None
        else ""
    )
    work.show(
        "relay", says, lane=1, key=f"relay:{name}", relay=name, unit=relay.unit, roster=relay.roster,
        hops=relay.hops, receipts=relay.receipts, here_ms=work.now_ns // MS_PER_NS,
    )  # fmt: skip
    bundles = all_keys(state)
    if keys_digest(bundles) != body.trust:
        _give_keys(work, name, bundles)
    tests_sent = [told for told in state.told.values() if told.purpose == "test"]
    for told in tests_sent[-1:] if name in certified(work) else ():
        hand_out(work, told)
    for told in list(state.told.values()):
        if told.purpose == "alert" and not told.is_over and told.message in state.alerts:
            expires_ns = state.alerts[told.message].expires_ns
            if expires_ns > work.now_ns and relay.unit in told.units and name in certified(work):
                hand_out(work, told)
    return new


def keys_changed(work: Work) -> None:
    """Statements of our own roots are new: relays get them, since nothing else tells them whom to believe."""
    bundles = all_keys(work.state)
    for name in sorted(certified(work).intersection(work.state.relays)):
        _give_keys(work, name, bundles)


def _give_keys(work: Work, relay: str, bundles: tuple[bytes, ...]) -> None:
    for raw in bundles:
        pass_to(work, relay, raw, Lane.WARNING)


def all_keys(state: State) -> tuple[bytes, ...]:
    """What a relay must know to check an alert: whom roots have certified, partners' too, whose warning may count."""
    return keys_of(state.trust.bundles())


def delivered(work: Work, message: Message, body: DeliveryBody) -> Told:
    """A relay's receipts: joined with what is known; the message that they are about."""
    state = work.state
    told = state.told[body.of]
    word = told.words[body.relay]
    word.hops, word.receipts = body.hops, body.receipts
    was_refused = word.refused
    silent_before = told.silent()
    told.said(body.relay, body.sequence, body.received, body.first_ns, body.last_ns, body.refused)
    if word.refused and not was_refused:
        alarm(
            work, f"not-passed-on:{body.of.hex()}:{body.relay}", "not-passed-on",
            f"The relay {body.relay} does not pass on {told.identifier}: {word.refused}",
            unit=word.unit, relay=body.relay, of=body.of.hex(), detail=word.refused,
        )  # fmt: skip
    elif was_refused and not word.refused:
        clear(work, f"not-passed-on:{body.of.hex()}:{body.relay}", f"{body.relay} passes it on")
    silent = told.silent()
    for roster in told.rosters:
        name = _silent_name(told, roster)
        if roster in silent_before and roster not in silent:
            clear(work, name, f"All last hops of {roster} have {told.identifier}")
        elif name in state.alarms and silent.get(roster) != silent_before.get(roster):
            _alarm_silent(work, told, roster, silent[roster])
    if told.purpose != "test":
        show(work, body.of)
        for end in state.told.values():
            if body.of in end.before and end.purpose == "end":
                show(work, end.message)
    return told


def late(work: Work, message: bytes) -> Told | None:
    """The time for receipts is over: names the last hops that are silent; the message, where it is known."""
    told = work.state.told.get(message)
    if told is None:
        return None
    for roster, bits in told.silent().items():
        _alarm_silent(work, told, roster, bits)
    if told.purpose != "test":
        show(work, message)
    return told


def _silent_name(told: Told, roster: str) -> str:
    return f"last-hop-silent:{told.message.hex()}:{roster}"


def _alarm_silent(work: Work, told: Told, roster: str, bits: int) -> None:
    what = "readiness-failed" if told.purpose == "test" else "last-hop-silent"
    count, hops, words = bits.bit_count(), told.hops(roster), in_words(bits)
    units = sorted({word.unit for word in told.words.values() if word.roster == roster})
    alarm(
        work, _silent_name(told, roster), what,
        f"No receipt of {told.identifier} from {count} of {hops} last hops of {roster}: {words}",
        unit=", ".join(units), roster=roster, of=told.message.hex(), count=count, hops=hops, detail=words,
    )  # fmt: skip


# Who is asked to acknowledge


def _chase_all(work: Work, told: Told, body: AlertBody) -> None:
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


# Alarms


def alarm(work: Work, name: str, what: str, says: str, **fields: str | int) -> None:
    """Raises an alarm, or changes what a raised one says. It is on the record, and stands until it is cleared."""
    if work.state.alarms.get(name) == says:
        return
    work.state.alarms[name] = says
    work.record(
        "note", encode({"about": "alarm", "name": name, "what": what, "says": says, **fields}), ACTS_S
    )
    work.show("alarm", says, lane=0, key=f"alarm:{name}", alarm=name, what=what, state="raised", **fields)


def clear(work: Work, name: str, says: str) -> None:
    """Ends an alarm, if it is raised."""
    if work.state.alarms.pop(name, None) is None:
        return
    what = name.partition(":")[0]
    work.record("note", encode({"about": "alarm-over", "name": name, "says": says}), ACTS_S)
    work.show("alarm", says, lane=1, key=f"alarm:{name}", alarm=name, what=what, state="cleared")


# The staff's row


def show(work: Work, message: bytes) -> None:
    """Who has received and acknowledged an alert, who has not, who is asked next, and of an end whether all are told."""
    state = work.state
    body, told = state.alerts.get(message), state.told.get(message)
    if body is None:
        return
    chases = state.chases.get(message, ())
    more = {} if told is None or not (told.words or chases) else _hops_fields(state, told, chases)
    work.show(
        "alert-reach",
        "",
        lane=1,
        key=f"alert-reach:{message.hex()}",
        id=message.hex(),
        identifier=body.identifier,
        recipients=[
            {
                "unit": row.unit,
                "name": state.structure.unit(row.unit).name,
                "sent_ms": row.sent_ns // MS_PER_NS,
                "received_ms": _ms(
                    (told.first_received_ns(row.unit) if told else None) or row.acknowledged_ns
                ),
                "acknowledged_ms": _ms(row.acknowledged_ns),
                "by": row.post,
            }
            for row in state.reach.rows(message)
        ],
        **more,
    )


def _hops_fields(state: State, told: Told, chases: list[Chase] | tuple[()]) -> dict[str, object]:
    silent = told.silent()
    fields: dict[str, object] = {
        "within_ms": (told.sent_ns + within_ns(state)) // MS_PER_NS,
        "rosters": [_roster_fields(told, roster, silent.get(roster, 0)) for roster in told.rosters],
        "chases": [
            {
                "unit": one.unit,
                "asked": [post for _, post in one.asked],
                "due_ms": one.due_ns // MS_PER_NS,
                "state": "done" if one.done_ns is not None else "open" if one.is_open else "nobody",
                "by": one.by,
            }
            for one in chases
        ],
    }
    if told.purpose == "end":
        fields["same"] = [
            {
                "roster": one.roster,
                "had": one.had.bit_count(),
                "ended": one.ended.bit_count(),
                "not_ended": in_words(one.not_ended),
                "only_ended": in_words(one.only_ended),
            }
            for one in same_set(told, state.told)
        ]
    return fields


def _roster_fields(told: Told, roster: str, silent: int) -> dict[str, object]:
    words: list[Word] = [one for one in told.words.values() if one.roster == roster]
    return {
        "roster": roster,
        "units": sorted({one.unit for one in words}),
        "hops": told.hops(roster),
        "received": told.union(roster).bit_count(),
        "silent": silent.bit_count(),
        "silent_hops": in_words(silent),
        "first_ms": _ms(min((one.first_ns for one in words if one.first_ns), default=None)),
        "last_ms": _ms(max((one.last_ns for one in words if one.last_ns), default=None)),
        "receipts": sorted({one.receipts for one in words}),
        "relays": [
            {"relay": one.relay, "received": bits_of(one.received).bit_count(), "refused": one.refused}
            for one in words
        ],
    }


def _ms(time_ns: int | None) -> int | None:
    return time_ns // MS_PER_NS if time_ns else None
