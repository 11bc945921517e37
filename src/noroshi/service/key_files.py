"""Key files: one secret seed each, readable by its owner only, on demand behind a passphrase.

A sealed seed is a PyNaCl secret box under a key that argon2id makes of the passphrase. What the file says in the open
(whose key it is) is checked against the seed when it is read.

    write_key(path, Key(realm="real", partner="JPN", role="root", subject="", seed=seed), passphrase="...")
    key = read_key(path, ask=lambda: "...")
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacl import pwhash, secret
from nacl.exceptions import CryptoError

from noroshi.errors import InputError, OperatorError
from noroshi.messages.keys import Request, signed
from noroshi.messages.signing import SECRET_BYTES, Ed25519
from noroshi.service.files import write_file

FORMAT = "noroshi key 1"
MIN_PASSPHRASE = 12
"""Shortest passphrase, characters: a file that was copied can be tried for ever."""

MAX_MEMORY_BYTES = 1 << 30
MAX_OPERATIONS = 16
"""What a file may ask of the machine that opens it: four times what we write."""

_LOST = "restore it from your copy, or make a new key and have it certified"


@dataclass(frozen=True, slots=True)
class Key:
    """One signing key and whose it is. role: `root`, `node` or `post`; subject and unit as in its certificate."""

    realm: str
    partner: str
    role: str
    subject: str
    seed: bytes
    unit: str = ""

    def __repr__(self) -> str:
        return f"Key({self.role} {self.partner} {self.subject})"

    @property
    def public(self) -> bytes:
        """Its public half."""
        return Ed25519().public_key(self.seed)

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature."""
        return Ed25519().sign(self.seed, data)

    def request(self) -> Request:
        """What its root is asked to certify."""
        assert self.role in ("node", "post")
        bare = Request(
            realm=self.realm, partner=self.partner, role="node" if self.role == "node" else "post",
            subject=self.subject, unit=self.unit, public=self.public,
        )  # fmt: skip
        return signed(Ed25519(), self.seed, bare)


def new_seed() -> bytes:
    """A fresh seed."""
    return os.urandom(SECRET_BYTES)


def check_passphrase(passphrase: str) -> str:
    """The passphrase, if it is one. Raises OperatorError."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise OperatorError(
            "seal the key", cause=f"the passphrase has fewer than {MIN_PASSPHRASE} characters",
            hint="take five or six words",
        )  # fmt: skip
    return passphrase


def write_key(path: Path, key: Key, passphrase: str = "") -> None:
    """Writes the key, sealed where there is a passphrase. Raises OSError."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "realm": key.realm,
        "partner": key.partner,
        "role": key.role,
        "subject": key.subject,
        "unit": key.unit,
        "public": key.public.hex(),
    }
    if passphrase:
        salt = os.urandom(pwhash.argon2id.SALTBYTES)
        memory, operations = pwhash.argon2id.MEMLIMIT_MODERATE, pwhash.argon2id.OPSLIMIT_MODERATE
        box = secret.SecretBox(_stretched(passphrase, salt, memory, operations))
        document["sealed"] = {
            "salt": salt.hex(), "memory_bytes": memory, "operations": operations,
            "box": bytes(box.encrypt(key.seed)).hex(),
        }  # fmt: skip
    else:
        document["seed"] = key.seed.hex()
    write_file(path, json.dumps(document, indent=2).encode() + b"\n", 0o600)


def read_key(path: Path, ask: Callable[[], str] | None = None) -> Key:
    """The key in a file. ask: gives the passphrase, where the file needs one.

    Raises InputError when the file is missing, damaged, readable by others, or sealed with another passphrase.
    """
    document = _document(path)
    try:
        seed = (
            bytes.fromhex(document["seed"])
            if "seed" in document
            else _unsealed(path, document["sealed"], ask)
        )
        key = Key(
            realm=str(document["realm"]), partner=str(document["partner"]), role=str(document["role"]),
            subject=str(document["subject"]), unit=str(document["unit"]), seed=seed,
        )  # fmt: skip
        whole = len(seed) == SECRET_BYTES and key.public.hex() == document["public"]
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise InputError(str(path), None, "", "it is a damaged key file", _LOST)
    return key


def is_sealed(path: Path) -> bool:
    """Whether a key file needs a passphrase. Raises InputError."""
    return "sealed" in _document(path)


def whose(path: Path) -> tuple[str, str]:
    """Realm and partner of a key file, which it says in the open. Raises InputError."""
    document = _document(path)
    return str(document.get("realm")), str(document.get("partner"))


def _document(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_bytes()
    except FileNotFoundError:
        raise InputError(str(path), None, "", "there is no such file", _LOST) from None
    except OSError as error:
        raise InputError(str(path), None, "", f"it cannot be read: {error.strerror}", _LOST) from None
    if mode & 0o077:
        cause = f"others may read this secret (mode {mode:04o})"
        raise InputError(str(path), None, "", cause, f"run `chmod 600 {path}`, and think of a new key")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(str(path), None, "", f"it is no key file ({FORMAT})", _LOST)
    return document


def _unsealed(path: Path, sealed: Any, ask: Callable[[], str] | None) -> bytes:
    if ask is None:
        raise InputError(str(path), None, "", "it is sealed", "give its passphrase")
    memory, operations = int(sealed["memory_bytes"]), int(sealed["operations"])
    if not (0 < memory <= MAX_MEMORY_BYTES and 0 < operations <= MAX_OPERATIONS):
        raise ValueError
    key = _stretched(ask(), bytes.fromhex(sealed["salt"]), memory, operations)
    try:
        return secret.SecretBox(key).decrypt(bytes.fromhex(sealed["box"]))
    except CryptoError:
        raise InputError(str(path), None, "", "this is not its passphrase", "try again") from None


def _stretched(passphrase: str, salt: bytes, memory: int, operations: int) -> bytes:
    size = secret.SecretBox.KEY_SIZE
    try:
        return pwhash.argon2id.kdf(size, passphrase.encode(), salt, opslimit=operations, memlimit=memory)
    except CryptoError as error:
        raise ValueError(str(error)) from None
