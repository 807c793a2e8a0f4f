"""Plots as inline SVG: they need no script, and open from disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgent.report.panels import Axis, Line, Panel, Span
from edgent.text import escaped

WIDTH, HEIGHT = 470, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 14, 46
_KEY = 34  # height of the names above a picture
STYLE = """
svg text{font:11px system-ui,sans-serif;fill:#444}svg text.title{font-weight:600;font-size:12px}
svg .grid{stroke:#e6e6e6}svg .span{fill:#f6e3e0}
"""


def lines(panel: Panel, *, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A plot of lines or points, with a legend under it; see `plot`."""
    return plot(panel, width=width, height=height) + legend(_series(panel))


def plot(panel: Panel, *, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A plot of the panel's lines and points.

    Raises:
        ValueError: Nothing to draw.
    """
    series, x, y, title = _series(panel), panel.x, panel.y, panel.title
    # What never ended (an infinite latency) has no place in a plot, and must not stretch its axes.
    xs = [px for line in series for px, py in line.points if math.isfinite(py)]
    ys = [py for line in series for _, py in line.points if math.isfinite(py)]
    if not xs:
        raise ValueError("a plot needs a finite point at least")
    across = _Scale.of(x, xs, _LEFT, width - _RIGHT)
    # In SVG y grows downwards, so the scale of y begins at the bottom and ends at the top.
    upwards = _Scale.of(y, ys, height - _BOTTOM, _TOP + (16 if title else 0))
    parts = [_span(span, across, height) for span in panel.spans]
    parts += [_tick_x(tick, across, height) for tick in across.ticks()]
    parts += [_tick_y(tick, upwards, width) for tick in upwards.ticks()]
    parts += [_line(line, across, upwards) for line in series]
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{height - 8}" text-anchor="middle">{escaped(x.label)}</text>')
    turned = f'transform="translate(14 {(height - _BOTTOM + _TOP) / 2}) rotate(-90)"'
    parts.append(f'<text {turned} text-anchor="middle">{escaped(y.label)}</text>')
    if title:
        parts.append(f'<text class="title" x="{_LEFT}" y="14">{escaped(title)}</text>')
    return _svg(parts, width, height, title or f"{y.label} over {x.label}")


def bars(rows: Sequence[tuple[str, float, str]], axis: Axis, *, width: int = 470) -> str:
    """Horizontal bars: name, value, colour."""
    height = 24 * len(rows) + _BOTTOM
    high = axis.high if axis.high is not None else max((value for _, value, _ in rows), default=1.0) or 1.0
    start, room = 120, width - 120 - 70
    parts = []
    for index, (name, value, colour) in enumerate(rows):
        top = 6 + 24 * index
        parts.append(f'<text x="{start - 8}" y="{top + 13}" text-anchor="end">{escaped(name)}</text>')
        parts.append(
            f'<rect x="{start}" y="{top}" width="{max(0.0, value / high) * room:.1f}" height="17" fill="{colour}"/>'
        )
        parts.append(f'<text x="{start + value / high * room + 6:.1f}" y="{top + 13}">{value:.1f}</text>')
    parts.append(f'<text x="{start + room / 2}" y="{height - 14}" text-anchor="middle">{escaped(axis.label)}</text>')
    return _svg(parts, width, height, axis.label)


def legend(series: Sequence[Line]) -> str:
    """The names of the lines beside their colours."""
    entries = (
        f'<span><i style="background:{line.colour}"></i>{escaped(line.name)}</span>' for line in series if line.name
    )
    return f'<div class="legend">{"".join(entries)}</div>'


def picture(plots: Sequence[str], series: Sequence[Line], *, columns: int) -> str:
    """Plots of the usual size side by side, the names of their lines above: an SVG that stands alone."""
    width, height = WIDTH * columns, HEIGHT * math.ceil(len(plots) / columns) + _KEY
    placed = "".join(
        f'<g transform="translate({WIDTH * (index % columns)} {_KEY + HEIGHT * (index // columns)})">{plot}</g>'
        for index, plot in enumerate(plots)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{_key(series)}{placed}</svg>\n'
    )


def _series(panel: Panel) -> list[Line]:
    return [mark for mark in panel.marks if isinstance(mark, Line)]


def _key(series: Sequence[Line]) -> str:
    step = 130
    return "".join(
        f'<rect x="{_LEFT + step * index}" y="10" width="11" height="11" fill="{line.colour}"/>'
        f'<text x="{_LEFT + step * index + 16}" y="20">{escaped(line.name)}</text>'
        for index, line in enumerate(series)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    log: bool
    whole: bool
    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, axis: Axis, values: Sequence[float], start: float, end: float) -> _Scale:
        low = min(values) if axis.low is None else axis.low
        high = max(values) if axis.high is None else axis.high
        if high <= low:
            # One value only: without a width the scale would divide by 0.
            high = low + (1.0 if axis.whole or low == 0 else 0.1 * abs(low))
        # 0 has no logarithm: an axis that reaches it is linear, whatever was asked for.
        return cls(log=axis.log and low > 0, whole=axis.whole, low=low, high=high, start=start, end=end)

    def at(self, value: float) -> float:
        # Values beyond the ends are drawn at the ends.
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        powers = self._powers() if self.log else []
        # Within one power of ten there may be one such number, or none: an axis without numbers says nothing.
        return powers if len(powers) > 1 else self._steps()

    def _powers(self) -> list[float]:
        ticks = [
            base * 10.0**power
            for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for base in (1, 2, 5)
        ]
        return self._within(ticks)

    def _steps(self) -> list[float]:
        # About five steps, each 1, 2, 2.5 or 5 times a power of ten: numbers that people read at a glance.
        step = _step((self.high - self.low) / 5)
        if self.whole:
            step = math.ceil(step)
        first = math.ceil(self.low / step - 1e-9)
        return self._within([step * k for k in range(first, math.floor(self.high / step + 1e-9) + 1)])

    def _within(self, ticks: Sequence[float]) -> list[float]:
        # The tolerance keeps the ticks at both ends in spite of rounding.
        return [tick for tick in ticks if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= least * (1 - 1e-9))


def _tick_x(value: float, scale: _Scale, height: int) -> str:
    at = scale.at(value)
    return (
        f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        f'<text x="{at:.1f}" y="{height - _BOTTOM + 15}" text-anchor="middle">{value:g}</text>'
    )


def _tick_y(value: float, scale: _Scale, width: int) -> str:
    at = scale.at(value)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _span(span: Span, scale: _Scale, height: int) -> str:
    first, last = scale.at(span.first), scale.at(span.last)
    return (
        f'<rect class="span" x="{first:.1f}" y="{_TOP}" width="{last - first:.1f}" height="{height - _BOTTOM - _TOP}"/>'
        f'<text x="{(first + last) / 2:.1f}" y="{_TOP + 12}" text-anchor="middle">{escaped(span.label)}</text>'
    )


def _line(line: Line, across: _Scale, upwards: _Scale) -> str:
    at = [(across.at(x), upwards.at(y)) for x, y in line.points if math.isfinite(y)]
    parts = []
    if line.form != "points":
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"{dash}/>')
    if not line.dashed:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.8" fill="{line.colour}"/>' for x, y in at]
    for (x, _), low, high in zip(at, line.low, line.high, strict=False):
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{upwards.at(low):.1f}" y2="{upwards.at(high):.1f}" '
            f'stroke="{line.colour}" stroke-opacity="0.45" stroke-width="3"/>'
        )
    return "".join(parts)


def _svg(parts: Sequence[str], width: int, height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escaped(label)}">{"".join(parts)}</svg>'
    )
