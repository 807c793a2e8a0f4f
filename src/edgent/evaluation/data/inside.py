"""Files that a data set names: they lie in its folder, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from edgent.errors import InputError
from edgent.files import is_file
from edgent.text import readable


def file_inside(root: Path, name: str, where: str) -> Path:
    """The file of that name below a folder.

    Args:
        root: the folder.
        name: as the data set gives it.
        where: what names it, for messages.

    Raises:
        InputError: there is no such file, or its name leads out of the folder.
    """
    # Data sets are downloaded: without this, one that names ../../.ssh/id_rsa would have it opened as a picture.
    if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"{where}: found the file name {readable(name)[:80]!r}, expected one below {root}")
    if not is_file(root / name):
        raise InputError(f"{where}: there is no file {readable(name)[:80]!r} in {root}")
    return root / name
