"""Traces for a verb that needs some, from files and folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.terminal import show
from edgent.units import parse_duration

if TYPE_CHECKING:
    from edgent.link.trace import Trace
    from edgent.link.trace_files import TraceReading

Column = Annotated[str, typer.Option(metavar="NAME", help="Of bandwidths in traces: its title, or its number from 1.")]
UnitName = Annotated[str, typer.Option("--unit", metavar="UNIT", help="Of that column, as kbit/s, MB/s or bytes.")]
Step = Annotated[str, typer.Option(metavar="TIME", help="Between the traces' lines, where no column says when.")]


def parse_reading(column: str, unit: str, step: str) -> TraceReading:
    """What a user says of files that do not say it themselves.

    Raises:
        InputError: a unit or a duration that is none.
    """
    from edgent.link.trace_files import TraceReading, parse_unit

    return TraceReading(
        column=column, unit=parse_unit(unit) if unit else None, step=parse_duration(step, "step") if step else None
    )


def read_traces(paths: Sequence[Path], scale: float, load: Callable[[Path], Trace]) -> tuple[Trace, ...]:
    """Traces, scaled; says on stderr what was ignored in folders and what seems wrong.

    Args:
        paths: Files and folders.
        scale: On their bandwidths.
        load: Reads a file.

    Raises:
        InputError: what is no trace, a folder without any, or a scale that is none.
    """
    from edgent.link.trace_files import ENDINGS, trace_files

    # In a folder only what looks like a trace is read, for a README lies there as well. Left out without a word, a
    # trace with an unusual ending would be missed by nobody.
    named = trace_files(paths)
    if named.ignored:
        known = ", ".join(ENDINGS)
        show.err.print(
            f"edgent: files ignored: {named.ignored}; in a folder a trace ends in {known}, others are read when named",
            soft_wrap=True,
        )
    traces = tuple(load(file).scaled(scale) for file in named.files)
    show.warn(*(doubt for trace in traces for doubt in trace.doubts))
    return traces
