"""Pictures out of a stream, however its bytes come."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edgent.engine.jpeg_stream import pictures
from edgent.errors import InputError


def jpeg(seed: int = 0, **options: object) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", **options)
    return stream.getvalue()


def with_preview(seed: int) -> bytes:
    """A picture that holds another one in its EXIF, as cameras write it: an end that is none."""
    whole, preview = jpeg(seed), b"Exif\0\0" + jpeg(99)
    return whole[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview + whole[2:]


KINDS = {
    "baseline": jpeg(1),
    "progressive": jpeg(2, progressive=True),
    "restarts": jpeg(3, restart_marker_blocks=2),
    "preview": with_preview(4),
    "filled": jpeg(5)[:2] + b"\xff" + jpeg(5)[2:],
}


class Dripping(io.RawIOBase):
    """Gives a few bytes at a time, and counts how many."""

    def __init__(self, content: bytes, piece: int) -> None:
        self.content, self.piece, self.given = content, piece, 0

    def read(self, most: int = -1) -> bytes:
        came = self.content[self.given : self.given + min(self.piece, most)]
        self.given += len(came)
        return came


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_pictures_of_every_kind_come_as_they_were_whatever_the_pieces(piece) -> None:
    stream = Dripping(b"".join(KINDS.values()), piece)
    assert list(pictures(stream)) == list(KINDS.values())


def test_zeros_and_ends_of_lines_between_pictures_are_passed_over() -> None:
    assert list(pictures(io.BytesIO(b"\r\n" + jpeg(1) + b"\0\0\n" + jpeg(2) + b"\n"))) == [jpeg(1), jpeg(2)]


def test_a_picture_comes_before_the_next_one_is_read() -> None:
    stream = Dripping(jpeg(1) + jpeg(2), 16)
    assert next(pictures(stream)) == jpeg(1) and stream.given <= len(jpeg(1)) + 16


@pytest.mark.parametrize(
    ("content", "expected", "before"),
    [
        (b"", "found nothing, expected JPEG pictures, one after another", 0),
        (b"\n", "found nothing", 0),
        (b"\x89PNG\r\n", "picture 1: found b'\\x89PNG', expected a JPEG", 0),
        (jpeg(1) + b"hello", "picture 2: found b'hell', expected a JPEG", 1),
        (jpeg(1) + jpeg(2)[:-40], "picture 2: ends after", 1),
        (jpeg(1)[:2], "picture 1: ends after 2 bytes", 0),
        (jpeg(1)[:3], "picture 1: ends after 3 bytes", 0),
        (b"\xff\xd8hi", "expected a marker", 0),
    ],
)
def test_what_is_no_picture_is_named_after_those_before_it(content, expected, before) -> None:
    came = []
    with pytest.raises(InputError) as refused:
        for picture in pictures(io.BytesIO(content)):
            came.append(picture)
    assert expected in str(refused.value) and len(came) == before


HEADER = jpeg(1).index(b"\xff\xda")  # where the coded bytes of a baseline picture begin


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "damaged",
    [
        jpeg(1)[:-40],
        jpeg(1)[: HEADER + 40],
        jpeg(1)[: HEADER + 4],
        jpeg(1)[:40],
        jpeg(1)[:2],
        jpeg(2, progressive=True)[:-200],
        with_preview(4)[:-40],
        jpeg(1)[:20] + b"\0" + jpeg(1)[21:-2],
    ],
)
@pytest.mark.parametrize("before", [[], [jpeg(5)]])
def test_one_that_is_damaged_comes_as_it_is_and_costs_no_other_its_answer(piece, damaged, before) -> None:
    after = [jpeg(6), with_preview(7), jpeg(8)]
    found = list(pictures(Dripping(b"".join([*before, damaged, *after]), piece)))
    assert found[: len(before)] == before and found[-2:] == after[-2:]
    assert b"".join(found) == b"".join([*before, damaged, *after])
    assert all(not is_whole(other) for other in found[len(before) : -3])


def is_whole(picture: bytes) -> bool:
    try:
        Image.open(io.BytesIO(picture)).load()
    except OSError:
        return False
    return True


def test_something_else_between_pictures_is_one_of_them() -> None:
    assert list(pictures(io.BytesIO(jpeg(1) + b"hello" + jpeg(2)))) == [jpeg(1), b"hello", jpeg(2)]


def test_a_stream_of_something_else_is_not_searched_for_pictures() -> None:
    stream = Dripping(b"\x89PNG" + b"\0" * (1 << 20) + jpeg(1), 1 << 10)
    with pytest.raises(InputError, match="expected a JPEG"):
        list(pictures(stream))
    assert stream.given <= 1 << 10


def test_a_picture_that_never_ends_is_given_up() -> None:
    endless = jpeg(1)[:-2]
    stream = Dripping(endless + b"\x11" * (1 << 22), 1 << 16)
    with pytest.raises(InputError, match=r"found more than 1\.05 MB"):
        list(pictures(stream, most=1 << 20))
    assert stream.given < 3 << 20


def test_cut_or_changed_anywhere_it_ends_in_pictures_or_one_line() -> None:
    random, whole = np.random.default_rng(0), jpeg(1) + jpeg(2)
    for _ in range(300):
        content = bytearray(whole[: random.integers(1, len(whole))])
        content[random.integers(len(content))] = random.integers(256)
        try:
            assert len(list(pictures(io.BytesIO(bytes(content))))) <= 3
        except InputError as error:
            assert "\n" not in str(error)
