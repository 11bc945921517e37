"""Pure codecs of foreign formats, and what a realm may say through them. Nothing here opens a file or a socket.

Read `realm`, then `cap_model`, `cap_read`, `cap_check` and `cap`, then `geojson`.
"""

from noroshi.gateways.cap import CapContext, CapError, encode_alert
from noroshi.gateways.cap_check import Finding, check_cap
from noroshi.gateways.cap_model import CapAlert, CapUnreadableError
from noroshi.gateways.cap_own import check_own
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.cap_write import write_cap
from noroshi.gateways.geojson import point_deg, rings_deg
from noroshi.gateways.realm import MARKS, check_realm_words, status_for

__all__ = [
    "MARKS",
    "CapAlert",
    "CapContext",
    "CapError",
    "CapUnreadableError",
    "Finding",
    "check_cap",
    "check_own",
    "check_realm_words",
    "encode_alert",
    "point_deg",
    "read_cap",
    "rings_deg",
    "status_for",
    "write_cap",
]
