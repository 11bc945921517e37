"""A partner's root for one realm, on a machine that is on no network: what it has signed, and the key to sign more.

jpn-root/ root.key      the secret (0600), sealed with a passphrase if there is one
          JPN.trust     all that the root has said: this is what nodes and partners are given

A lost key file cannot be made again: keep two copies in two places. Whoever has it is the partner.

    root = RootDir.create(path, realm="real", partner="JPN")
    root.certify(request, from_ns=now_ns, to_ns=now_ns + year_ns, ask=ask)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.command.hop_keys import Enrolled, sign_roster
from noroshi.command.warrant import Warrant, warranted
from noroshi.errors import InputError, OperatorError
from noroshi.messages import Certificate, Ed25519, certify
from noroshi.messages.keys import (
    MAX_IN_BUNDLE,
    Bundle,
    Replacement,
    Request,
    Revocation,
    Revoked,
    bundle_bytes,
    fingerprint,
    is_realm,
    key_of,
    read_bundle,
    read_request,
    replace_root,
    signed,
)
from noroshi.service.files import make_private, read_file, write_file
from noroshi.service.key_files import Key, new_seed, read_key, whose, write_key
from noroshi.sharing.policy import Policy, sign
from noroshi.warning.area_list import AreaList, sign_areas

KEY_NAME = "root.key"

Ask = Callable[[], str]


@dataclass(frozen=True, slots=True)
class RootDir:
    """One root: where it lies, whose it is, and all that it has said."""

    path: Path
    realm: str
    partner: str
    said: Bundle

    @classmethod
    def create(cls, path: Path, *, realm: str, partner: str, passphrase: str = "") -> RootDir:
        """A new root, readable by its owner only. Raises OperatorError."""
        if not is_realm(realm):
            raise OperatorError(
                "make a root", subject=realm, cause="it is no realm", hint="write `real` or `exercise:<name>`"
            )
        if not (len(partner) == 3 and partner.isascii() and partner.isupper() and partner.isalpha()):
            raise OperatorError(
                "make a root",
                subject=partner,
                cause="a partner is three capital letters",
                hint="for example JPN",
            )
        if (path / KEY_NAME).exists():
            raise OperatorError(
                "make a root",
                subject=str(path),
                cause="there is one in it already",
                hint="choose a new directory",
            )
        seed = new_seed()
        key = Key(realm=realm, partner=partner, role="root", subject="", seed=seed)
        made = cls(path, realm, partner, Bundle(root=key.public))
        try:
            make_private(path)
            write_key(path / KEY_NAME, key, passphrase)
            return made._with(made.said)
        except OSError as error:
            raise OperatorError("make a root", subject=str(path), cause=error.strerror or "") from None

    @classmethod
    def load(cls, path: Path) -> RootDir:
        """The root in a directory; its key stays in its file. Raises InputError."""
        found = sorted(path.glob("*.trust"))
        hint = "give a root's directory, or make one with `noroshi node root init`"
        if len(found) != 1 or not (path / KEY_NAME).exists():
            raise InputError(str(path), None, "", "it holds no root", hint)
        said = read_bundle(read_file(found[0], hint))
        if isinstance(said, str):
            raise InputError(str(found[0]), None, "", f"it is damaged ({said})", "restore it from your copy")
        realm, partner = whose(path / KEY_NAME)
        return cls(path, realm, partner, said)

    @property
    def trust_path(self) -> Path:
        """The file to be given to nodes and partners."""
        return self.path / f"{self.partner}.trust"

    @property
    def fingerprint(self) -> str:
        """What is read out to partners, and compared by two persons there."""
        return fingerprint(self.realm, self.partner, self.said.root)

    def certify(
        self, request: Request, *, from_ns: int, to_ns: int, ask: Ask | None = None
    ) -> tuple[RootDir, Certificate]:
        """Certifies the key of a request for a period. Raises OperatorError when it should not be."""
        cause = self._refused(request)
        if cause:
            raise OperatorError(
                "certify the key", subject=f"{request.subject} of {request.partner}", cause=cause,
                hint="have the right request made, with a new key",
            )  # fmt: skip
        if not 0 <= from_ns < to_ns:
            raise OperatorError(
                "certify the key", subject=request.subject, cause="it would end before it begins"
            )
        bare = Certificate(
            realm=self.realm, partner=self.partner, role=request.role, subject=request.subject, unit=request.unit,
            public=request.public, not_before_ns=from_ns, not_after_ns=to_ns, serial=self._next_serial(),
            passkey=request.passkey,
        )  # fmt: skip
        made = certify(Ed25519(), self._key(ask).seed, bare)
        said = msgspec.structs.replace(self.said, certificates=(*self.said.certificates, made))
        return self._with(said), made

    def revoke(
        self, keys: Iterable[bytes], *, now_ns: int, since_ns: int = 0, ask: Ask | None = None
    ) -> RootDir:
        """Takes keys back, for ever. since_ns: from when on they may have been in other hands; 0 if nobody knows."""
        rows = {row.key: row for one in self.said.revocations for row in one.keys}
        rows |= {key: Revoked(key=key, since_ns=since_ns) for key in keys if key not in rows}
        number = max((one.number for one in self.said.revocations), default=0) + 1
        bare = Revocation(
            realm=self.realm, partner=self.partner, number=number, time_ns=now_ns, keys=tuple(rows.values())
        )
        made = signed(Ed25519(), self._key(ask).seed, bare)
        return self._with(msgspec.structs.replace(self.said, revocations=(made,)))

    def replace(
        self, path: Path, *, now_ns: int, ends_ns: int, passphrase: str = "", ask: Ask | None = None
    ) -> RootDir:
        """Hands over to a new root, which certifies again what this one has certified and not taken back.

        ends_ns: until when what this root has certified counts where its own certificates only are known.
        """
        old, revoked = self._key(ask), self.revoked()
        new = RootDir.create(path, realm=self.realm, partner=self.partner, passphrase=passphrase)
        seed = new._key(lambda: passphrase).seed
        good = [
            one for one in self.said.certificates if key_of(one) not in revoked and one.not_after_ns > now_ns
        ]
        bare = Replacement(
            realm=self.realm, partner=self.partner, old=self.said.root, new=new.said.root,
            time_ns=now_ns, ends_ns=ends_ns, keeps=tuple(sorted({key_of(one) for one in good})),
        )  # fmt: skip
        handed = replace_root(Ed25519(), old.seed, seed, bare)
        serial = self._next_serial()
        again = [
            certify(Ed25519(), seed, msgspec.structs.replace(one, serial=serial + n))
            for n, one in enumerate(good)
        ]
        said = Bundle(
            root=new.said.root,
            replacements=(*self.said.replacements, handed),
            certificates=tuple(again),
            revocations=tuple(signed(Ed25519(), seed, one) for one in self.said.revocations),
        )
        return new._with(said)

    def sign_policy(self, policy: Policy, ask: Ask | None = None) -> bytes:
        """A release policy of this partner as its nodes take it. Raises OperatorError when it is somebody else's."""
        if (policy.partner, policy.realm) != (self.partner, self.realm):
            raise OperatorError(
                "sign the policy", subject=f"version {policy.version}",
                cause=f"it is of {policy.partner} in {policy.realm}, and this root is of {self.partner} in {self.realm}",
                hint="take the root of that partner and realm",
            )  # fmt: skip
        return sign(policy, Ed25519(), self._key(ask).seed)

    def sign_areas(self, given: AreaList, ask: Ask | None = None) -> bytes:
        """An agency's own areas as this partner's nodes take them."""
        return sign_areas(given, self.partner, self.realm, Ed25519(), self._key(ask).seed)

    def sign_roster(self, given: Enrolled, ask: Ask | None = None) -> bytes:
        """The last hops of a roster that sign, as this partner's nodes and relays take it."""
        return sign_roster(given, self.partner, self.realm, Ed25519(), self._key(ask).seed)

    def sign_warrant(self, warrant: Warrant, ask: Ask | None = None) -> bytes:
        """A warrant of this partner as its nodes take it. Raises OperatorError when it is somebody else's."""
        if (warrant.partner, warrant.realm) != (self.partner, self.realm):
            raise OperatorError(
                "sign the warrant", subject=f"version {warrant.version}",
                cause=f"it is of {warrant.partner} in {warrant.realm}, this root of {self.partner} in {self.realm}",
                hint="take the root of that partner and realm",
            )  # fmt: skip
        return warranted(warrant, Ed25519(), self._key(ask).seed)

    def revoked(self) -> frozenset[bytes]:
        """Ids of the keys that it has taken back."""
        return frozenset(row.key for one in self.said.revocations for row in one.keys)

    def keys_of(self, subject: str) -> list[bytes]:
        """Ids of all keys that it has certified for a subject, oldest first."""
        return list(dict.fromkeys(key_of(one) for one in self.said.certificates if one.subject == subject))

    def _refused(self, request: Request) -> str:
        if request.realm != self.realm:
            return f"it is for the realm {request.realm}, and this root's is {self.realm}"
        if request.partner != self.partner:
            return f"it is of {request.partner}, and this root is of {self.partner}"
        if key_of(request) in self.revoked():
            return "its key has been taken back"
        wanted = (request.role, request.subject, request.unit)
        others = [
            one.subject
            for one in self.said.certificates
            if one.public == request.public and one.holder != wanted
        ]
        return f"its key is certified for {others[0]}" if others else ""

    def _next_serial(self) -> int:
        return max((one.number for one in self.said.certificates), default=0) + 1

    def _key(self, ask: Ask | None) -> Key:
        return read_key(self.path / KEY_NAME, ask)

    def _with(self, said: Bundle) -> RootDir:
        if len(said) > MAX_IN_BUNDLE:
            raise OperatorError(
                "certify the key", subject=str(self.path), cause=f"this root has made {MAX_IN_BUNDLE} statements",
                hint="replace it: the next one begins with what still counts",
            )  # fmt: skip
        write_file(self.trust_path, bundle_bytes(said), 0o644)
        return RootDir(self.path, self.realm, self.partner, said)


def read_request_file(path: Path) -> Request:
    """The request in a file, signed with the key that it is about. Raises InputError."""
    found = read_request(read_file(path, "give the .request file of a node or a post"), Ed25519())
    if isinstance(found, str):
        raise InputError(
            str(path), None, "", f"it is no request ({found})", "have it made again, and carried over whole"
        )
    return found
