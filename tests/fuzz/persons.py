"""Fuzzing what stands for a person, and what a root and its posts approve: assertions, warrants, public words."""

from __future__ import annotations

from noroshi.command.warrant import SCHEMA, AlertRules, Automatic, Warrant, is_warrant, opened, warranted
from noroshi.messages import Ed25519
from noroshi.messages.canonical import encode
from noroshi.messages.passkeys import Registered, count_of, defect, registered
from noroshi.node.warranting import GivenTemplates, is_ours
from noroshi.warning.templates import TemplateSet, faults, packaged, read_set
from tests.fuzz.table import Target
from tests.messages.authenticator import Authenticator

DEVICE = Authenticator()
DATA = b"what is signed"
GOOD = DEVICE.sign(DATA)
SCHEME, SEED = Ed25519(), b"r" * 32
ROOT = SCHEME.public_key(SEED)
WARRANT = warranted(
    Warrant(
        schema=SCHEMA, realm="real", partner="JPN", version=2, templates=(bytes(32),),
        rules=AlertRules(automatic=Automatic(below_s=60.0), scopes={"kr-seoul": ("Seoul",)}, machines=("a.b",)),
    ),
    SCHEME,
    SEED,
)  # fmt: skip
WORDS = encode(packaged("real"))
GIVEN = encode(GivenTemplates("templates", WORDS, (b"one", b"two")))


def _assertion(data: bytes) -> None:
    reason = defect(DEVICE.passkey, DATA, data)
    assert (reason == "") == (data == GOOD)
    assert count_of(data) >= 0


def _registration(data: bytes) -> None:
    found = registered(data)
    assert isinstance(found, Registered) or found


def _warrant(data: bytes) -> None:
    found = opened(data, SCHEME, ROOT, partner="JPN", realm="real")
    assert isinstance(found, Warrant) == (data == WARRANT)
    assert is_warrant(data) or not isinstance(found, Warrant)


def _words(data: bytes) -> None:
    found = read_set(data)
    if isinstance(found, TemplateSet):
        assert encode(found) == data
        assert not list(faults(found))
    is_ours(data)


KIB_8, MIB_1 = 8 << 10, 1 << 20
"""The largest assertion is 5 kB; the rest is as large as any value may be."""

TARGETS = (
    Target(
        "assertion", "a passkey's signature", lambda: _assertion, lambda: [GOOD], "msgpack", KIB_8, 4.0, 1.0
    ),
    Target(
        "registration",
        "a new credential",
        lambda: _registration,
        lambda: [DEVICE.made()],
        "bytes",
        KIB_8,
        4.0,
        1.0,
    ),
    Target(
        "warrant", "what a root warrants", lambda: _warrant, lambda: [WARRANT], "msgpack", MIB_1, 64.0, 3.0
    ),
    Target(
        "words", "a set of public words", lambda: _words, lambda: [WORDS, GIVEN], "msgpack", MIB_1, 64.0, 5.0
    ),
)
