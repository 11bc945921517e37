"""Two partners' nodes in the real realm, founded and worked as people would: commands, pages, feeds, passkeys."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from noroshi.clock import seconds
from noroshi.exercise.world import looks
from noroshi.gateways.cap_own import check_own
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import facts_of
from noroshi.node.inputs import Detections
from noroshi.service import node_dir
from noroshi.service.alert_desk import waiting
from noroshi.service.client import NodeClient
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RecordFile
from noroshi.service.supervisor import Supervisor
from noroshi.service.trust_files import TrustFiles
from tests.cli.test_alert import base64url, challenge, given, post_json, sign
from tests.cli.test_node_trust import Desk, two_nodes
from tests.messages.authenticator import Authenticator
from tests.node.agency import cap
from tests.service.conftest import ROOT, until
from tests.service.test_real_nodes import coalition

SETTING = ROOT / "scenarios" / "settings" / "two-nations.yaml"
WATCH, APPROVER = "jp-cabsec.watch", "jp-cabsec.approver"
HOPS = 3
SEEN_S = 25.0
"""How much of the flight the radars have seen when the feed is opened."""


def signing_key(folder: Path) -> None:
    """The key with which the authority signs what it serves, and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Crisis centre")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=365))
    path = folder / "cap.key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    (folder / "cap.cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def radar_looks() -> list[Detections]:
    """What Japan's two radars have seen of a flight, the last of it now."""
    seen = [one for one in looks(coalition(), b"k" * 32) if one.node == "jpn"]
    seen = [one for one in seen if one.time_ns < seen[0].time_ns + seconds(SEEN_S)]
    by_ns = time.time_ns() - seen[-1].time_ns
    return [
        msgspec.structs.replace(
            one.detections, realm="real", time_ns=tuple(at + by_ns for at in one.detections.time_ns)
        )
        for one in seen
    ]


def staff_rows(place: NodeDir) -> list[dict[str, Any]]:
    with RecordFile(place.record_path) as file:
        return [json.loads(row.data) for row in file.outbox("staff", 0, 10_000)]


def rows_for(place: NodeDir, kind: str) -> list[dict[str, Any]]:
    return [row for row in staff_rows(place) if row["type"] == kind]


def desk_rows(place: NodeDir) -> list[Any]:
    with RecordFile(place.record_path) as file:
        return list(waiting(file))


def awaited(look: Callable[[], Any], what: str) -> Any:
    """What comes of it, as soon as anything does."""
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


