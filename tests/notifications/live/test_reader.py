"""Frames leave a reader in order and without gaps, however they come in."""

from __future__ import annotations

import random

from notifications.live.reader import MOST_ITEMS, Reader
from notifications.live.relay import Frame, Item


def frame(first: int, seq: int, stream: str = "orders") -> Frame:
    return Frame(stream, first, seq, tuple(Item("order", str(n)) for n in range(first, seq + 1)))


def reader(seq: int = 0) -> Reader:
    made = Reader()
    made.start("orders", seq)
    return made


def test_what_comes_together_leaves_as_one_frame() -> None:
    mine = reader(4)
    for heard in (frame(5, 5), frame(6, 8), frame(9, 9)):
        assert mine.hear(heard)

    assert mine.due() == [frame(5, 9)]
    assert mine.due() == []


def test_a_gap_waits_until_it_is_filled() -> None:
    mine = reader()
    mine.hear(frame(3, 4))

    assert mine.due() == []
    assert mine.gaps() == ["orders"]
    mine.hear(frame(1, 2))
    assert mine.due() == [frame(1, 4)]
    assert mine.gaps() == []


def test_what_was_heard_before_says_nothing() -> None:
    mine = reader(4)

    assert not mine.hear(frame(2, 4))
    assert not mine.hear(frame(1, 9, stream="never asked for"))
    assert mine.due() == []


def test_an_overlap_is_told_from_where_the_reader_is() -> None:
    mine = reader(4)
    mine.hear(frame(3, 6))

    [told] = mine.due()

    assert (told.first, told.seq) == (5, 6)


def test_any_order_with_repetitions_gives_one_unbroken_sequence() -> None:
    chance = random.Random(7)
    frames = [frame(n, n + chance.randrange(3)) for n in range(1, 60)]
    for _ in range(50):
        mine, told = reader(), list[Frame]()
        for heard in chance.sample(frames * 2, len(frames) * 2):
            mine.hear(heard)
            if chance.random() < 0.3:
                told += mine.due()
        told += mine.due()

        assert [one.first for one in told] == [1, *(one.seq + 1 for one in told[:-1])]
        assert told[-1].seq == max(one.seq for one in frames)


def test_many_objects_become_one() -> None:
    mine = reader()
    mine.hear(frame(1, MOST_ITEMS + 1))

    assert mine.due() == [Frame("orders", 1, MOST_ITEMS + 1, (Item("many", ""),))]


def test_it_knows_what_it_has_not_heard_of() -> None:
    mine = reader(4)
    mine.start("equity", 9)
    mine.hear(frame(7, 8))

    assert mine.behind({"orders": 8, "equity": 9}) == []
    assert mine.behind({"orders": 9, "equity": 10, "signals": 3}) == ["orders", "equity"]


def test_an_acknowledgment_frees_what_it_covers() -> None:
    mine = reader()
    for seq, size in ((1, 100), (2, 50), (3, 7)):
        mine.sent("orders", seq, size)
    mine.sent("equity", 1, 1000)

    mine.ack({"orders": 2})
    assert mine.unacked_bytes == 1007
    mine.ack({"orders": 99, "equity": 0, "other": 5})
    assert mine.unacked_bytes == 1000
    mine.ack({"equity": 1})
    assert mine.unacked_bytes == 0
