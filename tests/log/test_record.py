"""The chain: any change of any record is found, and named."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from noroshi.log import Batch, Chain, DamagedRecordError, MemoryStore, OutboxRow, Record, verified


def chain_of(count: int) -> list[Record]:
    chain = Chain()
    return [chain.link(number, "timer", b"body %d" % number) for number in range(count)]


def test_a_whole_chain_passes_also_without_bodies() -> None:
    records = chain_of(5)
    assert list(verified("x", records)) == records
    bare = [replace(record, body=None) for record in records]
    assert list(verified("x", bare)) == bare


@pytest.mark.parametrize(
    "change",
    [
        {"now_ns": 99},
        {"type": "received"},
        {"type": "nonsense"},
        {"body": b"other"},
        {"body_hash": b"h" * 32},
        {"previous": b"p" * 32},
        {"hash": b"q" * 32},
        {"sequence": 9},
    ],
)
def test_any_change_is_found_at_its_record(change: dict[str, object]) -> None:
    records = chain_of(5)
    records[2] = replace(records[2], **change)
    with pytest.raises(DamagedRecordError) as caught:
        list(verified("x", records))
    assert caught.value.sequence == 3


def test_a_missing_doubled_or_swapped_record_is_found() -> None:
    records = chain_of(5)
    for broken in (
        records[:2] + records[3:],
        [*records[:2], records[1], *records[2:]],
        [records[1], records[0], *records[2:]],
        records[1:],
    ):
        with pytest.raises(DamagedRecordError):
            list(verified("x", broken))


def test_the_memory_store_gives_rows_after_a_number() -> None:
    store = MemoryStore()
    rows = [OutboxRow("staff", number, 0, "", 0, b"%d" % number, bytes(32)) for number in (1, 2, 3)]
    store.append([Batch(tuple(chain_of(2)), tuple(rows))])
    assert [row.number for row in store.outbox("staff", 1, 10)] == [2, 3]
    assert [row.number for row in store.outbox("staff", 0, 2)] == [1, 2]
    assert store.outbox("partner:USA", 0, 10) == []
    assert [record.sequence for record in store.records(1)] == [2]
