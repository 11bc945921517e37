"""What each step of a plan does at a table.

for at_ns, what in happenings(step): ...       # what.act(table, what.step), at that time after the start
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from noroshi.clock import seconds
from noroshi.exercise.draws import uniform
from noroshi.messages import derive, label_for
from noroshi.messages.bodies import DecisionBody, RecallBody, ReleaseBody, RemarkBody, TrackBody
from noroshi.messages.kinds import Lane
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import (
    CheckpointGiven,
    ClockStepped,
    Control,
    Detections,
    LinkChanged,
    ReceiptGiven,
    Received,
    Restart,
    Retention,
    TimerDue,
)
from noroshi.sharing import partner_party
from noroshi.sharing.policy import sign
from noroshi.sharing.streams import EMPTY_HEAD
from tests.leaks.plan import SETTINGS, Step
from tests.leaks.voices import SCHEME, apart, by_node, other_terms, policy_of, said
from tests.simulation.coalition import CONSULT, COUNCIL, SIGMA, START_NS, seen_from

if TYPE_CHECKING:
    from tests.leaks.table import Table

FLIGHT_SINCE_S = 60.0
"""How long the flight has been under way when a run begins."""

BURST = 8
TURN_RAD = 6.283185307179586
OVERTAKEN_S = (0.2, 0.4)
"""After the line is cut: when the new policy comes, and when the line is whole again."""

MAX_STEP_S = 2.0


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing done at a table; hidden: only in the first run of a pair."""

    act: Callable[[Table, Any], None]
    step: Any
    hidden: bool


Act = Callable[["Table", Step], None]


def happenings(step: Step) -> list[tuple[int, Happening]]:
    """All that a step does, with the times since the start, ns."""
    if step.kind == "cut":
        whole_ns = step.at_ns + seconds(step.for_s)
        return [(step.at_ns, Happening(_cut, step, False)), (whole_ns, Happening(_heal, step, False))]
    if step.kind == "overtaken":
        policy_ns, whole_ns = (step.at_ns + seconds(after_s) for after_s in OVERTAKEN_S)
        return [
            (step.at_ns, Happening(_cut_looker, step, False)),
            (step.at_ns + 1, Happening(_for_the_looker, step, True)),
            (policy_ns, Happening(_deny_the_looker, step, False)),
            (whole_ns, Happening(_heal_looker, step, False)),
        ]
    return [(step.at_ns, Happening(_ACTS[step.kind], step, step.hidden))]


# --- what posts say ------------------------------------------------------------------------------------------------


def _audience(table: Table, step: Step) -> tuple[str, ...]:
    """Whom words are for: the drawn partners, and the one who looks exactly where nothing is hidden."""
    own = table.place(step.by).member.partner
    names = {own, *(table.place(place).member.partner for place in step.to)}
    return tuple(sorted(names - {table.looker} if step.hidden else names | {table.looker}))


def _say(table: Table, step: Step, audience: tuple[str, ...], part: int = 0) -> None:
    member = table.place(step.by).member
    name = f"remark {step.number}.{part}"
    rank = "confidential" if uniform(table.plan.key, "rank", step.number) < 0.1 else "restricted"
    now_ns = table.local_ns(member.partner)
    body = RemarkBody(unit=f"{member.node}-gov", text=name)
    identity, raw = said(member, "remark", body, audience, now_ns, name, rank)
    if not (step.hidden and table.looker in audience):  # what a new policy takes back is not recalled
        table.said.setdefault((member.partner, step.hidden), []).append((identity, raw, audience))
    table.hand_in(member.partner, raw)


def _remark(table: Table, step: Step) -> None:
    _say(table, step, _audience(table, step))


def _burst(table: Table, step: Step) -> None:
    for part in range(BURST):
        _say(table, step, _audience(table, step), part)


def _own(table: Table, step: Step) -> None:
    _say(table, step, (table.place(step.by).member.partner,))


def _request(table: Table, step: Step) -> None:
    member = table.place(step.by).member
    if member.partner not in table.plan.coalition.council:
        _remark(table, step)
        return
    body = DecisionBody(
        case=derive(table.plan.key, "case", step.number)[:ID_BYTES],
        decision=CONSULT,
        step="request",
        unit=f"{member.node}-gov",
        body=COUNCIL,
    )
    now_ns = table.local_ns(member.partner)
    _, raw = said(member, "decision", body, table.plan.coalition.council, now_ns, f"request {step.number}")
    table.hand_in(member.partner, raw)


