"""Other agencies' files as a node takes them in, and what somebody says in public as its entrance reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

from noroshi.command.hazard_rules import AgencyName, HazardRule, Way, rule_for
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import act_now, facts_of
from noroshi.messages.bodies import CitedRow
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.messages.soundness import LAST_NS
from noroshi.node.hazard_rows import name_of
from noroshi.node.hazards import realm_defect
from noroshi.service.cap_config import CapEntrance
from noroshi.service.cap_entrance import Entrance
from noroshi.service.cap_http import MAX_RELAY_BYTES, relay_of
from noroshi.warning import load_areas, own_watch
from noroshi.warning.hazard_areas import under
from noroshi.warning.rules import WarningRules
from noroshi.warning.templates import with_hazards
from noroshi.warning.texts import hazard_texts
from noroshi.warning.watch import watch_over
from tests.fuzz.table import Look, Target
from tests.node.agency import SENDER, cap
from tests.node.scene import places

SENT_NS = 1_664_835_720 * 10**9
ZONES = Path(__file__).resolve().parents[2] / "scenarios" / "areas" / "example-zones.geojson"
CITED = CitedRow(
    sender=SENDER, identifier="wave-1", sent_ns=SENT_NS, file=bytes(32), hazard="general", agency="Agency",
    agency_ja="庁", agency_ko="청", severity="Minor", urgency="Future", certainty="Possible",
)  # fmt: skip
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


def _alert() -> Look:
    """What an agency's file would make of a public alert, were its agency trusted with everything."""
    widest = HazardRule(
        senders=(SENDER,), name=AgencyName(en="Agency", ja="庁", ko="청"), hazard="general", entrances=("*",),
        events=("*",), severity="Minor", urgency="Future", certainty="Possible",
    )  # fmt: skip
    rules = (widest,)
    built_in = watch_over(places(), ("JP",))
    own = load_areas(ZONES.read_text(encoding="utf-8"), ZONES.name)
    zones = own_watch(own, places(), "JP", WarningRules())
    words = with_hazards("exercise")

    def look(data: bytes) -> None:
        try:
            facts = facts_of(read_cap(data))
        except CapUnreadableError:
            return
        if isinstance(facts, str) or (rule := rule_for(rules, facts, Way("feed:a", "unsigned"))) is None:
            return
        covered = [one for one in facts.infos if rule.covers(one)]
        for watch, areas in ((built_in, None), (zones, own)):
            found = under(covered, watch, areas, facts.sent_ns, until_ns=facts.until_ns)
            assert all(one.kind == "hazard" and one.from_ns <= one.to_ns for one in found.areas)
            assert all(facts.sent_ns < one.to_ns < LAST_NS for one in found.areas)
            assert all(ring[0] == ring[-1] for ring in found.rings)
            _, texts = hazard_texts(
                "exercise:a", CITED, "issued", found.areas, nation="JP", now_ns=facts.sent_ns, templates=words
            )
            assert {one.language for one in texts} == {"en", "ja", "ko"}

    return look


def _shapes(size: int) -> Iterable[bytes]:
    """Outlines without number, beside our coast and far from it, and codes without number."""
    for one in (
        "<polygon>39.0,142.3 39.1,142.3 39.1,142.4 39.0,142.3</polygon>",
        "<circle>39.0,142.0 5</circle>",
        "<geocode><valueName>zone</valueName><value>N1</value></geocode>",
    ):
        room = size - len(cap(SENT_NS, area=""))
        yield cap(SENT_NS, area="".join(_varied(one, n) for n in range(room // 2 // len(_varied(one, 0)))))


def _varied(outline: str, number: int) -> str:
    """The same a little further east, since an outline that is repeated costs nothing."""
    return outline.replace("142.", f"142.{number % 1000:03}")


TARGETS = (
    Target(
        "hazard-alert",
        "another agency's file, as far as a draft of an alert on its word",
        _alert,
        _hazards,
        "xml",
        MAX_HAZARD_BYTES,
        160.0,
        30.0,
        _shapes,
    ),
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
