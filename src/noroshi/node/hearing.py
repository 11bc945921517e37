"""What a node does with messages that inform it: shows them, notes who acknowledged, asks its posts to."""

from __future__ import annotations

from noroshi.gateways.geojson import rings_deg
from noroshi.messages import Message
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    CellRow,
    EventBody,
    InjectBody,
    ReducedTrackBody,
    RemarkBody,
    WarningBody,
)
from noroshi.messages.cells import outline
from noroshi.node import alerting, chasing, contradiction, groups, noticing, reach_rows, rows, tasks
from noroshi.node.state import Said
from noroshi.node.work import MS_PER_NS, Work

LONGEST_WORD = 64
"""Characters that are shown of a word that nobody here knows."""


def event(work: Work, message: Message, body: EventBody) -> None:
    """A partner has opened or joined an event."""
    envelope = message.envelope
    words = {
        "opened": f"{envelope.origin} opened an event",
        "same-as": f"{envelope.origin} signed that {body.other_partner}'s event is the same as its own",
        "not-same-as": f"{envelope.origin} signed that {body.other_partner}'s event is not the same as its own",
        "closed": f"{envelope.origin} closed its event",
    }
    work.show(
        "event",
        words[body.step],
        event=envelope.event.hex(),
        partner=envelope.origin,
        step=body.step,
        other=body.other.hex(),
        other_partner=body.other_partner,
    )


def reduced(work: Work, message: Message, body: ReducedTrackBody) -> None:
    """A partner's reduced edition of a track: shown as the cells that it names, and never fused beside the full form."""
    origin = message.envelope.origin
    work.show(
        "reduced-track",
        f"{origin} sees an object and says roughly where it falls" if body.sequence == 1 else "",
        lane=3,
        key=f"reduced:{origin}:{body.track.hex()}",
        partner=origin,
        track=body.track.hex(),
        source=body.source,
        sensings=body.sensings,
        fall=_cell(body.rows, body.fall),
        launch=_cell(body.rows, body.launch),
        from_ms=body.from_ns // MS_PER_NS,
        to_ms=body.to_ns // MS_PER_NS,
    )


def _cell(rows_of_grid: int, cell: CellRow | None) -> list[list[list[float]]]:
    """A cell's ring for the map, degrees; nothing where there is none."""
    return rings_deg([outline(rows_of_grid, cell.row, cell.column)]) if cell is not None else []


def warning(work: Work, message: Message, body: WarningBody) -> None:
    """A partner has warned of its own areas: it is shown, and a watch acknowledges it while it stands."""
    state, envelope = work.state, message.envelope
    origin = envelope.origin
    way = state.policy.route(origin, state.own, envelope.label.audience | {origin})
    state.warnings[message.id] = Said(f"{origin}'s warning ({body.state})", frozenset(way), work.now_ns)
    contradiction.warned(work, message, body)
    rows.show_warning(work, message, body)
    groups.heard_warning(work, message, body)
    if body.state == "updated" or body.valid_until_ns < work.now_ns:
        return
    units = tuple(post.unit for post in state.posts.values() if "watch" in post.duties)
    alerting.ask_acknowledgement(
        work, message, frozenset(way), units, f"Acknowledge {origin}'s warning ({body.state})"
    )


def alert(work: Work, message: Message, body: AlertBody) -> None:
    """A partner's public alert, which two posts of its authority have really signed."""
    rows.show_alert(work, message, body)
    groups.heard_alert(work, message, body)


def acknowledgement(work: Work, message: Message, body: AcknowledgementBody) -> None:
    """A post has acknowledged an alert or a warning."""
    state, envelope = work.state, message.envelope
    notice = noticing.find(state, body.of)
    if notice is not None:
        noticing.acknowledged(work, message, body, notice)
        return
    tasks.close(work, f"acknowledge:{body.of.hex()}:{body.unit}", "done")
    if not state.reach.acknowledged(body.of, body.unit, envelope.post, envelope.time_ns):
        return
    chasing.acknowledged(work, body.of, body.unit, envelope.post)
    work.show(
        "acknowledgement",
        f"{envelope.post} ({envelope.origin}) acknowledged {state.name_of(body.of)}{_through(body)}",
        lane=1,
        of=body.of.hex(),
        post=envelope.post,
        unit=body.unit,
        partner=envelope.origin,
    )
    issued = state.alerts.get(body.of)
    if issued is not None:
        reach_rows.show(work, body.of)


def words(work: Work, message: Message, body: InjectBody | RemarkBody) -> None:
    """Words of exercise control or of a post: shown, acted on by nobody."""
    kind = message.envelope.kind
    speaker = "Exercise control" if kind == "inject" else message.envelope.post
    way = _through(body) if isinstance(body, RemarkBody) else ""
    work.show(kind, f"{speaker} to {body.unit}{way}: {body.text}", unit=body.unit, text=body.text)


def _through(body: AcknowledgementBody | RemarkBody) -> str:
    """By which gateway words came, where they did not come from the post itself."""
    return f" through the TAK group {body.through}" if body.through else ""


def unknown(work: Work, message: Message) -> None:
    """A kind of a newer version: kept, relayed where the label lets it, never acted on."""
    envelope = message.envelope
    kind = envelope.kind[:LONGEST_WORD]
    work.show(
        "remark",
        f"{envelope.origin} sent a message of the unknown kind {kind!r}: kept, not acted on",
        unit=envelope.unit,
        text=kind,
    )
