"""What waits for a post, and the signed message with which it answers.

A task says in plain data what would be signed, so that a console, a modelled person in an exercise and a test
answer in the same way. The node never signs for a post.

    raw = answer(task.row()["answer"], "concur", seat, now_ns)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from noroshi.messages import KINDS, Certificate, Envelope, Scheme, derive, label_for, seal
from noroshi.messages.bodies import AcknowledgementBody, DecisionBody
from noroshi.messages.signing import ID_BYTES

Action = Literal["originate-alert", "approve-alert", "retract-alert", "acknowledge", "concur", "request"]


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


def answer(fields: Mapping[str, Any], outcome: str, seat: Seat, now_ns: int) -> bytes:
    """The signed message with which a post answers a task.

    outcome: `concur` or `refuse` where the task is a choice (an alert's is one), else it is ignored. The id depends
    on the task and not on the time, so an answer that is sent twice counts once.
    """
    body: AcknowledgementBody | DecisionBody
    if fields["kind"] == "acknowledgement":
        body = AcknowledgementBody(of=bytes.fromhex(fields["of"]), unit=seat.certificate.unit)
        refs: tuple[bytes, ...] = (body.of,)
    else:
        body = DecisionBody(
            case=bytes.fromhex(fields["case"]),
            decision=fields["decision"],
            step=fields["step"],
            unit=seat.certificate.unit,
            outcome=_outcome(fields, outcome),
            body=fields.get("body", ""),
            subject=bytes.fromhex(fields.get("subject", "")),
            deadline_ns=fields.get("deadline_ns", 0),
        )
        refs = ()
    own = seat.certificate
    audience = "+".join(fields["audience"])
    identity = derive(seat.ids_secret, "post-message", own.subject, audience, fields["task"])[:ID_BYTES]
    envelope = Envelope(
        v=KINDS[fields["kind"]].since,
        realm=own.realm,
        origin=own.partner,
        node=seat.node,
        post=own.subject,
        unit=own.unit,
        id=identity,
        kind=fields["kind"],
        time_ns=now_ns,
        time_error_ns=0,
        label=label_for(fields["audience"]),
        event=bytes.fromhex(fields["event"]),
        refs=refs,
        body=msgspec.Raw(b""),
    )
    return seal(envelope, body, own, seat.scheme, seat.secret).raw


def _outcome(
    fields: Mapping[str, Any], outcome: str
) -> Literal["", "concur", "refuse", "decided", "refused"]:
    if fields["step"] == "request":
        return "refused" if outcome == "refuse" and fields.get("subject") else ""
    if fields["step"] == "ruling":
        return "refused" if outcome == "refuse" else "decided"
    return "refuse" if outcome == "refuse" else "concur"
