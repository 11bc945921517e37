"""Does the record stand: chains whole, replays equal, nothing lost between nodes and nothing repeated.

problems = audit({"jpn": (member, store), ...}, places)         # () when all is well
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Protocol

import msgspec

from noroshi.errors import LocalError
from noroshi.exercise.coalition import Member
from noroshi.geo.places import PlaceTable
from noroshi.log import OutboxRow, Record
from noroshi.node.core import Node
from noroshi.node.inputs import ReceiptGiven, Received, Restart, decode_input
from noroshi.sharing import CAP_GATEWAY, partner_party, stream_of
from noroshi.sharing.streams import LANES


class Reading(Protocol):
    """The half of a `Store` that a review needs."""

    def records(self, after: int = 0) -> Iterator[Record]:
        """As `Store.records`."""
        ...

    def outbox(self, party: str, after: int, limit: int) -> list[OutboxRow]:
        """As `Store.outbox`."""
        ...


AT_ONCE = 1000
"""Outbox rows read at a time."""


def audit(
    nodes: Mapping[str, tuple[Member, Reading]],
    places: PlaceTable,
    known: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Every fault found, in plain words. known: what replays that were made already have found, by node."""
    problems: list[str] = []
    for name, (member, store) in sorted(nodes.items()):
        problems += known[name] if name in known else replayed(name, member, store.records(), places)
        files = [row.key for row in _outbox(store, CAP_GATEWAY)]
        problems += [f"{name}: the alert {one} was issued twice" for one in _repeated(files)]
    for name, (member, store) in sorted(nodes.items()):
        for other, (receiver, there) in sorted(nodes.items()):
            if name != other:
                problems += _delivered(name, member, store, other, receiver, there)
    return tuple(problems)


def replayed(name: str, member: Member, records: Iterable[Record], places: PlaceTable) -> list[str]:
    """What is wrong with a node's record: its chain, or its replay."""
    last: list[Record] = []

    def watched() -> Iterator[Record]:
        for record in records:
            last[:] = [record]
            yield record

    try:
        node = Node.replay(name, watched(), member.secrets, places)
    except LocalError as error:
        return [f"{name}: {error.sentence()}"]
    return [] if node.chain.head == last[0].hash else [f"{name}: the replay ends elsewhere than the record"]


def _delivered(
    name: str, member: Member, store: Reading, other: str, receiver: Member, there: Reading
) -> list[str]:
    """What `name` sent to `other`: the rows that arrived are its rows, in order, once; what was receipted arrived."""
    return [
        f"{name} to {other}, {lane.name.lower()}: {problem}"
        for lane in LANES
        for problem in _delivered_lane(lane, member, store, receiver, there)
    ]


def _delivered_lane(
    lane: int, member: Member, store: Reading, receiver: Member, there: Reading
) -> Iterator[str]:
    party = partner_party(receiver.trigraph)
    sent = {row.number: row.data for row in _outbox(store, stream_of(party, lane))}
    here = partner_party(member.trigraph)
    arrived: dict[int, bytes] = {}
    epoch = 0
    for given in _inputs(there, "received", "restart"):
        if isinstance(given, Restart) and given.party == here:
            epoch = given.position.epoch
            arrived = {number: raw for number, raw in arrived.items() if number <= given.position.upto[lane]}
        is_row = (
            isinstance(given, Received) and (given.party, given.lane) == (here, lane) and given.number > 0
        )
        if (
            isinstance(given, Received)
            and is_row
            and arrived.setdefault(given.number, given.raw) != given.raw
        ):
            yield f"row {given.number} arrived twice, with other words"
    receipts = [
        given.position.upto[lane]
        for given in _inputs(store, "receipt")
        if isinstance(given, ReceiptGiven) and given.party == party and given.position.epoch == epoch
    ]
    if sorted(arrived) != list(range(1, len(arrived) + 1)):
        yield "rows are missing in between"
    if any(sent.get(number) != raw for number, raw in arrived.items()):
        yield "a row arrived that was not sent so"
    if max(receipts, default=0) > len(arrived):
        yield f"{max(receipts)} rows were receipted and {len(arrived)} are on the record"


def _inputs(store: Reading, *types: str) -> Iterator[object]:
    for record in store.records():
        if record.type in types and record.body is not None:
            try:
                yield decode_input(record.body)
            except msgspec.MsgspecError:
                continue  # the replay has named it already


def _outbox(store: Reading, party: str) -> Iterator[OutboxRow]:
    after = 0
    while rows := store.outbox(party, after, AT_ONCE):
        yield from rows
        after = rows[-1].number


def _repeated(keys: list[str]) -> list[str]:
    return [key for key, same in groupby(sorted(keys)) if len(list(same)) > 1]
