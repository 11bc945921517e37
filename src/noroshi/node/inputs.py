"""What the core is given: one input at a time, each of which becomes a record of the log before it has any effect.

commit = node.handle(now_ns, Detections(feed="sado", sequence=1, sensor="sado", ...))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from noroshi.log import Batch
from noroshi.messages.canonical import encode
from noroshi.messages.trust import Certificate
from noroshi.sharing import Position
from noroshi.sharing.link import Attested, Receipted, Restarted
from noroshi.sharing.policy import Policy
from noroshi.structure import Catalogue, Structure
from noroshi.warning.area_list import AreaList
from noroshi.warning.rules import WarningRules


class SensorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of the node's own sensors: its site (ECEF m), what it senses, and the pseudonym that partners see.

    sigma: of range m (0: an infrared sensor, which has none), azimuth, elevation rad; sigma_rate_mps: of the range rate,
    for a sensor that measures it; bias_sigma: of what the sensor may be off by in all its rows, as `sigma`.
    """

    id: str
    unit: str
    sensing: Literal["radar", "infrared"]
    pseudonym: str
    site_m: tuple[float, float, float]
    sigma: tuple[float, float, float]
    clock_sigma_s: float = 0.0
    sigma_rate_mps: float | msgspec.UnsetType = msgspec.UNSET
    bias_sigma: tuple[float, float, float] | msgspec.UnsetType = msgspec.UNSET


class PostRow(msgspec.Struct, frozen=True, kw_only=True):
    """One seat: its unit, what it is called, and its duties (`watch`, `approve`, `acknowledge`, `concur`, `request`)."""

    id: str
    unit: str
    title: str
    duties: tuple[str, ...]


