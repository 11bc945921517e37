"""Warnings: what a prediction means for places, what may be said of it, and how a warning lives and ends.

Read `watch`, `passing` and `falling`, then `draft` and `drafting`, then `statements`, `lifecycle` and `texts`.
"""

from noroshi.warning.ages import age_s, age_words
from noroshi.warning.area_file import load_areas
from noroshi.warning.area_list import AreaList, OwnArea, open_areas, own_watch, sign_areas, surface_of
from noroshi.warning.contours import Contour, contours
from noroshi.warning.draft import Draft, DraftArea, Evidence
from noroshi.warning.drafting import corridor_rings, draft_of, ellipse_rings, fall_row
from noroshi.warning.falling import Fall, fall_of
from noroshi.warning.lifecycle import (
    TABLE,
    WarningState,
    answer,
    apply,
    diagram,
    is_inner,
    lose,
    withdraw,
)
from noroshi.warning.rules import AreaRule, WarningRules
from noroshi.warning.statements import basis, lost, passed
from noroshi.warning.texts import alert_texts
from noroshi.warning.watch import Watch, watch_over

__all__ = [
    "TABLE",
    "AreaList",
    "AreaRule",
    "Contour",
    "Draft",
    "DraftArea",
    "Evidence",
    "Fall",
    "OwnArea",
    "WarningRules",
    "WarningState",
    "Watch",
    "age_s",
    "age_words",
    "alert_texts",
    "answer",
    "apply",
    "basis",
    "contours",
    "corridor_rings",
    "diagram",
    "draft_of",
    "ellipse_rings",
    "fall_of",
    "fall_row",
    "is_inner",
    "load_areas",
    "lose",
    "lost",
    "open_areas",
    "own_watch",
    "passed",
    "sign_areas",
    "surface_of",
    "watch_over",
    "withdraw",
]
