"""A node's directory as a place of trust: two persons pin, roots speak, the running node takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.errors import InputError, OperatorError
from noroshi.messages import Ed25519, key_id
from noroshi.messages.keys import fingerprint, read_bundle
from noroshi.messages.trust import DAY_NS
from noroshi.node.inputs import Answer, Control, Input
from noroshi.node.trusting import Keyring
from noroshi.service import node_dir
from noroshi.service.control_files import ControlFiles
from noroshi.service.key_files import Key, new_seed
from noroshi.service.node_check import check_node
from noroshi.service.node_dir import NodeDir
from noroshi.service.root_dir import RootDir, read_request_file
from noroshi.service.trust_files import Compared, TrustFiles, read_bundle_file
from noroshi.sharing.policy import default_policy
from tests.service.standin import REALM

PERSONS = ("A. Sato", "B. Ito")
POLICY = default_policy("JPN", ["USA"], REALM)


def now_ns(directory: NodeDir) -> int:
    return directory.config.clock.clock().now_ns()


class Office:
    """Japan's node and root, and the root of the United States."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jpn = node_dir.create(
            path / "jpn", realm=REALM, partner="JPN", node="jpn", link_port=1, page_port=2
        )
        self.now_ns = now_ns(self.jpn)
        self.root = self.certified(self.new_root("JPN"), read_request_file(self.jpn.request_path))
        usa = Key(realm=REALM, partner="USA", role="node", subject="usa", seed=new_seed())
        self.usa = self.certified(self.new_root("USA"), usa.request())

    @property
    def files(self) -> TrustFiles:
        return TrustFiles(node_dir.load(self.jpn.path))

    def new_root(self, partner: str, name: str = "root") -> RootDir:
        return RootDir.create(self.path / f"{partner}-{name}", realm=REALM, partner=partner)

    def certified(self, root: RootDir, request: Any, days: float = 365.0) -> RootDir:
        to_ns = self.now_ns + round(days * DAY_NS)
        return root.certify(request, from_ns=self.now_ns - DAY_NS, to_ns=to_ns)[0]

    def pin(self, root: RootDir, **more: Any) -> Any:
        compared = Compared(root.partner, (root.fingerprint, root.fingerprint), PERSONS)
        return self.files.pin_root(compared, root.said, self.now_ns, **more)

    def met(self, name: str) -> tuple[bool, str]:
        (check,) = [one for one in check_node(self.jpn.path) if one.name == name]
        return check.met, check.detail


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_pin_makes_a_root_count_and_names_the_two_persons(office: Office) -> None:
    assert office.files.store().partners() == ()
    office.pin(office.root)
    office.pin(office.usa)
    trust = office.files.store()
    assert trust.partners() == ("JPN", "USA")
    assert [one.persons for one in trust.pins("USA", "root")] == [PERSONS]
    assert [one.subject for one in trust.valid("USA", "node", office.now_ns)] == ["usa"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in office.files.waiting())
    assert office.files.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("fingerprints", "persons", "cause"),
    [
        (("F", "F"), ("A. Sato",), "1 persons and 2 fingerprints were given, not two of each"),
        (("F",), PERSONS, "2 persons and 1 fingerprints"),
        (("F", "F", "F"), (*PERSONS, "C. Abe"), "3 persons and 3 fingerprints"),
        (("F", "F"), ("A. Sato", "A. Sato"), "both are A. Sato"),
        (("F", "F"), ("A. Sato", " a.  SATO "), "both are A. Sato"),
        (("F", "F"), ("A. Sato", ""), "a person has no name"),
        (("F", "F"), ("A. Sato", "x" * 200), "a person has no name"),
        (("F", "0" * 64), PERSONS, "the two persons have typed different fingerprints"),
        (("0" * 64, "0" * 64), PERSONS, "the file and the fingerprint that was read out do not match"),
        (("", ""), PERSONS, "do not match"),
    ],
)
def test_two_persons_must_agree_with_the_partner(
    office: Office, fingerprints: Sequence[str], persons: Sequence[str], cause: str
) -> None:
    typed = tuple(one.replace("F", office.usa.fingerprint) for one in fingerprints)
    with pytest.raises(OperatorError, match=cause):
        office.files.pin_root(Compared("USA", typed, persons), office.usa.said, office.now_ns)
    assert office.files.waiting() == []


