"""Release: audiences, the one door out, numbered outboxes, the link protocol, and the staff's projection."""

from noroshi.sharing.outbox import CAP_GATEWAY, RELAYS, STAFF, Outboxes, partner_party
from noroshi.sharing.release import Allowed, Audience, ReleasePolicy, Withheld
from noroshi.sharing.streams import Position, Statement, party_of, stream_of

__all__ = [
    "CAP_GATEWAY",
    "RELAYS",
    "STAFF",
    "Allowed",
    "Audience",
    "Outboxes",
    "Position",
    "ReleasePolicy",
    "Statement",
    "Withheld",
    "partner_party",
    "party_of",
    "stream_of",
]
