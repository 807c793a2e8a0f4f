"""The demo on a terminal: live progress, and tables of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edgent.demo.live import Progress as Told
from edgent.demo.page import knob_shares, unplugged_in_words, verdict
from edgent.demo.values import METHODS, OURS, DemoResult, Figures
from edgent.demo.words import chosen_in_words
from edgent.units import format_bandwidth, format_duration


@contextmanager
def live_progress(console: Console) -> Iterator[Told]:
    """A progress display; yields what `run_demo` tells."""
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda what, done, whole: shown.update(task, description=what, completed=done, total=whole)


def print_result(result: DemoResult, console: Console) -> None:
    """The tables and what they say."""
    console.print(_cells(result))
    console.print()
    console.print(_overall(result))
    console.print()
    console.print(verdict(result))
    knobs = ", ".join(f"{knob} {share * 100:.0f} %" for knob, share in knob_shares(result).items())
    console.print(f"Share of the cells in which each knob was needed: {knobs}.")
    if result.beside is not None:
        share = result.beside.alone_suffices * 100
        console.print(f"On {result.options.also} no plan beats the device alone in {share:.0f} % of the cells.")
    if result.unplugged is not None:
        console.print(f"Unplugged. {unplugged_in_words(result.unplugged)}")
    console.print(
        f"Emulated: the device ({result.options.device}; {result.host.overruns} of {result.host.pieces} pieces of "
        f"work overran) and the link. Accuracies: {result.data}. Took {result.seconds:.0f} s."
    )


def _cells(result: DemoResult) -> Table:
    table = _table("Accuracy in time, % (* borderline)")
    table.add_column("bandwidth")
    for name in ("deadline", *METHODS):
        table.add_column(_short(name), justify="right", no_wrap=True)
    table.add_column("edgent runs", overflow="fold")
    for point in result.points:
        best = max(each.accuracy_in_time for each in point.figures.values())
        mark = "*" if point.borderline else ""
        table.add_row(
            format_bandwidth(point.bandwidth),
            format_duration(point.deadline) + mark,
            *(_value(point.figures[name], best) for name in METHODS),
            chosen_in_words(point.chosen[OURS].setup.configuration),
        )
    return table


def _overall(result: DemoResult) -> Table:
    table = _table("All cells")
    table.add_column("method")
    for title in ("accuracy in time", "95 % interval", "deadlines met", "p50", "p95"):
        table.add_column(title, justify="right")
    for name, each in result.overall.items():
        table.add_row(
            name,
            f"{each.accuracy_in_time * 100:.1f} %",
            f"{each.low * 100:.1f} .. {each.high * 100:.1f} %",
            f"{each.deadlines_met * 100:.1f} %",
            format_duration(each.median),
            format_duration(each.high_latency),
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", width=100)


def _short(name: str) -> str:
    return {"device-only": "device", "edge-only": "edge", "partitioning": "partit.", "right-sizing": "r.-size"}.get(
        name, name
    )


def _value(figures: Figures, best: float) -> str:
    text = f"{figures.accuracy_in_time * 100:.1f}"
    return f"[bold]{text}[/bold]" if best > 0 and figures.accuracy_in_time >= best - 0.005 else text
