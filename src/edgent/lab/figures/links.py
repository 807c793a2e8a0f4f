"""The links that figures follow: recorded ones from a folder, or generated ones in their place."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgent.lab.reproduction.figure import Lab
from edgent.link.generator import generated
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces, trace_files
from edgent.units import Seconds

HIGHEST = 10e6
"""Bits per second: the paper's traces reach from 0 to here."""

_BUS, _BELGIUM = "bus", "report_"  # in the names of the Belgium logs
_MOST, _GENERATED, _SECONDS = 30, 20, 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Some links, with a description of them in words."""

    traces: tuple[Trace, ...]
    words: str


def bus_link(lab: Lab, seconds: float) -> Links:
    """The beginning of a bus log, scaled so that its highest bandwidth is 10 Mbit/s; a generated link without one."""
    logs = [] if lab.traces is None else [file for file in trace_files([lab.traces]).files if _BUS in file.name]
    if not logs:
        whole = generated(lab.seed, seconds=seconds)
        return Links(traces=(_to_highest(whole),), words=f"{_generated(lab)}, scaled to 0..10 Mbit/s")
    (whole,) = load_traces(logs[:1])
    begin = excerpt(whole, seconds)
    return Links(traces=(_to_highest(begin),), words=f"the first {seconds:g} s of {whole.name}, scaled to 0..10 Mbit/s")


def many_links(lab: Lab) -> Links:
    """All Belgium logs scaled to 0..10 Mbit/s and a seeded choice of the others; generated ones without a folder."""
    if lab.traces is None:
        traces = tuple(generated(lab.seed + number, seconds=_SECONDS) for number in range(_GENERATED))
        return Links(traces=traces, words=f"{_GENERATED} links, {_generated(lab)}")
    files = trace_files([lab.traces]).files
    belgium = [_to_highest(trace) for trace in load_traces([f for f in files if _BELGIUM in f.name] or files[:1])]
    others = [file for file in files if _BELGIUM not in file.name]
    drawn = sorted(np.random.default_rng(lab.seed).permutation(len(others))[:_MOST])
    chosen = load_traces([others[row] for row in drawn]) if drawn else ()
    return Links(
        traces=(*belgium, *chosen),
        words=f"{len(belgium)} logs scaled to 0..10 Mbit/s each, {len(chosen)} of {len(others)} others as they are",
    )


def excerpt(trace: Trace, seconds: float) -> Trace:
    """The beginning of a trace, or all of it if it is shorter."""
    kept = trace.starts < seconds
    return replace(
        trace,
        starts=trace.starts[kept],
        bandwidths=trace.bandwidths[kept],
        duration=Seconds(min(seconds, trace.duration)),
    )


def digest(traces: Sequence[Trace]) -> str:
    """A short hash of traces: a part that was measured on others must be measured again."""
    hashed = hashlib.sha256()
    for trace in traces:
        hashed.update(trace.starts.tobytes() + trace.bandwidths.tobytes())
    return hashed.hexdigest()[:16]


def _to_highest(trace: Trace) -> Trace:
    return trace.scaled(HIGHEST / float(trace.bandwidths.max()))


def _generated(lab: Lab) -> str:
    return f"generated from seed {lab.seed}: no recorded ones were given (--traces DIR)"
