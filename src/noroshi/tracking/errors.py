"""What can go wrong in tracking. Expected outcomes (no fall in sight, a row that fits no track) are values instead."""

from __future__ import annotations

from noroshi.errors import LocalError, OperatorError, PartnerError


class MeasurementError(PartnerError):
    """A measurement row that cannot be: names the row and the column. `row` is -1 where no single row is to blame."""

    def __init__(self, cause: str, *, row: int = -1) -> None:
        self.row = row
        super().__init__("use the measurement", subject=f"row {row}" if row >= 0 else "", cause=cause)


class TrackError(LocalError):
    """Tracks were used in a way that has no meaning, such as predicting an estimate into its past."""


class ArcError(OperatorError):
    """No free-fall arc has the range and apogee that were asked for."""


class SensorError(OperatorError):
    """A sensor that cannot be; `field` is what is wrong with it."""

    def __init__(self, sensor: str, field: str, cause: str) -> None:
        self.field = field
        super().__init__("use the sensor", subject=f"{sensor}: {field}", cause=cause)
