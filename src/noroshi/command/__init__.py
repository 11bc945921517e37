"""Decisions, alerts, acknowledgements and the posts that make them: tables and pure functions."""

from noroshi.command.alerts import AlertDesk, approval_defect, digest_of
from noroshi.command.posts import Seat, Task, answer
from noroshi.command.reach import Reach

__all__ = ["AlertDesk", "Reach", "Seat", "Task", "answer", "approval_defect", "digest_of"]
