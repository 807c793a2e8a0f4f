"""The demo on a terminal: tables of at most 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgent.demo.paper.paired import HALF_A_POINT
from edgent.demo.paper.result import CellOutcome, DemoResult
from edgent.demo.paper.values import METHODS, OURS
from edgent.demo.paper.words import (
    ahead_in_words,
    chosen_in_words,
    confirmation,
    emulated_in_words,
    knobs,
    other_device,
    unplugged_in_words,
    verdict,
)
from edgent.units import format_bandwidth, format_duration

_SHORT = {"device-only": "device", "edge-only": "edge", "partitioning": "partit.", "right-sizing": "r.-size"}


def print_result(result: DemoResult, console: Console) -> None:
    """Prints the tables, and the verdict in words."""
    # A terminal has room for the cells that say something; the report has all of them.
    differing = [point for point in result.points if not _tied(point)]
    tied = len(result.points) - len(differing)
    console.print(_cells(differing))
    console.print(f"In the other {tied} of {len(result.points)} cells all methods are equal (the report has them).\n")
    console.print(_overall(result))
    outage = "" if result.unplugged is None else f"Unplugged. {unplugged_in_words(result.unplugged)}"
    emulated = f"{emulated_in_words(result)} Accuracies: {result.data}. Took {result.seconds:.0f} s."
    sentences = (verdict(result), confirmation(result), knobs(result), other_device(result), outage, emulated)
    console.print("\n" + "\n".join(filter(None, sentences)))


def _tied(point: CellOutcome) -> bool:
    values = [figures.accuracy_in_time for figures in point.figures.values()]
    return max(values) - min(values) <= HALF_A_POINT


def _cells(points: list[CellOutcome]) -> Table:
    table = _table("Accuracy in time, % (* borderline)")
    table.add_column("bandwidth")
    for name in ("deadline", *METHODS):
        table.add_column(_SHORT.get(name, name), justify="right", no_wrap=True)
    table.add_column("edgent runs", overflow="fold")
    for point in points:
        best = max(figures.accuracy_in_time for figures in point.figures.values())
        mark = "*" if point.borderline else ""
        table.add_row(
            format_bandwidth(point.cell.bandwidth),
            format_duration(point.cell.deadline) + mark,
            *(_value(point.figures[name].accuracy_in_time, best) for name in METHODS),
            chosen_in_words(point.chosen[OURS].setup.configuration),
        )
    return table


def _overall(result: DemoResult) -> Table:
    table = _table("Accuracy in time over all cells, % (95 % intervals)")
    table.add_column("method")
    for title in ("all cells", "interval", "deadlines met", "p50", "p95", "edgent ahead by, points"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, figures in result.overall.items():
        table.add_row(
            name,
            f"{figures.accuracy_in_time * 100:.1f}",
            f"{figures.low * 100:.1f} .. {figures.high * 100:.1f}",
            f"{figures.deadlines_met * 100:.1f} %",
            format_duration(figures.median),
            format_duration(figures.high_latency),
            ahead_in_words(result.compared.get(name)),
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", width=100)


def _value(value: float, best: float) -> Text:
    """Styled, not marked up: the console of the commands prints every string as it is."""
    return Text(f"{value * 100:.1f}", style="bold" if best > 0 and value >= best - HALF_A_POINT else "")
