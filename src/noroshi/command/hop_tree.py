"""A hash tree over the signatures of a roster's last hops: its root fixes all of them, and each can be shown alone.

Each last hop has its own place, whether it has signed or not, so that a path needs no other numbers beside its own. A
leaf is SHA-256 over a zero byte, the number and the signature; a knot over a one byte and the two below it; what has
nothing below it is 32 zero bytes. (RFC 6962, section 2.1, with fixed places.)

    tree = HopTree(hops=120)
    tree.put(3, signature)
    tree.root, tree.path(3)
    root_of(3, signature, tree.path(3)) == tree.root
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

NOTHING = bytes(32)


class HopTree:
    """The tree of one message. It grows with the number of those who have signed, not with the roster."""

    def __init__(self, hops: int) -> None:
        self.depth = (hops - 1).bit_length()
        self._levels: list[dict[int, bytes]] = [{} for _ in range(self.depth + 1)]
        self._changed: set[int] = set()

    def put(self, hop: int, signature: bytes) -> None:
        """Takes a last hop's signature."""
        self._levels[0][hop] = leaf(hop, signature)
        self._changed.add(hop)

    @property
    def root(self) -> bytes:
        """The hash over all of it; only what has changed is worked out again."""
        changed, self._changed = self._changed, set()
        for below, level in zip(self._levels, self._levels[1:], strict=False):
            changed = {place >> 1 for place in changed}
            for place in changed:
                left, right = below.get(2 * place, NOTHING), below.get(2 * place + 1, NOTHING)
                level[place] = _knot(left, right)
        return self._levels[-1].get(0, NOTHING)

    def path(self, hop: int) -> tuple[bytes, ...]:
        """The hashes beside the way from this last hop to the root."""
        _ = self.root
        return tuple(self._levels[up].get((hop >> up) ^ 1, NOTHING) for up in range(self.depth))


def leaf(hop: int, signature: bytes) -> bytes:
    """The hash of one last hop's signature."""
    return sha256(b"\x00" + hop.to_bytes(4, "big") + signature).digest()


def root_of(hop: int, signature: bytes, path: Sequence[bytes]) -> bytes:
    """The root to which this signature and these hashes lead."""
    found = leaf(hop, signature)
    for up, beside in enumerate(path):
        found = _knot(beside, found) if hop >> up & 1 else _knot(found, beside)
    return found


def _knot(left: bytes, right: bytes) -> bytes:
    return NOTHING if left == right == NOTHING else sha256(b"\x01" + left + right).digest()
