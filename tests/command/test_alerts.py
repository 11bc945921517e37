"""Two persons originate a public alert, over one digest; one takes it back."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.command import confirming
from noroshi.command.alerts import CANCEL, ISSUE, AlertDesk, Approval, Draft, approval_defect, digest_of
from noroshi.command.posts import Seat, answer, prepared
from noroshi.command.warrant import SCHEMA, AlertRules, Warrant, warranted
from noroshi.messages import certify
from noroshi.messages.bodies import AlertBody, AreaRow, TextRow
from noroshi.messages.envelope import joined, signing_bytes
from tests.messages.authenticator import Authenticator
from tests.messages.conftest import Party, make_party

EVENT = 1


def body(type_: str = "Alert", words: str = "EXERCISE: shelter") -> AlertBody:
    return AlertBody(
        identifier="JPN-1",
        type=type_,  # type: ignore[arg-type]  # the words of CAP
        unit="jp-cabsec",
        sent_ns=0,
        expires_ns=10**12,
        template="pass",
        texts=[TextRow(language="en", headline=words, description="", instruction="")],
        areas=[],
        rings=[],
        references=[],
        recipients=["jp-fdma"],
        digest=b"",
        approvals=[],
    )


def step(post: str, name: str, time_ns: int = 1) -> Approval:
    return Approval(post, name, b"raw " + post.encode(), time_ns)  # type: ignore[arg-type]  # the three steps


def drafted(type_: str = "Alert") -> tuple[AlertDesk, Draft]:
    desk = AlertDesk("jp-cabsec")
    draft, replaced = desk.draft(EVENT, body(type_), deadline_ns=100)
    assert replaced == ()
    return desk, draft


def test_two_posts_issue_an_alert() -> None:
    desk, draft = drafted()
    assert [desk.sign(draft.digest, step("watch", "originate")), draft.state] == ["", "originated"]
    assert [desk.sign(draft.digest, step("approver", "approve")), draft.state] == ["", "issued"]
    issued = draft.whole(50)
    desk.stand(draft, issued)
    assert issued.approvals == [b"raw watch", b"raw approver"]
    assert desk.standing(EVENT) == (issued,)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step("watch", "originate"), step("watch", "approve")], "second-person-needed"),
        ([step("approver", "approve")], "draft-is-drafted"),
        ([step("watch", "originate"), step("other", "originate")], "draft-is-originated"),
        ([step("watch", "refuse"), step("approver", "approve")], "draft-is-refused"),
        ([step("watch", "originate", 101)], "draft-expired"),
    ],
)
def test_what_one_person_or_a_late_one_cannot_do(steps: list[Approval], expected: str) -> None:
    desk, draft = drafted()
    reasons = [desk.sign(draft.digest, one) for one in steps]
    assert reasons[-1] == expected
    assert draft.state != "issued"


def test_one_person_takes_it_back() -> None:
    desk, draft = drafted("Cancel")
    assert desk.sign(draft.digest, step("watch", "originate")) == ""
    assert draft.state == "issued"


def test_a_wider_draft_replaces_the_unfinished_one() -> None:
    desk, first = drafted()
    second, replaced = desk.draft(EVENT, body(words="EXERCISE: wider"), deadline_ns=200)
    assert replaced == (first,)
    assert desk.sign(first.digest, step("watch", "originate")) == "draft-is-superseded"
    assert desk.pending(EVENT) is second
    assert desk.sign(b"x" * 32, step("watch", "originate")) == "unknown-draft"


def test_a_draft_lapses() -> None:
    desk, draft = drafted()
    assert not desk.expire(draft.digest, 99)
    assert desk.expire(draft.digest, 100)
    assert desk.pending(EVENT) is None


def signed(
    party: Party, post: str, digest: bytes, step_name: str, decision: str = ISSUE, outcome: str = ""
) -> bytes:
    seat = Seat(party.certificates[post], "jpn", party.scheme, party.secrets[post], b"k" * 32)
    fields = {
        "task": f"{step_name}:{digest.hex()}",
        "kind": "decision",
        "audience": ["JPN"],
        "event": "",
        "case": digest[:16].hex(),
        "decision": decision,
        "step": step_name,
        "subject": digest.hex(),
        "deadline_ns": 0,
    }
    return answer(fields, outcome, seat, 5)


def test_anybody_can_check_the_signatures_under_an_alert() -> None:
    party = make_party()
    digest = digest_of(body())
    watch = signed(party, "jp-cabsec.watch", digest, "request")
    stranger = signed(party, "jp-pm.duty", digest, "ruling")
    whole = msgspec.structs.replace(body(), digest=digest, sent_ns=9)
    assert (
        approval_defect(msgspec.structs.replace(whole, approvals=[watch]), party.trust, 9, origin="JPN")
        == "second-person-needed"
    )
    both = msgspec.structs.replace(whole, approvals=[watch, watch])
    assert approval_defect(both, party.trust, 9, origin="JPN") == "second-person-needed"
    mixed = msgspec.structs.replace(whole, approvals=[watch, stranger])
    assert approval_defect(mixed, party.trust, 9, origin="JPN") == "approval-of-something-else"
    changed = msgspec.structs.replace(whole, recipients=["jp-muni"], approvals=[watch])
    assert approval_defect(changed, party.trust, 9, origin="JPN") == "digest-differs"
    refusal = signed(party, "jp-cabsec.watch", digest, "ruling", outcome="refuse")
    refused = msgspec.structs.replace(whole, approvals=[watch, refusal])
    assert approval_defect(refused, party.trust, 9, origin="JPN") == "approval-of-something-else"
    foreign = msgspec.structs.replace(whole, approvals=[watch])
    assert approval_defect(foreign, party.trust, 9, origin="USA") == "approval-of-something-else"
    forged = msgspec.structs.replace(whole, approvals=[watch[:-1] + bytes([watch[-1] ^ 1])])
    assert approval_defect(forged, party.trust, 9, origin="JPN") == "approval-bad-signature"
    cancel = body("Cancel")
    digest = digest_of(cancel)
    one = msgspec.structs.replace(
        cancel, digest=digest, approvals=[signed(party, "jp-cabsec.watch", digest, "ruling", CANCEL)]
    )
    assert approval_defect(one, party.trust, 9, origin="JPN") == ""


def test_an_answer_given_twice_is_the_same_message() -> None:
    from noroshi.messages import Message, Unverified, verify

    party = make_party()
    seat = Seat(party.certificates["jp-pm.duty"], "jpn", party.scheme, party.secrets["jp-pm.duty"], b"k" * 32)
    fields = {
        "task": "t",
        "kind": "acknowledgement",
        "audience": ["JPN", "USA"],
        "event": "",
        "of": "aa" * 16,
    }
    first, second = (verify(Unverified(answer(fields, "", seat, at)), party.trust, 99) for at in (5, 7))
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert first.id == second.id
    assert repr(seat) == "Seat(jp-pm.duty)"


REAL_AREAS = [
    AreaRow(
        kind="pass", region="Aomori", country="JP", probability=0.9, from_ns=1, to_ns=2, people=1, places=[],
        region_ja="青森県",
    )
]  # fmt: skip


def real_alert(
    *signers: tuple[str, str, str, str], machines: tuple[str, ...] = (), type_: str = "Alert"
) -> str:
    """What is wrong with a real alert that these have signed: post, `key` or `passkey`, step, what they typed."""
    party = make_party(realm="real")
    rules = Warrant(
        schema=SCHEMA, realm="real", partner="JPN", version=1, rules=AlertRules(machines=machines)
    )
    whole = msgspec.structs.replace(
        body(type_), areas=REAL_AREAS, warrant=warranted(rules, party.scheme, party.root)
    )
    whole = msgspec.structs.replace(whole, digest=digest_of(whole), sent_ns=9)
    approvals = [real_signature(party, whole, *one) for one in signers]
    return approval_defect(msgspec.structs.replace(whole, approvals=approvals), party.trust, 9, origin="JPN")


def real_signature(party: Party, whole: AlertBody, post: str, how: str, step_name: str, typed: str) -> bytes:
    device = Authenticator(number=len(post))
    bare = msgspec.structs.replace(
        party.certificates["jp-cabsec.watch"], subject=post, serial=1, signature=b"",
        public=device.passkey.public if how == "passkey" else party.scheme.public_key(post.encode().ljust(32)),
        passkey=device.passkey if how == "passkey" else msgspec.UNSET,
    )  # fmt: skip
    own = certify(party.scheme, party.root, bare)
    assert party.trust.admit(own) == ""
    fields = {
        "task": post, "kind": "decision", "audience": ["JPN"], "event": "", "case": whole.digest[:16].hex(),
        "decision": CANCEL if whole.type == "Cancel" else ISSUE, "step": step_name,
        "subject": whole.digest.hex(), "deadline_ns": 0,
    }  # fmt: skip
    payload = prepared(fields, "concur", own, "jpn", 5, typed)
    data = signing_bytes("real", payload)
    made = device.sign(data) if how == "passkey" else party.scheme.sign(post.encode().ljust(32), data)
    return joined(payload, own.public, made)


ONE = ("jp-cabsec.one", "passkey", "request", "real Aomori")
OTHER = ("jp-cabsec.other", "passkey", "ruling", "実際 青森県")


@pytest.mark.parametrize(
    ("signers", "machines", "reason"),
    [
        ((ONE, OTHER), (), ""),
        ((ONE,), (), "second-person-needed"),
        ((ONE, ONE), (), "second-person-needed"),
        ((ONE, ("jp-cabsec.other", "key", "ruling", "real Aomori")), (), "needs-a-passkey"),
        ((ONE, ("jp-cabsec.other", "key", "ruling", "real Aomori")), ("jp-cabsec.other",), ""),
        ((ONE, ("jp-cabsec.other", "passkey", "ruling", "")), (), "not-typed"),
        ((ONE, ("jp-cabsec.other", "passkey", "ruling", "exercise Aomori")), (), "typed-another-realm"),
        ((ONE, ("jp-cabsec.other", "passkey", "ruling", "real Iwate")), (), "typed-another-audience"),
    ],
)
def test_a_real_alert_takes_two_persons_who_typed_what_it_is(
    signers: tuple[tuple[str, str, str, str], ...], machines: tuple[str, ...], reason: str
) -> None:
    assert real_alert(*signers, machines=machines) == reason


def test_a_real_correction_takes_one_person_and_no_typing() -> None:
    assert real_alert(("jp-cabsec.one", "passkey", "ruling", ""), type_="Cancel") == ""
    assert real_alert(("jp-cabsec.one", "key", "ruling", ""), type_="Cancel") == "needs-a-passkey"


def test_many_regions_are_typed_by_their_number() -> None:
    rows = [msgspec.structs.replace(REAL_AREAS[0], region=f"R{n}") for n in range(7)]
    assert confirming.wanted("real", rows) == "real 7 regions"
    for typed, reason in (
        ("real 7 regions", ""),
        ("実際：7地域", ""),
        ("REAL  7 Regions", ""),
        ("real 8 regions", "typed-another-audience"),
        ("real R0, R1, R2, R3, R4, R5, R6", "typed-another-audience"),
    ):
        assert confirming.defect(typed, "real", rows) == reason, typed
