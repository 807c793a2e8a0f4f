"""What is no ONNX file at all, and what points out of its folder."""

from __future__ import annotations

import io
import os
import pickle
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from onnx import ModelProto, TensorProto

from hostile.protos import Hostile, honest, hostile, model, node, value

_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 102400\n"


def files() -> Iterator[Hostile]:
    """All kinds of files."""
    yield from _formats()
    yield from _special()
    yield from _external()


def _formats() -> Iterator[Hostile]:
    contents: dict[str, bytes | Callable[[], bytes]] = {
        "empty": b"",
        "text": b"This is my model. It is very good.\n" * 100,
        "git-lfs-pointer": _POINTER,
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "json": b'{"layers": []}',
        "zip": lambda: _zip({"model.onnx": honest().SerializeToString()}),
        "zip-bomb": lambda: _zip({f"{i}.onnx": b"\0" * 2**22 for i in range(8)}),
        "pytorch": lambda: _zip({"archive/data.pkl": pickle.dumps({}), "archive/version": b"3\n"}),
        "pickle": pickle.dumps({"a": list(range(100))}, protocol=2),
        "ort": b"\x18\0\0\0ORTM" + b"\0" * 64,
        "tflite": b"\x1c\0\0\0TFL3" + b"\0" * 64,
        "hdf5": b"\x89HDF\r\n\x1a\n" + b"\0" * 64,
        "gguf": b"GGUF\x03\0\0\0" + b"\0" * 64,
        "safetensors": b"\x40\0\0\0\0\0\0\0" + b'{"__metadata__":{"format":"pt"}}'.ljust(64) + b"\0" * 64,
        "gzip": b"\x1f\x8b\x08\0" + b"\0" * 64,
        "elf": b"\x7fELF\x02\x01\x01" + b"\0" * 64,
        "png": b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        "zeros": b"\0" * 4096,
        "ones": b"\xff" * 4096,
    }
    for name, content in contents.items():
        yield hostile("other formats", name, content)


def _zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _special() -> Iterator[Hostile]:
    def kind(name: str, make: Callable[[Path], Path | None]) -> Hostile:
        def write(folder: Path) -> Path:
            file = folder / f"{name}.onnx"
            return make(file) or file

        return Hostile(kind="no files", name=name, write=write)

    yield kind("missing", lambda file: None)
    yield kind("directory", Path.mkdir)
    yield kind("socket", lambda file: os.mknod(file, stat.S_IFSOCK | 0o600))
    yield kind("fifo", os.mkfifo)
    yield kind("link-to-nothing", lambda file: file.symlink_to("nothing"))
    yield kind("link-to-itself", lambda file: file.symlink_to(file))
    yield kind("link-to-zero", lambda file: file.symlink_to("/dev/zero"))
    yield kind("dev-zero", lambda file: Path("/dev/zero"))
    yield kind("dev-stdin", lambda file: Path("/dev/stdin"))
    yield kind("nul-in-name", lambda file: file.with_name("a\udc80b.onnx"))
    yield kind("long-name", lambda file: file.with_name("n" * 5000))
    yield kind("sparse-3-gigabytes", _sparse)
    yield kind("sparse-1-gigabyte-behind-a-model", lambda file: _sparse(file, 2**30, honest()))


def _sparse(file: Path, size: int = 3 * 2**30, start: ModelProto | None = None) -> None:
    with file.open("wb") as stream:
        stream.write(b"" if start is None else start.SerializeToString())
        stream.truncate(size)


def _external() -> Iterator[Hostile]:
    def beside(folder: Path) -> None:
        (folder / "w.bin").write_bytes(b"\0" * 64)

    entries: dict[str, dict[str, str]] = {
        "missing": {"location": "nothing.bin"},
        "no-location": {"offset": "0"},
        "empty-location": {"location": ""},
        "dev-zero": {"location": "/dev/zero"},
        "up": {"location": "../../../../../../etc/passwd"},
        "itself": {"location": "external-itself.onnx"},
        "folder": {"location": "."},
        "fifo": {"location": "fifo"},
        "link-to-zero": {"location": "zero"},
        "link-to-itself": {"location": "loop"},
        "nul": {"location": "w\0.bin"},
        "long": {"location": "n" * 100_000},
        "newline": {"location": "w\n.bin"},
        "under-a-file": {"location": "w.bin/w.bin"},
        "offset-negative": {"location": "w.bin", "offset": "-8"},
        "offset-huge": {"location": "w.bin", "offset": str(2**62)},
        "offset-beyond-64-bits": {"location": "w.bin", "offset": str(2**70)},
        "offset-text": {"location": "w.bin", "offset": "abc"},
        "offset-float": {"location": "w.bin", "offset": "1e3"},
        "offset-digits": {"location": "w.bin", "offset": "9" * 5000},
        "offset-spaces": {"location": "w.bin", "offset": " 1_0 "},
        "length-negative": {"location": "w.bin", "length": "-4"},
        "length-huge": {"location": "w.bin", "length": str(2**62)},
        "length-short": {"location": "w.bin", "length": "4"},
        "length-zero": {"location": "w.bin", "length": "0"},
        "length-text": {"location": "w.bin", "length": "many"},
        "unaligned": {"location": "w.bin", "offset": "3", "length": "32"},
    }
    for name, entry in entries.items():
        yield Hostile(
            kind="external data", name=f"external-{name}", write=_with_weight(f"external-{name}", entry, beside)
        )
    overlap = _with_weight("external-overlap", {"location": "w.bin", "offset": "0", "length": "64"}, beside, count=1000)
    yield Hostile(kind="external data", name="external-overlap", write=overlap)
    sparse = _with_weight(
        "external-sparse", {"location": "sparse"}, lambda f: _sparse(f / "sparse", 2**33), dims=(2**28, 8)
    )
    yield Hostile(kind="external data", name="external-sparse", write=sparse)


def _with_weight(
    name: str, entry: dict[str, str], beside: Callable[[Path], None], *, count: int = 1, dims: tuple[int, ...] = (8,)
) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        beside(folder)
        _traps(folder)
        weights = [TensorProto(name=f"w{i}", data_type=1, dims=dims, data_location=1) for i in range(count)]
        for weight in weights:
            for key, text in entry.items():
                weight.external_data.add(key=key, value=text)
        proto = model([node("Sum", "x " + " ".join(weight.name for weight in weights))], weights, inputs=[value("x")])
        file = folder / f"{name}.onnx"
        file.write_bytes(proto.SerializeToString())
        return file

    return write


def _traps(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
