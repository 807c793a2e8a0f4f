"""Pictures in folders: a folder a class, or all in one and nobody says what they show; and which files are pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgent.errors import InputError
from edgent.evaluation.data.examples import Listed, Listing
from edgent.files import is_file, is_folder
from edgent.text import readable

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm"})


def read_folders(root: Path) -> Listing:
    """A folder for each class, called by the class's name or index; named classes are in the order of their names.

    Raises:
        InputError: fewer than two folders with pictures, or a folder without any.
    """
    folders = subfolders(root)
    by_folder = {folder.name: list(pictures(folder)) for folder in folders}
    empty = [name for name, files in by_folder.items() if not files]
    if empty or len(folders) < 2:
        what = f"no pictures in {readable(empty[0])}" if empty else "fewer than two folders"
        raise InputError(f"{root}: found {what}, expected a folder with pictures for each class")
    # Pictures beside the folders belong to no class; left out without a word, they would seem to be measured.
    loose = sum(1 for _ in pictures(root))
    # Numbers are indices, as in a table: by the order of their names 10 would come before 2.
    numbered = all(name.isascii() and name.isdigit() for name in by_folder)
    places = {name: int(name) if numbered else place for place, name in enumerate(by_folder)}
    files = [Listed(path=file, truth=places[name]) for name, files in by_folder.items() for file in files]
    return Listing(
        name=root.name,
        format="folders",
        class_names=() if numbered else tuple(by_folder),
        files=tuple(files),
        doubts=(f"{loose} pictures lie in no class's folder and are left out",) if loose else (),
    )


def read_pictures(root: Path) -> Listing:
    """Pictures of which nobody says what they show.

    Raises:
        InputError: there are none.
    """
    files = tuple(Listed(path=file) for file in pictures(root))
    if not files:
        raise InputError(f"{root}: found no pictures, expected some that end in {', '.join(sorted(ENDINGS))}")
    return Listing(name=root.name, format="pictures", files=files)


def pictures(folder: Path) -> Iterator[Path]:
    """The pictures that lie in a folder itself, by name."""
    yield from (file for file in _entries(folder) if file.suffix.lower() in ENDINGS and is_file(file))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return [entry for entry in _entries(folder) if is_folder(entry)]


def _entries(folder: Path) -> list[Path]:
    try:
        # Sorted, for the order of a file system differs from machine to machine, and with it a seeded sample. What
        # begins with a dot is no data: version control and desktops keep their own there.
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
