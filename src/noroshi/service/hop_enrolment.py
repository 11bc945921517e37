"""Last hops that sign: their keys are made where they are, their root lists them, and their signatures can be shown.

made = enrol(Path("towns.hops"))                        # keys into that file, the request for the root
listed = listed_in([requests], version=1, before=None)   # Enrolled
document = shown(relay_directory, "JPN-1", [3, 7])       # signatures under a receipt, with their way to the root
checked(node_directory, document)                        # what of it holds by the node's own record
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.command.hop_keys import (
    Enrolled,
    enrol_text,
    enrolled_defect,
    is_roster,
    open_roster,
    receipt_text,
)
from noroshi.command.hop_tree import root_of
from noroshi.errors import InputError, OperatorError
from noroshi.messages import Ed25519
from noroshi.messages.bodies_reach import DeliveryBody
from noroshi.messages.signing import SECRET_BYTES
from noroshi.node.inputs import Control, decode_input
from noroshi.review import open_log
from noroshi.service.files import read_file, write_file
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import RecordFile
from noroshi.service.relay_dir import RelayDir
from noroshi.service.relay_listening import HopsFile, read_hops
from noroshi.service.relay_store import RelayStore
from noroshi.service.trust_files import TrustFiles


class Claimed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public key of a last hop, and its signature that it has the key; both hexadecimal."""

    public: str
    signature: str


class EnrolRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a root is asked to list. No secret."""

    realm: str
    partner: str
    roster: str
    hops: dict[str, Claimed]


class ShownProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One last hop's signature under a receipt, and its way to the root; hexadecimal."""

    hop: int
    signature: str
    path: list[str]


class ShownFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signatures of last hops under their receipts of one message, as a relay shows them."""

    realm: str
    relay: str
    roster: str
    message: str
    of: str
    root: str
    proofs: list[ShownProof]


@dataclass(frozen=True, slots=True)
class Checked:
    """One last hop: why its signature does not hold, or an empty text."""

    hop: int
    defect: str


def enrol(path: Path) -> EnrolRequest:
    """Makes keys for the last hops of a file that have none, and gives the request for the root. Raises InputError."""
    file, scheme = read_hops(path), Ed25519()
    secrets = {hop: file.secrets.get(hop) or os.urandom(SECRET_BYTES).hex() for hop in file.hops}
    write_file(path, msgspec.json.encode(msgspec.structs.replace(file, secrets=secrets)) + b"\n", 0o600)
    return EnrolRequest(
        file.realm,
        file.partner,
        file.roster,
        {hop: _claimed(file, int(hop), one, scheme) for hop, one in secrets.items()},
    )


def _claimed(file: HopsFile, hop: int, secret: str, scheme: Ed25519) -> Claimed:
    seed = bytes.fromhex(secret)
    public = scheme.public_key(seed)
    signature = scheme.sign(seed, enrol_text(file.realm, file.roster, hop, public))
    return Claimed(public.hex(), signature.hex())


def read_requests(paths: Sequence[Path], *, realm: str, partner: str) -> list[EnrolRequest]:
    """The requests in these files, each last hop with its own key. Raises InputError."""
    found = []
    for path in paths:
        try:
            one = msgspec.json.decode(
                read_file(path, "make it with `noroshi relay enrol`"), type=EnrolRequest
            )
            for hop, claimed in one.hops.items():
                public, signature = bytes.fromhex(claimed.public), bytes.fromhex(claimed.signature)
                if not Ed25519().verify(
                    public, enrol_text(one.realm, one.roster, int(hop), public), signature
                ):
                    raise ValueError(f"the key of last hop {hop} is not its own")
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise InputError(
                str(path), None, "", f"it is no request of last hops ({error})", "make it again"
            ) from None
        if (one.realm, one.partner) != (realm, partner):
            cause = f"it is of {one.partner} in {one.realm}, and the root of {partner} in {realm}"
            raise InputError(str(path), None, "realm", cause, "take the root of that partner and realm")
        found.append(one)
    return found


def listed_in(requests: Sequence[EnrolRequest], version: int, before: Enrolled | None) -> Enrolled:
    """The list with these last hops, and those of the list before that they do not name. Raises OperatorError."""
    rosters = {one.roster for one in requests} | ({before.roster} if before is not None else set())
    keys = dict(before.keys) if before is not None else {}
    for one in requests:
        keys |= {int(hop): bytes.fromhex(claimed.public) for hop, claimed in one.hops.items()}
    listed = Enrolled(min(rosters, default=""), version, tuple(sorted(keys.items())))
    defect = "they are of several rosters" if len(rosters) > 1 else enrolled_defect(listed)
    if not defect and before is not None and version <= before.version:
        defect = f"version {version} does not come after {before.version}"
    if defect:
        raise OperatorError("list last hops", subject=", ".join(sorted(rosters)), cause=defect)
    return listed


def shown(relay: RelayDir, identifier: str, hops: Sequence[int]) -> ShownFile:
    """The signatures of these last hops under their receipts of a message, all that there are if none is named.

    Raises OperatorError where the relay has no such message, or no signature of one of them.
    """
    config = relay.config
    with RelayStore(relay.store_path) as store:
        desk, _ = relay.loaded(store, config.clock.clock().now_ns())
    found = [
        one for one in desk.kept.values() if identifier in (one.message.identifier, one.message.id.hex())
    ]
    if not found:
        raise OperatorError("show signatures", subject=identifier, cause="this relay has no such message")
    kept = found[-1]
    chosen = list(hops) or sorted(kept.signatures)
    lacking = [hop for hop in chosen if hop not in kept.signatures]
    if lacking or not chosen:
        words = f"no signature of last hop {lacking[0]} is here" if lacking else "no last hop has signed it"
        raise OperatorError("show signatures", subject=identifier, cause=words)
    tree = kept.grown(max(desk.hops, kept.received.bit_length()))
    return ShownFile(
        config.realm, config.name, config.roster, kept.message.identifier, kept.message.id.hex(), tree.root.hex(),
        [ShownProof(hop, kept.signatures[hop].hex(), [one.hex() for one in tree.path(hop)]) for hop in chosen],
    )  # fmt: skip


def read_shown(path: Path) -> ShownFile:
    """The signatures in a file. Raises InputError."""
    try:
        found = msgspec.json.decode(read_file(path, "make it with `noroshi relay prove`"), type=ShownFile)
        for text in (found.of, found.root, *(one.signature for one in found.proofs)):
            bytes.fromhex(text)
        for one in found.proofs:
            for part in one.path:
                bytes.fromhex(part)
            if not 0 <= one.hop < 1 << 32:
                raise ValueError(f"{one.hop} is no last hop")
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            str(path), None, "", f"it shows no signatures ({error})", "ask for it again"
        ) from None
    return found


def checked(node: NodeDir, given: ShownFile) -> list[Checked]:
    """Each signature held against the node's own record: the root that the relay had signed, and the keys in force.

    Raises OperatorError where the record has nothing to hold them against.
    """
    with RecordFile(node.record_path) as file:
        records = list(file.records())
    log = open_log(node.config.node, iter(records))
    of, root = bytes.fromhex(given.of), bytes.fromhex(given.root)
    said = any(
        isinstance(body := entry.body, DeliveryBody)
        and entry.accepted
        and (body.of, body.relay, body.roster, body.root) == (of, given.relay, given.roster, root)
        for entry in log.entries
    )
    if not said:
        raise OperatorError(
            "check signatures", subject=given.message, cause=f"{given.relay} has not told this node of such a root",
            hint="let the relay tell its node first, and ask it again",
        )  # fmt: skip
    root_key = TrustFiles(node).store().root(node.config.partner) or b""
    keys: dict[int, bytes] = {}
    for record in records:
        if record.type == "control" and record.body is not None:
            keys = _keys_after(decode_input(record.body), node, root_key, given.roster) or keys
    return [Checked(one.hop, _defect(given, one, keys.get(one.hop), of, root)) for one in given.proofs]


def _keys_after(control: object, node: NodeDir, root: bytes, roster: str) -> dict[int, bytes] | None:
    """The keys of a list that this input brought, if it is one of ours."""
    if not isinstance(control, Control) or not is_roster(control.raw):
        return None
    found = open_roster(control.raw, Ed25519(), root, partner=node.config.partner, realm=node.config.realm)
    return dict(found.keys) if isinstance(found, Enrolled) and found.roster == roster else None


def _defect(given: ShownFile, one: ShownProof, public: bytes | None, of: bytes, root: bytes) -> str:
    signature = bytes.fromhex(one.signature)
    if public is None:
        return "it is not in the list of last hops that sign"
    if not Ed25519().verify(public, receipt_text(given.realm, given.roster, one.hop, of), signature):
        return "it has not signed this receipt"
    if root_of(one.hop, signature, [bytes.fromhex(part) for part in one.path]) != root:
        return "the relay did not have this signature when it told its node"
    return ""
