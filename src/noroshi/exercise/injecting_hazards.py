"""Other agencies' files, and what is said in an authority's name, in exercises: handed in at a node, as people do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noroshi.clock import seconds, to_iso
from noroshi.exercise.injects import CapInject, RelayInject
from noroshi.gateways.cap_model import CapAlert, CapArea, CapCircle, CapInfo, CapNamed, CapTime
from noroshi.gateways.cap_write import write_cap
from noroshi.gateways.realm import MARKS
from noroshi.node.inputs import CapGiven, RelayGiven

if TYPE_CHECKING:
    from noroshi.exercise.injecting import Controls, Inject
    from noroshi.exercise.scenario import Scenario

PARTY = "hand:control"


def cap_file(one: CapInject, scenario: Scenario, start_ns: int) -> bytes:
    """The agency's file as it comes at the inject's time."""
    if one.raw:
        return one.raw.encode()
    sent_ns = _sent_ns(one, start_ns)
    earlier = {each.id: each for each in scenario.injects if isinstance(each, CapInject)}
    named = [earlier[name] for name in one.refers]
    expires = _time(sent_ns + seconds(one.for_s))
    circle: tuple[CapCircle, ...] = ()
    if one.lat_deg is not None and one.lon_deg is not None:
        circle = (CapCircle(f"{one.lat_deg:.4f},{one.lon_deg:.4f} {one.radius_km:.3f}"),)
    coded = [code.partition("=") for code in one.geocodes]
    codes = tuple(CapNamed(name, value) for name, _, value in coded)
    headline = one.headline or f"{MARKS['en']}. {one.event}"
    info = CapInfo(
        language="en-US",
        categories=(one.category,),
        event=one.event,
        urgency=one.urgency,
        severity=one.severity,
        certainty=one.certainty,
        response_types=(one.response,) if one.response else (),
        onset=_time(start_ns + seconds(one.at_s + one.onset_s)) if one.onset_s is not None else None,
        expires=expires,
        sender_name=one.sender_name,
        headline=headline,
        areas=(CapArea(one.area, circles=circle, geocodes=codes),),
    )
    return write_cap(
        CapAlert(
            version="1.2",
            identifier=one.identifier or one.id,
            sender=one.sender,
            sent=_time(sent_ns),
            status=one.status,
            msg_type=one.type,
            scope=one.scope,
            note=f"{MARKS['en']}: {scenario.id}" if one.status == "Exercise" else "",
            references=" ".join(
                f"{each.sender},{each.identifier or each.id},{_time(_sent_ns(each, start_ns)).text}"
                for each in named
            ),
            infos=(info,),
        )
    )


def _sent_ns(one: CapInject, start_ns: int) -> int:
    """When the agency sent it: CAP has whole seconds."""
    return (start_ns + seconds(one.at_s + one.sent_s)) // 10**9 * 10**9


def _time(time_ns: int) -> CapTime:
    return CapTime(to_iso(time_ns, digits=0).replace("Z", "-00:00"))


def _cap(controls: Controls, one: CapInject) -> None:
    coalition = controls.coalition
    raw = cap_file(one, coalition.scenario, coalition.start_ns)
    controls.plan(one.at_s, lambda now_ns: controls.give(one.node, CapGiven(party=PARTY, raw=raw)))


def _relay(controls: Controls, one: RelayInject) -> None:
    def give(now_ns: int) -> None:
        files = controls.files(one.node) if one.original else []
        relay = RelayGiven(
            party=PARTY,
            outlet=one.outlet,
            claimed=one.authority,
            text=one.text or (headline_of(files[-1]) if files else f"{MARKS['en']}."),
            link=one.link,
            said_ns=now_ns,
            original=files[-1] if files else b"",
        )
        controls.give(one.node, relay)

    controls.plan(one.at_s, give)


def headline_of(data: bytes) -> str:
    """The first headline of one of our own files."""
    from noroshi.gateways.cap_read import read_cap

    return read_cap(data).infos[0].headline


INJECTS: Mapping[type, Inject] = {CapInject: _cap, RelayInject: _relay}
