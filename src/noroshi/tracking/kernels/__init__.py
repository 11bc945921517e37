"""All compiled code of tracking; what Python calls is named here.

Rules: scalar loops in a fixed order, no fast-math, no threads, no randomness, so equal input gives equal bits. Nothing
is compiled on import; `noroshi.tracking.warm` compiles all of it once and the compiler keeps it on disk.
"""

from noroshi.tracking.kernels.falls import fall_rows, ground_row
from noroshi.tracking.kernels.filters import (
    CHECKPOINT_ROWS,
    begin_rows,
    filter_rows,
    predict_rows,
    score_pairs,
    update_rows,
)
from noroshi.tracking.kernels.motion import FALL_WITHIN_S, fly_rows, propagate_rows
from noroshi.tracking.kernels.radar import place_rows
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.states import ACCELERATION_PSD

__all__ = [
    "ACCELERATION_PSD",
    "CHECKPOINT_ROWS",
    "FALL_WITHIN_S",
    "Rows",
    "begin_rows",
    "fall_rows",
    "filter_rows",
    "fly_rows",
    "ground_row",
    "place_rows",
    "predict_rows",
    "propagate_rows",
    "score_pairs",
    "update_rows",
]
