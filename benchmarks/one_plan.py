#!/usr/bin/env python3
"""The picture of one plan in docs/concepts.md: a branch with its two cuts, and the time of one request.

The upper half is the last branch of b-alexnet as the code divides it, with the bytes that cross at each cut. The lower
half is to no scale. With `--check` nothing is written, and a picture that differs is an error.
"""

from __future__ import annotations

import math
from pathlib import Path

import command
from edgent.engine.loading import load
from edgent.units import format_bytes

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "plan.svg"
WIDTH, LEFT, RIGHT = 960, 90, 16
UPLOAD, DOWNLOAD = 8, 15  # the cuts of the plan that is drawn
BARS, LAYERS, LANES, HIGH = 120, 132, 262, 34  # where bars end, where layers and lanes begin; how high a box is

SHORT = {"MaxPool": "Pool", "Dropout": "Drop"}  # what does not fit into a box

STYLE = """
  text { font-family: system-ui, sans-serif; font-size: 12px; fill: #333 }
  .name { font-weight: 600; fill: #111 }
  .paper { fill: #fff }
  .device { fill: #d9e6f7; stroke: #6f93c4 }
  .edge { fill: #fbe3c8; stroke: #c98a3c }
  .link { fill: #e6e6e6; stroke: #999 }
  .local { fill: none; stroke: #6f93c4; stroke-dasharray: 4 3 }
  .line { stroke: #777; stroke-dasharray: 2 3 }
  .bar { fill: #9a9a9a }
  @media (prefers-color-scheme: dark) {
    text { fill: #ccd }
    .name { fill: #fff }
    .paper { fill: #1e2129 }
    .device { fill: #2b405f } .edge { fill: #5c4122 } .link { fill: #444 }
  }
"""

# One request, in shares of the picture's width: lane, kind, from, to, what is written in it.
LANE_OF = {"device": 0, "link": 1, "edge": 2}
STAGES = (
    ("device", "device", 0.00, 0.08, "prepare"),
    ("device", "device", 0.08, 0.20, "head"),
    ("device", "device", 0.20, 0.27, "encode"),
    ("link", "link", 0.27, 0.42, "uplink"),
    ("edge", "link", 0.42, 0.48, "queue"),
    ("edge", "edge", 0.48, 0.60, "middle"),
    ("link", "link", 0.60, 0.67, "downlink"),
    ("device", "device", 0.67, 0.75, "suffix"),
    ("device", "local", 0.77, 0.93, "local branch"),
)
MOMENTS = (
    (0.0, "input handed over"),
    (0.77, "the local branch begins, if no answer has come"),
    (0.93, "deadline - margin"),
    (1.0, "deadline"),
)


def main(arguments: list[str] | None = None) -> int:
    """Draws."""
    parser = command.parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the picture is another one")
    options = parser.parse_args(arguments)
    picture = drawn()
    if not options.check:
        PICTURE.write_text(picture, encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != picture:
        print(f"{PICTURE} is not what the code has; run benchmarks/one_plan.py")
        return 1
    return 0


def drawn() -> str:
    """The picture."""
    lanes = [*(lane(name, place) for name, place in LANE_OF.items()), *(stage(*entry) for entry in STAGES)]
    bottom = LANES + 3 * (HIGH + 10)
    shapes = [*divided(), *lanes, *(moment(share, words, bottom) for share, words in MOMENTS)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 50}">'
    title = "<title>One plan: a branch with its two cuts, and the time of one request</title>"
    paper = '<rect class="paper" width="100%" height="100%"/>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", paper, *shapes, "</svg>\n"])


def divided() -> list[str]:
    """The last branch of b-alexnet, divided, and what crosses at each of its cuts."""
    branch = load("b-alexnet").branches[-1]
    n, (bytes_up, _) = len(branch.layers), branch.cut_bytes()
    width = (WIDTH - LEFT - RIGHT) / n
    shapes = [text(LEFT, 16, "bytes that cross if the branch is cut there (the scale is logarithmic)")]
    for cut, size in enumerate(bytes_up[:n]):
        high = 14 * math.log2(size / 256)
        middle = LEFT + cut * width
        shapes.append(
            f'<rect class="bar" x="{middle - 4:.1f}" y="{BARS - high * 0.6:.1f}" width="8" height="{high * 0.6:.1f}"/>'
        )
    for number, layer in enumerate(branch.layers):
        kind = "edge" if UPLOAD <= number < DOWNLOAD else "device"
        shapes.append(box(kind, LEFT + number * width, LAYERS, width - 3, SHORT.get(layer.op, layer.op)))
    for name, cut in (("upload cut", UPLOAD), ("download cut", DOWNLOAD)):
        words = f"{name} = {cut}: {format_bytes(float(bytes_up[cut]))}"
        shapes.append(pole(LEFT + cut * width - 1.5, 24, LAYERS + HIGH + 12))
        shapes.append(text(LEFT + cut * width, LAYERS + HIGH + 26, words, anchor="middle"))
    for name, first, last in (("head", 0, UPLOAD), ("middle", UPLOAD, DOWNLOAD), ("suffix", DOWNLOAD, n)):
        where = "on the edge" if name == "middle" else "on the device"
        shapes.append(text(LEFT + (first + last) / 2 * width, LAYERS + HIGH + 46, f"{name}, {where}", anchor="middle"))
    return [*shapes, text(8, LAYERS + 22, "layers", kind="name")]


def lane(name: str, place: int) -> str:
    """The name of a row of the request's time."""
    return text(8, LANES + place * (HIGH + 10) + 22, name, kind="name")


def stage(row: str, kind: str, start: float, stop: float, words: str) -> str:
    """A stretch of the request's time."""
    whole = WIDTH - LEFT - RIGHT
    return box(kind, LEFT + start * whole, LANES + LANE_OF[row] * (HIGH + 10), (stop - start) * whole - 2, words)


def moment(share: float, words: str, bottom: int) -> str:
    """A moment of the request, with what it is; the names stand on two lines, so that none covers another."""
    x = LEFT + share * (WIDTH - LEFT - RIGHT)
    number = [at for at, _ in MOMENTS].index(share)
    anchor = "start" if share == 0 else "end"
    return pole(x, LANES - 8, bottom + 6) + text(x, bottom + 20 + 16 * (number % 2), words, anchor=anchor)


def box(kind: str, x: float, y: float, width: float, words: str) -> str:
    """A rectangle with a word in it."""
    frame = f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HIGH}" rx="3"/>'
    size = 10 if width < 50 else 12
    middle = f'x="{x + width / 2:.1f}" y="{y + HIGH / 2 + 4}" text-anchor="middle" style="font-size: {size}px"'
    return f"{frame}<text {middle}>{words}</text>"


def pole(x: float, top: float, bottom: float) -> str:
    """A dotted line downwards."""
    return f'<line class="line" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'


def text(x: float, y: float, words: str, *, kind: str = "word", anchor: str = "start") -> str:
    """Some words."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{words}</text>'


if __name__ == "__main__":
    command.run(main)
