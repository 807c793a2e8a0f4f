"""The clothing data set: ten kinds of clothes in pictures from people's phones, CC0.

A. Grigorev, "Clothing dataset", 2020: github.com/alexeygrigorev/clothing-dataset-small.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgent.errors import InputError
from edgent.evaluation.data.examples import Listing
from edgent.evaluation.data.folders import read_folders


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
