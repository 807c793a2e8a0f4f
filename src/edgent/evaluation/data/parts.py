"""A data set in three parts for training, choosing and testing, by each picture's digest.

The digest of a file decides alone, so that the parts are the same on every machine, a picture that is added moves no
other one, and the same file under two names is never in two parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal

from edgent.engine.input_files import read_picture
from edgent.errors import InputError
from edgent.evaluation.data.examples import Listed, Listing

Part = Literal["train", "validation", "test"]

TEST, VALIDATION = 0.22, 0.10
"""The shares that are tested and chosen on; on the rest is trained."""


def part_of(file: bytes) -> Part:
    """The part that a picture's file belongs to.

    Its SHA-256, read as a fraction of 1: below `TEST` it is tested on, below `TEST` + `VALIDATION` chosen on.
    """
    place = int.from_bytes(hashlib.sha256(file).digest()[:4], "big") / 2**32
    if place < TEST:
        return "test"
    return "validation" if place < TEST + VALIDATION else "train"


def part(listing: Listing, name: Part) -> Listing:
    """The pictures of a data set that are in a part; classes keep their numbers.

    Raises:
        InputError: there is none, or a file cannot be read.
    """
    files = tuple(file for file in listing.files if _is_in(file, name))
    if not files:
        raise InputError(f"{listing.name}: none of {len(listing.files)} pictures is in its {name} part; take more")
    return replace(listing, name=f"{listing.name} {name}", files=files)


def _is_in(file: Listed, name: Part) -> bool:
    return part_of(read_picture(file.path)) == name
