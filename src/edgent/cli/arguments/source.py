"""`--source`: pictures as they will come, so that what loses nothing is planned with before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from edgent.errors import InputError
from edgent.files import is_file, is_folder
from edgent.units import parse_bytes

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.model import Model

Source = Annotated[
    str,
    typer.Option("--source", metavar="PICTURES|SIZE", help="What will come: a picture, a folder, or a size as 100kB."),
]


class ComingPictures(NamedTuple):
    """What is known of pictures that will come.

    Attributes:
        calibration: sizes and accuracies for planning; None: nothing is known.
        source_bytes: mean size of their files; None: as the calibration says, if it does.
    """

    calibration: Calibration | None
    source_bytes: float | None


def expected(model: Model, calibration: Calibration | None, source: str) -> ComingPictures:
    """Puts what `--source` tells beside a calibration; without one, sizes are measured on a few of the pictures.

    Raises:
        InputError: no such pictures, no size, or a model that takes no pictures.
    """
    if not source:
        return ComingPictures(calibration, None)
    # What exists is meant as a file, even if its name could be read as a size.
    if not is_file(Path(source)) and not is_folder(Path(source)):
        return ComingPictures(calibration, _size(source))
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.evaluation.sizes import few_pictures, mean_bytes, sizes_of

    # A calibration was measured on more than a few pictures, and has accuracies; only the files' size is better here.
    examples = few_pictures(Path(source))
    if calibration is None:
        calibration = sizes_of(model, examples, OnnxRuntimeEngine())
    return ComingPictures(calibration, mean_bytes(examples))


def _size(source: str) -> float:
    try:
        return parse_bytes(source)
    except InputError:
        raise InputError(
            f"--source {source[:80]!r}: is no picture, no folder and no size; expected one of them, as 100kB"
        ) from None
