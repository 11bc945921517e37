"""Both schemes accept and refuse alike; derived bytes depend on every part."""

from __future__ import annotations

from threading import Thread

import pytest

from noroshi.messages.signing import MAX_EXPECTED, Ed25519, KeyedHash, Scheme, derive


@pytest.mark.parametrize("scheme", [Ed25519(), KeyedHash()], ids=lambda scheme: scheme.name)
def test_a_scheme_accepts_its_own_and_refuses_all_else(scheme: Scheme) -> None:
    secret, other = b"s" * 32, b"o" * 32
    public = scheme.public_key(secret)
    signature = scheme.sign(secret, b"text")
    assert scheme.verify(public, b"text", signature)
    assert scheme.sign(secret, b"text") == signature
    assert not scheme.verify(public, b"other", signature)
    assert not scheme.verify(scheme.public_key(other), b"text", signature)
    assert not scheme.verify(public, b"text", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not scheme.verify(public, b"text", b"")
    assert not scheme.verify(b"", b"text", signature)


def test_ed25519_agrees_with_rfc_8032() -> None:
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    scheme = Ed25519()
    assert (
        scheme.public_key(secret).hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert scheme.sign(secret, b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")


def test_derived_bytes_depend_on_purpose_and_on_where_parts_end() -> None:
    key = b"k" * 32
    seen = {
        derive(key, "a", "bc"),
        derive(key, "ab", "c"),
        derive(key, "a", "b", "c"),
        derive(b"l" * 32, "a", "bc"),
    }
    assert len(seen) == 4
    assert derive(key, "a", 1) == derive(key, "a", "1")


def test_what_was_done_ahead_changes_no_answer() -> None:
    """For good and bad ones alike, done ahead or not, asked once or again, with other data under the same signature."""
    scheme, secret = Ed25519(), b"s" * 32
    public = scheme.public_key(secret)
    good, bad = scheme.sign(secret, b"text"), bytes(64)
    for _ in range(2):
        assert scheme.expect(public, b"text", good)
        assert scheme.expect(public, b"text", bad)
        assert scheme.expect(public, b"text", b"short")
        while scheme.work_ahead():
            pass
        assert not scheme.verify(public, b"other", good)
        assert scheme.verify(public, b"text", good)
        assert scheme.verify(public, b"text", good)
        assert not scheme.verify(public, b"text", bad)
        assert not scheme.verify(public, b"text", b"short")
    scheme.expect(public, b"text", good)
    assert scheme.verify(public, b"text", good), "not done ahead"
    assert not scheme.work_ahead(), "what was asked meanwhile need not be done"


def test_a_flood_of_expected_ones_takes_no_more_memory() -> None:
    scheme = Ed25519()
    taken = sum(scheme.expect(b"p", b"text", number.to_bytes(64)) for number in range(MAX_EXPECTED + 10))
    assert taken == MAX_EXPECTED


def test_another_thread_may_work_ahead_while_messages_are_verified() -> None:
    scheme, secret = Ed25519(), b"s" * 32
    public = scheme.public_key(secret)
    texts = [b"%d" % number for number in range(400)]
    signed = [
        (text, scheme.sign(secret, text if number % 7 else b"other")) for number, text in enumerate(texts)
    ]
    for text, signature in signed:
        scheme.expect(public, text, signature)

    def ahead() -> None:
        while scheme.work_ahead():
            pass

    thread = Thread(target=ahead)
    thread.start()
    answers = [scheme.verify(public, text, signature) for text, signature in signed]
    thread.join()
    assert answers == [number % 7 != 0 for number in range(len(texts))]
