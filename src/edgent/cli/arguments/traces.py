"""Traces for a verb that needs some, from files and folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.cli.terminal import show

if TYPE_CHECKING:
    from edgent.link.trace import Trace


def read_traces(paths: Sequence[Path], scale: float, load: Callable[[Path], Trace] | None = None) -> tuple[Trace, ...]:
    """Traces, scaled; says on stderr what was ignored in folders and what seems wrong.

    Args:
        paths: Files and folders.
        scale: On their bandwidths.
        load: Reads a file; None: as one of the published formats.

    Raises:
        InputError: what is no trace, a folder without any, or a scale that is none.
    """
    from edgent.link.traces import ENDINGS, load_trace, trace_files

    named = trace_files(paths)
    if named.ignored:
        known = ", ".join(ENDINGS)
        show.err.print(
            f"edgent: files ignored: {named.ignored}; in a folder a trace ends in {known}, others are read when named",
            soft_wrap=True,
        )
    traces = tuple((load or load_trace)(file).scaled(scale) for file in named.files)
    show.warn(*(doubt for trace in traces for doubt in trace.doubts))
    return traces
