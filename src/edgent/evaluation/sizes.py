"""Sizes of what loses nothing, from a few pictures: all that planning needs where nobody knows an accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgent.codec import IMAGE_CODECS, TENSOR_CODECS, Calibration, EncodedSize, encode_image, fit, is_lossless
from edgent.engine.engine import Engine
from edgent.engine.feeds import Array
from edgent.errors import InputError
from edgent.evaluation.data.examples import Examples, Listed, Listing, PictureFiles, opened
from edgent.evaluation.data.folders import pictures
from edgent.evaluation.paying import paying
from edgent.evaluation.scoring import Crossing, Scorer
from edgent.files import is_file, is_folder
from edgent.model import Model, Preprocessing

FEW = 4
"""Pictures that are encoded; sizes of pictures from one camera differ by some ten per cent."""


def few_pictures(path: Path) -> PictureFiles:
    """A picture, or some of a folder's, spread over it.

    Raises:
        InputError: none can be opened.
    """
    files = list(pictures(path)) if is_folder(path) else [path]
    # Spread over the folder: neighbouring files are often of one scene, and of one size.
    chosen = [files[at] for at in np.linspace(0, len(files) - 1, min(FEW, len(files))).astype(int)] if files else []
    return opened(Listing(name=str(path), format="pictures", files=tuple(Listed(path=file) for file in chosen)))


def mean_bytes(examples: PictureFiles) -> float:
    """Mean size of the files as they are."""
    return float(np.mean([file.stat().st_size for file in examples.files]))


def expected_sizes(model: Model, files: Sequence[Path], engine: Engine) -> Calibration | None:
    """Sizes of some inputs as picture codecs make them; None where the model takes no pictures, or these are none."""
    # Inputs that are no pictures are no mistake here: planning goes on with the sizes that are known.
    if model.metadata.preprocessing is None:
        return None
    try:
        listed = tuple(Listed(path=file) for file in files if is_file(file))
        return sizes_of(model, opened(Listing(name="inputs", format="pictures", files=listed)), engine, cuts=False)
    except InputError:
        return None


def sizes_of(model: Model, examples: Examples, engine: Engine, *, cuts: bool = True) -> Calibration:
    """A calibration without any accuracy: mean bytes behind every codec that loses nothing.

    Of tensors those at cuts that can pay are encoded (see `edgent.evaluation.paying`), or the input's alone. Of a
    bundle whose files have inputs of their own only the pictures are, for each of them.

    Raises:
        InputError: the model takes no pictures.
    """
    sizes: dict[tuple[Crossing, str], float] = {
        ((tensor.name,), codec): _picture_bytes(codec, examples, form)
        for tensor in model.inputs
        if (form := model.metadata.preprocessing_of(tensor.name)) is not None
        for codec in IMAGE_CODECS
        if is_lossless(codec)
    }
    if len(model.inputs) == 1:
        sizes |= _tensor_bytes(Scorer(model, engine, examples, _unjudged), cuts)
    return Calibration(
        model=model.name,
        digest=model.digest,
        data=f"{len(examples)} pictures, for their sizes only",
        sizes=tuple(
            EncodedSize(tensors=names, codec=codec, mean_bytes=size, samples=len(examples))
            for (names, codec), size in sizes.items()
        ),
    )


def _picture_bytes(codec: str, examples: Examples, form: Preprocessing) -> float:
    if codec == "source":
        return float(np.mean([len(examples.source(row)) for row in range(len(examples))]))
    fitted = (fit(examples.pixels(row), form) for row in range(len(examples)))
    return float(np.mean([len(encode_image(codec, pixels)) for pixels in fitted]))


def _tensor_bytes(scorer: Scorer, cuts: bool) -> dict[tuple[Crossing, str], float]:
    crossings = [names for names in paying(scorer.single, scorer.crossings()) if cuts and _is_coded(scorer, names)]
    codecs = [codec for codec in TENSOR_CODECS if is_lossless(codec)]
    return scorer.encoded_sizes({(scorer.input,), *crossings}, codecs, np.arange(len(scorer)))


def _is_coded(scorer: Scorer, names: Crossing) -> bool:
    return any(map(scorer.is_coded, names))


def _unjudged(outputs: Sequence[Array], row: int) -> None:
    """Makes no verdict: for sizes nobody asks whether an answer is right."""