def _recall(table: Table, step: Step) -> None:
    """The newest remark of this node that is hidden, or open, is taken back; or its label raised."""
    member = table.place(step.by).member
    known = table.said.get((member.partner, step.hidden))
    if not known:
        return
    identity, original, audience = known[-1]
    raised = uniform(table.plan.key, "raised", step.number) < 0.4
    kept = [
        p for p in audience if p == member.partner or uniform(table.plan.key, "kept", step.number, p) < 0.5
    ]
    body = RecallBody(
        of=identity,
        step="ask",
        original=original if raised else b"",
        label=label_for(kept, "confidential" if len(kept) == len(audience) else "restricted")
        if raised
        else None,
    )
    now_ns = table.local_ns(member.partner)
    _, raw = said(member, "recall", body, (member.partner,), now_ns, f"recall {step.number}")
    table.hand_in(member.partner, raw)


def _release(table: Table, step: Step) -> None:
    """A post releases something of its own side to one partner, who would not get it otherwise."""
    member, whom = table.place(step.by).member, table.place(step.whom).member
    known = table.said.get((member.partner, True)) or table.said.get((member.partner, False))
    if not known or whom.partner == table.looker:
        return
    identity, original, _ = known[-1]
    body = ReleaseBody(of=identity, original=original, partner=whom.partner)
    now_ns = table.local_ns(member.partner)
    _, raw = said(member, "release", body, (member.partner,), now_ns, f"release {step.number}")
    table.hand_in(member.partner, raw)


# --- what radars see -----------------------------------------------------------------------------------------------


def _look(table: Table, step: Step) -> None:
    member = table.place(step.by).member
    number = table.feeds[member.partner] = table.feeds[member.partner] + 1
    # To a tenth of a second, so that the flight is computed once for many runs.
    seen = seen_from(step.by, FLIGHT_SINCE_S + round(step.at_ns / 1e9, 1))
    noise = [2.0 * uniform(table.plan.key, "noise", step.number, axis) - 1.0 for axis in range(3)]
    value = [v + n * s for v, n, s in zip(seen, noise, SIGMA, strict=True)]
    batch = Detections(
        feed=f"feed {member.node}",
        sequence=number,
        sensor=member.genesis.sensors[0].id,
        time_ns=(table.local_ns(member.partner),),
        value=((value[0], value[1] % TURN_RAD, value[2]),),
    )
    table.give(member.partner, batch)


# --- policies ------------------------------------------------------------------------------------------------------


def _policy(table: Table, step: Step) -> None:
    """A policy that a root has signed: any where nothing is hidden, else one about a partner who is apart."""
    seat = table.place(step.by)
    now = seat.node.state.release_policy
    version = _version(table)
    if step.hidden:
        whom = apart(now, table.looker)
        if not whom:
            raw = sign(msgspec.structs.replace(now, version=version), SCHEME, seat.member.secrets.signing)
        else:
            raw = sign(other_terms(now, whom, version), SCHEME, seat.member.root)
    else:
        key, number = table.plan.key, step.number
        setting = SETTINGS[int((1.0 - uniform(key, "new setting", number)) * len(SETTINGS))]
        policy = policy_of(setting, key, table.plan.coalition, step.by, version, f"then {number}")
        raw = sign(policy, SCHEME, seat.member.root)
    table.give(seat.member.partner, Control(party="control:hand", raw=raw))


def _version(table: Table) -> int:
    """A version above those of all policies before: milliseconds since the start."""
    return 2 + (table.now_ns - START_NS) // 1_000_000


def _cut_looker(table: Table, step: Step) -> None:
    for pair in _looker_lines(table):
        table.cuts[pair] += 1


def _heal_looker(table: Table, step: Step) -> None:
    for pair in _looker_lines(table):
        table.heal(pair)


def _looker_lines(table: Table) -> list[frozenset[str]]:
    wires = (frozenset(pair) for pair in table.plan.coalition.wires)
    return [pair for pair in wires if table.looker in pair]


def _for_the_looker(table: Table, step: Step) -> None:
    own = table.place(step.by).member.partner
    _say(table, step, tuple(sorted((own, table.looker))))


def _deny_the_looker(table: Table, step: Step) -> None:
    seat = table.place(step.by)
    whom = next(
        place for place, one in enumerate(table.plan.coalition.members) if one.partner == table.looker
    )
    base = policy_of("none", table.plan.key, table.plan.coalition, step.by, _version(table), "")
    terms = msgspec.structs.replace(base.partners[table.looker], highest="unclassified")
    assert table.place(whom).member.partner == table.looker
    policy = msgspec.structs.replace(base, partners={**base.partners, table.looker: terms})
    table.give(seat.member.partner, Control(party="control:hand", raw=sign(policy, SCHEME, seat.member.root)))


# --- lines, clocks, processes --------------------------------------------------------------------------------------


def _line(table: Table, step: Step) -> frozenset[str]:
    wires = table.plan.coalition.wires
    return frozenset(wires[(step.by * 7 + step.whom) % len(wires)])


