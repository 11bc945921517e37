"""What waits for the posts of this node, and what has been done with it."""

from __future__ import annotations

from noroshi.command.posts import Task
from noroshi.messages.kinds import Lane
from noroshi.node.work import MS_PER_NS, Work


def add(work: Work, task: Task) -> None:
    """Puts a task before its posts; once only, whatever happens again."""
    if task.id in work.state.tasks:
        return
    work.state.tasks[task.id] = task
    _show(work, task, "open", f"Waiting for {', '.join(task.posts) or 'nobody who could'}: {task.title}")
    if not task.posts:
        work.show(
            "refusal",
            f"Nobody here can do it: {task.title}",
            party=task.unit,
            reason="no-post",
            detail=task.id,
        )


def close(work: Work, task_id: str, state: str) -> None:
    """Takes a task off the list: `done` or `expired`. Unknown or closed ones stay as they are."""
    task = work.state.tasks.get(task_id)
    if task is not None and task_id not in work.state.closed_tasks:
        work.state.closed_tasks.add(task_id)
        _show(work, task, state, "")


def _show(work: Work, task: Task, state: str, says: str) -> None:
    work.show_row(
        {
            "type": "task",
            "time_ms": work.now_ms,
            "says": says,
            "task": task.id,
            "duty": task.duty,
            "action": task.action,
            "posts": task.posts,
            "unit": task.unit,
            "state": state,
            "deadline_ms": task.deadline_ns // MS_PER_NS,
            "about": task.event.hex(),
            "title": task.title,
            "answer": task.answer_fields(),
        },
        Lane.DECISION,
        key=f"task:{task.id}",
    )
