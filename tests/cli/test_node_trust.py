"""From nothing to nodes that believe one another, by the command line only; and no secret in anything it says."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.pwhash import argon2id

from noroshi.cli.main import main
from noroshi.messages import key_id
from noroshi.service import key_files, node_dir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RecordFile
from noroshi.service.supervisor import Supervisor
from noroshi.service.trust_files import TrustFiles
from tests.service.conftest import ROOT, until

REALM = "exercise:flight-2022-10-04"
SCENARIO = "flight-2022-10-04"
SETTINGS = ROOT / "scenarios" / "settings"
PARTNERS = {"jpn": "JPN", "usa": "USA"}
NAMES = PARTNERS | {"kor": "KOR"}
PASSPHRASE = "five plain words in a row"


class Desk:
    """A person at a terminal, in one folder. `heard` is all that was ever printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], realm: str = REALM) -> None:
        self.folder = folder
        self.capsys = capsys
        self.realm = realm
        self.heard = ""

    def says(self, *words: object) -> tuple[int, str]:
        code = main([str(word) for word in words])
        out, error = self.capsys.readouterr()
        assert "--debug" in words or "Traceback" not in error
        self.heard += out + error
        return code, out + error

    def does(self, *words: object) -> dict[str, Any]:
        code, text = self.says(*words, "--json")
        assert code == 0, text
        return json.loads(text)  # type: ignore[no-any-return]  # the commands print objects

    def root(self, node: str) -> Path:
        return self.folder / f"{node}-root"

    def file(self, node: str, root: str = "") -> Path:
        return (self.folder / (root or f"{node}-root")) / f"{PARTNERS[node]}.trust"

    def makes(self, node: str, *more: object, **ports: int) -> dict[str, Any]:
        """A root and a node of one partner, the node's key certified."""
        partner = ["--partner", PARTNERS[node], "--realm", self.realm]
        made = self.does("node", "root", "init", self.root(node), *partner, *more)
        options = [word for name, port in ports.items() for word in (f"--{name.replace('_', '-')}", port)]
        self.does("node", "init", self.folder / node, "--node", node, *partner, *options)
        self.does(
            "node", "root", "certify", self.root(node), self.folder / node / f"{node}.request", *more[1:]
        )
        return made

    def pins(self, at: str, node: str, fingerprint: str, *more: object) -> tuple[int, str]:
        sato = ["--person", "A. Sato", "--fingerprint", fingerprint]
        ito = ["--person", "B. Ito", "--fingerprint", fingerprint]
        return self.says("node", "pin", self.folder / at, NAMES[node], *sato, *ito, *more)

    def third(self) -> str:
        """Korea's node, which the others know and which does not run; the fingerprint of its link."""
        words = ["--partner", "KOR", "--node", "kor", "--realm", REALM]
        return str(self.does("node", "init", self.folder / "kor", *words)["link_fingerprint"])


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that argon2id takes: how long it takes is the library's."""
    monkeypatch.setattr(argon2id, "MEMLIMIT_MODERATE", argon2id.MEMLIMIT_MIN)
    monkeypatch.setattr(argon2id, "OPSLIMIT_MODERATE", argon2id.OPSLIMIT_MIN)


def two_nodes(desk: Desk) -> None:
    """Two partners that have pinned one another, roots and links, each with a genesis."""
    ports = free_ports(4)
    fingerprints = {
        node: desk.makes(node, link_port=ports[2 * n], page_port=ports[2 * n + 1])["fingerprint"]
        for n, node in enumerate(PARTNERS)
    }
    links = {node: node_dir.load(desk.folder / node) for node in PARTNERS}
    for at in PARTNERS:
        for node in PARTNERS:
            assert desk.pins(at, node, fingerprints[node], "--root", desk.file(node))[0] == 0
        other = "usa" if at == "jpn" else "jpn"
        peer = links[other]
        link = [
            "--certificate",
            peer.link_certificate_path,
            "--host",
            "127.0.0.1",
            "--port",
            peer.config.link.port,
        ]
        assert desk.pins(at, other, peer.link_fingerprint, *link)[0] == 0


