"""The user's own records (`edgent run --records`) as a trace: what the link was like while the product ran.

A record tells what crossed (its configuration, by way of the candidates) and how long the uplink took. It has no time
of day: inferences are taken to have followed each other at once. Where one sent nothing, or was answered by the device
because the edge was late or lost, nothing is known, and the bandwidth before holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edgent.errors import InputError
from edgent.link.trace import Trace
from edgent.link.transfer import CALL_TIME, WIRE
from edgent.planning.candidates import Candidates
from edgent.telemetry import Record, read_records
from edgent.units import Seconds, format_duration

_HEAD, _OF_IPERF3 = 1 << 16, b'"intervals"'  # bytes in which it is said; iperf3 prints one JSON object as well


def is_records(path: Path) -> bool:
    """Whether a file looks like records: JSON objects, a line each. What cannot be read is for others to refuse."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            return head.startswith(b"{") and _OF_IPERF3 not in head
    except OSError:
        return False


def load_records(path: Path, candidates: Candidates) -> Trace:
    """Reads records as a trace.

    Args:
        path: What `edgent run --records` wrote.
        candidates: Of the same model, to know how many bytes a configuration sends.

    Raises:
        InputError: no records, or fewer than two of them tell a bandwidth.
    """
    return trace_of(read_records(path), candidates, path.name)


def trace_of(records: Iterable[Record], candidates: Candidates, name: str) -> Trace:
    """Some records as a trace; see `load_records`."""
    sizes = {candidates.configurations[row]: float(candidates.bytes_up[row]) for row in range(len(candidates))}
    starts, bandwidths, now = [], [], 0.0
    for record in records:
        sent = sizes.get(record.plan.configuration) if record.plan is not None and record.by == "edge" else None
        # What a call takes by itself is no bandwidth; on a fast link nothing else is left, and it tells nothing.
        seconds = record.stages.uplink - CALL_TIME
        if sent is not None and seconds > 0 and record.total > 0:
            starts.append(now)
            bandwidths.append(WIRE.uplink(sent) / seconds)
        now += record.total
    if len(starts) < 2:
        raise InputError(
            f"{name}: found {len(starts)} records that tell a bandwidth, expected 2 or more of this model; one does "
            f"whose answer the edge gave after an upload of over {format_duration(CALL_TIME)}: on a fast link none may"
        )
    begins = np.array(starts) - starts[0]
    return Trace(
        name=name, starts=begins, bandwidths=np.array(bandwidths, dtype=np.float64), duration=Seconds(now - starts[0])
    )
