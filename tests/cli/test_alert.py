"""`noroshi alert` at a running node: ask, sign, take back; and two persons who enrol passkeys and sign over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from noroshi.cli.main import main
from noroshi.command.warrant import SCHEMA, AlertRules, Warrant, warranted
from noroshi.messages import Certificate, Ed25519, certify, derive
from noroshi.messages.keys import Bundle
from noroshi.messages.passkeys import Assertion
from noroshi.service.key_files import Key, write_key
from noroshi.service.node_config import ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.root_dir import read_request_file
from noroshi.service.supervisor import Supervisor
from noroshi.service.trust_files import TrustFiles
from tests.messages.authenticator import Authenticator
from tests.service.conftest import ROOT, until
from tests.service.test_real_nodes import coalition, directories

ENTROPY = bytes(range(32))
"""Of the coalition: its roots follow from it."""

WATCH, APPROVER = "jp-cabsec.watch", "jp-cabsec.approver"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def post_json(place: NodeDir, name: str, body: object, token: str = "") -> tuple[int, dict[str, Any]]:
    """The answer of /api/passkey/<name>."""
    request = urllib.request.Request(
        f"{place.page_address}api/passkey/{name}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token or place.page_token()}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def given(assertion: Assertion) -> dict[str, str]:
    return {
        "data": base64url(assertion.authenticator_data),
        "client": base64url(assertion.client_data),
        "signature": base64url(assertion.signature),
    }


def challenge(answer: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64decode(answer["challenge"] + "==")


def enrol(place: NodeDir, post: str, device: Authenticator) -> Certificate:
    """A person makes a passkey, and the root certifies the request that comes of it."""
    body: dict[str, Any] = {
        "post": post, "unit": "jp-cabsec", "rp": device.rp, "origin": device.origin, "made": base64url(device.made()),
    }  # fmt: skip
    status, answer = post_json(place, "enrol", body)
    assert status == 200, answer
    wrong = given(Authenticator(number=99).assertion(challenge(answer)))
    assert post_json(place, "enrol", body | {"assertion": wrong})[0] == 422
    status, done = post_json(place, "enrol", body | {"assertion": given(device.assertion(challenge(answer)))})
    assert status == 200, done
    request = read_request_file(Path(done["file"]))
    bare = Certificate(
        realm=request.realm, partner="JPN", role="post", subject=request.subject, unit=request.unit,
        public=request.public, passkey=request.passkey, serial=5, not_before_ns=0, not_after_ns=2**62,
    )  # fmt: skip
    root = derive(ENTROPY, "secret", request.realm, "JPN", "root", "")
    return certify(Ed25519(), root, bare)


def sign(
    place: NodeDir, post: str, device: Authenticator, task: dict[str, Any], typed: str
) -> dict[str, Any]:
    fields = {"post": post, "answer": task["answer"], "outcome": "concur", "typed": typed}
    status, prepared = post_json(place, "prepare", fields)
    assert status == 200, prepared
    assert base64.urlsafe_b64decode(prepared["credential"] + "==") == device.credential
    body = {
        "post": post, "payload": prepared["payload"], "assertion": given(device.assertion(challenge(prepared))),
    }  # fmt: skip
    status, answer = post_json(place, "speak", body)
    assert status == 200, answer
    return answer


@pytest.mark.slow
def test_posts_ask_sign_and_take_back_with_files_and_with_passkeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    made = coalition()
    member = next(one for one in made.members if one.node == "jpn")
    clock = ClockConfig(mode="scaled", start_ns=made.start_ns, anchor_unix_ns=time.time_ns(), speed=1.0)
    place = directories(made, tmp_path)["jpn"].with_clock(clock)
    keys = {}
    for post in (WATCH, APPROVER):
        card, seat = member.seats[post].certificate, member.seats[post]
        keys[post] = tmp_path / f"{post}.json"
        write_key(keys[post], Key(card.realm, card.partner, "post", card.subject, seat.secret, card.unit))
    root = derive(ENTROPY, "secret", made.realm, "JPN", "root", "")
    rules = Warrant(
        schema=SCHEMA, realm=made.realm, partner="JPN", version=1, rules=AlertRules(without_warning=True)
    )
    TrustFiles(place).add_warrant(warranted(rules, Ed25519(), root))

    def told(*arguments: object) -> tuple[int, Any]:
        code = main(["alert", *map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    def waits(action: str) -> list[Any]:
        return [one for one in told("tasks", place.path)[1] if one["action"] == action]

    def row(action: str) -> dict[str, Any]:
        from noroshi.service.alert_desk import waiting
        from noroshi.service.record_file import RecordFile

        with RecordFile(place.record_path) as file:
            return dict(next(one for one in waiting(file) if one.get("action") == action))

    def steps() -> None:
        code, answer = told(
            "ask", place.path, "--region", "Seoul", "--country", "KR", "--post-key", keys[WATCH]
        )
        assert (code, answer["reason"]) == (1, "wider-than-authority")
        assert "no part of it would pass" in answer["detail"]
        assert told("ask", place.path, "--region", "Aomori", "--post-key", keys[WATCH])[0] == 0
        (task,) = waits("originate-alert")
        assert task["type"] == "exercise Aomori"
        wrong = told(
            "sign", place.path, task["name"][:20], "--post-key", keys[WATCH], "--typed", "real Aomori"
        )
        assert (wrong[0], wrong[1]["reason"]) == (1, "typed-another-realm")
        devices = {WATCH: Authenticator(number=1), APPROVER: Authenticator(number=2)}
        cards = tuple(enrol(place, post, device) for post, device in devices.items())
        assert post_json(place, "prepare", {"post": WATCH}, token="wrong")[0] == 403
        TrustFiles(place).add(Bundle(certificates=cards))
        deadline = time.monotonic() + 20
        while TrustFiles(place).waiting() and time.monotonic() < deadline:
            time.sleep(0.05)
        bad = sign(place, WATCH, devices[WATCH], row("originate-alert"), "exercise Iwate")
        assert bad == {"outcome": "refused", "reason": "typed-another-audience"}
        good = sign(place, WATCH, devices[WATCH], row("originate-alert"), "訓練　青森県")
        assert good == {"outcome": "accepted", "reason": ""}
        good = sign(place, APPROVER, devices[APPROVER], row("approve-alert"), "exercise aomori")
        assert good == {"outcome": "accepted", "reason": ""}
        code, answer = told("retract", place.path, "--post-key", keys[WATCH])
        assert code == 0, answer
        assert told("retract", place.path, "--post-key", keys[WATCH])[0] == 2

    async def scenario() -> None:
        async with Supervisor({"jpn": place.path}):
            await until(lambda: not TrustFiles(place).waiting(), 20.0)
            await asyncio.to_thread(steps)
            await until(lambda: len(list(place.alerts_path.glob("*.xml"))) == 2, 20.0)

    asyncio.run(scenario())
