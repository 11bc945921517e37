"""Pure codecs of foreign formats, and what a realm may say through them. Nothing here opens a file or a socket.

Read `realm`, then `cap` and `geojson`.
"""

from noroshi.gateways.cap import CapContext, CapError, encode_alert
from noroshi.gateways.cap_check import CapAlert, CapUnreadableError, check_own
from noroshi.gateways.geojson import point_deg, rings_deg
from noroshi.gateways.realm import MARKS, check_realm_words, status_for

__all__ = [
    "MARKS",
    "CapAlert",
    "CapContext",
    "CapError",
    "CapUnreadableError",
    "check_own",
    "check_realm_words",
    "encode_alert",
    "point_deg",
    "rings_deg",
    "status_for",
]
