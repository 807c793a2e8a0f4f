"""The clothing data set: ten kinds of clothes in pictures from people's phones, CC0.

A. Grigorev and others, "Clothing dataset", 2020; see `ORIGIN`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgent.engine.input_files import read_picture
from edgent.errors import InputError
from edgent.evaluation.data.examples import Listing
from edgent.evaluation.data.folders import read_folders
from edgent.evaluation.data.parts import part_of
from edgent.files import make_folder, write_whole

ORIGIN = "https://github.com/alexeygrigorev/clothing-dataset-small"


def read_clothing(root: Path) -> Listing:
    """The clothing data set as its author keeps it: folders `train` and `validation` with a folder for each class.

    They are taken together, for our parts are others (`edgent.evaluation.data.parts`); his `test` is left alone.

    Raises:
        InputError: a folder is missing, or both do not have the same classes.
    """
    ours, others = (read_folders(root / name) for name in ("train", "validation"))
    if ours.class_names != others.class_names:
        raise InputError(f"{root}: train and validation have other classes; expected the same folders in both")
    # By name, so that neither folder comes first.
    files = sorted(ours.files + others.files, key=lambda file: file.path.name)
    return replace(ours, name=root.name, files=tuple(files))


def divide_clothing(root: Path, output: Path) -> None:
    """Copies the data set into a folder for each of our parts, with a folder for each class.

    Raises:
        InputError: see `read_clothing`; or the output cannot be written to.
    """
    for file in read_clothing(root).files:
        picture = read_picture(file.path)
        folder = output / part_of(picture) / file.path.parent.name
        if not (folder / file.path.name).exists():
            make_folder(folder)
            write_whole(folder / file.path.name, picture)
