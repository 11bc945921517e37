"""Other agencies' files as a node takes them in, and what somebody says in public as its entrance reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import act_now, facts_of
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.messages.soundness import LAST_NS
from noroshi.node.hazard_rows import name_of
from noroshi.node.hazards import realm_defect
from noroshi.service.cap_config import CapEntrance
from noroshi.service.cap_entrance import Entrance
from noroshi.service.cap_http import MAX_RELAY_BYTES, relay_of
from tests.fuzz.table import Target
from tests.node.agency import cap

SENT_NS = 1_664_835_720 * 10**9
ENTRANCE = Entrance.of(CapEntrance(), Path())


def _hazard(data: bytes) -> None:
    """Every number in a message's facts can be, and every refusal has a reason."""
    given = ENTRANCE.given("hand:a", data, SENT_NS)
    assert given.fault in ("", "oversize", "wrongly-signed")
    try:
        facts = facts_of(read_cap(data))
    except CapUnreadableError as error:
        assert error.rule
        return
    if isinstance(facts, str):
        assert facts
        return
    assert 0 < facts.sent_ns < LAST_NS
    assert facts.until_ns <= LAST_NS
    assert all(0 <= one.expires_ns < LAST_NS for one in facts.infos)
    assert len(facts.digest) == 32
    assert isinstance(act_now(facts), bool)
    assert name_of(facts)
    for realm in ("real", "exercise:a"):
        reason, detail = realm_defect(facts, realm)
        assert reason or not detail


def _hazards() -> tuple[bytes, ...]:
    return (
        cap(SENT_NS),
        cap(SENT_NS, type_="Cancel", refers=(("wave-1", SENT_NS - 10**9),)),
        cap(
            SENT_NS,
            area="<circle>35,140 20</circle><geocode><valueName>a</valueName><value>b</value></geocode>",
        ),
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>',
    )


def _wordy(size: int) -> Iterable[bytes]:
    """Words that read as many, claims that nearly are, and names within names."""
    for word in ("\ufdfa", "not a ", "exercise ", "training ", "訓練では", "e\u0301"):
        yield cap(SENT_NS, headline=word * (size // 3 // len(word.encode())))[:size]


def _relay(data: bytes) -> None:
    given = relay_of(data)
    assert given.outlet or not given.text


def _relays() -> tuple[bytes, ...]:
    whole = {
        "outlet": "A paper", "authority": "jp-cabsec", "text": "Shelter", "link": "https://a.example",
        "time": "2022-10-03T22:24:00Z", "original": base64.b64encode(b"<alert/>").decode(),
    }  # fmt: skip
    return (json.dumps(whole).encode(), b"{}", b'{"outlet": 1}', b"[" * 100)


TARGETS = (
    Target(
        "hazard",
        "another agency's file, as far as what a node knows of it",
        lambda: _hazard,
        _hazards,
        "xml",
        MAX_HAZARD_BYTES,
        96.0,
        12.0,
        _wordy,
    ),
    Target(
        "relay-request", "the body of /api/relay", lambda: _relay, _relays, "json", MAX_RELAY_BYTES, 32.0, 2.0
    ),
)
