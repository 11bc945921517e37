"""Passkeys of posts, between a person's browser and the root: a request to be certified, and a message to be signed.

Enrolment takes two steps, and the node keeps nothing between them: the browser makes a credential, the node says what a
request for it would be, the authenticator signs that, and the request lies in `requests/` until somebody carries it to
the root. Whether the root certifies it, its keeper decides: the page proves that the passkey is there, and no more.

    bare = request_for(config, "jp-cabsec.watch", "jp-cabsec", made, origin="http://localhost:8701", rp="localhost")
    path = write_request(directory, bare, assertion)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from noroshi.command.posts import prepared
from noroshi.errors import OperatorError
from noroshi.messages import Certificate, Ed25519, canonical
from noroshi.messages.keys import Request, read_request, signed_bytes
from noroshi.messages.passkeys import Assertion, Passkey, assertion_bytes, registered
from noroshi.service.files import make_private, write_file
from noroshi.service.node_config import NodeConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.trust_files import TrustFiles

REQUESTS = "requests"
"""Folder of a node's directory: what persons have asked their root to certify."""

MAX_REQUESTS = 1000
"""In that folder: posts of the largest partner. Whoever holds the page's token could fill the disk without it."""

_POST = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


def enrol_address(place: NodeDir) -> str:
    """Where a person makes a passkey: by name, since a browser makes none for a number."""
    return f"http://localhost:{place.config.page.port}/"


def request_for(
    config: NodeConfig, post: str, unit: str, authenticator_data: bytes, *, origin: str, rp: str
) -> Request:
    """What the root would be asked to certify for a new credential, not signed yet. Raises OperatorError.

    authenticator_data: as the authenticator described the credential; origin, rp: of the page that asked for it.
    """

    def refused(cause: str, hint: str = "") -> OperatorError:
        return OperatorError("enrol a passkey", subject=post, cause=cause, hint=hint)

    if not _POST.fullmatch(post) or not _POST.fullmatch(unit):
        raise refused(
            "the post or its unit has no such name", "write, for example, jp-cabsec.watch and jp-cabsec"
        )
    found = registered(authenticator_data)
    if isinstance(found, str):
        raise refused(
            f"the authenticator made no passkey that is taken ({found})", "take one with ES256 or EdDSA"
        )
    if authenticator_data[:32] != hashlib.sha256(rp.encode()).digest():
        raise refused("the passkey is of another page", "enrol on the node's own page")
    passkey = Passkey(credential=found.credential, key=found.key, rp=rp, origins=(origin,))
    return Request(
        realm=config.realm, partner=config.partner, role="post", subject=post, unit=unit, public=passkey.public,
        passkey=passkey,
    )  # fmt: skip


def write_request(directory: NodeDir, bare: Request, assertion: Assertion) -> Path:
    """Writes the request that an authenticator has signed; where it lies. Raises OperatorError when it has not."""
    whole = msgspec.structs.replace(bare, signature=assertion_bytes(assertion))
    raw = canonical.encode(whole)
    found = read_request(raw, Ed25519())
    if isinstance(found, str):
        raise OperatorError(
            "enrol a passkey", subject=bare.subject, cause=f"its signature does not hold ({found})",
            hint="enrol again, with the PIN or the finger that the authenticator asks for",
        )  # fmt: skip
    folder = directory.path / REQUESTS
    if folder.is_dir() and len(list(folder.glob("*.request"))) >= MAX_REQUESTS:
        raise OperatorError(
            "enrol a passkey",
            subject=str(folder),
            cause=f"{MAX_REQUESTS} requests lie there",
            hint="clear it",
        )
    path = folder / f"{bare.subject}-{whole.public.hex()[:8]}.request"
    try:
        make_private(folder)
        write_file(path, raw, 0o600)
    except OSError as error:
        raise OperatorError("enrol a passkey", subject=str(path), cause=error.strerror or "") from None
    return path


def challenge_bytes(bare: Request) -> bytes:
    """What the authenticator signs of a request."""
    return signed_bytes(bare)


def card_of(directory: NodeDir, post: str, now_ns: int) -> Certificate | None:
    """The newest certificate of a post's passkey that counts now; None where the post has none."""
    config = directory.config
    cards = [
        one
        for one in TrustFiles(directory).store().valid(config.partner, "post", now_ns)
        if one.subject == post and one.passkey is not msgspec.UNSET
    ]
    return max(cards, key=lambda one: one.number, default=None)


def payload_for(
    fields: Mapping[str, Any], outcome: str, card: Certificate, node: str, now_ns: int, typed: str
) -> bytes:
    """The payload with which a post answers a task. Raises OperatorError on fields that are no task's."""
    try:
        return prepared(fields, outcome, card, node, now_ns, typed)
    except (KeyError, ValueError, TypeError, AttributeError, msgspec.MsgspecError) as error:
        raise OperatorError(
            "sign for a post",
            subject=card.subject,
            cause=f"this is no task ({type(error).__name__}: {error})",
        ) from None
