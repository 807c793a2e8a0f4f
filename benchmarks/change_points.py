"""Our detector of change points against others: delay, misses, false alarms, and the area that they span.

    python benchmarks/change_points.py [--json] [--changes N]

Levels from 50 kbit/s to 50 Mbit/s that change by a factor every 60 to 140 samples, coefficient of variation 0.2. The
rivals' parameters are set here, on other streams than those judged: of all that raise at most 0.2 false alarms per
1,000 samples the quickest, or the quietest where none does. Ours are those of the library. CUSUM is told the step,
the variance and, at each alarm, the level; the offline optimum sees the whole stream, and its delay is how far its
change points are off. The area is the mean delay over 0.1 .. 10 false alarms per 1,000 (see
`edgent.lab.rivals.detection_score`).
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

import command
from edgent.lab.rivals.detection_score import Score, area, score
from edgent.lab.rivals.detectors import Adwin, Cusum, PageHinkley, optimal_partitioning
from edgent.link.change_points import THRESHOLD, ChangePointDetector
from edgent.link.generator import Noise, Steps, steps

QUIET = 0.2  # false alarms per 1,000 samples that the parameters are set for
TUNING_SEED, JUDGED_SEED = 1000, 2000
TUNING_CHANGES = 150
LEAST_THRESHOLD = 0.01
Run = Callable[[float], bool]
Make = Callable[[Steps, float, float], Run]
"""What a detector does with a sample, given the stream (for who is told), the step and a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A kind of stream."""

    name: str
    factor: float
    noise: Noise


SETTINGS = (
    Setting(name="2x", factor=2.0, noise="independent"),
    Setting(name="1.3x", factor=1.3, noise="independent"),
    Setting(name="2x, correlated", factor=2.0, noise="correlated"),
    Setting(name="2x, heavy-tailed", factor=2.0, noise="heavy-tailed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Score):
    """A score, with the area of all sensitivities and the time of a sample (median, timer included)."""

    area: float | None
    microseconds_per_sample: float


def _ours(stream: Steps, step: float, parameter: float) -> Run:
    del stream, step
    quiet = parameter < LEAST_THRESHOLD
    detector = ChangePointDetector(hazard=parameter) if quiet else ChangePointDetector(threshold=parameter)
    return lambda sample: detector.update(math.exp(sample))


def _page_hinkley(tolerated: float) -> Make:
    return lambda _stream, _step, threshold: PageHinkley(tolerated, threshold).update


def _adwin(unit: float) -> Make:
    return lambda _stream, _step, confidence: Adwin(confidence, unit).update


def _cusum(stream: Steps, step: float, threshold: float) -> Run:
    return Cusum(np.log(stream.levels).tolist(), step, stream.deviation, threshold).update


SENSITIVITIES: dict[str, tuple[float, ...]] = {
    # Of ours: thresholds at the library's hazard, then hazards at the library's threshold.
    "edgent": (0.03, 0.07, 0.12, 0.2, 0.3, 0.45, 0.6, 0.7, 0.9, 1e-3, 1e-4, 1e-5, 1e-7, 1e-8, 1e-10),
    "cusum": (1.5, 2, 3, 4, 4.5, 5, 5.5, 6, 6.5, 7, 8, 10, 12, 15, 20),
    "page-hinkley": (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.9, 1.2, 1.8, 3, 6),
    "adwin": (1e-9, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 0.5),
}
FAMILIES: dict[str, tuple[Make, ...]] = {
    "edgent": (_ours,),
    "cusum": (_cusum,),
    "page-hinkley": tuple(_page_hinkley(tolerated) for tolerated in (0.05, 0.1, 0.2, 0.3, 0.35, 0.4)),
    "adwin": tuple(_adwin(unit) for unit in (3.0, 1.0, 0.3, 0.1)),
}


def judged(make: Make, stream: Steps, step: float, parameter: float) -> tuple[Score, float]:
    """Runs a detector over a stream: its score, and the median microseconds of a sample."""
    update = make(stream, step, parameter)
    alarms, times = [], []
    for at, sample in enumerate(np.log(stream.samples).tolist()):
        begin = time.perf_counter()
        alarm = update(sample)
        times.append(time.perf_counter() - begin)
        if alarm:
            alarms.append(at)
    return score(alarms, stream.changes, stream.samples.size), statistics.median(times) * 1e6


def offline(stream: Steps, penalty: float) -> tuple[Score, float]:
    """The optimum's score; it may find a change point too early as well as too late."""
    begin = time.perf_counter()
    found = optimal_partitioning(np.log(stream.samples), stream.deviation, penalty)
    each = (time.perf_counter() - begin) / stream.samples.size * 1e6
    places = np.array(stream.changes)
    moved = sorted({int(places[k] + abs(at - places[k]) - 1) for at in found for k in [np.abs(places - at).argmin()]})
    return score([at + 1 for at in moved], stream.changes, stream.samples.size), each


