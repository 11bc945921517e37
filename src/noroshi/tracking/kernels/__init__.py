"""All compiled code of tracking; what Python calls is named here.

Rules: scalar loops in a fixed order, no fast-math, no threads, no randomness, so equal input gives equal bits. Nothing
is compiled on import; `noroshi.tracking.warm` compiles all of it once and the compiler keeps it on disk.
"""

from noroshi.tracking.kernels.biases import consider_rows
from noroshi.tracking.kernels.doubt import begin_doubt, doubt_rows, predict_doubt, score_doubt
from noroshi.tracking.kernels.falls import fall_rows, ground_row
from noroshi.tracking.kernels.filters import (
    CHECKPOINT_ROWS,
    begin_rows,
    filter_rows,
    predict_rows,
    score_pairs,
    update_rows,
)
from noroshi.tracking.kernels.launches import first_state, launch_rows
from noroshi.tracking.kernels.lines import carry_state, line_rows
from noroshi.tracking.kernels.motion import FALL_WITHIN_S, fly_rows, propagate_rows
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.scans import branch, gate_scan, grow, improve, place_scan, prune, settle
from noroshi.tracking.kernels.sensing import place_rows
from noroshi.tracking.kernels.states import ACCELERATION_PSD
from noroshi.tracking.kernels.watching import fall_rows_freely

__all__ = [
    "ACCELERATION_PSD",
    "CHECKPOINT_ROWS",
    "FALL_WITHIN_S",
    "Rows",
    "begin_doubt",
    "begin_rows",
    "branch",
    "carry_state",
    "consider_rows",
    "doubt_rows",
    "fall_rows",
    "fall_rows_freely",
    "filter_rows",
    "first_state",
    "fly_rows",
    "gate_scan",
    "ground_row",
    "grow",
    "improve",
    "launch_rows",
    "line_rows",
    "place_rows",
    "place_scan",
    "predict_doubt",
    "predict_rows",
    "propagate_rows",
    "prune",
    "score_doubt",
    "score_pairs",
    "settle",
    "update_rows",
]
