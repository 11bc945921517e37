"""An offline root: what it signs, what it refuses, and its key file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nacl.pwhash import argon2id

from noroshi.errors import InputError, OperatorError
from noroshi.messages import Ed25519, TrustStore
from noroshi.messages.keys import fingerprint, key_of, read_bundle
from noroshi.messages.trust import DAY_NS
from noroshi.service import key_files
from noroshi.service.key_files import Key, is_sealed, new_seed, read_key, write_key
from noroshi.service.root_dir import KEY_NAME, RootDir
from noroshi.sharing.policy import default_policy, opened

REALM = "exercise:roots"
NOW = 10_000 * DAY_NS
PASSPHRASE = "plain words to try"
POLICY = default_policy("JPN", ["USA"], REALM)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that argon2id takes: how long it takes is the library's."""
    monkeypatch.setattr(argon2id, "MEMLIMIT_MODERATE", argon2id.MEMLIMIT_MIN)
    monkeypatch.setattr(argon2id, "OPSLIMIT_MODERATE", argon2id.OPSLIMIT_MIN)


def key(**changes: Any) -> Key:
    fields: dict[str, Any] = {
        "realm": REALM,
        "partner": "JPN",
        "role": "node",
        "subject": "jpn",
        "seed": new_seed(),
    }
    return Key(**(fields | changes))


def root(path: Path, name: str = "root", **more: Any) -> RootDir:
    return RootDir.create(path / name, realm=REALM, partner="JPN", **more)


def store(made: RootDir) -> TrustStore:
    trust = TrustStore(REALM, Ed25519(), {"JPN": made.said.root})
    assert trust.take(made.said).refused == ()
    return trust


def test_a_root_is_locked_down_and_comes_back(tmp_path: Path) -> None:
    made = root(tmp_path)
    assert made.path.stat().st_mode & 0o777 == 0o700
    assert (made.path / KEY_NAME).stat().st_mode & 0o777 == 0o600
    assert RootDir.load(made.path) == made
    assert made.fingerprint == fingerprint(REALM, "JPN", made.said.root)
    assert root(tmp_path, "other").fingerprint != made.fingerprint
    with pytest.raises(OperatorError, match="there is one in it already"):
        root(tmp_path)


def test_it_certifies_with_rising_serials_and_all_that_it_said_is_in_its_file(tmp_path: Path) -> None:
    made, one, other = root(tmp_path), key(), key(role="post", subject="jp-pm.duty", unit="jp-pm")
    made, first = made.certify(one.request(), from_ns=NOW, to_ns=NOW + DAY_NS)
    made, second = made.certify(other.request(), from_ns=NOW, to_ns=NOW + DAY_NS)
    made, third = made.certify(one.request(), from_ns=NOW + DAY_NS, to_ns=NOW + 2 * DAY_NS)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert read_bundle(made.trust_path.read_bytes()) == made.said
    trust = store(made)
    assert trust.holder(key_of(first), NOW, "JPN") == first
    assert trust.holder(key_of(first), NOW + 2 * DAY_NS, "JPN") == third
    assert trust.holder(key_of(second), NOW, "JPN") == second


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"realm": "real"}, "it is for the realm real, and this root's is exercise:roots"),
        ({"partner": "USA"}, "it is of USA, and this root is of JPN"),
    ],
)
def test_it_certifies_no_stranger(tmp_path: Path, changes: dict[str, Any], cause: str) -> None:
    with pytest.raises(OperatorError, match=cause):
        root(tmp_path).certify(key(**changes).request(), from_ns=NOW, to_ns=NOW + 1)


def test_a_key_is_certified_for_one_holder_and_never_again_when_taken_back(tmp_path: Path) -> None:
    made, seed = root(tmp_path), new_seed()
    made, first = made.certify(key(seed=seed).request(), from_ns=NOW, to_ns=NOW + 1)
    with pytest.raises(OperatorError, match="its key is certified for jpn"):
        made.certify(key(seed=seed, subject="jpn-b").request(), from_ns=NOW, to_ns=NOW + 1)
    made = made.revoke([key_of(first)], now_ns=NOW, since_ns=NOW - 1)
    with pytest.raises(OperatorError, match="its key has been taken back"):
        made.certify(key(seed=seed).request(), from_ns=NOW, to_ns=NOW + 1)
    with pytest.raises(OperatorError, match="it would end before it begins"):
        made.certify(key().request(), from_ns=NOW, to_ns=NOW)


def test_its_list_of_keys_taken_back_is_whole_and_rises(tmp_path: Path) -> None:
    made = root(tmp_path)
    made = made.revoke([b"a" * 16], now_ns=NOW).revoke([b"b" * 16, b"a" * 16], now_ns=NOW, since_ns=5)
    (one,) = made.said.revocations
    assert (one.number, [(row.key[:1], row.since_ns) for row in one.keys]) == (2, [(b"a", 0), (b"b", 5)])


