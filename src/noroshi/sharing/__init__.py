"""Release: audiences, the one door out, numbered outboxes, the link protocol, and the staff's projection."""

from noroshi.sharing.outbox import CAP_GATEWAY, STAFF, Outboxes, partner_party
from noroshi.sharing.release import Allowed, Audience, ReleasePolicy, Withheld

__all__ = [
    "CAP_GATEWAY",
    "STAFF",
    "Allowed",
    "Audience",
    "Outboxes",
    "ReleasePolicy",
    "Withheld",
    "partner_party",
]
