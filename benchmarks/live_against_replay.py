"""A live device on a link that follows a trace, against the replay of that trace by the same controller.

    python benchmarks/live_against_replay.py [TRACES] [--count N] [--keep DIR] [--json] [--seed S]

Live: edge, link and device are processes of this machine; the device is an emulated paper-pi3-resident with the
controller of `--environment dynamic`. The link adds no round trip, for the traces know none. Replayed: the method
`edgent`, from the same profiles, the same race, and a call takes what the live device found it to take by itself.
TRACES is a folder with `oboe/` and `belgium-4g/` (scaled by 1/10); half of the links are drawn from either, seeded, and
their first seconds are taken, from where something gets through. Without a folder generated links take their place.

Two cases have a race and a request every 0.25 s. The third has no race and a request every 2 s: there the plan depends
on what is seen of the link just before a request, by a replay's probe or by a live device that expects the request.

Throughput is the mean of 1 / latency over all requests, as in `edgent replay`. What is kept in a folder is not run
again, so that a long run can be made in several.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.lab.figures.links import digest, excerpt
from edgent.lab.figures.machines import Setting, setting
from edgent.lab.figures.rig import Rig
from edgent.lab.figures.streams import accuracies
from edgent.lab.reproduction.figure import Lab
from edgent.lab.reproduction.parts import Parts
from edgent.link.generator import generated
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces
from edgent.planning.candidates import Direction
from edgent.replay import ReplaySettings, replay
from edgent.units import Seconds

DEVICE = "paper-pi3-resident"
BELGIUM = 0.1  # the logs' scale
NEAR, WITHIN = 0.10, 0.02  # of the throughput, of the miss rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Which codecs may be used, how long an answer may take, how often requests come, and how much of each link."""

    coded: bool
    deadline: Seconds
    race: bool = True
    period: Seconds = Seconds(0.25)
    seconds: float = 35.0


