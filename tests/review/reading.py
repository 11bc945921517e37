"""A short real run for the reviews' tests, played once, and records made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from noroshi.exercise import Scenario, Truth, judge
from noroshi.log import Chain, Record
from noroshi.messages import Envelope, Label
from noroshi.messages.bodies import Body
from noroshi.messages.canonical import encode
from noroshi.review import Entry, Judged, Log, measure
from tests.exercise.playing import Played, coalition_of, played

SHORT_S = 150.0
"""From the start to an alert that has been acknowledged by some."""


@cache
def run(structure: str = "trilateral") -> Played:
    """The first minutes of the packaged scenario."""
    return played(coalition_of(structure=structure, duration_s=SHORT_S))


def records(node: str) -> list[Record]:
    """What one node recorded in the run."""
    return list(run().result.stores[node].records())


def judged(
    scenario: Scenario, logs: Sequence[Log], problems: Sequence[str] = (), structure: str = "trilateral"
) -> tuple[Judged, ...]:
    """The answers to a scenario's expectations from these logs."""
    return judge(scenario, logs, measure(logs), Truth(run(structure).coalition), problems)


def chained(*bodies: tuple[str, object]) -> list[Record]:
    """A whole chain of records with these types and fields, a second apart; bytes stand as they are."""
    chain = Chain()
    return [
        chain.link(number * 10**9, type_, fields if isinstance(fields, bytes) else encode(fields))
        for number, (type_, fields) in enumerate(bodies, 1)
    ]


def with_last_words(log: Log, body: Body, *, origin: str = "", type_: str = "received") -> Log:
    """The log with one more entry at its end: a message of this body."""
    said = next(entry for entry in log.entries if entry.envelope is not None)
    assert said.envelope is not None
    last = log.entries[-1]
    envelope = Envelope(
        **{name: getattr(said.envelope, name) for name in said.envelope.__struct_fields__}
        | {
            "origin": origin or log.partner,
            "id": b"last-words-here!",
            "label": Label("restricted", (log.partner,)),
        }
    )
    words = Entry(
        node=log.node,
        partner=log.partner,
        sequence=last.sequence + 1,
        now_ns=last.now_ns + 1,
        type=type_,
        accepted=True,
        reason="",
        fields={},
        envelope=envelope,
        body=body,
    )
    return replace(log, entries=(*log.entries, words))
