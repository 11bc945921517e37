"""Two persons with passkeys at a running node's page: they enrol, type what it is, sign, and one takes it back."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from noroshi.command.posts import alert_request
from noroshi.command.warrant import SCHEMA, AlertRules, Warrant, warranted
from noroshi.messages import Certificate, Ed25519, certify, derive
from noroshi.messages.keys import Bundle
from noroshi.node.inputs import Received
from noroshi.service.client import NodeClient
from noroshi.service.node_config import ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.passkey_enrolment import REQUESTS
from noroshi.service.root_dir import read_request_file
from noroshi.service.supervisor import Supervisor
from noroshi.service.trust_files import TrustFiles
from tests.service.conftest import ROOT, until
from tests.service.test_real_nodes import coalition, directories
from tests.web import driving
from tests.web.test_page import STATIC

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENTROPY = bytes(range(32))
WATCH, APPROVER = "jp-cabsec.watch", "jp-cabsec.approver"


def virtual_authenticator(page: Page) -> None:
    """The browser's own software authenticator, whose person is always there and always verified."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True,
        "hasResidentKey": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def enrol(page: Page, place: NodeDir, post: str) -> Certificate:
    before = set((place.path / REQUESTS).glob("*"))
    page.fill("#enrol-post", post)
    page.fill("#enrol-unit", "jp-cabsec")
    page.click("#enrol button")
    page.wait_for_function(
        "post => document.querySelector('#enrol output').textContent.includes(post)", arg=post
    )
    (path,) = set((place.path / REQUESTS).glob("*")) - before
    asked = read_request_file(path)
    bare = Certificate(
        realm=asked.realm, partner="JPN", role="post", subject=post, unit=asked.unit, public=asked.public,
        passkey=asked.passkey, serial=3, not_before_ns=0, not_after_ns=2**62,
    )  # fmt: skip
    return certify(Ed25519(), derive(ENTROPY, "secret", asked.realm, "JPN", "root", ""), bare)


def sign(page: Page, action: str, typed: str) -> str:
    """What the page says of a signature under the one task of this kind."""
    form = f"form[data-action={action}]"
    page.fill(f"{form} input", typed)
    page.click(f"{form} button[type=submit]")
    if typed.startswith("exercise"):
        page.wait_for_selector(form, state="detached")
        return "✓"
    page.wait_for_function(
        "form => /^[✓✕]/.test(document.querySelector(form + ' output').textContent)", arg=form
    )
    return page.inner_text(f"{form} output")


def test_two_passkeys_in_a_browser_issue_an_alert_and_one_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driving.need((STATIC / "index.html").exists(), "the page is not built: `npm ci && npm run build` in web/")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    made = coalition()
    member = next(one for one in made.members if one.node == "jpn")
    clock = ClockConfig(mode="scaled", start_ns=made.start_ns, anchor_unix_ns=time.time_ns(), speed=1.0)
    place = directories(made, tmp_path)["jpn"].with_clock(clock)
    rules = Warrant(
        schema=SCHEMA, realm=made.realm, partner="JPN", version=1, rules=AlertRules(without_warning=True)
    )
    root = derive(ENTROPY, "secret", made.realm, "JPN", "root", "")
    TrustFiles(place).add_warrant(warranted(rules, Ed25519(), root))

    def steps() -> dict[str, Any]:
        with driving.chromium() as browser:
            address = f"http://localhost:{place.config.page.port}/#token={place.page_token()}"
            page = driving.opened(browser, address)
            virtual_authenticator(page)
            driving.wait_live(page)
            page.click("#signing summary")
            cards = tuple(enrol(page, place, post) for post in (WATCH, APPROVER))
            TrustFiles(place).add(Bundle(certificates=cards))
            while TrustFiles(place).waiting():
                time.sleep(0.05)
            page.wait_for_selector("form[data-action=originate-alert]")
            form = page.locator("form[data-action=originate-alert]")
            words = [form.locator(f"blockquote[lang={one}]").inner_text() for one in ("en", "ja", "ko")]
            wrong = sign(page, "originate-alert", "real Aomori")
            right = [sign(page, action, "exercise Aomori") for action in ("originate-alert", "approve-alert")]
            page.wait_for_selector("form.correction")
            shown = page.inner_text("form.correction[data-reason=false] blockquote")
            page.click("form.correction[data-reason=false] button")
            page.wait_for_selector("form.correction", state="detached")
            page.wait_for_selector("#alerts .cancel")
            return {"wrong": wrong, "right": right, "shown": shown, "words": words}

    async def scenario() -> dict[str, Any]:
        async with Supervisor({"jpn": place.path}):
            await until(lambda: not TrustFiles(place).waiting(), 20.0)
            client = NodeClient(place.page_address, page_token=place.page_token())
            raw = alert_request(member.seats[WATCH], [("JP", "Aomori")], "fall", clock.clock().now_ns())
            (answer,) = await client.give([Received(party=f"post:{WATCH}", number=0, raw=raw)])
            assert answer.outcome == "accepted", answer
            found = await asyncio.to_thread(steps)
            await until(lambda: len(list(place.alerts_path.glob("*.xml"))) == 2, 20.0)
            await client.close()
            return found

    found = asyncio.run(scenario())
    assert found["wrong"] == "✕ typed-another-realm"
    assert found["right"] == ["✓", "✓"]
    assert found["shown"].startswith("EXERCISE")
    assert ["Aomori" in found["words"][0], "青森県" in found["words"][1], "EXERCISE" in found["words"][0]] == [True] * 3
