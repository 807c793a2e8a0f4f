#!/usr/bin/env python3
"""Tables of docs/results from the JSON files beside them, so that no figure is copied by hand.

A page says where a table goes, and from which file and key it is made::

    <!-- table: exactness.json models -->
    <!-- end -->

At the key (`a.b` looks into `a`) stands a list of rows, an object of rows by name, or one row; `tables.py` says what a
row is; the key `*` is the whole file. Columns may be named after the key, where a page does not show all of them. With
`--check` nothing is written, and a page that differs from its JSON is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import command
from edgent.errors import InputError
from tables import markdown

WHOLE = "*"
PAGES = Path(__file__).resolve().parents[1] / "docs" / "results"
BLOCK = re.compile(r"(<!-- table: (\S+) (\S+)((?: \S+)*) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Renders each page."""
    parser = command.parser(__doc__)
    parser.add_argument("pages", nargs="*", type=Path, help="pages, or folders of pages; docs/results if none")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page differs from its JSON")
    options = parser.parse_args(arguments)
    try:
        stale = [page for page in pages(options.pages or [PAGES]) if renew(page, write=not options.check)]
    except (InputError, OSError, UnicodeDecodeError) as error:
        parser.error(str(error))
    end = "differs from its JSON; run benchmarks/render.py" if options.check else "rendered anew"
    for page in stale:
        print(f"{page}: {end}")
    return int(options.check and bool(stale))


def pages(paths: list[Path]) -> list[Path]:
    """The pages at these paths, in order."""
    return [page for path in paths for page in (sorted(path.glob("*.md")) if path.is_dir() else [path])]


def renew(page: Path, *, write: bool) -> bool:
    """Whether the page's tables were not those of its JSON files."""
    text = page.read_text(encoding="utf-8")
    rendered = BLOCK.sub(
        lambda block: block[1] + table(page.parent / block[2], block[3], block[4].split()) + block[5], text
    )
    if write and rendered != text:
        page.write_text(rendered, encoding="utf-8")
    return rendered != text


def table(file: Path, key: str, columns: Sequence[str] = ()) -> str:
    """The rows at this key, as Markdown; all columns where none is named.

    Raises:
        InputError: If the file, the key or a column is not there, or no rows are at it.
    """
    return markdown(rows_at(file, key), columns)


def rows_at(file: Path, key: str) -> list[dict[str, Any]]:
    """The objects at a dotted key; of an object of rows each row begins with its name.

    Raises:
        InputError: If there are none.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        for part in key.split(".") if key != WHOLE else ():
            value = value[part]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"found no {key} in {file} ({error!r}), expected the benchmark's JSON; run it again") from None
    if isinstance(value, dict) and key != WHOLE and all(isinstance(row, dict) for row in value.values()):
        value = [{"": name, **row} for name, row in value.items()]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise InputError(f"found no rows at {key} in {file}, expected objects of figures")
    return value


if __name__ == "__main__":
    command.run(main)
