"""The body of a notice: a launch or an exercise that its owner announces ahead. Angles rad, lengths m, times UTC ns."""

from __future__ import annotations

from typing import Literal

from noroshi.messages.bodies import Body, Ring

NoticeStep = Literal["announced", "updated", "go", "done", "withdrawn"]
NoticeObject = Literal["sounding-rocket", "space-launch", "test-flight", "target", "exercise", "other"]


class CircleRow(Body, frozen=True, kw_only=True):
    """All points on the ground that are no further than `radius_m` from one."""

    latitude_rad: float
    longitude_rad: float
    radius_m: float


class NoticeBody(Body, frozen=True, kw_only=True):
    """What is announced, whole in every step, so that the newest step alone says all.

    notice: the same in all steps; number: rises with each of them. unit: the issuer, who alone may go on with it.
    from_ns, to_ns: the window of the launch, never a mere date. area, circle: where it is launched, one of the two.
    azimuth_from_rad, azimuth_to_rad: range of the launch azimuth, clockwise from the first to the second. count: of the
    objects. watches: the units whose watch must know, each for itself; informed: others that are told, whose word counts
    for no watch. inform_by_ns: by when every watch must have acknowledged this step.
    """

    notice: bytes
    number: int
    step: NoticeStep
    unit: str
    title: str
    object: NoticeObject
    count: int
    from_ns: int
    to_ns: int
    area: list[Ring]
    circle: CircleRow | None
    azimuth_from_rad: float
    azimuth_to_rad: float
    watches: list[str]
    informed: list[str]
    inform_by_ns: int
