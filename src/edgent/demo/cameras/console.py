"""The demo on a terminal: meters while it runs, then the table; at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgent.demo.cameras.result import Standing, StreetResult
from edgent.demo.cameras.stage import FULL
from edgent.demo.cameras.words import lead_in_words, outage_in_words, verdict
from edgent.lab.cameras.live_street import Meter, Watcher
from edgent.lab.cameras.plans import ORACLE, OURS

_BAR = 12  # characters of a full one


class Meters:
    """What has been seen so far, a row for each method and number of cameras; 80 columns are enough."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str, bool], Meter] = {}

    def show(self, meter: Meter) -> None:
        """Takes in a meter, as it is now."""
        self._rows[meter.cameras, meter.method, meter.unplugged] = meter

    def __rich__(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("cameras", "method", "right, in time", "", "edge core", "", "kB/s"):
            table.add_column(title, no_wrap=True, justify="right" if title in ("", "cameras", "kB/s") else "left")
        for (cameras, method, unplugged), meter in self._rows.items():
            table.add_row(
                str(cameras),
                method + (", unplugged" if unplugged else ""),
                _bar(meter.good, "green" if method == OURS else "yellow"),
                f"{meter.good * 100:.0f} %",
                _bar(meter.edge, "red" if meter.edge >= FULL else "cyan"),
                f"{meter.edge * 100:.0f} %",
                f"{meter.nbytes / meter.seconds / 1e3:.0f}",
            )
        return Group(Text("Cameras come; device and link are emulated, edge and device processes are real.\n"), table)


@contextmanager
def watching(console: Console) -> Iterator[Watcher]:
    """Shows meters while they fill, where somebody can see them."""
    meters = Meters()
    if not console.is_terminal:
        yield meters.show
        return
    with Live(meters, console=console, refresh_per_second=4, transient=True):
        yield meters.show


def print_result(result: StreetResult, console: Console) -> None:
    """Prints the table, and the verdict in words."""
    live = [standing for standing in result.standings if standing.live]
    console.print(_table("Live: right and in time, %", result, live))
    console.print()
    priced = [standing for standing in result.standings if not standing.live]
    console.print(_table("Simulated on the same streets, from what was measured", result, priced))
    sentences = (verdict(result), *map(outage_in_words, result.outages), *result.words)
    console.print("\n" + "\n".join(sentences))


def _table(title: str, result: StreetResult, standings: list[Standing]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", width=100)
    table.add_column("cameras:")
    for name in (*map(str, result.cameras), "all", "Edgent ahead by, points", "kB", "edge ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for standing in standings:
        style = "bold" if standing.method == OURS else "dim" if standing.method == ORACLE else ""
        table.add_row(
            standing.method,
            *(f"{each.value * 100:.0f}" for each in standing.by_cameras),
            f"{standing.pooled * 100:.1f}",
            Text(lead_in_words(standing), style="red" if standing.is_ahead and standing.method != ORACLE else ""),
            f"{standing.kilobytes:.1f}",
            f"{standing.edge_ms:.1f}",
            style=style,
        )
    return table


def _bar(share: float, colour: str) -> Text:
    filled = round(min(share, 1.0) * _BAR)
    return Text("━" * filled, style=colour) + Text("━" * (_BAR - filled), style="bright_black")
