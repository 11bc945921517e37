"""The hash tree over last hops' signatures: the same root whichever way it grew, and paths that lead to it alone."""

from __future__ import annotations

from random import Random

import pytest

from noroshi.command.hop_keys import Enrolled, is_roster, open_roster, sign_roster
from noroshi.command.hop_tree import NOTHING, HopTree, leaf, root_of
from noroshi.messages import Ed25519


@pytest.mark.parametrize("hops", [1, 2, 3, 12, 1000])
def test_every_path_leads_to_the_root_and_no_other_signature_does(hops: int) -> None:
    rng = Random(hops)
    signed = {hop: rng.randbytes(64) for hop in range(hops) if hop == hops - 1 or rng.random() < 0.6}
    tree = HopTree(hops)
    assert tree.root == NOTHING
    for hop in rng.sample(sorted(signed), len(signed)):
        tree.put(hop, signed[hop])
        assert root_of(hop, signed[hop], tree.path(hop)) == tree.root
    other = HopTree(hops)
    for hop, signature in signed.items():
        other.put(hop, signature)
    assert other.root == tree.root
    for hop in rng.sample(sorted(signed), min(20, len(signed))):
        path = tree.path(hop)
        assert root_of(hop, signed[hop], path) == tree.root
        assert root_of(hop, rng.randbytes(64), path) != tree.root
        assert root_of(hop ^ 1, signed[hop], path) != tree.root


def test_a_tree_of_one_is_its_leaf() -> None:
    tree = HopTree(1)
    tree.put(0, b"s" * 64)
    assert (tree.root, tree.path(0)) == (leaf(0, b"s" * 64), ())


def test_a_list_of_last_hops_holds_under_its_root_only() -> None:
    scheme, secret = Ed25519(), bytes(range(32))
    root = scheme.public_key(secret)
    good = Enrolled("towns", 1, ((0, b"a" * 32), (7, b"b" * 32)))
    raw = sign_roster(good, "JPN", "exercise:x", scheme, secret)
    assert is_roster(raw)
    assert open_roster(raw, scheme, root, partner="JPN", realm="exercise:x") == good
    assert good.bits == 0b10000001
    assert open_roster(raw, scheme, root, partner="KOR", realm="exercise:x") == "foreign-roster"
    assert open_roster(raw, scheme, root, partner="JPN", realm="real") == "foreign-roster"
    assert open_roster(raw, scheme, b"r" * 32, partner="JPN", realm="exercise:x") == "bad-signature"
    for at in range(0, len(raw), 7):
        damaged = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        found = open_roster(damaged, scheme, root, partner="JPN", realm="exercise:x")
        assert isinstance(found, str)
    assert not is_roster(b"")
    assert not is_roster(b"\x93")


@pytest.mark.parametrize(
    "keys",
    [((7, b"a" * 32), (0, b"b" * 32)), ((0, b"a" * 32), (0, b"b" * 32)), ((0, b"a" * 32), (1, b"a" * 32)),
     ((0, b"a" * 31),), ((-1, b"a" * 32),), ((70_000, b"a" * 32),)],
)  # fmt: skip
def test_a_list_that_cannot_be_is_unusable(keys: tuple[tuple[int, bytes], ...]) -> None:
    scheme, secret = Ed25519(), bytes(range(32))
    raw = sign_roster(Enrolled("towns", 1, keys), "JPN", "exercise:x", scheme, secret)
    root = scheme.public_key(secret)
    assert open_roster(raw, scheme, root, partner="JPN", realm="exercise:x") == "unusable-roster"
