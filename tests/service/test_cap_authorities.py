"""An entrance takes what a pinned authority's named signers have signed, and refuses the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from noroshi.errors import InputError
from noroshi.service.cap_config import CapEntrance
from noroshi.service.cap_entrance import Entrance
from tests.gateways.test_cap_chain import AT_NS, BETWEEN, LEAF, ROOT, pem, revoking, signed


def entrance(folder: Path, signers: tuple[str, ...] = ("agency",), revoked: bytes = b"") -> Entrance:
    (folder / "root.pem").write_text(pem(ROOT))
    (folder / "between.pem").write_text(pem(BETWEEN))
    (folder / "list.crl").write_bytes(revoked or revoking("between"))
    config = CapEntrance(
        authorities=("root.pem",),
        signers=signers,
        chain=("between.pem",),
        revocations=("list.crl",),
        require_signature=True,
    )
    return Entrance.of(config, folder)


def test_what_an_authoritys_signer_sends_is_signed(tmp_path: Path) -> None:
    assert entrance(tmp_path).given("hand:duty", signed(LEAF), AT_NS).signature == "signed"
    other = entrance(tmp_path, ("somebody else",)).given("hand:duty", signed(LEAF), AT_NS)
    assert other.fault == "signed-by-a-stranger"
    gone = entrance(tmp_path, revoked=revoking("between", LEAF.serial_number))
    found = gone.given("hand:duty", signed(LEAF), AT_NS)
    assert found.fault == "signed-by-a-stranger"
    assert "has been revoked" in found.detail


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        entrance(tmp_path, revoked=b"no list")
    assert caught.value.file.endswith("list.crl")
    with pytest.raises(InputError) as caught:
        Entrance.of(CapEntrance(authorities=("between.pem", "away.pem"), signers=("a",)), tmp_path)
    assert caught.value.file.endswith("away.pem")
