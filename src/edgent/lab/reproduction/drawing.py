"""Panels to PNG and SVG files, with matplotlib: the only file that knows it."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

from edgent.errors import InputError, MissingExtraError
from edgent.report import COLOURS, Axis, Bars, Line, Panel, Tiles

_COLOURS = (*COLOURS[5::-1], *COLOURS[6:])  # blue first, grey behind the strong ones
_ACROSS, _WIDTH, _HEIGHT = 2, 5.4, 3.7  # panels in a row; inches of each
_SMALL_WIDTH, _SMALL_HEIGHT = 2.3, 1.9  # of each where more are asked for in a row
_TILES = "YlOrRd"
_THIN, _THICKER = 1.3, 0.6  # points: an earlier line stays visible under a later one
_STYLE: Any = {
    "svg.hashsalt": "edgent",  # the same plot is the same file
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def check_drawing() -> None:
    """Whether plots can be drawn here, before hours are spent on them.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError("drawing figures", "lab")


def draw(title: str, panels: Sequence[Panel], stem: Path, across: int = _ACROSS) -> tuple[Path, ...]:
    """Draws panels as one picture.

    Args:
        title: Over all panels.
        panels: At least one.
        stem: The files' path, their ending apart.
        across: Panels in a row.

    Returns:
        The SVG and the PNG file.

    Raises:
        InputError: they cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    check_drawing()
    import matplotlib
    from matplotlib.figure import Figure

    width, height = (_WIDTH, _HEIGHT) if across <= _ACROSS else (_SMALL_WIDTH, _SMALL_HEIGHT)
    across = min(across, len(panels))
    down = math.ceil(len(panels) / across)
    colours = _colours(panels)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(across * width, down * height + 0.4), layout="constrained")
        figure.suptitle(title)
        for panel, axes in zip(panels, figure.subplots(down, across, squeeze=False).flat, strict=False):
            _panel(axes, panel, colours)
        for axes in figure.axes[len(panels) :]:
            axes.remove()
        _scale(figure, panels)
        return tuple(_saved(figure, stem.with_name(f"{stem.name}.{ending}")) for ending in ("svg", "png"))


def _panel(axes: Any, panel: Panel, colours: Mapping[str, str]) -> None:
    axes.set_title(panel.title, fontsize=9)
    base = [0.0] * len(panel.categories)
    for number, mark in enumerate(panel.marks):
        colour = colours[mark.name]
        if isinstance(mark, Line):
            _line(axes, mark, colour, _THIN + _THICKER * (len(panel.marks) - 1 - number))
        elif isinstance(mark, Tiles):
            _tiles(axes, mark, panel.categories)
        else:
            _bars(axes, mark, colour, base)
            base = [under + height for under, height in zip(base, mark.heights, strict=True)]
    if any(isinstance(mark, Bars) for mark in panel.marks):
        axes.set_ylim(0, 1.05 * max(base))
        many = len(panel.categories) > 6
        axes.set_xticks(range(len(panel.categories)), panel.categories, rotation=60 if many else 0, fontsize=7)
    _axis(axes, "x", panel.x)
    _axis(axes, "y", panel.y)
    if len(panel.marks) > 1:
        axes.legend()


def _line(axes: Any, line: Line, colour: str, width: float) -> None:
    how: dict[str, Any] = {
        "linewidth": width,
        "label": line.name,
        "color": colour,
        "linestyle": "--" if line.dashed else "-",
    }
    if line.form == "points":
        axes.plot(line.x, line.y, "o", markersize=2, label=line.name, color=colour)
    elif line.form == "step":
        axes.step(line.x, line.y, where="post", **how)
    else:
        axes.plot(line.x, line.y, marker="o" if len(line.x) <= 20 else None, markersize=3, **how)
    if line.low:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)


def _bars(axes: Any, bars: Bars, colour: str, base: Sequence[float]) -> None:
    axes.bar(range(len(bars.heights)), bars.heights, bottom=base, label=bars.name, color=colour, width=0.7)


def _tiles(axes: Any, tiles: Tiles, categories: Sequence[str]) -> None:
    axes.imshow(tiles.values, origin="lower", aspect="auto", cmap=_TILES, vmin=0, vmax=tiles.most)
    axes.grid(visible=False)
    for way, names in (("x", categories), ("y", tiles.rows)):
        shown = range(0, len(names), 3)
        getattr(axes, f"set_{way}ticks")(shown, [names[place] for place in shown], fontsize=7)


def _scale(figure: Any, panels: Sequence[Panel]) -> None:
    """The scale of the colours, once for all tiles."""
    for axes, panel in zip(figure.axes, panels, strict=False):
        for mark in panel.marks:
            if isinstance(mark, Tiles):
                figure.colorbar(axes.images[0], ax=figure.axes[: len(panels)], label=mark.name, shrink=0.4)
                return


def _axis(axes: Any, way: str, axis: Axis) -> None:
    getattr(axes, f"set_{way}label")(axis.label)
    ticks = getattr(axes, f"{way}axis")
    if axis.log:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        getattr(axes, f"set_{way}scale")("log")
        ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ticks.set_minor_formatter(NullFormatter())
    if axis.whole:
        ticks.get_major_locator().set_params(integer=True)


def _colours(panels: Sequence[Panel]) -> dict[str, str]:
    """Each name's, the same in all panels; within one panel different ones, as long as there are enough."""
    colours: dict[str, str] = {}
    for panel in panels:
        names = [mark.name for mark in panel.marks]
        used = {colours[name] for name in names if name in colours}
        free = cycle([colour for colour in _COLOURS if colour not in used] or _COLOURS)
        colours |= {name: next(free) for name in names if name not in colours}
    return colours


def _saved(figure: Any, path: Path) -> Path:
    ending = path.suffix[1:]
    drawn = io.BytesIO()
    figure.savefig(drawn, format=ending, dpi=110, metadata={"Date": None} if ending == "svg" else None)
    try:
        path.write_bytes(drawn.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another folder") from None
    return path