def test_a_fingerprint_may_be_typed_in_groups(office: Office) -> None:
    plain = office.usa.fingerprint
    grouped = " ".join(plain[place : place + 4].upper() for place in range(0, 64, 4))
    colons = ":".join(plain[place : place + 2] for place in range(0, 64, 2))
    office.files.pin_root(Compared("USA", (grouped, colons), PERSONS), office.usa.said, office.now_ns)


def test_the_fingerprint_of_one_partner_pins_no_other(office: Office) -> None:
    """Nor that of another realm: both are in the fingerprint."""
    other = fingerprint(REALM, "KOR", office.usa.said.root)
    assert other != office.usa.fingerprint
    with pytest.raises(OperatorError, match="do not match"):
        office.files.pin_root(
            Compared("KOR", (office.usa.fingerprint,) * 2, PERSONS), office.usa.said, office.now_ns
        )


def test_after_a_loss_the_next_root_is_pinned_with_an_end_for_the_old(office: Office) -> None:
    office.pin(office.usa)
    (old,) = office.files.store().valid("USA", "node", office.now_ns)
    new_key = Key(realm=REALM, partner="USA", role="node", subject="usa", seed=new_seed())
    new = office.certified(office.new_root("USA", "new"), new_key.request())
    with pytest.raises(
        OperatorError, match="another root of this partner is pinned here; say with --old-ends"
    ):
        office.pin(new)
    office.pin(new, old_ends_ns=office.now_ns + DAY_NS)
    trust = office.files.store()
    assert trust.root("USA") == new.said.root
    assert trust.holder(key_id(old.public), office.now_ns, "USA") == old
    assert trust.holder(key_id(old.public), office.now_ns + DAY_NS + 1, "USA") == "key-not-valid-now"
    assert [one.number for one in trust.pins("USA", "root")] == [1, 2]
    office.pin(new)  # the same once more ends nothing
    assert trust.holder(key_id(old.public), office.now_ns, "USA") == old


def test_what_a_root_says_later_is_added_and_what_others_say_is_not(office: Office) -> None:
    office.pin(office.usa)
    more = office.certified(office.usa, Key(realm=REALM, partner="USA", role="post", subject="us-dod.watch",
                                            unit="us-dod", seed=new_seed()).request())  # fmt: skip
    assert [one.subject for one in office.files.add(more.said).new] == ["us-dod.watch"]  # type: ignore[union-attr]  # a certificate
    count = len(office.files.waiting())
    assert office.files.add(more.said).new == ()
    assert len(office.files.waiting()) == count
    with pytest.raises(OperatorError, match="nothing in it is believed \\(unknown-partner\\)"):
        office.files.add(office.root.said)


def test_a_link_pin_is_kept_with_its_persons(office: Office) -> None:
    usa = node_dir.create(
        office.path / "usa", realm=REALM, partner="USA", node="usa", link_port=3, page_port=4
    )
    pem = usa.link_certificate_path.read_bytes()
    typed = (usa.link_fingerprint,) * 2
    directory, pin = office.files.pin_link(
        Compared("USA", typed, PERSONS), pem, "usa.example", 8711, office.now_ns
    )
    assert directory.peer_certificate("USA") == pem
    assert pin.value.hex() == usa.link_fingerprint
    assert [one.persons for one in office.files.store().pins("USA", "link")] == [PERSONS]
    with pytest.raises(OperatorError, match="do not match"):
        office.files.pin_link(
            Compared("USA", typed, PERSONS), office.jpn.link_certificate_path.read_bytes(), "x", 1, 1
        )
    with pytest.raises(OperatorError, match="the file is no certificate"):
        office.files.pin_link(Compared("USA", typed, PERSONS), b"x", "x", 1, 1)


def test_a_damaged_file_of_trust_is_told(office: Office) -> None:
    office.pin(office.root)
    (path,) = office.files.waiting()
    path.write_bytes(b"\x81\xa1")
    with pytest.raises(InputError, match="it is no bundle of trust \\(malformed\\)"):
        office.files.store()
    assert office.met("trust") == (
        False,
        str(path) + ": it is no bundle of trust (malformed); ask who made it for a whole one",
    )


def test_check_says_whether_the_nodes_own_key_counts(office: Office) -> None:
    assert office.met("trust") == (True, "no root is pinned: nobody is believed")
    office.pin(office.usa)
    assert "its key does not count (unknown-key); have jpn.request certified" in office.met("trust")[1]
    office.pin(office.root)
    met, detail = office.met("trust")
    assert met
    assert "its key counts until" in detail
    assert "roots of JPN, USA" in detail
    taken_back = office.root.revoke(office.root.keys_of("jpn"), now_ns=office.now_ns)
    office.files.add(taken_back.said)
    assert "its key does not count (revoked-key)" in office.met("trust")[1]