def _cut(table: Table, step: Step) -> None:
    table.cuts[_line(table, step)] += 1


def _heal(table: Table, step: Step) -> None:
    table.heal(_line(table, step))


def _step_clock(table: Table, step: Step) -> None:
    """A node's clock is stepped; its node is told at once, as a shell does."""
    seat = table.place(step.by)
    by_ns = seconds(MAX_STEP_S * (2.0 * uniform(table.plan.key, "stepped", step.number) - 1.0))
    seat.off_ns += by_ns
    table.give(seat.member.partner, ClockStepped(by_ns=by_ns, error_ns=abs(by_ns) // 10))


def _again(table: Table, step: Step) -> None:
    fresh = uniform(table.plan.key, "fresh", step.number) < 0.6
    table.seated_again(table.place(step.by).member.partner, fresh=fresh)


def _retention(table: Table, step: Step) -> None:
    seat = table.place(step.by)
    seat.store.keep(seat.node.snapshot())
    given = Retention(before_ns=table.local_ns(seat.member.partner), upto_sequence=seat.node.chain.sequence)
    table.give(seat.member.partner, given)


def _link(table: Table, step: Step) -> None:
    member, whom = table.place(step.by).member, table.place(step.whom).member
    draw = uniform(table.plan.key, "link", step.number)
    for state in ("up", "silent", "down")[: 1 + int(2.99 * draw)]:
        given = LinkChanged(party=partner_party(whom.partner), state=state, offset_s=draw)  # type: ignore[arg-type]  # its words
        table.give(member.partner, given)


def _early(table: Table, step: Step) -> None:
    """Timers that are not due, or not there."""
    seat = table.place(step.by)
    for name in (*sorted(seat.node.state.timers)[:3], "look:nobody:1", "task:none", "decision:00"):
        if seat.node.state.timers.get(name, 1 << 62) > table.local_ns(seat.member.partner):
            table.give(seat.member.partner, TimerDue(name=name))


# --- what is refused -----------------------------------------------------------------------------------------------


def _receipt(table: Table, step: Step) -> None:
    """Receipts, checkpoints and restarts that are repeated, forged or lost."""
    seat, whom = table.place(step.by), table.place(step.whom)
    own, other = seat.member.partner, whom.member.partner
    party = whom.party
    sent, bad = seat.node.sent(party), bytes(64)
    ahead = sent.at(Lane.NOTICE, sent.upto[Lane.NOTICE] + 1, EMPTY_HEAD)
    real = whom.node.checkpoint(seat.party)
    given = (
        ReceiptGiven(party=party, position=sent, signature=bad),
        ReceiptGiven(party=party, position=ahead, signature=bad),
        CheckpointGiven(party=party, position=real.position, signature=bad),
        CheckpointGiven(party=party, position=real.position, signature=real.signature),
        Restart(party=party, position=ahead),
        ReceiptGiven(party=partner_party("ZZZ"), position=sent, signature=bad),
    )
    table.give(own, given[_drawn(table, step, "receipt", len(given))])
    if uniform(table.plan.key, "lossy", step.number) < 0.5:
        table.lossy.add((own, other))


def _unknown(table: Table, step: Step) -> None:
    """A message of a kind of a newer version, by a genuine key."""
    member, whom = table.place(step.by).member, table.place(step.whom).member
    if not table.joined(member.partner, whom.partner):
        return
    audience = (member.partner, whom.partner) if step.hidden else (member.partner, whom.partner, table.looker)
    now_ns = table.local_ns(member.partner)
    raw = by_node(whom, "horoscope", msgspec.Raw(b"\x80"), audience, now_ns, f"unknown {step.number}")
    table.bring(member.partner, whom.partner, raw, Lane.NOTICE)


def _garbage(table: Table, step: Step) -> None:
    """What a partner, a post, a feed or a hand brings, and is refused. Hidden: not by the partner who looks."""
    here = table.place(step.by).member
    whom = table.place(step.whom).member if step.hidden else table.place(table.plan.looker).member
    if whom is here or not table.joined(here.partner, whom.partner):
        _garbage_at_home(table, step)
        return
    _GARBAGE[_drawn(table, step, "garbage", len(_GARBAGE))](table, step, here.partner, whom.partner)


def _garbage_at_home(table: Table, step: Step) -> None:
    member = table.place(step.by).member
    now_ns = table.local_ns(member.partner)
    raw = said(
        member, "remark", RemarkBody(unit="x", text="x"), (member.partner,), now_ns, f"bad {step.number}"
    )[1]
    look = Detections(
        feed="other", sequence=1, sensor="nobody's", time_ns=(now_ns,), value=((1.0, 0.0, 0.0),)
    )
    given = (
        Received(party="post:nobody", number=0, raw=raw),
        Received(party=f"post:{member.node}-gov.duty", number=0, raw=raw),
        Received(party=f"post:{member.node}-gov.watch", number=0, raw=raw[:-3]),
        look,
        msgspec.structs.replace(look, sensor=member.genesis.sensors[0].id, time_ns=()),
        msgspec.structs.replace(look, sensor=member.genesis.sensors[0].id, time_ns=(now_ns + seconds(60.0),)),
        Control(party="control:hand", raw=b"\x93\x01"),
        Control(party="partner:ZZZ", raw=raw),
        Retention(before_ns=now_ns + seconds(60.0), upto_sequence=1),
    )
    table.give(member.partner, given[_drawn(table, step, "at home", len(given))])


def _words(table: Table, step: Step, whom: str, audience: tuple[str, ...]) -> bytes:
    """A genuine remark of a partner's post that its own node never saw."""
    member = table.seats[whom].member
    body = RemarkBody(unit=f"{member.node}-gov", text=f"slipped in {step.number}")
    return said(member, "remark", body, audience, table.local_ns(whom), f"slipped in {step.number}")[1]


def _noise(table: Table, step: Step, here: str, whom: str) -> None:
    raw = derive(table.plan.key, "noise bytes", step.number) * 3
    table.bring(here, whom, raw, _drawn(table, step, "lane", 4))


def _out_of_order(table: Table, step: Step, here: str, whom: str) -> None:
    table.bring(here, whom, _words(table, step, whom, (here, whom)), Lane.NOTICE, ahead=5)


def _no_lane(table: Table, step: Step, here: str, whom: str) -> None:
    table.give(here, Received(party=partner_party(whom), number=1, raw=b"x", lane=9))


def _repeated(table: Table, step: Step, here: str, whom: str) -> None:
    table.give(here, Received(party=partner_party(whom), number=1, raw=b"x", lane=Lane.WARNING))


def _broken_seal(table: Table, step: Step, here: str, whom: str) -> None:
    raw = _words(table, step, whom, (here, whom, table.looker))
    table.bring(here, whom, raw[:-1] + bytes((raw[-1] ^ 1,)), Lane.NOTICE)


def _wrong_lane(table: Table, step: Step, here: str, whom: str) -> None:
    table.bring(here, whom, _words(table, step, whom, (here, whom, table.looker)), Lane.WARNING)


def _not_for_us(table: Table, step: Step, here: str, whom: str) -> None:
    table.bring(here, whom, _words(table, step, whom, (whom, table.looker)), Lane.NOTICE)


def _came_back(table: Table, step: Step, here: str, whom: str) -> None:
    table.bring(here, whom, _words(table, step, here, (here, whom, table.looker)), Lane.NOTICE)


def _impossible(table: Table, step: Step, here: str, whom: str) -> None:
    """Increments that no radar measures, and such as come too late."""
    now_ns = table.local_ns(here) - (seconds(7200.0) if step.number % 2 else 0)
    body = TrackBody(
        track=b"t" * 16,
        sequence=1,
        from_ns=now_ns,
        to_ns=now_ns,
        sensing="radar",
        source="x",
        time_ns=[now_ns],
        site_m=[[6.4e6, 0.0, 0.0]],
        value=[[1e5, 1.0, 0.5]],
        sigma=[[0.0, 1e-3, 1e-3] if step.number % 3 else [50.0, 1e-3, 1e-3]],
        clock_sigma_s=[0.05],
    )
    member = table.seats[whom].member
    raw = by_node(
        member,
        "track",
        body,
        (here, whom),
        table.local_ns(here),
        f"impossible {step.number}",
        unit=member.genesis.sensors[0].unit,
        event=b"e" * 16,
    )
    table.bring(here, whom, raw, Lane.TRACK)


def _at_home(table: Table, step: Step, here: str, whom: str) -> None:
    _garbage_at_home(table, step)


_GARBAGE = (
    _noise, _out_of_order, _no_lane, _repeated, _broken_seal, _wrong_lane, _not_for_us, _came_back, _impossible,
    _at_home,
)  # fmt: skip


def _drawn(table: Table, step: Step, what: str, below: int) -> int:
    return int((1.0 - uniform(table.plan.key, what, step.number)) * below)


_ACTS: Mapping[str, Act] = MappingProxyType(
    {
        "remark": _remark,
        "burst": _burst,
        "own": _own,
        "request": _request,
        "look": _look,
        "policy": _policy,
        "recall": _recall,
        "release": _release,
        "garbage": _garbage,
        "step": _step_clock,
        "restart": _again,
        "retention": _retention,
        "link": _link,
        "receipt": _receipt,
        "unknown": _unknown,
        "early": _early,
    }
)