@pytest.mark.slow
def test_from_nothing_to_a_genesis_that_holds(desk: Desk) -> None:
    two_nodes(desk)
    made = desk.does("node", "genesis", desk.folder / "jpn", "--scenario", SCENARIO)
    assert made["unpinned"] == ["KOR"]
    checked = desk.does("node", "check", desk.folder / "jpn")
    assert {one["name"] for one in checked["checks"]} >= {"directory", "keys", "trust", "genesis", "links"}
    status = desk.does("node", "status", desk.folder / "jpn")["trust"]
    assert status["key"]["counts"]
    assert status["roots"]["USA"]["pinned_by"] == ["A. Sato", "B. Ito"]
    genesis = node_dir.load(desk.folder / "jpn").genesis()
    assert set(genesis.roots) == {"JPN", "USA"}
    assert genesis.certificates[0].subject == "jpn"
    assert {one.subject for one in genesis.certificates} == {"jpn", "usa"}
    code, text = desk.says("node", "status", desk.folder / "jpn")
    assert code == 0
    assert "pinned by A. Sato and B. Ito" in text


@pytest.mark.slow
def test_nodes_that_were_made_so_run_and_have_a_link(desk: Desk) -> None:
    """The whole way, in processes of their own: the pins and their persons are on the record."""
    two_nodes(desk)
    for node in PARTNERS:
        desk.does("node", "genesis", desk.folder / node, "--scenario", SCENARIO)
    fingerprint = desk.third()
    assert desk.pins("usa", "kor", fingerprint, "--certificate", desk.folder / "kor" / "keys" / "link.cert.pem",
                     "--host", "127.0.0.1", "--port", free_ports(1)[0])[0] == 0  # fmt: skip
    asyncio.run(linked(desk.folder))
    with RecordFile(desk.folder / "jpn" / "record.db") as file:
        bodies = b"".join(record.body or b"" for record in file.records())
    assert b"A. Sato and B. Ito have pinned the root" in bodies
    assert b"A. Sato and B. Ito have pinned the link of USA" in bodies
    assert desk.does("node", "check", desk.folder / "jpn")["whole"]


async def linked(folder: Path) -> None:
    """Runs both nodes until each has shown its link to the other as up."""
    supervisor = Supervisor({node: folder / node for node in PARTNERS}, note=lambda *_: None)
    await supervisor.start()
    try:
        await until(lambda: all(is_up(folder / node) for node in PARTNERS), 60.0)
        await until(lambda: not TrustFiles(node_dir.load(folder / "jpn")).waiting(), 60.0)
    finally:
        await supervisor.stop()


def is_up(directory: Path) -> bool:
    with RecordFile(directory / "record.db") as file:
        return any(b'"state":"up"' in row.data for row in file.outbox("staff", 0, 1000))


def test_keys_change_and_roots_hand_over_by_the_command_line(desk: Desk) -> None:
    made = {node: desk.makes(node)["fingerprint"] for node in PARTNERS}
    for node in PARTNERS:
        assert desk.pins("jpn", node, made[node], "--root", desk.file(node))[0] == 0
    place = desk.folder / "jpn"
    first = desk.does("node", "status", place)["trust"]["key"]
    rotated = desk.does("node", "rotate", place)
    desk.does("node", "root", "certify", desk.root("jpn"), rotated["request"], "--days", 700)
    assert "JPN certifies node jpn" in desk.does("node", "trust", place, desk.file("jpn"))["new"][0]
    assert desk.does("node", "status", place)["trust"]["key"]["until"] > first["until"]
    old = key_id(node_dir.load(place).newest_key().public).hex()
    desk.does(
        "node", "root", "revoke", desk.root("jpn"), "--key", old[:16], "--since", "2026-01-01T00:00:00Z"
    )
    desk.does("node", "trust", place, desk.file("jpn"))
    assert desk.does("node", "status", place)["trust"]["key"]["until"] == first["until"]
    new = desk.does("node", "root", "replace", desk.root("usa"), desk.folder / "usa-new")
    assert any("hands over" in one for one in desk.does("node", "trust", place, new["file"])["new"])
    assert desk.does("node", "status", place)["trust"]["roots"]["USA"]["fingerprint"] == new["fingerprint"]
    lost = desk.does("node", "root", "init", desk.folder / "usa-lost", "--partner", "USA", "--realm", REALM)
    code, text = desk.pins("jpn", "usa", lost["fingerprint"], "--root", lost["file"])
    assert code == 2
    assert "say with --old-ends" in text
    desk.does("node", "root", "certify", desk.folder / "usa-lost", desk.folder / "usa" / "usa.request")
    ends = ["--old-ends", "2030-01-01T00:00:00Z"]
    assert desk.pins("jpn", "usa", lost["fingerprint"], "--root", desk.file("usa", "usa-lost"), *ends)[0] == 0
    assert desk.does("node", "status", place)["trust"]["roots"]["USA"]["fingerprint"] == lost["fingerprint"]