CASES = (
    Case(coded=True, deadline=Seconds(0.050)),
    Case(coded=False, deadline=Seconds(0.100)),
    Case(coded=False, deadline=Seconds(0.100), race=False, period=Seconds(2.0), seconds=120.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A case on a link, live and replayed: shares 0..1, inferences per second."""

    setting: str
    deadline_ms: float
    race: bool
    period: float
    trace: str
    requests: int
    call_ms: float
    live_throughput: float
    replay_throughput: float
    live_miss_rate: float
    replay_miss_rate: float
    live_accuracy: float
    replay_accuracy: float

    def __str__(self) -> str:
        name = f"{_words(self)}, {self.trace}"
        throughputs = f"{self.live_throughput:6.1f} {self.replay_throughput:6.1f}"
        missed = f"{self.live_miss_rate:6.1%} {self.replay_miss_rate:6.1%}"
        accuracy = f"{self.live_accuracy:6.1%} {self.replay_accuracy:6.1%}"
        return f"{name:42} {self.requests:4} {self.call_ms:4.1f} {throughputs} {missed} {accuracy}"


def _words(one: Compared) -> str:
    codecs, race = one.setting.removeprefix(f"{DEVICE}, "), "" if one.race else ", no race"
    return f"{codecs}, {one.deadline_ms:g} ms{race}"


def links(folder: Path | None, count: int, seed: int) -> tuple[Trace, ...]:
    """The links that are followed."""
    if folder is None:
        return tuple(generated(seed + number, seconds=180.0) for number in range(count))
    oboe = _drawn(load_traces([folder / "oboe"]), count // 2, seed)
    belgium = _drawn(load_traces([folder / "belgium-4g"]), count - count // 2, seed)
    return tuple(map(_awake, (*oboe, *(trace.scaled(BELGIUM) for trace in belgium))))


def _awake(trace: Trace) -> Trace:
    """From where something first gets through: before that no device has an edge."""
    first = int(np.flatnonzero(trace.bandwidths)[0])
    begin = float(trace.starts[first])
    return replace(
        trace,
        starts=trace.starts[first:] - begin,
        bandwidths=trace.bandwidths[first:],
        duration=Seconds(trace.duration - begin),
    )


def compared(lab: Lab, case: Case, trace: Trace) -> Compared:
    """Runs a case on a link both ways."""
    chosen, trace = setting(lab, DEVICE, coded=case.coded), excerpt(trace, case.seconds)
    live = _live(lab, chosen, case, trace)
    report = replay(_request(chosen, case, live["call_time"]), [trace], processes=1)
    return Compared(
        setting=chosen.name,
        deadline_ms=case.deadline * 1e3,
        race=case.race,
        period=case.period,
        trace=trace.name,
        requests=len(live["totals"]),
        call_ms=live["call_time"] * 1e3,
        live_throughput=float(np.mean([1 / total if total else 0.0 for total in live["totals"]])),
        replay_throughput=report.mean("edgent", "throughput"),
        live_miss_rate=1 - float(np.mean(live["met"])),
        replay_miss_rate=report.mean("edgent", "missed"),
        live_accuracy=float(np.mean(np.multiply(live["accuracies"], live["met"]))),
        replay_accuracy=report.mean("edgent", "accuracy"),
    )


def _live(lab: Lab, chosen: Setting, case: Case, trace: Trace) -> dict[str, Any]:
    """Latencies (None: no answer), accuracies, whether in time, and what the device found a call to take at the end."""

    def run() -> dict[str, Any]:
        lab.progress(f"live: {chosen.name}, {trace.name}", 0, 1)
        with Rig(
            chosen,
            environment="dynamic",
            direction=_direction(chosen),
            race=case.race,
            round_trip=Seconds(0.0),
        ) as rig:
            found, known = rig.follow(trace, case.period, case.deadline), rig.conditions()
            return {
                "totals": [each.total if math.isfinite(each.total) else None for each in found],
                "accuracies": accuracies(chosen, found),
                "met": [each.deadline_met for each in found],
                "call_time": known.uplink.call_time + known.handling.total,
            }

    depends = {**chosen.document(), "case": asdict(case), "trace": digest([trace])}
    live: dict[str, Any] = lab.parts.part("live", depends, run)
    return live


def _request(chosen: Setting, case: Case, call_time: float) -> ReplaySettings:
    return ReplaySettings(
        candidates=chosen.candidates.restricted(direction=_direction(chosen)),
        device=chosen.profile,
        edge=chosen.edge,
        deadline=case.deadline,
        interval=case.period,
        race=case.race,
        call_time=Seconds(call_time),
    )


def _direction(chosen: Setting) -> Direction:
    """Both ways where codecs make crossings small; as in the figures."""
    return "any" if chosen.coded else "edge-first"


def pooled(found: Sequence[Compared]) -> Compared:
    """All requests of one setting together."""
    weights = [each.requests for each in found]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=weights))

    return Compared(
        setting=found[0].setting,
        deadline_ms=found[0].deadline_ms,
        race=found[0].race,
        period=found[0].period,
        trace="all",
        requests=sum(weights),
        call_ms=mean([each.call_ms for each in found]),
        live_throughput=mean([each.live_throughput for each in found]),
        replay_throughput=mean([each.replay_throughput for each in found]),
        live_miss_rate=mean([each.live_miss_rate for each in found]),
        replay_miss_rate=mean([each.replay_miss_rate for each in found]),
        live_accuracy=mean([each.live_accuracy for each in found]),
        replay_accuracy=mean([each.replay_accuracy for each in found]),
    )


def agrees(one: Compared) -> bool:
    """Whether both say nearly the same."""
    near = abs(one.replay_throughput / one.live_throughput - 1) <= NEAR
    return near and abs(one.replay_miss_rate - one.live_miss_rate) <= WITHIN


def _drawn(traces: Sequence[Trace], count: int, seed: int) -> list[Trace]:
    rows = np.random.default_rng(seed).permutation(len(traces))[:count]
    return [traces[row] for row in sorted(rows)]


def _told(what: str, done: int, whole: int) -> None:
    if not done:
        print(what, file=sys.stderr)


def _print(found: Sequence[Compared], alls: Sequence[Compared]) -> None:
    print(f"{'emulated ' + DEVICE:42} {'':4} {'call':>4} {'inferences/s':^13} {'missed':^13} {'in time':^13}")
    print(f"{'':42} {'':4} {'ms':>4} {'live':>6} {'replay':>6} {'live':>6} {'replay':>6} {'live':>6} {'replay':>6}")
    for each in (*found, *alls):
        print(each)
    for each in alls:
        words = "within" if agrees(each) else "NOT within"
        print(f"{_words(each)}: {words} {NEAR:.0%} of throughput and {WITHIN:.0%} missed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("traces", nargs="?", type=Path, help="a folder with oboe/ and belgium-4g/")
    parser.add_argument("--count", type=int, default=4, help="of links")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="go on where an earlier run was stopped")
    options = parser.parse_args(arguments)
    if options.seed < 0 or options.count < 1:
        parser.error(f"--seed {options.seed}, --count {options.count}: expected 0 or more, and 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(options.keep or Path(folder), {"seed": options.seed})
        lab = Lab(parts=parts, seed=options.seed, traces=options.traces, progress=_told)
        traces = links(options.traces, options.count, options.seed)
        by_case = [[compared(lab, case, trace) for trace in traces] for case in CASES]
    alls = [pooled(each) for each in by_case]
    found = [each for one in by_case for each in one]
    command.show(
        options,
        {"links": [asdict(each) for each in found], "all": [asdict(each) for each in alls]},
        lambda: _print(found, alls),
    )
    return 0


if __name__ == "__main__":
    command.run(main)