def best(found: Iterable[tuple[Score, tuple[Make, float]]]) -> tuple[Make, float]:
    """The quickest of the quiet ones."""
    ranked = sorted(found, key=lambda item: (max(item[0].false_alarms_per_1000, QUIET), item[0].mean_delay))
    return ranked[0][1]


def tuned(name: str) -> tuple[Make, float]:
    """A rival and its parameter, set on streams of their own."""
    stream = steps(TUNING_SEED, changes=TUNING_CHANGES)
    pairs = product(FAMILIES[name], SENSITIVITIES[name])
    return best((judged(make, stream, math.log(2), p)[0], (make, p)) for make, p in pairs)


def tuned_penalty() -> float:
    """The penalty of the offline optimum, in the same way."""
    stream = steps(TUNING_SEED, changes=TUNING_CHANGES)
    found = {penalty: offline(stream, penalty)[0] for penalty in (5, 8, 12, 16, 20, 25, 30, 40)}
    return min(found, key=lambda p: (max(found[p].false_alarms_per_1000, QUIET), found[p].mean_delay))


def results(changes: int, progress: Callable[[str], None]) -> dict[str, dict[str, Result]]:
    """Every detector on every setting: by name and setting."""
    chosen: dict[str, tuple[Make, float]] = {"edgent": (_ours, THRESHOLD)}
    for name in ("cusum", "page-hinkley", "adwin"):
        progress(f"setting the parameters of {name}")
        chosen[name] = tuned(name)
    penalty = tuned_penalty()
    found: dict[str, dict[str, Result]] = {name: {} for name in (*chosen, "offline")}
    for number, setting in enumerate(SETTINGS):
        stream = steps(JUDGED_SEED + number, changes=changes, factor=setting.factor, noise=setting.noise)
        for name, (make, parameter) in chosen.items():
            progress(f"{setting.name}: {name}")
            found[name][setting.name] = _result(name, make, parameter, stream, math.log(setting.factor))
        own, each = offline(stream, penalty)
        found["offline"][setting.name] = Result(**asdict(own), area=None, microseconds_per_sample=each)
    return found


def _result(name: str, make: Make, parameter: float, stream: Steps, step: float) -> Result:
    own, each = judged(make, stream, step, parameter)
    spanned = area([own, *(judged(make, stream, step, other)[0] for other in SENSITIVITIES[name])])
    return Result(**asdict(own), area=spanned, microseconds_per_sample=each)


def document(found: dict[str, dict[str, Result]]) -> dict[str, object]:
    """By detector: the steps of 2x, and under `streams` every setting."""
    main_setting = SETTINGS[0].name
    return {
        name: {**asdict(by[main_setting]), "streams": {setting: asdict(each) for setting, each in by.items()}}
        for name, by in found.items()
    }


def _print(found: dict[str, dict[str, Result]]) -> None:
    print(
        f"{'stream':18} {'detector':13} {'delay':>6} {'mean':>6} {'missed':>8} {'false/1000':>10} {'area':>6} {'µs':>6}"
    )
    for setting in (each.name for each in SETTINGS):
        for name, by in found.items():
            row = by[setting]
            delay = "-" if row.median_delay is None else f"{row.median_delay:.1f}"
            spanned = "-" if row.area is None else f"{row.area:.2f}"
            rates = f"{row.miss_rate * 100:6.2f} % {row.false_alarms_per_1000:10.3f}"
            rest = f"{row.mean_delay:6.2f} {rates} {spanned:>6} {row.microseconds_per_sample:6.1f}"
            print(f"{setting:18} {name:13} {delay:>6} {rest}")
        print()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument(
        "--changes", type=command.at_least(1), default=500, help="in each stream that is judged (default 500)"
    )
    options = parser.parse_args(arguments)
    found = results(options.changes, lambda what: print(what, file=sys.stderr))
    command.show(options, document(found), lambda: _print(found))
    return 0


if __name__ == "__main__":
    command.run(main)
