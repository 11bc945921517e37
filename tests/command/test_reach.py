"""Who has acknowledged, who has not; a second acknowledgement changes nothing."""

from noroshi.command.reach import Reach


def test_reach() -> None:
    reach = Reach()
    reach.sent(b"m", ("a", "b"), 1)
    reach.sent(b"m", ("b", "c"), 2)
    assert reach.missing(b"m") == ("a", "b", "c")
    assert reach.acknowledged(b"m", "b", "b.duty", 5)
    assert not reach.acknowledged(b"m", "b", "b.other", 6)
    assert reach.missing(b"m") == ("a", "c")
    (row,) = (row for row in reach.rows(b"m") if row.unit == "b")
    assert (row.acknowledged_ns, row.post, row.sent_ns) == (5, "b.duty", 1)
    assert reach.knows(b"m")
    assert not reach.knows(b"n")
    assert reach.missing(b"n") == ()
