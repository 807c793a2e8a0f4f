"""Files of traces: found in folders, read in many formats, each into a `Trace`."""

from edgent.link.trace_files.files import ENDINGS, TraceFiles, load_trace, load_traces, parse_trace, trace_files
from edgent.link.trace_files.reading import TraceReading
from edgent.link.trace_files.units import parse_unit

__all__ = [
    "ENDINGS",
    "TraceFiles",
    "TraceReading",
    "load_trace",
    "load_traces",
    "parse_trace",
    "parse_unit",
    "trace_files",
]
