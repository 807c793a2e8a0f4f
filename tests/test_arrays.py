from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.arrays import read_arrays
from edgent.errors import InputError

TYPES = ("<f4", ">f4", "<f2", ">f8", "|b1", "|i1", "|u1", ">i2", "<i8", "<u4", "<c8", "<U5", ">U3", "|S4")


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy(descr: object, shape: object, content: bytes = b"", *, order: object = False, version: int = 1) -> bytes:
    """A file with a header of one's own."""
    header = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(content: bytes, folder: Path, most: int = 1 << 20):
    (file := folder / "x").write_bytes(content)
    return read_arrays(file, most)


@given(
    kind=st.sampled_from(TYPES),
    shape=st.lists(st.integers(0, 4), max_size=4).map(tuple),
    fortran=st.booleans(),
    compressed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_what_numpy_saves_is_read_as_numpy_reads_it(kind, shape, fortran, compressed, seed, tmp_path_factory) -> None:
    numbers = np.random.default_rng(seed).integers(0, 100, shape)
    array = np.asarray(numbers.astype(kind), order="F" if fortran else "C")
    folder = tmp_path_factory.mktemp("arrays")
    found = read(saved(array), folder)
    assert found.dtype == array.dtype.newbyteorder("=") and found.shape == shape and found.flags.c_contiguous
    assert np.array_equal(found, np.load(io.BytesIO(saved(array))))
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, first=array, second=array)
    several = read(stream.getvalue(), folder)
    assert list(several) == ["first", "second"] and np.array_equal(several["second"], array)


def test_text_beyond_ascii_and_headers_of_every_version_are_read(tmp_path: Path) -> None:
    words = np.array([["h\u00e9", "\U0001f600"]])
    assert np.array_equal(read(saved(words), tmp_path), words)
    for version in (1, 2, 3):
        assert read(npy("<i2", (2,), b"\1\0\2\0", version=version), tmp_path).tolist() == [1, 2]


GOOD = saved(np.zeros(10, np.float32))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found no NumPy array"),
        (b"\x93NUMPY", "found no NumPy array"),
        (b"\x93NUMPY\x09\x00" + GOOD[8:], "found no NumPy array"),
        (b"not at all", "found no NumPy array"),
        (GOOD[:9], "damaged header"),
        (GOOD[:40], "damaged header"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "damaged header"),
        (GOOD[:-1], "40 bytes, but 39 follow"),
        (GOOD + b"\0", "40 bytes, but 41 follow"),
        (npy("<f4", (10**13,)), r"40 TB|4e\+04 GB"),
        (npy("<f4", (10**6, 10**6, 10**6, 10**6)), "expected at most"),
        (npy("<f4", (0, 10**30)), "which no array can have"),
        (npy("<f4", (1,) * 100, b"\0" * 4), "which no array can have"),
        (npy("<U999999999", (10**9,)), "expected numbers or text"),
        (npy("<U99999999", (10**9,)), "expected at most"),
        (npy("<f4", (10**200, 10**200)), "expected at most"),
        (npy("<f4", (-1,)), "expected sizes of 0 or more"),
        (npy("<f4", (True,), b"\0" * 4), "expected sizes of 0 or more"),
        (npy("<f4", [1], b"\0" * 4), "expected sizes of 0 or more"),
        (npy("<f4", ("1",), b"\0" * 4), "expected sizes of 0 or more"),
        (npy("<f3", (1,), b"\0" * 3), "damaged|expected numbers or text"),
        (npy("|O", (1,), pickle.dumps([1])), "the type |O, expected numbers or text"),
        (npy("<M8[ns]", (1,), b"\0" * 8), "expected numbers or text"),
        (npy("|V2", (1,), b"\0" * 2), "expected numbers or text"),
        (npy([("a", "<f4")], (1,), b"\0" * 4), "expected numbers or text"),
        (npy("f4,f4", (1,), b"\0" * 8), "expected numbers or text"),
        (npy("(999999999,)f4", (1,)), "expected numbers or text"),
        (npy("<U1", (1,), b"\xff\xff\xff\xff"), "no characters"),
        (npy("<U1", (1,), b"\x00\xd8\x00\x00"), "no characters"),
        (b"\x93NUMPY\x01\x00\x10\x27" + b"-" * 10_000, "damaged header"),
        (b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000, "damaged header"),
        (b"\x93NUMPY\x01\x00\x10\x27" + b"9" * 10_000, "damaged header"),
        (pickle.dumps([1, 2]), "found no NumPy array"),
        (npy("|O", ()), "expected numbers or text"),
    ],
)
def test_a_file_that_is_no_array_is_refused_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    for whole in (content, npz({"x.npy": content})):
        with pytest.raises(InputError, match=message.replace("|O,", r"\|O,")) as caught:
            read(whole, tmp_path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK", "damaged archive"),
        (npz({"x.npy": GOOD})[:-30], "damaged archive"),
        (npz({"x.npy": GOOD})[:100] + b"\0" * 9 + npz({"x.npy": GOOD})[109:], "damaged"),
        (npz({"notes.txt": b"hello"}), "'notes.txt', which is no array"),
        (npz({"x.npy": GOOD}, zipfile.ZIP_BZIP2), "numpy does not write"),
        (npz({"x.npy": GOOD}, zipfile.ZIP_LZMA), "numpy does not write"),
    ],
)
def test_an_archive_that_is_none_is_refused_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(content, tmp_path)


def test_an_archive_may_be_empty(tmp_path: Path) -> None:
    assert read(npz({}), tmp_path) == {}


def lying(stated: int, member: bytes) -> bytes:
    """An archive whose directory states another size than its member has."""
    content = bytearray(npz({"x.npy": member}))
    for at, offset in ((content.index(b"PK\x03\x04"), 22), (content.index(b"PK\x01\x02"), 24)):
        content[at + offset : at + offset + 4] = struct.pack("<I", stated)
    return bytes(content)


def test_bombs_and_lies_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    large = npy("<f4", (50 << 18,), b"\0" * (50 << 20))  # 50 MB of zeros, which are 50 kB compressed
    small = npy("<f4", (1 << 10,), b"\0" * (50 << 20))  # more than its header says
    head = len(npy("<f4", (1 << 10,)))
    for content in (
        npz({"x.npy": large}),
        lying(1000, large),
        npz({"x.npy": small}),
        lying(head + (4 << 10), small),
        npz({f"{n}.npy": npy("<f4", (1 << 17,), b"\0" * (1 << 19)) for n in range(9)}),  # each fits, all do not
    ):
        (file := tmp_path / "x.npz").write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(InputError):
                read_arrays(file, 1 << 20)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()


def test_what_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / ("n" * 300)):
        with pytest.raises(InputError, match="cannot be read"):
            read_arrays(path)
