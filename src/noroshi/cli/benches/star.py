"""A hub and four partners, one message away: whose rows the hub takes, verifies, keeps and passes on to the other three.

An exercise realm of its own with fresh keys and real signatures. The hub is the United States' node of the packaged
scenario; Japan and the Republic of Korea are those of the scenario too, and two partners more are added, with a unit and
`sharing` edges each, so that whatever one of the four says is released to three.

    star = Star.found()
    star.remark("JPN", 1, now_ns), star.warning("JPN", 2, now_ns)          # signed bytes
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from noroshi.cli.benches.three_nodes import coalition
from noroshi.clock import seconds
from noroshi.messages import KINDS, Certificate, Ed25519, Envelope, Scheme, certify, derive, label_for, seal
from noroshi.messages.bodies import Body, RemarkBody, WarningBody
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import Genesis, Secrets
from noroshi.structure.model import SharingEdge, Structure, Unit

HUB = "USA"
OUTER = ("AUS", "JPN", "KOR", "NZL")
NATIONS = {"AUS": "AU", "JPN": "JP", "KOR": "KR", "NZL": "NZ", "USA": "US"}
MESSAGE_BYTES = 512
"""What a signed message takes as it travels: the size for which the benchmarks are given."""

LONG_TEXT = 1
"""Bytes that the head of a text takes more when it is longer than 31 bytes."""

STANDS_S = 1800.0


@dataclass(frozen=True, slots=True)
class _Speaker:
    """One partner's node and one post of it, with their keys."""

    node: Certificate
    node_secret: bytes
    post: Certificate
    post_secret: bytes


@dataclass(frozen=True, slots=True)
class Star:
    """The hub's genesis and secrets, and the four partners' speakers."""

    genesis: Genesis
    secrets: Secrets
    scheme: Scheme
    speakers: Mapping[str, _Speaker]
    _padding: dict[tuple[str, bool], int] = field(default_factory=dict)

    @classmethod
    def found(cls) -> Star:
        """A new coalition from now on."""
        joined = coalition()
        hub = next(one for one in joined.members if one.trigraph == HUB)
        base, scheme = hub.genesis, Ed25519()
        entropy = os.urandom(32)
        roots = {name: derive(entropy, "root", name) for name in OUTER}
        span = base.certificates[0]
        speakers = {name: _speaker(name, base.realm, span, scheme, entropy, roots[name]) for name in OUTER}
        own = tuple(one for one in base.certificates if one.partner == HUB)
        certificates = [one for speaker in speakers.values() for one in (speaker.node, speaker.post)]
        genesis = msgspec.structs.replace(
            base,
            roots={HUB: base.roots[HUB], **{name: scheme.public_key(root) for name, root in roots.items()}},
            certificates=(*own, *certificates),
            structure=_structure(base.structure),
            nodes={**{unit: node for unit, node in base.nodes.items() if node == base.node},
                   **{_unit(name): name.lower() for name in OUTER}},
            partners=NATIONS,
            node_partners={base.node: HUB, **{name.lower(): name for name in OUTER}},
            wires=tuple((base.node, name.lower()) for name in OUTER),
        )  # fmt: skip
        return cls(genesis, hub.secrets, scheme, speakers)

    def remark(self, partner: str, number: int, now_ns: int, *, alone: bool = False) -> bytes:
        """Words of a partner's post, MESSAGE_BYTES long, for all others, or (alone) for the hub only."""
        key = (partner, alone)
        if key not in self._padding:
            bare = self._remark(partner, number, now_ns, 0, alone)
            self._padding[key] = MESSAGE_BYTES - len(bare) - LONG_TEXT
        return self._remark(partner, number, now_ns, self._padding[key], alone)

    def warning(self, partner: str, number: int, now_ns: int) -> bytes:
        """A partner's warning, about as long: it stands, and names no place yet."""
        speaker = self.speakers[partner]
        body = WarningBody(
            number=1,
            state="issued",
            basis="single-source",
            sensings=["radar"],
            partners=[partner],
            first_observed_ns=now_ns - seconds(20.0),
            last_observed_ns=now_ns,
            valid_until_ns=now_ns + seconds(STANDS_S),
            areas=[],
            corridor=[],
        )
        return self._sealed(partner, "warning", number, now_ns, body, speaker.node, speaker.node_secret, "")

    def _remark(self, partner: str, number: int, now_ns: int, padding: int, alone: bool) -> bytes:
        speaker = self.speakers[partner]
        body = RemarkBody(unit=_unit(partner), text="." * padding)
        return self._sealed(
            partner, "remark", number, now_ns, body, speaker.post, speaker.post_secret, speaker.post.subject, alone
        )  # fmt: skip

    def _sealed(
        self, partner: str, kind: str, number: int, now_ns: int, body: Body, signer: Certificate, secret: bytes,
        post: str, alone: bool = False,
    ) -> bytes:  # fmt: skip
        envelope = Envelope(
            v=KINDS[kind].since,
            realm=self.genesis.realm,
            origin=partner,
            node=partner.lower(),
            post=post,
            unit=_unit(partner),
            id=derive(b"noroshi bench", partner, number)[:ID_BYTES],
            kind=kind,
            time_ns=now_ns,
            time_error_ns=0,
            label=label_for((HUB,) if alone else (HUB, *OUTER)),
            event=derive(b"noroshi bench", "event", number)[:ID_BYTES],
            body=msgspec.Raw(b""),
        )
        return seal(envelope, body, signer, self.scheme, secret).raw


def _unit(partner: str) -> str:
    return f"{NATIONS[partner].lower()}-watch"


def _speaker(
    partner: str, realm: str, span: Certificate, scheme: Scheme, entropy: bytes, root: bytes
) -> _Speaker:
    def card(role: str, subject: str, unit: str, secret: bytes) -> Certificate:
        bare = Certificate(
            realm=realm,
            partner=partner,
            role=role,  # type: ignore[arg-type]  # one of the two below
            subject=subject,
            public=scheme.public_key(secret),
            not_before_ns=span.not_before_ns,
            not_after_ns=span.not_after_ns,
            unit=unit,
        )
        return certify(scheme, root, bare)

    node, post = derive(entropy, "node", partner), derive(entropy, "post", partner)
    unit = _unit(partner)
    return _Speaker(
        card("node", partner.lower(), "", node), node, card("post", f"{unit}.duty", unit, post), post
    )


def _structure(base: Structure) -> Structure:
    """The same with a unit for each of the four, each of which shares warnings with the others."""
    assumed = {"source": "notional", "confidence": "notional"}
    everybody = sorted(NATIONS.values())
    units = tuple(
        msgspec.convert(
            {"id": _unit(name), "name": f"Watch of {name}", "nation": NATIONS[name], "kind": "military-hq", **assumed},
            Unit,
        )
        for name in OUTER
    )  # fmt: skip
    edges = tuple(
        msgspec.convert(
            {"id": f"bench-{one.lower()}-{other.lower()}", "from": _unit(one), "to": _unit(other),
             "content": ["expected-impact"], "cadence": "realtime", "releasable_to": everybody, **assumed},
            SharingEdge,
        )
        for one in OUTER
        for other in OUTER
        if one != other
    )  # fmt: skip
    return msgspec.structs.replace(base, units=(*base.units, *units), sharing=(*base.sharing, *edges))