def asked_for(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return bytes(answer.read())


class Crisis(Desk):
    """The same desk, with both nodes running."""

    @property
    def jpn(self) -> NodeDir:
        return node_dir.load(self.folder / "jpn")

    @property
    def usa(self) -> NodeDir:
        return node_dir.load(self.folder / "usa")

    def certifies(self, request: object) -> None:
        self.does("node", "root", "certify", self.root("jpn"), request)
        self.does("node", "trust", self.folder / "jpn", self.file("jpn"))
        awaited(lambda: not TrustFiles(self.jpn).waiting(), "the node takes what its root has said")

    def enrols(self, post: str, device: Authenticator) -> None:
        body = {
            "post": post, "unit": "jp-cabsec", "rp": device.rp, "origin": device.origin,
            "made": base64url(device.made()),
        }  # fmt: skip
        _, answer = post_json(self.jpn, "enrol", body)
        status, done = post_json(
            self.jpn, "enrol", body | {"assertion": given(device.assertion(challenge(answer)))}
        )
        assert status == 200, done
        self.certifies(done["file"])

    def waits(self) -> list[dict[str, Any]]:
        """What a person at a terminal is shown."""
        code, text = self.says("alert", "tasks", self.folder / "jpn", "--json")
        assert code == 0, text
        return list(json.loads(text))

    def task(self, action: str) -> Any:
        return awaited(
            lambda: [one for one in desk_rows(self.jpn) if one.get("action") == action], f"no {action}"
        )[0]


def founded(desk: Crisis) -> tuple[int, list[str]]:
    """Both nodes up to their first start; the port of the feed, and what the founding has said is wanting."""
    two_nodes(desk)
    made = desk.does("node", "genesis", desk.folder / "jpn", "--setting", SETTING)
    assert made["unpinned"] == []
    desk.does("node", "genesis", desk.folder / "usa", "--setting", SETTING)
    signing_key(desk.folder / "jpn" / "keys")
    (port,) = free_ports(1)
    config = desk.folder / "jpn" / "node.json"
    document = json.loads(config.read_text())
    document["cap_feed"] = {
        "host": "127.0.0.1", "port": port, "sign": {"key": "keys/cap.key.pem", "certificate": "keys/cap.cert.pem"},
    }  # fmt: skip
    config.write_text(json.dumps(document))
    signed = desk.folder / "warrant.signed"
    desk.does(
        "alert", "warrant", desk.root("jpn"), SETTING.with_name("two-nations-warrant.yaml"), "--out", signed
    )
    desk.does("alert", "warrant", desk.folder / "jpn", signed)
    related(desk)
    return port, made["wanting"]


def related(desk: Crisis) -> None:
    """A relay with last hops, made before any person has a key."""
    place, offer = desk.folder / "towns", desk.folder / "jpn.offer"
    line, hops = free_ports(2)
    desk.does("relay", "offer", desk.folder / "jpn", "--out", offer, "--port", line)
    named = ["--name", "towns-a", "--unit", "jp-fdma", "--roster", "jp-towns", "--hops", HOPS, "--port", hops]
    desk.does("relay", "init", place, "--offer", offer, *named)
    desk.does("node", "root", "certify", desk.root("jpn"), place / "towns-a.request")
    desk.does("node", "trust", desk.folder / "jpn", desk.file("jpn"))
    desk.does("relay", "admit", desk.folder / "jpn", place / "towns-a.relay")
    desk.does("relay", "keys", place, "--out", desk.folder / "towns.hops")


@contextlib.contextmanager
def relaying(folder: Path) -> Iterator[None]:
    """The relay and its last hops as processes, which end with the block."""
    program = [sys.executable, "-m", "noroshi.cli.main", "relay"]
    with (folder / "heard.jsonl").open("wb") as heard, contextlib.ExitStack() as running:
        for words, out in ((["run", "towns"], None), (["listen", "towns.hops"], heard)):
            child = subprocess.Popen([*program, *words], cwd=folder, stdout=out or subprocess.DEVNULL)
            running.callback(child.wait)
            running.callback(child.terminate)
        yield


def heard(folder: Path) -> list[dict[str, Any]]:
    """What the last hops have been told and believed."""
    lines = (folder / "heard.jsonl").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def alerted(desk: Crisis, port: int) -> None:
    """From a passkey to an alert that the public can read, and back."""
    devices = {WATCH: Authenticator(number=1), APPROVER: Authenticator(number=2)}
    for post, device in devices.items():
        desk.enrols(post, device)
    file_key = desk.folder / "watch.key"
    made = desk.does(
        "node",
        "post",
        file_key,
        "--partner",
        "JPN",
        "--realm",
        "real",
        "--post",
        WATCH,
        "--unit",
        "jp-cabsec",
    )
    desk.certifies(made["request"])

    warning = awaited(lambda: rows_for(desk.jpn, "warning"), "the radars' looks make no warning")
    assert {"Aomori", "Hokkaido"} & {area["region"] for area in warning[-1]["areas"]}
    awaited(lambda: rows_for(desk.usa, "warning"), "the partner is told of the warning")

    task = desk.task("originate-alert")
    typed = task["answer"]["confirm"]
    assert typed.startswith("real ")
    shown = next(one for one in desk.waits() if one["type"] == typed)
    assert {one["language"] for one in shown["texts"]} == {"en", "ja", "ko"}
    assert (shown["web"], shown["recipients"]) == ("https://alerts.example/jp", ["jp-fdma"])
    code, text = desk.says(
        "alert", "sign", desk.folder / "jpn", "originate:", "--post-key", file_key, "--typed", typed
    )
    assert (code, "the node refused: needs-a-passkey" in text) == (1, True)
    mistyped = sign(desk.jpn, WATCH, devices[WATCH], task, "real Okinawa")
    assert mistyped == {"outcome": "refused", "reason": "typed-another-audience"}
    drill = sign(desk.jpn, WATCH, devices[WATCH], task, typed.replace("real", "exercise"))
    assert drill == {"outcome": "refused", "reason": "typed-another-realm"}
    assert not list(desk.jpn.alerts_path.glob("*.xml"))
    assert sign(desk.jpn, WATCH, devices[WATCH], task, typed)["outcome"] == "accepted"
    again = sign(desk.jpn, WATCH, devices[WATCH], desk.task("approve-alert"), typed)
    assert again == {"outcome": "refused", "reason": "not-this-posts-duty"}
    approved = sign(desk.jpn, APPROVER, devices[APPROVER], desk.task("approve-alert"), typed)
    assert approved == {"outcome": "accepted", "reason": ""}

    (path,) = awaited(lambda: list(desk.jpn.alerts_path.glob("*.xml")), "the alert's file is written")
    data = path.read_bytes()
    alert = check_own(data)
    assert (alert.status, alert.msg_type, alert.note) == ("Actual", "Alert", "")
    assert {one.web for one in alert.infos} == {"https://alerts.example/jp"}
    assert {one.contact for one in alert.infos} == {"Crisis centre, +81 3 0000 0000"}
    marks = ("exercise", "drill", "訓練", "훈련", "test")
    assert [one for one in marks if one in data.decode().lower()] == []
    seen = awaited(lambda: rows_for(desk.usa, "alert"), "the partner sees the alert")[-1]
    assert (seen["identifier"], seen["status"]) == (alert.identifier, "Actual")

    served(desk, port, path)
    taken_back(desk, devices[WATCH], alert.identifier)


def served(desk: Crisis, port: int, path: Path) -> None:
    """The feed has the alert under the authority's signature, which changes nothing of what was issued."""
    feed = asked_for(f"http://127.0.0.1:{port}/cap/feed.atom").decode()
    assert f"{path.stem}.xml" in feed
    assert "[Actual]" in feed
    data = asked_for(f"http://127.0.0.1:{port}/cap/{path.name}")
    assert data == asked_for(f"http://127.0.0.1:{port}/cap/{path.name}")
    copy = desk.folder / "served.xml"
    copy.write_bytes(data)
    certificate = desk.folder / "jpn" / "keys" / "cap.cert.pem"
    (found,) = desk.does("cap", "check", copy, "--trust", certificate)["files"]
    assert (found["valid"], found["signature"]["state"]) == (True, "valid")
    assert facts_of(read_cap(data)) == facts_of(read_cap(path.read_bytes()))
    copy.write_bytes(data.replace(b"https://alerts.example/jp", b"https://alerts.example/xx"))
    code, text = desk.says("cap", "check", copy, "--trust", certificate)
    assert (code, "signature: broken" in text) == (2, True)


def taken_back(desk: Crisis, device: Authenticator, identifier: str) -> None:
    """One person takes it back, whoever else is away; nothing is typed."""
    (ready,) = [
        one for one in desk_rows(desk.jpn) if one["type"] == "correction" and one["reason"] == "false"
    ]
    assert sign(desk.jpn, WATCH, device, ready, "")["outcome"] == "accepted"
    awaited(lambda: len(list(desk.jpn.alerts_path.glob("*.xml"))) == 2, "the end is written")
    ends = [check_own(one.read_bytes()) for one in desk.jpn.alerts_path.glob("*.xml")]
    (end,) = [one for one in ends if one.msg_type == "Cancel"]
    assert (end.status, identifier in end.references) == ("Actual", True)
    awaited(
        lambda: [one for one in rows_for(desk.usa, "alert") if one["alert_type"] == "Cancel"],
        "the partner is told of the end",
    )


def told_of_hazards(desk: Crisis) -> None:
    """Another agency's real alert enters and is shared; its exercise does not, nor words that claim to be one."""
    now_ns = time.time_ns()
    files = {
        "wave.xml": cap(now_ns, status="Actual", headline="Waves of three metres").replace(
            "訓練 高さ".encode(), "高さ".encode()
        ),
        "drill.xml": cap(now_ns, identifier="wave-2"),
        "words.xml": cap(now_ns, identifier="wave-3", status="Actual"),
    }
    for name, data in files.items():
        (desk.folder / name).write_bytes(data)
    desk.does("node", "hazard", desk.folder / "jpn", desk.folder / "wave.xml")
    for name, reason in (("drill.xml", "wrong-status"), ("words.xml", "claims-another-realm")):
        code, text = desk.says("node", "hazard", desk.folder / "jpn", desk.folder / name)
        assert (code, f"refused: {reason}" in text) == (1, True), text
    shown = awaited(lambda: rows_for(desk.usa, "hazard"), "the partner is told of the hazard")
    assert {one["identifier"] for one in shown} == {"wave-1"}


@pytest.mark.slow
def test_a_real_alert_from_nothing_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    desk = Crisis(tmp_path, capsys, "real")
    port, wanting = founded(desk)
    assert any("no public words are approved" in one for one in wanting)

    async def scenario() -> None:
        async with Supervisor({node: tmp_path / node for node in ("jpn", "usa")}):
            await until(lambda: not TrustFiles(desk.jpn).waiting(), 20.0)
            client = NodeClient(desk.jpn.page_address, feed_token=desk.jpn.feed_token())
            batches = radar_looks()
            for realm, reason in ((msgspec.UNSET, "realm-not-said"), ("exercise:drill", "foreign-realm")):
                (answer,) = await client.give([msgspec.structs.replace(batches[0], realm=realm)])
                assert (answer.outcome, answer.reason) == ("refused", reason)
            assert {one.outcome for one in await client.give(batches)} == {"accepted"}
            await client.close()
            with relaying(tmp_path):
                await asyncio.to_thread(alerted, desk, port)
                await asyncio.to_thread(told_of_hazards, desk)
                await until(lambda: len(heard(tmp_path)) >= 2 * HOPS, 20.0)

    asyncio.run(scenario())
    told = {(one["hop"], one["type"]) for one in heard(tmp_path)}
    assert told == {(hop, what) for hop in range(HOPS) for what in ("Alert", "Cancel")}
    for node in ("jpn", "usa"):
        assert desk.does("node", "check", tmp_path / node)["whole"]
