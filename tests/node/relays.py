"""Relays for the node's tests: real desks with keys of their own, joined to a node of a scene by hand."""

from __future__ import annotations

from noroshi.command.hop_keys import hop_key, receipt_code
from noroshi.command.passing import NotPassedOn, Outcome, PassOn
from noroshi.command.posts import Seat
from noroshi.command.relaying import RelayDesk
from noroshi.messages import Certificate, TrustStore, certify, derive
from noroshi.messages.keys import Bundle, bundle_bytes
from noroshi.node import Commit
from noroshi.node.inputs import Received
from tests.node.scene import ENTROPY, Scene

UNIT, ROSTER, HOPS = "jp-fdma", "jp-towns", 12
SECRET = bytes(range(32, 64))


class Line:
    """One relay and its node of a scene: rows and statements go to and fro when the test says so."""

    def __init__(
        self,
        scene: Scene,
        name: str = "towns-a",
        *,
        node: str = "jpn",
        unit: str = UNIT,
        roster: str = ROSTER,
        hops: int = HOPS,
        secret: bytes = SECRET,
        admit: bool = True,
    ) -> None:
        self.scene, self.side, self.name, self.node = scene, scene[node], name, node
        genesis = self.side.member.genesis
        scheme = self.side.node.state.scheme
        key = derive(ENTROPY, "relay", name)
        partner = genesis.partner
        bare = Certificate(
            realm=genesis.realm, partner=partner, role="relay", subject=name, unit=unit,
            public=scheme.public_key(key), not_before_ns=scene.coalition.start_ns - 1, not_after_ns=2**62,
        )  # fmt: skip
        self.card = certify(scheme, scene.root_secret(partner), bare)
        seat = Seat(self.card, node, scheme, key, derive(ENTROPY, "relay ids", name))
        trust = TrustStore(genesis.realm, scheme, genesis.roots)
        self.desk = RelayDesk(seat, trust, roster=roster, hops=hops, secret=secret)
        self.after = 0
        self.outcomes: list[Outcome] = []
        if admit:
            scene.control(node, bundle_bytes(Bundle(certificates=(self.card,))))

    @property
    def party(self) -> str:
        return f"relay:{self.name}"

    def give(self, raw: bytes) -> Commit:
        """The relay's bytes, to its node."""
        return self.side.take(self.scene.now_ns, Received(party=self.party, number=0, raw=raw))

    def connect(self) -> list[PassOn]:
        """Says that it is there, and takes what its node has for it."""
        self.give(self.desk.here(self.scene.now_ns))
        return self.fetch()

    def fetch(self) -> list[PassOn]:
        """Takes its rows; what it may pass on."""
        rows = [row for row in self.side.rows(self.party) if row.number > self.after]
        found = [self.desk.take(row.data, self.scene.now_ns) for row in rows]
        self.after = rows[-1].number if rows else self.after
        self.outcomes += found
        return [one for one in found if isinstance(one, PassOn)]

    def refused(self) -> list[str]:
        return [one.reason for one in self.outcomes if isinstance(one, NotPassedOn)]

    def receipts(self, of: bytes, *hops: int) -> None:
        """These last hops have received it."""
        for hop in hops:
            code = receipt_code(hop_key(SECRET, self.desk.roster, hop), of)
            assert self.desk.receipt(hop, of, self.scene.now_ns, code) == ""

    def deliver(self) -> list[Commit]:
        """Tells the node."""
        return [self.give(raw) for raw in self.desk.deliveries(self.scene.now_ns)]

    def pass_on(self, *hops: int) -> PassOn:
        """Takes the newest message, passes it on to these last hops, and tells the node of their receipts."""
        message = self.fetch()[-1]
        here = self.desk.audience(message, hops or range(self.desk.hops))
        self.desk.passed_all(message.id, here)
        self.receipts(message.id, *here)
        self.deliver()
        return message


def alarms(scene: Scene, node: str = "jpn") -> dict[str, str]:
    """What is raised, and what of it; the newest row of each alarm that stands."""
    newest = {row["alarm"]: row for row in scene[node].staff("alarm")}
    return {name: row["what"] for name, row in newest.items() if row["state"] == "raised"}
