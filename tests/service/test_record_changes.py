"""Rows are put by statements of several sizes: whatever their number, all of them are there, in order, as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from noroshi.service.record_changes import TOGETHER
from tests.service.record_batches import TRACKS, Author, opened


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, TOGETHER[0] - 1, 2 * TOGETHER[0] + 3])
def test_any_number_of_rows_is_put_in_order(tmp_path: Path, count: int) -> None:
    author = Author()
    batches = [author.batch(number) for number in range(1, count + 1)]
    with opened(tmp_path / "record.db") as store:
        store.append(batches)
        assert list(store.records()) == [record for batch in batches for record in batch.records]
        rows = [row for batch in batches for row in batch.outbox]
        for stream in {row.stream for row in rows} | {TRACKS}:
            assert store.outbox(stream, 0, 1000) == [row for row in rows if row.stream == stream]
