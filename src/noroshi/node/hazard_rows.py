"""The staff's rows of other agencies' alerts, and of what is said in an authority's name: plain JSON in degrees.

Whatever an agency says stands beside the agency's name and its language, so that nobody takes it for our own word. An
area that has geocodes and no outline is drawn as our own areas that carry the code, and named as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from noroshi.command.hazards import Hazard
from noroshi.gateways.geojson import rings_deg
from noroshi.gateways.hazard_facts import HazardArea, HazardFacts, HazardInfo, circle_ring
from noroshi.messages import Message
from noroshi.messages.bodies import Ring
from noroshi.messages.kinds import Lane
from noroshi.node import own_areas
from noroshi.node.work import MS_PER_NS, Work
from noroshi.warning.hazard_areas import by_geocode, outlines

LONGEST_NAME = 160
"""Characters of what sentences call an agency's alert."""

LONGEST_TEXT = 4_000
"""Characters of one text that are shown; all of it is on the record."""

MOST_TEXTS = 12
"""Languages that are shown; real alerts have up to six."""

MOST_AREAS = 200
"""Areas whose names are shown."""

MOST_CORNERS = 4_000
"""Corners that are drawn of one alert: with more each ring is thinned out, and the row says so."""

MOST_RINGS, MOST_CIRCLES = 500, 100
"""Outlines that are drawn of one alert: real ones have up to some hundred counties, and a circle or two."""

ENDING_WORDS = {
    "Alert": "said something else after",
    "Update": "ended by an update",
    "Cancel": "took back",
    "Error": "withdrew as an error",
}
"""What a message does, by its type, to those that have ended by it."""


def name_of(facts: HazardFacts) -> str:
    """What sentences call it: `JMA's alert "Tsunami Warning"`."""
    info = _first(facts)
    sender = (info.sender_name if info else "") or facts.sender
    event = (info.event if info else "") or facts.note or facts.identifier
    return f'{sender}\'s alert "{event}"'.replace("\n", " ")[:LONGEST_NAME]


def show(work: Work, facts: HazardFacts, hazard: Hazard, message: Message, signature: str) -> None:
    """An agency's alert that stands."""
    info = _first(facts)
    areas = [area for one in facts.infos for area in one.areas]
    own = own_areas.list_now(work.state, work.now_ns)
    coded = {one.id: one for area in areas for one in by_geocode(area, own)}
    rings, thinned = _drawn(areas, [ring for one in coded.values() for ring in outlines(one)])
    seen: dict[str, None] = dict.fromkeys(area.description for one in facts.infos for area in one.areas)
    told = "" if message.origin == work.state.own else f", told by {message.origin}"
    verb = "updates" if facts.message_type == "Update" else "issued"
    headline = (info.headline if info else "") or facts.note
    grade = "; act now" if hazard.act else ""
    work.show(
        "hazard",
        _clipped(
            f"Another agency {verb}: {hazard.name}: {headline}{grade}{told} [{facts.status}]", LONGEST_TEXT
        ),
        lane=Lane.WARNING,
        key=f"hazard:{hazard.key.hex()}",
        hazard=hazard.key.hex(),
        id=message.id.hex(),
        partner=message.origin,
        partners=hazard.partners,
        state=hazard.state,
        sender=facts.sender,
        sender_name=info.sender_name if info else "",
        identifier=facts.identifier,
        message_type=facts.message_type,
        status=facts.status,
        scope=facts.scope,
        signature=signature,
        act=hazard.act,
        event=info.event if info else "",
        categories=list(info.categories) if info else [],
        responses=list(info.responses) if info else [],
        urgency=info.urgency if info else "",
        severity=info.severity if info else "",
        certainty=info.certainty if info else "",
        texts=_texts(facts),
        areas=list(seen)[:MOST_AREAS],
        codes=sorted({code for one in facts.infos for area in one.areas for code in area.codes})[:MOST_AREAS],
        by_geocode=[one.name for one in coded.values()][:MOST_AREAS],
        rings=rings_deg(rings),
        thinned=thinned,
        sent_ms=facts.sent_ns // MS_PER_NS,
        effective_ms=_ms(info.effective_ns if info else 0),
        onset_ms=_ms(info.onset_ns if info else 0),
        expires_ms=hazard.until_ns // MS_PER_NS,
        replaces=[key.hex() for key in hazard.refers],
        references=[one.identifier for one in facts.references],
    )


def show_state(work: Work, hazard: Hazard, says: str) -> None:
    """How one that is shown already stands now, and who has told of it."""
    work.show(
        "hazard-state",
        says,
        lane=Lane.WARNING,
        key=f"hazard-state:{hazard.key.hex()}",
        hazard=hazard.key.hex(),
        sender=hazard.sender,
        identifier=hazard.identifier,
        state=hazard.state,
        partners=hazard.partners,
    )


def show_notice(work: Work, facts: HazardFacts, hazard: Hazard, ended: Sequence[Hazard]) -> None:
    """A message that only ends others, or is over itself: which of them, in one sentence."""
    words = ENDING_WORDS[facts.message_type]
    info = _first(facts)
    sender = (info.sender_name if info else "") or facts.sender
    what = "; ".join(dict.fromkeys(one.name for one in ended)) or "an alert that is not here"
    show_state(work, hazard, _clipped(f"{sender} {words}: {what} [{facts.status}]", LONGEST_TEXT))


def _first(facts: HazardFacts) -> HazardInfo | None:
    """The text that sentences are made from: in English if there is one, else the first."""
    english = (one for one in facts.infos if one.language.lower().startswith("en"))
    return next(english, facts.infos[0] if facts.infos else None)


def _texts(facts: HazardFacts) -> list[dict[str, str]]:
    """One row a language, each under the agency's own words."""
    rows: dict[str, dict[str, str]] = {}
    for one in facts.infos:
        rows.setdefault(
            one.language,
            {
                "language": one.language,
                "event": _clipped(one.event, LONGEST_TEXT),
                "sender_name": _clipped(one.sender_name, LONGEST_TEXT),
                "headline": _clipped(one.headline, LONGEST_TEXT),
                "description": _clipped(one.description, LONGEST_TEXT),
                "instruction": _clipped(one.instruction, LONGEST_TEXT),
            },
        )
    return list(rows.values())[:MOST_TEXTS]


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _drawn(areas: Iterable[HazardArea], coded: Sequence[Ring]) -> tuple[list[Ring], bool]:
    """The outlines, each once, with every n-th corner where there are more than can be drawn; whether it is so.

    coded: of our own areas that stand for geocodes without an outline.
    """
    rings: dict[int | tuple[float, ...], Ring] = {}
    circles: dict[tuple[float, float, float], None] = {}
    for area in areas:
        rings.update((id(ring), ring) for ring in area.rings)
        circles.update(dict.fromkeys(area.circles))
    drawn = [ring for circle in list(circles)[:MOST_CIRCLES] if (ring := circle_ring(*circle))]
    kept = [*rings.values(), *drawn, *coded][:MOST_RINGS]
    all_drawn = len(kept) == len(rings) + len(circles) + len(coded)
    corners = sum(map(len, kept))
    if corners <= MOST_CORNERS:
        return kept, not all_drawn
    step = -(-corners // MOST_CORNERS)
    return [[*ring[:-1:step], ring[-1]] if len(ring) > 4 * step else ring for ring in kept], True


def _ms(time_ns: int) -> int | None:
    return time_ns // MS_PER_NS if time_ns else None
