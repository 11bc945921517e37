"""What waits for a post, and the signed message with which it answers.

A task says in plain data what would be signed, so that a console, a modelled person in an exercise and a test
answer in the same way. The node never signs for a post.

    raw = answer(task.row()["answer"], "concur", seat, now_ns)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from noroshi.messages import KINDS, Certificate, Envelope, Scheme, derive, label_for, seal
from noroshi.messages.bodies import AcknowledgementBody, DecisionBody
from noroshi.messages.bodies_alerts import AlertRequestBody
from noroshi.messages.bodies_counts import CountBody
from noroshi.messages.envelope import payload_of
from noroshi.messages.signing import ID_BYTES

Action = Literal[
    "originate-alert", "approve-alert", "retract-alert", "acknowledge", "concur", "request", "agree-warning",
    "stop-alert", "correct-count",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seat:
    """A post's own means of speaking: its certificate, the node where it sits, and its secrets."""

    certificate: Certificate
    node: str
    scheme: Scheme
    secret: bytes
    ids_secret: bytes

    def __repr__(self) -> str:
        return f"Seat({self.certificate.subject})"


@dataclass(frozen=True, slots=True)
class Task:
    """Work that waits for one of `posts` until `deadline_ns`. `fields` is what the answer will be made from."""

    id: str
    action: Action
    duty: str
    unit: str
    posts: tuple[str, ...]
    title: str
    deadline_ns: int
    audience: frozenset[str]
    event: bytes
    fields: Mapping[str, Any]

    def answer_fields(self) -> dict[str, Any]:
        """Plain JSON data for `answer`: bytes as hex."""
        return {
            "task": self.id,
            "audience": sorted(self.audience),
            "event": self.event.hex(),
            **{key: value.hex() if isinstance(value, bytes) else value for key, value in self.fields.items()},
        }


def answer(fields: Mapping[str, Any], outcome: str, seat: Seat, now_ns: int, typed: str = "") -> bytes:
    """The signed message with which a post answers a task.

    outcome: `concur` or `refuse` where the task is a choice (an alert's is one), else it is ignored. typed: what the
    person wrote to confirm an alert. The id depends on the task and on what was typed, and not on the time: an answer
    that is sent twice counts once, and whoever has mistyped can type again.
    """
    own = seat.certificate
    body = answer_body(fields, outcome, own.unit, typed)
    envelope = answer_envelope(fields, own, seat.node, _identity(seat.ids_secret, own, fields, typed), now_ns)
    return seal(envelope, body, own, seat.scheme, seat.secret).raw


def answer_body(
    fields: Mapping[str, Any], outcome: str, unit: str, typed: str = ""
) -> AcknowledgementBody | DecisionBody | CountBody:
    """What a post says in answer to a task. Raises KeyError or ValueError on fields that are no task's."""
    if fields["kind"] == "count":
        count = fields["count"] if outcome != "refuse" else fields["ours"]
        why: Any = fields["why"] if outcome != "refuse" else ""
        return CountBody(
            number=fields["number"], count=count, least=count, most=count,
            supersedes=bytes.fromhex(fields["supersedes"]), why=why,
        )  # fmt: skip
    if fields["kind"] == "acknowledgement":
        return AcknowledgementBody(of=bytes.fromhex(fields["of"]), unit=unit)
    return DecisionBody(
        case=bytes.fromhex(fields["case"]),
        decision=fields["decision"],
        step=fields["step"],
        unit=unit,
        outcome=_outcome(fields, outcome),
        body=fields.get("body", ""),
        subject=bytes.fromhex(fields.get("subject", "")),
        deadline_ns=fields.get("deadline_ns", 0),
        typed=(typed if outcome != "refuse" else "") or msgspec.UNSET,
    )


def answer_envelope(
    fields: Mapping[str, Any], own: Certificate, node: str, identity: bytes, now_ns: int
) -> Envelope:
    """The header of such an answer; its body is put in by whoever seals it."""
    is_acknowledgement = fields["kind"] == "acknowledgement"
    return Envelope(
        v=KINDS[fields["kind"]].since,
        realm=own.realm,
        origin=own.partner,
        node=node,
        post=own.subject,
        unit=own.unit,
        id=identity,
        kind=fields["kind"],
        time_ns=now_ns,
        time_error_ns=0,
        label=label_for(fields["audience"]),
        event=bytes.fromhex(fields["event"]),
        refs=(bytes.fromhex(fields["of"]),) if is_acknowledgement else (),
        body=msgspec.Raw(b""),
    )


def prepared(
    fields: Mapping[str, Any], outcome: str, own: Certificate, node: str, now_ns: int, typed: str = ""
) -> bytes:
    """The payload of such an answer, for a post whose passkey signs it.

    Its id follows from the post's public key and the task: that key is known to whoever gets the message, and the task
    to nobody who does not get it.
    """
    envelope = answer_envelope(fields, own, node, _identity(own.public, own, fields, typed), now_ns)
    return payload_of(envelope, answer_body(fields, outcome, own.unit, typed))


def _identity(secret: bytes, own: Certificate, fields: Mapping[str, Any], typed: str) -> bytes:
    audience = "+".join(fields["audience"])
    more = (typed,) if typed else ()
    return derive(secret, "post-message", own.subject, audience, fields["task"], *more)[:ID_BYTES]


def alert_request(
    seat: Seat,
    areas: Sequence[tuple[str, str]],
    kind: Literal["pass", "fall"],
    now_ns: int,
    *,
    name: str = "",
    event: bytes = b"",
) -> bytes:
    """The signed message with which a post asks its node for an alert for these (country, region) pairs.

    name: tells two requests of one moment apart; event: the standing warning that it rests on, where there are several.
    """
    own = seat.certificate
    body = AlertRequestBody(unit=own.unit, areas=list(areas), kind=kind, event=event)
    identity = derive(seat.ids_secret, "post-message", own.subject, "alert-request", name, now_ns)
    fields = {"kind": "alert-request", "audience": [own.partner], "event": event.hex()}
    envelope = answer_envelope(fields, own, seat.node, identity[:ID_BYTES], now_ns)
    return seal(envelope, body, own, seat.scheme, seat.secret).raw


def _outcome(
    fields: Mapping[str, Any], outcome: str
) -> Literal["", "concur", "refuse", "decided", "refused"]:
    if fields["step"] == "request":
        return "refused" if outcome == "refuse" and fields.get("subject") else ""
    if fields["step"] == "ruling":
        return "refused" if outcome == "refuse" else "decided"
    return "refuse" if outcome == "refuse" else "concur"
