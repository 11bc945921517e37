"""Python itself, set for a process that runs a node: its collector of cycles, and how threads take turns.

settle()                             # once, when the node is made and before it listens
"""

from __future__ import annotations

import gc
import sys

COLLECT_AFTER = (50_000, 20, 100)
"""Objects made and not freed before the young are looked at, and how many such looks before the older are. A commit
makes dozens and frees most when it is durable; with Python's own 700 a tenth of all work is looking at them in vain."""

TURN_S = 0.0005
"""How long a thread works on when another wants to. The record's thread wants to after each row that it has written, and
the one that checks signatures ahead after each of them; with Python's own 5 ms they would mostly wait."""


def settle() -> None:
    """Puts what there is now out of the collector's sight: tables that stay as long as the process, and would cost a
    tenth of a second in each of its long looks, within which a warning has to wait. Sets the two figures above.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(TURN_S)
