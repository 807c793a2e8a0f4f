"""The classes' names as YOLO's YAML files hold them, or a text file with one in each line.

Only what such a file needs is read of YAML, under the key `names`: a list, a mapping from indices, each in lines or in
brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgent.errors import InputError
from edgent.files import is_file, read_text

_FILES = ("names.yaml", "data.yaml", "dataset.yaml", "names.yml", "data.yml")
_KEY = re.compile(r"^names[ \t]*:[ \t]*(?P<rest>.*)$", re.MULTILINE)
_ENTRY = re.compile(r"""^\s*(?:-\s*)?(?:(?P<place>\d{1,7})\s*:\s*)?(?P<quote>["']?)(?P<name>.*?)(?P=quote)\s*$""")


def read_class_names(root: Path) -> tuple[str, ...]:
    """The names from the files that a data set may have for them; none where it has none.

    Raises:
        InputError: such a file without names, or with some that leave indices out.
    """
    for name in _FILES:
        if is_file(root / name):
            return _of_yaml(_text(root / name), root / name)
    if is_file(root / "classes.txt"):
        return tuple(line.strip() for line in _text(root / "classes.txt").splitlines() if line.strip())
    return ()


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except InputError as error:
        raise InputError(f"{path}: {error}, expected the classes' names") from None


def _of_yaml(text: str, path: Path) -> tuple[str, ...]:
    key = _KEY.search(text)
    entries = list(_entries(key["rest"].split(" #")[0].strip(), text[key.end() :])) if key else []
    # Entries of a list have the index of their place, those of a mapping the index that stands before them.
    names = {
        place if entry["place"] is None else int(entry["place"]): entry["name"]
        for place, entry in enumerate(filter(None, map(_ENTRY.match, entries)))
    }
    if not names or sorted(names) != list(range(len(names))):
        raise InputError(
            f"{path}: found no names for classes 0 to {max(len(names) - 1, 0)}, expected them under the key `names`"
        )
    return tuple(names[place] for place in range(len(names)))


def _entries(rest: str, below: str) -> Iterator[str]:
    """The entries in brackets, which may go on below, or those in the lines below, as far as they are indented."""
    if rest[:1] in ("[", "{"):
        inside = (rest + below)[1:]
        yield from (entry for entry in re.split(r"[\]}]", inside, maxsplit=1)[0].split(",") if entry.strip())
        return
    for line in below.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            if not line[0].isspace() and not line.startswith("-"):
                return
            yield line.split(" #")[0]
