"""Files as they come in chunks: exactly as many bytes as were stated before, and none is asked for beyond them."""

from __future__ import annotations

import itertools

import pytest

from edgent.errors import RefusedError
from edgent.wire import messages as m
from edgent.wire.sent_files import sent_files


def chunk(file, data=b"", size=0):
    return bytes(m.Chunk(file=file, data=data, size=size).SerializeToString())


def read(bodies):
    return [(file.name, file.size, b"".join(file.pieces)) for file in sent_files(bodies)]


def test_files_come_one_after_the_other_with_their_sizes():
    bodies = [chunk("a", size=5), chunk("a", b"hel"), chunk("a", b"lo"), chunk("b"), chunk("c", b"x", 1)]
    assert read(bodies) == [("a", 5, b"hello"), ("b", 0, b""), ("c", 1, b"x")]
    assert read([]) == []


def test_two_files_of_one_name_are_two():
    assert read([chunk("a", b"1", 1), chunk("a", b"2", 1)]) == [("a", 1, b"1"), ("a", 1, b"2")]


@pytest.mark.parametrize(
    "bodies",
    [
        [chunk("a", size=3), chunk("a", b"four")],
        [chunk("a", size=3), chunk("a", b"ab")],
        [chunk("a", size=3), chunk("a", b"ab"), chunk("a")],
        [chunk("a", size=3), chunk("b", b"abc", 3)],
        [chunk("a"), chunk("a", b"sent by an edge that states no size")],
        [chunk("a", size=2**64 - 1), chunk("a", b"a")],
        [b"\xff\xff"],
    ],
)
def test_another_number_of_bytes_than_was_stated_is_refused(bodies):
    with pytest.raises(RefusedError):
        read(bodies)


@pytest.mark.parametrize("data", [b"", b"x" * 1000])
def test_of_a_file_without_end_nothing_is_read_beyond_its_size(data):
    taken = []

    def bodies():
        yield chunk("a", size=2500)
        for number in itertools.count():
            taken.append(number)
            yield chunk("a", data)

    with pytest.raises(RefusedError, match="states 2,500 bytes"):
        read(bodies())
    assert len(taken) <= 3


def test_who_is_not_content_with_the_size_reads_no_byte():
    bodies = iter([chunk("a", size=1 << 40), chunk("a", b"x")])
    assert next(sent_files(bodies)).size == 1 << 40
    assert next(bodies)  # which nobody has taken
