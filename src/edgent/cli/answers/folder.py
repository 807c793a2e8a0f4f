"""A folder in which every answer is kept: NAME.json, NAME.npz, and what there is to see."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgent.errors import InputError
from edgent.files import write_whole
from edgent.text import file_stem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgent.device.answer import Answer

_LONGEST_NAME = 200  # bytes; a number and endings come to it, and a file system takes 255 bytes


class AnswerFolder:
    """Keeps answers: each as JSON, its tensors as `.npz`, a mask as PNG, and perhaps the picture drawn on.

    Args:
        path: is made where it is not there.
        annotate: whether to draw on pictures.

    Raises:
        InputError: it cannot be made, or is no folder.
    """

    def __init__(self, path: Path, *, annotate: bool) -> None:
        self._path, self._annotate = path, annotate
        self._taken: set[str] = set()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--output {path}: no folder can be made there ({error.strerror}); name another") from None

    def keep(self, answer: Answer, document: dict[str, Any], name: str) -> None:
        """Writes the files of an answer.

        Args:
            answer: what to keep.
            document: its record as JSON has it; where the files are is added to it.
            name: of the input; of two inputs of one name the second is kept as `NAME-2`.

        Raises:
            InputError: the folder cannot be written to.
            EdgentError: the disk is full.
        """
        self.keep_as(self._stem(name), answer, document)

    def keep_as(self, stem: str, answer: Answer, document: dict[str, Any]) -> None:
        """Writes the files of an answer under a name that no other one has.

        Raises:
            As `keep`.
        """
        files = {"tensors": self._write(f"{stem}.npz", _npz(answer.outputs))}
        if answer.metadata.task == "segmentation":
            from PIL import Image

            files["mask"] = self._write(f"{stem}.mask.png", _png(Image.fromarray(answer.mask)))
        if self._annotate and answer.source is not None:
            from edgent.cli.answers.drawing import draw  # fonts and colours, only where somebody wants to see them

            files["picture"] = self._write(f"{stem}.annotated.png", _png(draw(answer, answer.source)))
        document["files"] = files
        self._write(f"{stem}.json", json.dumps(document, indent=2).encode() + b"\n")

    def _stem(self, name: str) -> str:
        plain = file_stem(name, _LONGEST_NAME)
        numbered = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        stem = next(stem for stem in numbered if stem not in self._taken)
        self._taken.add(stem)
        return stem

    def _write(self, name: str, content: bytes) -> str:
        write_whole(self._path / name, content)
        return name


def _npz(outputs: dict[str, Any]) -> bytes:
    """What `numpy.load` reads: of a sequence its arrays, numbered; maps are left to the JSON."""
    arrays = {name: array for output in outputs.items() for name, array in _arrays(*output)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, _plain(array), allow_pickle=False)
            archive.writestr(f"{name.replace('/', '_')}.npy", member.getvalue())
    return stream.getvalue()


def _arrays(name: str, output: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(output, np.ndarray):
        yield name, output
    elif isinstance(output, list | tuple):
        for number, inner in enumerate(output):
            yield from _arrays(f"{name}.{number}", inner)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(str) if array.dtype.kind == "O" else array


def _png(picture: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