def test_a_post_has_a_key_of_its_own(desk: Desk) -> None:
    desk.makes("jpn")
    place = desk.folder / "pm.key"
    words = ["--partner", "JPN", "--realm", REALM, "--post", "jp-pm.duty", "--unit", "jp-pm"]
    made = desk.does("node", "post", place, *words)
    assert place.stat().st_mode & 0o777 == 0o600
    done = desk.does("node", "root", "certify", desk.root("jpn"), made["request"])
    assert (done["role"], done["subject"], done["unit"]) == ("post", "jp-pm.duty", "jp-pm")
    code, text = desk.says("node", "post", place, *words)
    assert (code, "it is there already" in text) == (2, True)
    said = desk.does("node", "root", "show", desk.file("jpn"))["says"]
    assert said[0].startswith("root of JPN: ")
    assert any("JPN certifies post jp-pm.duty" in line for line in said)
    assert "request: post jp-pm.duty of JPN" in desk.does("node", "root", "show", made["request"])["says"][0]


def test_a_policy_is_signed_by_the_root_and_given_to_the_node(desk: Desk) -> None:
    made = desk.makes("jpn")
    policy = desk.folder / "policy.yaml"
    policy.write_text(f"""
schema: noroshi.release-policy/1
partner: JPN
realm: {REALM}
version: 2
ranks: [unclassified, restricted]
partners:
  USA: {{ terms: member, highest: restricted }}
""")
    out = desk.folder / "jpn.policy"
    assert desk.does("node", "root", "policy", desk.root("jpn"), policy, "--out", out)["version"] == 2
    code, text = desk.says("node", "policy", desk.folder / "jpn", out)
    assert (code, "the node would refuse it (no-root)" in text) == (2, True)
    assert desk.pins("jpn", "jpn", made["fingerprint"], "--root", desk.file("jpn"))[0] == 0
    assert desk.does("node", "policy", desk.folder / "jpn", out)["version"] == 2
    assert desk.does("node", "status", desk.folder / "jpn")["trust"]["waiting"] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["root", "certify", "jpn-root", "usa/usa.request"], "it is of USA, and this root is of JPN"),
        (["root", "certify", "jpn-root", "nothing.request"], "nothing.request: there is no such file"),
        (["root", "certify", "jpn-root", "jpn/node.json"], "it is no request"),
        (["root", "certify", "jpn", "jpn/jpn.request"], "it holds no root; give a root's directory"),
        (
            ["root", "certify", "jpn-root", "jpn/jpn.request", "--from", "yesterday"],
            "it is no time with a zone",
        ),
        (["root", "revoke", "jpn-root", "nobody"], "this root has certified no nobody"),
        (["root", "revoke", "jpn-root"], "no key is named"),
        (["root", "revoke", "jpn-root", "--key", "00"], "it is no key of this root"),
        (["root", "init", "jpn-root", "--partner", "JPN", "--realm", REALM], "there is one in it already"),
        (["root", "init", "x", "--partner", "JPN", "--realm", "drill"], "it is no realm"),
        (["root", "show", "jpn/node.json"], "it is no bundle of trust"),
        (["trust", "jpn", "usa-root/USA.trust"], "nothing in it is believed (unknown-partner)"),
        (["genesis", "jpn"], "give either a file, --scenario or --setting"),
        (["genesis", "jpn", "--scenario", SCENARIO], "the node's own key is not certified (unknown-key)"),
        (["pin", "jpn", "USA", "--person", "a", "--fingerprint", "f"], "give either --root or --certificate"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    for node in PARTNERS:
        desk.makes(node)
    monkeypatch.chdir(desk.folder)
    code, text = desk.says("node", *words)
    assert code == 2
    assert sentence in text


def test_a_scenario_of_another_realm_or_without_the_node_makes_no_genesis(desk: Desk) -> None:
    made = desk.does("node", "root", "init", desk.root("jpn"), "--partner", "JPN", "--realm", REALM)
    place = desk.folder / "other"
    desk.does("node", "init", place, "--node", "other", "--partner", "JPN", "--realm", REALM)
    desk.does("node", "root", "certify", desk.root("jpn"), place / "other.request")
    assert desk.pins("other", "jpn", made["fingerprint"], "--root", desk.file("jpn"))[0] == 0
    code, text = desk.says("node", "genesis", place, "--scenario", SCENARIO)
    assert (code, "it has no node other of JPN; it has jpn of JPN" in text) == (2, True)
    real = desk.folder / "real"
    desk.does("node", "init", real, "--node", "jpn", "--partner", "JPN", "--realm", "real")
    code, text = desk.says("node", "genesis", real, "--scenario", SCENARIO)
    assert (code, f"its realm is {REALM}, and this node's is real" in text) == (2, True)


def test_a_setting_founds_nodes_of_its_own_realm_that_it_names(desk: Desk) -> None:
    example = (SETTINGS / "two-nations.yaml").read_text().replace("realm: real", "realm: exercise:standing")
    place = desk.folder / "standing.yaml"
    place.write_text(example)
    code, text = desk.says("node", "setting", place)
    assert (code, "there is no structure 'two-nations-structure.yaml'" in text) == (2, True)
    structure = (SETTINGS / "two-nations-structure.yaml").read_text()
    (desk.folder / "two-nations-structure.yaml").write_text(structure)
    assert desk.does("node", "setting", place)["realm"] == "exercise:standing"
    made = desk.makes("jpn")
    assert desk.pins("jpn", "jpn", made["fingerprint"], "--root", desk.file("jpn"))[0] == 0
    node, words = desk.folder / "jpn", f"its realm is exercise:standing, and this node's is {REALM}"
    code, text = desk.says("node", "genesis", node, "--setting", place)
    assert (code, f"{place}:5: realm: {words}" in text) == (2, True), text
    place.write_text(example.replace("exercise:standing", REALM).replace("node: jpn", "node: tokyo"))
    code, text = desk.says("node", "genesis", node, "--setting", place)
    assert (code, "it has no node jpn of JPN; it has tokyo of JPN, usa of USA" in text) == (2, True)
    place.write_text(example.replace("exercise:standing", REALM))
    code, text = desk.says("node", "genesis", node, "--setting", place, "--structure", "before")
    assert (code, "a setting names its structure itself" in text) == (2, True)
    code, text = desk.says("node", "genesis", node, "--setting", place)
    assert code == 0
    assert "no root of USA is pinned" in text
    assert "no key is certified yet of the relays towns-a, towns-b" in text
    assert node_dir.load(node).genesis().title == "Two nations that warn one another"


def forms(secret: bytes) -> Iterator[bytes]:
    """How a secret might stand somewhere."""
    yield secret
    yield secret.hex().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    yield repr(secret)[2:-1].encode()


def secrets_of(desk: Desk) -> list[bytes]:
    """Every secret on the desk."""
    found = [PASSPHRASE.encode()]
    for node in PARTNERS:
        keys = desk.folder / node / "keys"
        found += [path.read_bytes() for path in keys.iterdir() if path.name != "link.cert.pem"]
        found.append(b"".join((keys / "link.key.pem").read_bytes().splitlines()[1:-1]))
        found.append(key_files.read_key(desk.root(node) / "root.key", lambda: PASSPHRASE).seed)
    found.append(key_files.read_key(desk.folder / "pm.key").seed)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_no_secret_is_in_anything_that_is_said_or_written_for_others(desk: Desk) -> None:
    """All commands, right and wrong, with tracebacks; every file that is not the secret's own."""
    words = desk.folder / "passphrase"
    words.write_text(f"{PASSPHRASE}\n")
    words.chmod(0o600)
    file = ["--passphrase-file", words]
    made = {}
    for node, partner in PARTNERS.items():
        made[node] = desk.does(
            "node", "root", "init", desk.root(node), "--partner", partner, "--realm", REALM, *file
        )
    for node in PARTNERS:
        desk.does(
            "node", "init", desk.folder / node, "--node", node, "--partner", PARTNERS[node], "--realm", REALM
        )
        desk.does("node", "rotate", desk.folder / node)
        desk.does("node", "root", "certify", desk.root(node), desk.folder / node / f"{node}.request", *file)
    post = ["--partner", "JPN", "--realm", REALM, "--post", "jp-pm.duty", "--unit", "jp-pm"]
    desk.does("node", "post", desk.folder / "pm.key", *post)
    jpn = desk.folder / "jpn"
    for node in PARTNERS:
        desk.pins("jpn", node, made[node]["fingerprint"], "--root", desk.file(node))
    desk.pins("jpn", "usa", "0" * 64, "--root", desk.file("usa"), "--debug")
    for command in ("status", "check"):
        desk.says("node", command, jpn)
        desk.says("node", command, jpn, "--json", "--debug")
    desk.says("node", "root", "show", desk.file("jpn"))
    desk.says("node", "root", "show", desk.folder / "pm.key", "--debug")
    desk.says("node", "root", "replace", desk.root("usa"), desk.folder / "usa-new", "--days", 3, *file)
    desk.says("node", "root", "certify", desk.root("jpn"), jpn / "keys" / "signing.seed", *file, "--debug")
    desk.says("node", "genesis", jpn, jpn / "keys" / "ids.seed", "--debug")
    desk.says("node", "trust", jpn, desk.root("jpn") / "root.key", "--debug")
    (jpn / "keys" / "ids.seed").chmod(0o644)
    desk.says("node", "check", jpn, "--debug")
    desk.says("node", "run", jpn, "--debug")
    (jpn / "keys" / "ids.seed").chmod(0o600)
    secret_files = {path for path in desk.folder.rglob("keys/*") if path.name != "link.cert.pem"}
    secret_files |= {words, *desk.folder.rglob("*.key")}
    said = {"what was printed": desk.heard.encode()}
    said |= {
        str(path): path.read_bytes()
        for path in desk.folder.rglob("*")
        if path.is_file() and path not in secret_files
    }
    assert len(said) > 10
    leaks = [
        (place, number) for place, text in said.items() for number, secret in enumerate(secrets_of(desk))
        if any(form in text for form in forms(secret))
    ]  # fmt: skip
    assert leaks == []


@pytest.mark.parametrize("secret", [bytes(range(32)), b"s" * 32, PASSPHRASE.encode()])
def test_the_search_finds_a_secret_in_every_form(secret: bytes) -> None:
    shown = [secret, secret.hex().encode(), base64.b64encode(secret), base64.urlsafe_b64encode(secret)]
    for text in (
        *shown,
        f"Secrets(signing={secret!r})".encode(),
        b'"seed": "' + secret.hex().encode() + b'"',
    ):
        assert any(form in b"some text " + text + b" and more" for form in forms(secret))


@pytest.mark.slow
def test_no_secret_is_in_a_record_a_stream_or_a_review() -> None:
    """A crisis with known secrets: nodes' records with all rows that go to partners and staff, refusals, the review."""
    from noroshi.messages.bodies import RemarkBody
    from noroshi.node.inputs import Received
    from noroshi.review import measure, open_log, render
    from tests.node.scene import Scene

    scene = Scene()
    scene.alert()
    scene.bring("usa", "jpn", b"garbage")
    scene.bring("usa", "jpn", scene.sealed("usa", "remark", RemarkBody(unit="us-dod", text="x")))
    scene["jpn"].take(scene.now_ns, Received(party="post:nobody", number=0, raw=b"garbage"))
    secrets = [
        secret
        for side in scene.sides.values()
        for secret in (
            side.member.secrets.signing,
            side.member.secrets.ids,
            *(one for seat in side.member.seats.values() for one in (seat.secret, seat.ids_secret)),
        )
    ]
    logs = [open_log(node, side.records()) for node, side in scene.sides.items()]
    review = render(logs, measure(logs), (), (), (), limits=()).encode()
    assert [n for n, secret in enumerate(secrets) if any(form in review for form in forms(secret))] == []
    for node, side in scene.sides.items():
        texts = [record.body or b"" for record in side.records()]
        texts += [row.data for batch in side.batches for row in batch.outbox]
        texts += [
            repr(side.node.state.secrets).encode(),
            repr(side.member).encode(),
            repr(side.member.seats).encode(),
        ]
        whole = b"\n".join(texts)
        assert len(whole) > 100_000
        assert [
            n for n, secret in enumerate(secrets) if any(form in whole for form in forms(secret))
        ] == [], node
