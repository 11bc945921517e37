"""The filter in NumPy alone: the same arithmetic as `tracking.kernels`, over columns of tracks instead of a loop.

It is for where there is no compiler, and to hold the compiled filter against: both agree within 1e-9 sigma. Inside,
the track is the last axis, so that every step is one operation over all tracks: mean (7, n), covariance (7, 7, n).
"""

from noroshi.tracking.plain.predicting import predict_columns
from noroshi.tracking.plain.updating import update_columns

__all__ = ["predict_columns", "update_columns"]
