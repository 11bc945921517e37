"""Reviews: what happened, who knew what when, and the measures, from the nodes' logs."""

from noroshi.review.measures import AlertMeasure, CaseMeasure, Gap, Measures, measure
from noroshi.review.page import Judged, render
from noroshi.review.picture import Point
from noroshi.review.read import Entry, Log, NotALogError, merged, open_log
from noroshi.review.story import Line, story

__all__ = [
    "AlertMeasure",
    "CaseMeasure",
    "Entry",
    "Gap",
    "Judged",
    "Line",
    "Log",
    "Measures",
    "NotALogError",
    "Point",
    "measure",
    "merged",
    "open_log",
    "render",
    "story",
]