def test_a_new_root_certifies_again_what_counts(tmp_path: Path) -> None:
    made, kept, gone, past = root(tmp_path), key(), key(subject="jpn-b"), key(subject="jpn-c")
    made, one = made.certify(kept.request(), from_ns=NOW, to_ns=NOW + 99 * DAY_NS)
    made, two = made.certify(gone.request(), from_ns=NOW, to_ns=NOW + 99 * DAY_NS)
    made, _ = made.certify(past.request(), from_ns=0, to_ns=NOW - 1)
    made = made.revoke([key_of(two)], now_ns=NOW)
    new = made.replace(tmp_path / "new", now_ns=NOW, ends_ns=NOW + DAY_NS)
    trust = store(made)
    assert trust.take(new.said).refused == ()
    assert trust.root("JPN") == new.said.root
    later = NOW + 50 * DAY_NS
    assert not isinstance(trust.holder(key_of(one), later, "JPN"), str)
    assert trust.holder(key_of(two), later, "JPN") == "revoked-key"
    newcomer = TrustStore(REALM, Ed25519(), {"JPN": new.said.root})
    assert [reason for _, reason in newcomer.take(new.said).refused] == ["bad-replacement"]
    assert not isinstance(newcomer.holder(key_of(one), later, "JPN"), str)
    assert newcomer.holder(key_of(two), later, "JPN") in ("unknown-key", "revoked-key")
    again = RootDir.load(tmp_path / "new").replace(tmp_path / "newer", now_ns=NOW, ends_ns=NOW)
    assert trust.take(again.said).refused == ()
    assert trust.root("JPN") == again.said.root


def test_it_signs_its_own_partners_policies(tmp_path: Path) -> None:
    made = root(tmp_path)
    assert opened(made.sign_policy(POLICY), Ed25519(), made.said.root, partner="JPN", realm=REALM) == POLICY
    with pytest.raises(
        OperatorError, match="it is of JPN in real, and this root is of JPN in exercise:roots"
    ):
        made.sign_policy(default_policy("JPN", ["USA"]))


@pytest.mark.usefixtures("quick")
def test_a_sealed_key_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    made = root(tmp_path, passphrase=PASSPHRASE)
    assert is_sealed(made.path / KEY_NAME)
    with pytest.raises(InputError, match="it is sealed; give its passphrase"):
        made.sign_policy(POLICY)
    with pytest.raises(InputError, match="this is not its passphrase"):
        made.sign_policy(POLICY, ask=lambda: "something else")
    assert made.sign_policy(POLICY, ask=lambda: PASSPHRASE)
    new = made.replace(
        tmp_path / "new", now_ns=NOW, ends_ns=NOW, passphrase=PASSPHRASE * 2, ask=lambda: PASSPHRASE
    )
    assert new.sign_policy(POLICY, ask=lambda: PASSPHRASE * 2)


@pytest.mark.slow
def test_a_sealed_key_takes_a_while_to_open(tmp_path: Path) -> None:
    """With the figures that are really used."""
    made = root(tmp_path, passphrase=PASSPHRASE)
    sealed = json.loads((made.path / KEY_NAME).read_text())["sealed"]
    assert sealed["memory_bytes"] >= 256 << 20
    assert made.sign_policy(POLICY, ask=lambda: PASSPHRASE)


def test_a_short_passphrase_is_none() -> None:
    with pytest.raises(OperatorError, match="fewer than 12 characters"):
        key_files.check_passphrase("too short")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda d: d.update(seed="00" * 32), "it is a damaged key file"),
        (lambda d: d.update(seed="xyz"), "it is a damaged key file"),
        (lambda d: d.update(seed=7), "it is a damaged key file"),
        (lambda d: d.pop("seed"), "it is a damaged key file"),
        (lambda d: d.update(format="other"), "it is no key file"),
        (
            lambda d: (d.pop("seed"), d.update(sealed={"memory_bytes": 1 << 50, "operations": 1})),
            "damaged key file",
        ),
        (lambda d: (d.pop("seed"), d.update(sealed=[])), "it is a damaged key file"),
    ],
)
def test_a_damaged_key_file_is_one_sentence(tmp_path: Path, change: Any, cause: str) -> None:
    path = tmp_path / "a.key"
    write_key(path, key())
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=cause):
        read_key(path, ask=lambda: "x")


def test_a_key_file_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    one = key()
    write_key(path, one)
    assert read_key(path) == one
    path.chmod(0o640)
    with pytest.raises(InputError, match=r"others may read this secret.*chmod 600"):
        read_key(path)
    with pytest.raises(InputError, match="there is no such file"):
        read_key(tmp_path / "b.key")
    path.write_bytes(b"\xff\x00")
    path.chmod(0o600)
    with pytest.raises(InputError, match="it is no key file"):
        read_key(path)


@pytest.mark.parametrize("damage", ["nothing", "two", "broken"])
def test_a_directory_without_a_whole_root_is_told(tmp_path: Path, damage: str) -> None:
    made = root(tmp_path)
    if damage == "nothing":
        made.trust_path.unlink()
    elif damage == "two":
        (made.path / "USA.trust").write_bytes(b"")
    else:
        made.trust_path.write_bytes(b"\x81")
    with pytest.raises(InputError, match=r"it holds no root|it is damaged"):
        RootDir.load(made.path)


@pytest.mark.parametrize("wrong", [{"realm": "drill"}, {"partner": "Japan"}, {"partner": "jpn"}])
def test_a_root_of_nobody_is_not_made(tmp_path: Path, wrong: dict[str, str]) -> None:
    fields = {"realm": REALM, "partner": "JPN"} | wrong
    with pytest.raises(OperatorError, match="cannot make a root"):
        RootDir.create(tmp_path / "x", realm=fields["realm"], partner=fields["partner"])
    assert not (tmp_path / "x").exists()
