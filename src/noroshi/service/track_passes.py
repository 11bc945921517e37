"""A file of detections, followed once; where its sensors do not agree, looked through again and followed corrected.

Rules: where nothing is in doubt there is one pass, and its answer stands. A bias is taken out only where one sensor
alone can be the wrong one; then the whole file has told what it is, also for its first rows. Where several can be, rows
stay as they came, and each of these sensors is taken to be off by as much as it would be.

    followed = follow(Path("detections.jsonl"), sensors)
    followed.answer, followed.findings, followed.corrected
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noroshi.service.detection_file import DEFAULT_LAG_S, DetectionReading
from noroshi.service.detection_rows import DetectionBlock
from noroshi.service.track_findings import bias_document, biases_of, findings_of
from noroshi.service.track_registration import OwnPictures, Registration, in_doubt
from noroshi.service.track_run import RunAnswer, TrackRun
from noroshi.tracking.sensors import Sensor

Watch = Callable[[str, int, int], None]
"""Told what is being done, how many rows are read and the time that they have come to, ns."""


@dataclass(frozen=True, eq=False)
class Followed:
    """What came of a file. findings: see `findings_of`; corrected: what was taken out of the rows."""

    answer: RunAnswer
    findings: list[dict[str, Any]]
    corrected: list[dict[str, Any]]


def follow(
    path: Path,
    sensors: Sequence[Sensor],
    *,
    history_s: float | None = None,
    lag_s: float = DEFAULT_LAG_S,
    as_measured: bool = False,
    watch: Watch | None = None,
) -> Followed:
    """Follows the rows of a file. as_measured: biases are found but not taken out. Raises InputError.

    What is no regular file can be read once only: there biases are found from the first pass, and not taken out.
    """
    passes = _Passes(path, sensors, lag_s, watch)
    first = TrackRun(sensors, history_s=history_s)
    answer = passes.over(first, "following")
    biases = biases_of(answer, sensors)
    if not (biases or in_doubt(answer, sensors)) or not path.is_file():
        return Followed(answer, findings_of(answer, sensors, biases), [])
    own = OwnPictures(sensors)
    for block in passes.blocks("comparing the sensors"):
        own.take(block)
    registration = own.compared(answer, first.row_numbers())
    if as_measured or not registration.findings:
        return _told(answer, first, registration, sensors, used=False)
    second = TrackRun(sensors, history_s=history_s, biases=registration.biases())
    answer = passes.over(second, "following corrected rows")
    return _told(answer, second, registration, sensors, used=True)


def _told(
    answer: RunAnswer, run: TrackRun, registration: Registration, sensors: Sequence[Sensor], *, used: bool
) -> Followed:
    taken = registration.sure if used else ()
    doubles = registration.one_object(run.row_numbers(), [of for _, of in answer.rows])
    found = findings_of(answer, sensors, registration.findings, used=used, one_object=doubles)
    return Followed(answer, found, [bias_document(one, sensors) for one in taken])


@dataclass(slots=True)
class _Passes:
    """Reads one file as often as is needed."""

    path: Path
    sensors: Sequence[Sensor]
    lag_s: float
    watch: Watch | None

    def over(self, run: TrackRun, doing: str) -> RunAnswer:
        """The answer of a run over the whole file, with what the reading left out."""
        reading = DetectionReading(self.sensors, lag_s=self.lag_s)
        for block in self._blocks(reading, doing):
            run.take(block)
        answer = run.answer()
        answer.left_out.update(reading.left_out)
        return answer

    def blocks(self, doing: str) -> Iterator[DetectionBlock]:
        return self._blocks(DetectionReading(self.sensors, lag_s=self.lag_s), doing)

    def _blocks(self, reading: DetectionReading, doing: str) -> Iterator[DetectionBlock]:
        for block in reading.blocks(self.path):
            yield block
            if self.watch is not None:
                self.watch(doing, reading.read, int(block.time_ns[-1]))
