#!/usr/bin/env python3
"""Keeps what a benchmark printed with --json in docs/results, with the commit, the day and the processor.

::

    python benchmarks/turns.py --json | python benchmarks/keep.py turns

Then `benchmarks/render.py` makes the tables of the pages from it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import command
from provenance import provenance

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


def main(arguments: list[str] | None = None) -> int:
    """Reads from stdin, and writes one file."""
    parser = command.parser(__doc__)
    parser.add_argument("name", help="of the file, without .json")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where to write (docs/results)")
    options = parser.parse_args(arguments)
    try:
        text = kept(json.load(sys.stdin), provenance(Path(__file__).parent))
        (options.folder / f"{options.name}.json").write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.error(f"found no figures to keep ({error}), expected the JSON of a benchmark on stdin")
    return 0


def kept(figures: Any, run: dict[str, Any]) -> str:
    """The file: what was run, then the figures; a list of them is called `rows`.

    Raises:
        ValueError: If the figures are neither, or not finite.
    """
    if isinstance(figures, list):
        figures = {"rows": figures} if figures else {}
    if not isinstance(figures, dict) or not figures:
        raise ValueError(f"a {type(figures).__name__} instead of an object with figures")
    return json.dumps({"run": run} | figures, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    command.run(main)
