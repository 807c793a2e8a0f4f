"""Recognises files that are no ONNX files by their size and first bytes, before anything reads them whole."""

from __future__ import annotations

from pathlib import Path

from edgent.errors import ModelError
from edgent.units import format_bytes

MOST_FILE_BYTES = 2**31 - 1
"""Of one ONNX file: protobuf's limit. The weights of larger models lie in files beside it."""

_START = 512
_EXPORT = "export the model to ONNX"

# Where the mark stands, the mark, what such a file is, and what to do. No ONNX file begins like one of these.
_MARKS = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself", "run git lfs pull"),
    (4, b"ORTM", "a file in ONNX Runtime's own format (.ort)", "take the .onnx file that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite file", "convert it with tf2onnx"),
    (0, b"\x89HDF", "an HDF5 file, as Keras writes them", "convert it with tf2onnx"),
    (0, b"GGUF", "a GGUF file", _EXPORT),
    (8, b"{", "a safetensors file: weights without a graph", _EXPORT),
    (0, b"PK\x03\x04", "a zip archive, as PyTorch writes them too", "unpack it, or export with torch.onnx.export"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"\x80\x02", "a pickle, as old PyTorch files are", "export it with torch.onnx.export"),
)


def check_file(path: Path) -> None:
    """Looks at a file before it is read.

    Raises:
        ModelError: no file, an empty one, one too large, or one of another format.
    """
    size = _size(path)
    if not size:
        raise ModelError(f"{path} is no ONNX file: it is empty; copy it again")
    with path.open("rb") as stream:
        start = stream.read(_START)
    for place, mark, what, advice in _MARKS:
        if start[place:].startswith(mark):
            raise ModelError(f"{path} is no ONNX file but {what}; {advice}")
    if _is_text(start):
        raise ModelError(f"{path} is no ONNX file but text, beginning {start[:20].decode()!r}; {_EXPORT}")
    if size > MOST_FILE_BYTES:
        raise ModelError(
            f"{path} has {format_bytes(size)}, an ONNX file at most {format_bytes(MOST_FILE_BYTES)}; "
            "export the model with its weights in files beside it"
        )


def _size(path: Path) -> int:
    try:
        if path.is_file():  # anything else, a pipe or a device, may never end
            return path.stat().st_size
    except (OSError, ValueError) as error:  # a link to itself; a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: no such file ({reason})") from error
    raise ModelError(
        f"{path}: no such file; expected an ONNX file or the name of a shipped model (as b-alexnet; clothing and more "
        "where edgent-models is installed)"
    )


def _is_text(start: bytes) -> bool:
    """Whether all bytes are printable text; an ONNX file has bytes below 32 among its first."""
    try:
        return all(character.isprintable() or character.isspace() for character in start.decode())
    except UnicodeDecodeError:
        return False
