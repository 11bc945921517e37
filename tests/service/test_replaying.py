"""Replays beside a run: they find nothing in a whole record, and name what is wrong with another."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from noroshi.exercise import Coalition, entropy, play
from noroshi.log import Batch
from noroshi.service.replaying import KeptStore, Replays
from tests.exercise.playing import coalition_of, places


def run(coalition: Coalition, replays: Replays) -> None:
    play(coalition, places(), entropy=entropy(1, coalition.realm), store_for=replays.store_for)


@pytest.mark.slow
def test_a_whole_run_replays_beside_itself() -> None:
    coalition = coalition_of(duration_s=95)
    with Replays(coalition.members, places()) as replays:
        run(coalition, replays)
        assert replays.problems() == {"jpn": (), "kor": (), "usa": ()}
    batches = replays.stores["jpn"].batches
    records = [record for batch in batches for record in batch.records]
    assert records == list(replays.stores["jpn"].records())


class Forgetful(Replays):
    """Loses one record of one node on the way."""

    def store_for(self, node: str) -> KeptStore:
        store = super().store_for(node)
        if node == "usa":
            keep = store.append

            def append(batches: Sequence[Batch]) -> None:
                keep(
                    [
                        Batch(b.records if len(store.batches) != 5 else b.records[:-1], b.outbox)
                        for b in batches
                    ]
                )

            store.append = append  # type: ignore[method-assign]  # a fault on purpose
        return store


@pytest.mark.slow
def test_a_record_with_a_hole_is_named() -> None:
    coalition = coalition_of(duration_s=95)
    with Forgetful(coalition.members, places()) as replays:
        run(coalition, replays)
        problems = replays.problems()
    assert problems["jpn"] == problems["kor"] == ()
    assert "usa, record" in problems["usa"][0]


@pytest.mark.slow
def test_without_processes_the_replays_are_made_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    coalition = coalition_of(duration_s=95)
    with Replays(coalition.members, places()) as replays:
        run(coalition, replays)
        assert replays.problems() == {"jpn": (), "kor": (), "usa": ()}


@pytest.mark.slow
def test_a_run_that_fails_ends_its_replays() -> None:
    coalition = coalition_of(duration_s=95)
    replays = Replays(coalition.members, places())

    def fail() -> None:
        with replays:
            raise RuntimeError("the run failed")

    with pytest.raises(RuntimeError, match="the run failed"):
        fail()
    assert not [process for process in replays._processes if process.is_alive()]
