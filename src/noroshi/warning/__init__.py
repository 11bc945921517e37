"""Warnings: what a prediction means for places, what may be said of it, and how a warning lives and ends.

Read `watch`, `passing` and `falling`, then `draft` and `drafting`, then `statements`, `lifecycle` and `texts`.
"""

from noroshi.warning.draft import Draft, DraftArea, Evidence
from noroshi.warning.drafting import corridor_rings, draft_of, ellipse_rings, fall_row
from noroshi.warning.falling import Fall, fall_of
from noroshi.warning.lifecycle import TABLE, WarningState, apply, diagram, withdraw
from noroshi.warning.rules import WarningRules
from noroshi.warning.statements import basis, lost, passed
from noroshi.warning.texts import alert_texts
from noroshi.warning.watch import Watch, watch_over

__all__ = [
    "TABLE",
    "Draft",
    "DraftArea",
    "Evidence",
    "Fall",
    "WarningRules",
    "WarningState",
    "Watch",
    "alert_texts",
    "apply",
    "basis",
    "corridor_rings",
    "diagram",
    "draft_of",
    "ellipse_rings",
    "fall_of",
    "fall_row",
    "lost",
    "passed",
    "watch_over",
    "withdraw",
]
