"""One node as a pure function; `core` is its door, `flow` lists its stages."""

from noroshi.node.core import Node, ReplayDiffersError
from noroshi.node.inputs import Commit, Genesis, Secrets

__all__ = ["Commit", "Genesis", "Node", "ReplayDiffersError", "Secrets"]
