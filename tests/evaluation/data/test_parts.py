"""Parts of a data set, by each picture's digest; and the clothing data set, whose author divided it otherwise."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import get_args

import pytest

from edgent.errors import InputError
from edgent.evaluation.data.clothing import divide_clothing, read_clothing
from edgent.evaluation.data.examples import Listing
from edgent.evaluation.data.folders import read_folders
from edgent.evaluation.data.parts import TEST, VALIDATION, Part, part, part_of
from evaluation.data.folders_on_disk import picture

PARTS = get_args(Part)


def clothes(root: Path, each: int = 30) -> Path:
    for kind in ("hat", "shirt", "shoes"):
        for number in range(each):
            picture(root / kind / f"{number}.png", shade=number, size=(10 + len(kind), 8))
    return root


def names(listing: Listing) -> set[Path]:
    return {file.path for file in listing.files}


def test_every_picture_is_in_one_part(tmp_path: Path) -> None:
    listing = read_folders(clothes(tmp_path))
    parts = [names(part(listing, name)) for name in PARTS]
    assert set.union(*parts) == names(listing)
    assert sum(map(len, parts)) == len(listing.files)


def test_shares_are_as_stated() -> None:
    where = [part_of(str(number).encode()) for number in range(20_000)]
    for name, share in (("test", TEST), ("validation", VALIDATION), ("train", 1 - TEST - VALIDATION)):
        assert where.count(name) / len(where) == pytest.approx(share, abs=0.01)


def test_the_part_is_the_digests_place_in_the_order_of_digests() -> None:
    files = sorted((str(number).encode() for number in range(200)), key=lambda file: hashlib.sha256(file).hexdigest())
    where = [part_of(file) for file in files]
    assert where == sorted(where, key=["test", "validation", "train"].index)


def test_the_same_file_is_in_the_same_part_under_any_name_and_moves_no_other(tmp_path: Path) -> None:
    before = read_folders(clothes(tmp_path))
    tested = names(part(before, "test"))
    again = tmp_path / "hat" / "again.png"
    shutil.copyfile(min(tested), again)
    assert names(part(read_folders(tmp_path), "test")) == tested | {again}


def test_classes_keep_their_numbers(tmp_path: Path) -> None:
    listing = read_folders(clothes(tmp_path))
    few = part(listing, "test")
    assert few.class_names == listing.class_names
    assert all(file.path.parent.name == few.class_names[int(str(file.truth))] for file in few.files)


def test_a_part_without_pictures_is_refused(tmp_path: Path) -> None:
    listing = read_folders(clothes(tmp_path, each=1))
    empty = next(name for name in PARTS if all(part_of(file.path.read_bytes()) != name for file in listing.files))
    with pytest.raises(InputError, match=f"{empty} part; take more"):
        part(listing, empty)


def test_the_authors_two_parts_are_taken_together(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        clothes(tmp_path / name, each=2)
    listing = read_clothing(tmp_path)
    assert names(listing) == names(read_folders(tmp_path / "train")) | names(read_folders(tmp_path / "validation"))
    assert listing.class_names == ("hat", "shirt", "shoes")
    shutil.rmtree(tmp_path / "validation" / "hat")
    with pytest.raises(InputError, match="other classes"):
        read_clothing(tmp_path)


def test_divided_each_part_has_a_folder_and_what_is_there_stays(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        clothes(tmp_path / "whole" / name, each=30)
    divide_clothing(tmp_path / "whole", tmp_path / "parts")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("*.png")}
    for name in PARTS:
        files = read_folders(tmp_path / "parts" / name).files
        assert {part_of(file.path.read_bytes()) for file in files} == {name}
    divide_clothing(tmp_path / "whole", tmp_path / "parts")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("*.png")} == written


def test_where_no_folder_can_be_made_that_is_said(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        clothes(tmp_path / "whole" / name, each=2)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="no folder can be made"):
        divide_clothing(tmp_path / "whole", tmp_path / "file" / "parts")
