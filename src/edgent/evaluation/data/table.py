"""A CSV file with a picture and its label in each row; a label that is a file is a mask.

The first line names the columns; `file` and `label` are read, in any order, others are passed over. A label is a
class's index, its name, or the file of a mask: a grey picture whose values are classes, 255 where nothing is asked.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from edgent.errors import InputError
from edgent.evaluation.data.examples import Listed, Listing, Truth
from edgent.evaluation.data.folders import pictures
from edgent.evaluation.data.inside import file_inside
from edgent.files import read_lines
from edgent.text import readable
from edgent.units import parse_count

_COLUMNS = ("file", "label")
_MASKS = (".png", ".bmp", ".pgm")


def read_table(path: Path) -> Listing:
    """The pictures of a CSV file; they lie in its folder, or below.

    Raises:
        InputError: no columns of these names, a row that does not fill them, a file twice or not there, or labels of
            different kinds.
    """
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path}: found no rows, expected a picture and its label in each")
    labels = [label for _, label in rows]
    names = _names(labels, path)
    places = {name: place for place, name in enumerate(names)}
    files = [Listed(path=file, truth=_truth(label, places, path)) for file, label in rows]
    _check_distinct([row.path for row in files], path)
    # A picture without a row is no mistake by itself, but it may be one: it is left out, and that is said.
    missing = len({*pictures(path.parent)} - {row.path for row in files})
    return Listing(
        name=path.parent.name or path.stem,
        format="csv",
        class_names=names,
        files=tuple(files),
        doubts=(f"{missing} pictures beside {path.name} have no row in it and are left out",) if missing else (),
    )


def _rows(path: Path) -> Iterator[tuple[Path, str]]:
    try:
        with closing(read_lines(path)) as lines:  # which are not all read where one of them is refused
            yield from _parsed(path, lines)
    except csv.Error as error:
        raise InputError(f"{path}: found no table ({error}), expected the columns file,label") from None
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def _parsed(path: Path, lines: Iterator[str]) -> Iterator[tuple[Path, str]]:
    reader = csv.reader(lines)
    # Spreadsheets put a byte order mark in front of the first name.
    header = [name.strip().lstrip("\ufeff").lower() for name in next(reader, [])]
    if not set(_COLUMNS) <= set(header):
        line = readable(",".join(header))[:80] or "nothing"
        raise InputError(f"{path}: found the first line {line!r}, expected the columns' names: file,label")
    places = [header.index(name) for name in _COLUMNS]
    for row in reader:
        if not row:
            continue
        if len(row) <= max(places) or not row[places[1]].strip():
            raise InputError(f"{path}, line {reader.line_num}: found no label, expected a file and its label")
        where = f"{path}, line {reader.line_num}"
        yield file_inside(path.parent, row[places[0]].strip(), where), row[places[1]].strip()


def _names(labels: list[str], path: Path) -> tuple[str, ...]:
    """The classes' names in order; none where labels are indices or masks."""
    # All labels are of one kind: a class that is called "3" among names would otherwise become an index.
    numbers = [parse_count(label) is not None or label == "0" for label in labels]
    masks = [_is_mask(label) for label in labels]
    if all(numbers) or all(masks):
        return ()
    if any(numbers) or any(masks):
        odd = labels[numbers.index(not numbers[0])] if any(numbers) else labels[masks.index(not masks[0])]
        raise InputError(f"{path}: found the labels {labels[0]!r} and {odd!r}, expected indices, names or masks only")
    # In the order of the alphabet, as folders of classes are: the same classes have the same indices in either format.
    return tuple(sorted(set(labels)))


def _truth(label: str, places: Mapping[str, int], path: Path) -> Truth:
    if _is_mask(label):
        return file_inside(path.parent, label, str(path))
    return places[label] if places else int(label)


def _is_mask(label: str) -> bool:
    return label.lower().endswith(_MASKS)


def _check_distinct(files: list[Path], path: Path) -> None:
    seen: set[Path] = set()
    for file in files:
        if file in seen:
            raise InputError(f"{path}: found {readable(file.name)} twice, expected a row for each picture")
        seen.add(file)