def test_check_tells_of_an_end_that_is_near(office: Office) -> None:
    office.pin(office.root)
    soon = Key(realm=REALM, partner="JPN", role="post", subject="jp-pm.duty", unit="jp-pm", seed=new_seed())
    office.files.add(office.certified(office.root, soon.request(), days=0.1).said)
    met, detail = office.met("trust")
    assert met
    assert "the key of jp-pm.duty (JPN) ends in 0.1 days" in detail


def test_a_new_signing_key_stands_beside_the_old_until_it_is_certified(office: Office) -> None:
    office.pin(office.root)
    first = office.jpn.secrets()
    request = read_request_file(office.jpn.rotate())
    rotated = office.jpn.secrets()
    assert isinstance(rotated, Keyring)
    assert (rotated.signing, rotated.ids, len(rotated.later)) == (first.signing, first.ids, 1)
    assert request.public == Ed25519().public_key(rotated.later[0]) == office.jpn.newest_key().public
    assert office.met("trust")[0]
    assert "(the newest of several)" in office.met("keys")[1]
    office.root = office.certified(office.root, request)
    office.files.add(office.root.said)
    assert len(office.files.store().valid("JPN", "node", office.now_ns)) == 2
    office.jpn.rotate()
    assert len(office.jpn.secrets().later) == 2  # type: ignore[attr-defined]  # a Keyring, as above


def test_a_policy_that_our_root_has_signed_waits_among_the_bundles(office: Office) -> None:
    signed_policy = office.root.sign_policy(POLICY)
    with pytest.raises(OperatorError, match="the node would refuse it \\(no-root\\)"):
        office.files.add_policy(signed_policy)
    office.pin(office.root)
    assert office.files.add_policy(signed_policy) == POLICY
    assert [path.name for path in office.files.waiting()] == ["0001.trust", "0002.policy"]
    assert office.files.store().partners() == ("JPN",)
    forged = office.usa.sign_policy(msgspec.structs.replace(POLICY, partner="USA", partners={}))
    for raw in (forged, signed_policy[:-1], b""):
        with pytest.raises(OperatorError, match="the node would refuse it"):
            office.files.add_policy(raw)


class Shell:
    """Answers like a shell whose node takes what it is given."""

    def __init__(self, outcome: str = "accepted") -> None:
        self.given: list[Input] = []
        self.outcome = outcome

    async def give(self, given: Input) -> Answer:
        self.given.append(given)
        return Answer(self.outcome, "bad-certificate")  # type: ignore[arg-type]  # one of the three words


def test_the_running_node_is_given_each_file_once_in_order(office: Office) -> None:
    office.pin(office.root)
    office.pin(office.usa)
    notes: list[str] = []
    shell = Shell()
    files = ControlFiles(shell, office.jpn, notes.append)  # type: ignore[arg-type]  # `give` is all that it asks for
    wanted = [path.read_bytes() for path in office.files.waiting()]
    assert asyncio.run(files.give()) == 2
    assert [one.raw for one in shell.given if isinstance(one, Control)] == wanted
    assert asyncio.run(files.give()) == 0
    assert (office.files.waiting(), notes) == ([], [])
    assert office.files.store().partners() == ("JPN", "USA")
    office.pin(office.usa)
    assert [path.name for path in office.files.waiting()] == ["0003.trust"]


def test_what_the_node_refuses_is_told_and_not_given_again(office: Office) -> None:
    office.pin(office.root)
    notes: list[str] = []
    files = ControlFiles(Shell("refused"), office.jpn, notes.append)  # type: ignore[arg-type]  # as above
    assert asyncio.run(files.give()) == 1
    assert notes == ["0001.trust of trust was refused: bad-certificate"]
    assert asyncio.run(files.give()) == 0


def test_the_file_for_partners_holds_no_secret(office: Office) -> None:
    raw = office.root.trust_path.read_bytes()
    assert not isinstance(read_bundle(raw), str)
    assert read_bundle_file(office.root.trust_path) == office.root.said
    seed = (office.root.path / "root.key").read_text().split('"seed": "')[1][:64]
    assert bytes.fromhex(seed) not in raw
    assert seed.encode() not in raw
