#!/usr/bin/env python3
"""The picture of the rooms in docs/architecture.md, drawn from the import contract and the rooms' own first lines.

A room is a folder; what stands beside the rooms as a single file has a dashed frame.

Floors are the layers of the contract "imports point one way" in pyproject.toml, so the picture cannot tell of other
rooms than the code has. With `--check` nothing is written, and a picture that differs is an error.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

import command

ROOT = Path(__file__).resolve().parents[1]
SOURCES, PICTURE = ROOT / "src" / "edgent", ROOT / "docs" / "rooms.svg"
WIDTH, MARGIN, GAP = 960, 16, 10
LINE, HEAD, PADDING = 15, 20, 10
LETTER = 6.9  # pixels that a letter of the small text takes, on the wide side

LEGEND = "Each imports only from those below it. Dashed: a single file."

STYLE = """
  text { font-family: system-ui, sans-serif; font-size: 12px; fill: #333 }
  .name { font-family: ui-monospace, monospace; font-size: 14px; font-weight: 600; fill: #111 }
  .paper { fill: #fff }
  .room { fill: #eef3fa; stroke: #8aa4c8 }
  .file { fill: none; stroke: #999; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ccd }
    .name { fill: #fff }
    .paper { fill: #1e2129 }
    .room { fill: #2a3142; stroke: #6680a8 }
    .file { stroke: #778 }
  }
"""


def main(arguments: list[str] | None = None) -> int:
    """Draws."""
    parser = command.parser(__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the picture is not that of the code"
    )
    options = parser.parse_args(arguments)
    picture = drawn(floors())
    if not options.check:
        PICTURE.write_text(picture, encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != picture:
        print(f"{PICTURE} is not what the code has; run benchmarks/rooms.py")
        return 1
    return 0


def floors() -> list[list[str]]:
    """The rooms of each floor, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = (one for one in contracts if one["name"] == "imports point one way")
    return [[room.strip().removeprefix("edgent.") for room in layer.split("|")] for layer in contract["layers"]]


def is_folder(room: str) -> bool:
    """Whether it is a room, and not a single file."""
    return (SOURCES / room).is_dir()


def purpose(room: str) -> str:
    """The first line of the docstring of a room or of a single file."""
    source = SOURCES / room / "__init__.py" if is_folder(room) else SOURCES / f"{room}.py"
    return (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").splitlines()[0].replace("`", "")


def drawn(rooms: list[list[str]]) -> str:
    """The picture: a floor is a row of boxes of one size."""
    shapes, top = [], MARGIN
    for floor in rooms:
        width = (WIDTH - 2 * MARGIN - GAP * (len(floor) - 1)) / len(floor)
        words = {room: textwrap.wrap(purpose(room), int((width - 2 * PADDING) / LETTER)) for room in floor}
        height = HEAD + LINE * max(map(len, words.values())) + 2 * PADDING
        for place, (room, lines) in enumerate(words.items()):
            shapes.append(box(MARGIN + place * (width + GAP), top, width, height, room, lines))
        top += height + GAP
    shapes.append(f'<text x="{MARGIN}" y="{top + LINE}">{LEGEND}</text>')
    size = f'viewBox="0 0 {WIDTH} {top + LINE + MARGIN}"'
    title = "<title>The rooms of edgent; each imports only from those below it</title>"
    paper = '<rect class="paper" width="100%" height="100%"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{title}\n<style>{STYLE}</style>'
    return "\n".join([head, paper, *shapes, "</svg>\n"])


def box(left: float, top: int, width: float, height: int, room: str, lines: list[str]) -> str:
    """One room: its name, and what it is for."""
    x, y = left + PADDING, top + PADDING + LETTER * 2
    rows = "".join(
        f'<text x="{x:.1f}" y="{y + HEAD + LINE * row:.1f}">{escape(line)}</text>' for row, line in enumerate(lines)
    )
    kind, name = ("room", room) if is_folder(room) else ("file", f"{room}.py")
    frame = f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}" rx="5"/>'
    return f'{frame}<text class="name" x="{x:.1f}" y="{y:.1f}">{escape(name)}</text>{rows}'


if __name__ == "__main__":
    command.run(main)
