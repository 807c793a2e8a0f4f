"""The events of ONNX Runtime's profiler, as seconds of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KERNEL = "_kernel_time"


def node_times(events: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Seconds of each node of the graph, one for each run, in the order of the runs.

    Args:
        events: of the engine's profiler; it counts in microseconds. Nodes inside another (the body of a Loop or an If)
            are part of its time, and do not count again.
    """
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_KERNEL)]
    nodes.sort(key=lambda event: (event["ts"], -event["dur"]))
    times: dict[str, list[float]] = {}
    outer_ends = -1
    for event in nodes:
        ends = event["ts"] + event["dur"]
        if event["ts"] >= outer_ends or ends > outer_ends:
            times.setdefault(event["name"].removesuffix(_KERNEL), []).append(event["dur"] / 1e6)
            outer_ends = ends
    return times
