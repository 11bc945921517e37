"""Notices of planned launches in exercises: the post signs with its own key, at its own node."""

from __future__ import annotations

from collections.abc import Mapping
from math import radians
from typing import TYPE_CHECKING

from noroshi.clock import seconds
from noroshi.command.notices import notice_id, notice_message
from noroshi.exercise.injects import NoticeInject
from noroshi.messages.bodies_notice import CircleRow, NoticeBody
from noroshi.node.inputs import Received

if TYPE_CHECKING:
    from noroshi.exercise.injecting import Controls, Inject

EXPIRES_AFTER_S = 60.0
"""After its window a notice explains nothing new; a minute lets the last sights be compared."""


def _notice(controls: Controls, one: NoticeInject) -> None:
    unit = next(post.unit for post in controls.coalition.scenario.posts if post.id == one.post)
    member = controls.coalition.serving(unit)
    start_ns = controls.coalition.start_ns

    def at(after_s: float) -> int:
        return start_ns + seconds(after_s)

    body = NoticeBody(
        notice=notice_id(member.trigraph, unit, one.notice),
        number=one.number,
        step=one.step,
        unit=unit,
        title=one.title,
        object=one.object,
        count=one.count,
        from_ns=at(one.from_s),
        to_ns=at(one.to_s),
        area=[],
        circle=CircleRow(
            latitude_rad=radians(one.lat_deg),
            longitude_rad=radians(one.lon_deg),
            radius_m=one.radius_km * 1e3,
        ),
        azimuth_from_rad=radians(one.azimuth_deg[0]),
        azimuth_to_rad=radians(one.azimuth_deg[1]),
        watches=list(one.watches),
        informed=list(one.informed),
        inform_by_ns=at(one.inform_by_s),
    )
    expires_ns = at(one.to_s + EXPIRES_AFTER_S if one.expires_s is None else one.expires_s)

    def give(now_ns: int) -> None:
        raw = notice_message(member.seats[one.post], body, one.partners, expires_ns, now_ns)
        controls.give(member.node, Received(party=f"post:{one.post}", number=0, raw=raw))

    controls.plan(one.at_s, give)


INJECTS: Mapping[type, Inject] = {NoticeInject: _notice}
