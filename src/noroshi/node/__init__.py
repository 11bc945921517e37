"""One node as a pure function; `core` is its door, `flow` lists its stages."""

from noroshi.node.core import Node
from noroshi.node.inputs import Commit, Genesis, Secrets
from noroshi.node.replay import ReplayDiffersError
from noroshi.node.snapshot import SnapshotError

__all__ = ["Commit", "Genesis", "Node", "ReplayDiffersError", "Secrets", "SnapshotError"]
