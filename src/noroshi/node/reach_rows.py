"""The staff's row on one alert: who has received it, who has read it, who has not, who is asked next.

show(work, message_id)
"""

from __future__ import annotations

import msgspec

from noroshi.clock import seconds
from noroshi.command import readiness as tests
from noroshi.command.reach import Chase, Told, Word, in_words, lacking, same_set
from noroshi.messages.bodies_reach import bits_of
from noroshi.node.state import State
from noroshi.node.work import MS_PER_NS, Work


def within_ns(state: State) -> int:
    """How long a last hop may take with its receipt."""
    given = state.genesis.rules.receipt_within_s
    return seconds(tests.RECEIPT_WITHIN_S if given is msgspec.UNSET else given)


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
    silent = lacking(told, state.told)
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
    signed = told.signed(roster)
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
        "signed": signed.bit_count(),
        "vouched": (told.union(roster) & ~signed).bit_count(),
        "shown": sum(one.shown for one in words if not one.is_doubted),
        "not_proven": sorted(one.relay for one in words if one.is_doubted),
        "relays": [
            {"relay": one.relay, "received": bits_of(one.received).bit_count(), "refused": one.refused}
            for one in words
        ],
    }


def _ms(time_ns: int | None) -> int | None:
    return time_ns // MS_PER_NS if time_ns else None
