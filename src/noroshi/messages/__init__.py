"""Messages: kinds, labels, envelopes, canonical bytes, signatures and the keys that are believed.

Read `labels`, then `kinds` and `bodies`, then `envelope`.
"""

from noroshi.messages.envelope import Envelope, Message, Refused, Unverified, seal, verify
from noroshi.messages.kinds import KINDS, Kind, Lane
from noroshi.messages.labels import Label, label_for, may_have
from noroshi.messages.signing import Ed25519, KeyedHash, Scheme, derive, key_id
from noroshi.messages.trust import Certificate, TrustStore, certify

__all__ = [
    "KINDS",
    "Certificate",
    "Ed25519",
    "Envelope",
    "KeyedHash",
    "Kind",
    "Label",
    "Lane",
    "Message",
    "Refused",
    "Scheme",
    "TrustStore",
    "Unverified",
    "certify",
    "derive",
    "key_id",
    "label_for",
    "may_have",
    "seal",
    "verify",
]