class RuleSet(WarningRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A partner's policy: when it warns, and how long its people have. Figures of exercises are notional.

    alert_expires_s: after which a public alert ends by itself; approve_within_s: for the posts that sign one, and for
    acknowledgements; concur_within_s: for a nation's answer to a consultation. receipt_within_s: after which a last hop
    without a receipt raises an alarm; readiness_every_s, readiness_stale_s: between tests of readiness, and after which
    one shows nothing any more. Where receipt_within_s is not there, nobody is asked in another's place: so records from
    before it give the same answers again.
    """

    alert_expires_s: float = 1800.0
    approve_within_s: float = 120.0
    concur_within_s: float = 600.0
    receipt_within_s: float | msgspec.UnsetType = msgspec.UNSET
    readiness_every_s: float | msgspec.UnsetType = msgspec.UNSET
    readiness_stale_s: float | msgspec.UnsetType = msgspec.UNSET


class Publishing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a partner's public alerts say beside their words: where the public reads on, whom it asks, whose rules the
    files keep. profile: `ipaws` writes what that profile asks for, as far as every area has a code of the scheme SAME.
    """

    web: str = ""
    contact: str = ""
    profile: Literal["", "ipaws"] = ""


class Genesis(msgspec.Struct, frozen=True, kw_only=True, tag="genesis"):
    """The first record of a log: all that the core must know to give the same answers again.

    structure and catalogue are the checked files in force; nodes says which node serves each unit; partners maps
    partners to the nation codes of the structure; node_partners maps nodes to partners; neighbours are the partners
    to whom this node has a link, and wires all pairs of nodes that have one. policy: our release policy, as it is at the
    beginning; without one the structure and the labels decide. warrant: what our root allows our alerting units beyond
    two persons, signed. areas: an agency's own areas, in the place of the built-in regions until they expire.
    publishing: what our public alerts say beside their words.
    """

    realm: str
    title: str
    partner: str
    node: str
    scheme: str
    roots: dict[str, bytes]
    certificates: tuple[Certificate, ...]
    structure: Structure
    catalogue: Catalogue
    nodes: dict[str, str]
    partners: dict[str, str]
    node_partners: dict[str, str]
    wires: tuple[tuple[str, str], ...]
    assessing_unit: str
    sensors: tuple[SensorRow, ...]
    posts: tuple[PostRow, ...]
    rules: RuleSet
    places_digest: bytes
    policy: Policy | None = None
    warrant: bytes | msgspec.UnsetType = msgspec.UNSET
    areas: AreaList | msgspec.UnsetType = msgspec.UNSET
    publishing: Publishing | msgspec.UnsetType = msgspec.UNSET


class Detections(msgspec.Struct, frozen=True, kw_only=True, tag="detections"):
    """Measurements of one own sensor. `feed` and `sequence` (dense from 1) make a repeated batch harmless.

    value: rows of range m (0 from an infrared sensor), azimuth rad, elevation rad; rate_mps: range rates, one a row,
    of a sensor that measures them; realm: whose batch it is, which in the real realm must be said.
    """

    feed: str
    sequence: int
    sensor: str
    time_ns: tuple[int, ...]
    value: tuple[tuple[float, float, float], ...]
    rate_mps: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET
    realm: str | msgspec.UnsetType = msgspec.UNSET


FILES = "trust:files"
"""The party of messages that somebody has put among the files of a node's trust: none is let in by this way."""


class Received(msgspec.Struct, frozen=True, kw_only=True, tag="received"):
    """Bytes from a party: `partner:USA` over its link (lane, number: the row's), or `post:jp-pm.duty` (number 0)."""

    party: str
    number: int
    raw: bytes
    lane: int = 0


class ReceiptGiven(msgspec.Struct, frozen=True, kw_only=True, tag="receipt"):
    """A partner's signed, cumulative receipt for our streams."""

    party: str
    position: Position
    signature: bytes


class CheckpointGiven(msgspec.Struct, frozen=True, kw_only=True, tag="checkpoint"):
    """A partner's signed word on where its streams for us stand: kept as proof, and held against what came."""

    party: str
    position: Position
    signature: bytes


class Restart(msgspec.Struct, frozen=True, kw_only=True, tag="restart"):
    """A partner has begun its streams for us anew after `position`."""

    party: str
    position: Position


class CapGiven(msgspec.Struct, frozen=True, kw_only=True, tag="cap"):
    """A file of another agency in the Common Alerting Protocol. party: `feed:jma`, `file:duty.xml`, `hand:...`.

    signature: what the shell found, by the certificates of this entrance; fault: why the shell takes no more of it than
    this (`oversize`, `wrongly-signed`), with a detail for our own operator. senders: whose messages may come this way,
    anybody's if empty; shared: whether partners are told, where the agency says that its message is public.
    """

    party: str
    raw: bytes
    signature: Literal["signed", "unsigned", "not-checked"] = "not-checked"
    fault: str = ""
    detail: str = ""
    senders: tuple[str, ...] = ()
    shared: bool = True


class RelayGiven(msgspec.Struct, frozen=True, kw_only=True, tag="relay"):
    """What somebody has said in public in an authority's name. outlet: who; claimed: in whose name, in its own words.

    said_ns: when, 0 if not known; original: the authority's own signed message, if it is attached.
    """

    party: str
    outlet: str
    claimed: str
    text: str
    link: str = ""
    said_ns: int = 0
    original: bytes = b""


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads one outbox of the gateway for Cursor on Target. partners: its audience, our own side among them.

    posts: our posts that may speak through it, each with the id of the key that the gateway holds for it. whole: whether
    it is shown notices, and what stood before it was set down or allowed; not so in records of before that was possible.
    """

    name: str
    partners: tuple[str, ...]
    posts: tuple[tuple[str, bytes], ...] = ()
    whole: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_whole(self) -> bool:
        """Whether it is shown all that there is for it."""
        return self.whole is True


class Gateways(msgspec.Struct, frozen=True, kw_only=True, tag="gateways"):
    """The groups of the gateway for Cursor on Target, as the operator has set them down: all of them."""

    groups: tuple[GroupRow, ...]


class GroupHeard(msgspec.Struct, frozen=True, kw_only=True, tag="group"):
    """What the shell sees of a group's clients: how many there are, and counts by reason since its start.

    news: what an operator should know of it, in words of our own; empty where there is nothing new.
    """

    group: str
    clients: int
    counts: dict[str, int]
    news: str = ""


RECORD, RESTORED, NOT_OURS = "record", "restored-backup", "not-our-record"
"""The entrance, source and reason under which a backup is counted that belongs to another node or another realm."""


class DoorHeard(msgspec.Struct, frozen=True, kw_only=True, tag="door"):
    """What the shell has refused at one of its doors since it last said so, by reason; it never became an input.

    entrance: `page`, `link`, `relays`, `feed of alerts`, `record`; source: an address or a party, as far as it is known.
    """

    entrance: str
    source: str
    counts: dict[str, int]


class FeedHeard(msgspec.Struct, frozen=True, kw_only=True, tag="feed"):
    """What the shell sees of a feed of another agency: it answers, it does not, it has not for too long."""

    feed: str
    state: Literal["fresh", "failing", "stale"]
    detail: str = ""


class TimerDue(msgspec.Struct, frozen=True, kw_only=True, tag="timer"):
    """A timer that the core had set has come due."""

    name: str


class LinkChanged(msgspec.Struct, frozen=True, kw_only=True, tag="link"):
    """What the shell sees of a partner's link, or of the line to one of our relays; offset_s is the peer's clock against
    ours. hops: last hops that are connected to the relay, where it says so. `removed` is a relay only.
    """

    party: str
    state: Literal["up", "silent", "down", "removed"]
    offset_s: float = 0.0
    error_s: float = 0.0
    hops: int | msgspec.UnsetType = msgspec.UNSET


class ClockStepped(msgspec.Struct, frozen=True, kw_only=True, tag="clock"):
    """The machine's clock was stepped: what was `t` a moment ago is now `t + by_ns`.

    error_ns: what it may be off by now; with `by_ns` 0 only this has changed.
    """

    by_ns: int
    error_ns: int = 0


class Control(msgspec.Struct, frozen=True, kw_only=True, tag="control"):
    """A change of keys, policy or structure, signed by a partner's own root. party: who brought it."""

    party: str
    raw: bytes


class Retention(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """Lets go what need not be kept beyond `before_ns` and is covered by the snapshot after record `upto_sequence`."""

    before_ns: int
    upto_sequence: int


Input = (
    Genesis
    | CapGiven
    | RelayGiven
    | DoorHeard
    | FeedHeard
    | Gateways
    | GroupHeard
    | Detections
    | Received
    | ReceiptGiven
    | CheckpointGiven
    | Restart
    | TimerDue
    | LinkChanged
    | ClockStepped
    | Control
    | Retention
)

_DECODER: msgspec.msgpack.Decoder[Input] = msgspec.msgpack.Decoder(Input)


def encode_input(given: Input) -> tuple[str, bytes]:
    """The record type and the body bytes of an input."""
    return type(given).__struct_config__.tag, encode(given)  # type: ignore[return-value]  # the tags above are all texts


def decode_input(body: bytes) -> Input:
    """The input in a record's body. Raises msgspec.MsgspecError on other bytes."""
    try:
        return _DECODER.decode(body)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def said_input(party: str, said: Receipted | Attested | Restarted) -> Input:
    """What a partner's link has brought beside rows, as an input of the core."""
    match said:
        case Receipted(statement):
            return ReceiptGiven(party=party, position=statement.position, signature=statement.signature)
        case Attested(statement):
            return CheckpointGiven(party=party, position=statement.position, signature=statement.signature)
        case Restarted(position):
            return Restart(party=party, position=position)


class Answer(msgspec.Struct, frozen=True):
    """What the giver of the input is told: `accepted`, `duplicate`, or `refused` with a reason for our own side."""

    outcome: Literal["accepted", "duplicate", "refused"]
    reason: str = ""


class Commit(msgspec.Struct, frozen=True):
    """All that follows from one input: durable together, and only then answered and sent."""

    batch: Batch
    answer: Answer


@dataclass(frozen=True, slots=True)
class Secrets:
    """A node's own secrets: the seed of its signing key, and the key of its ids. Never in a log."""

    signing: bytes
    ids: bytes

    def __repr__(self) -> str:
        return "Secrets(...)"
