"""Repeated timings of many things at once: a slow phase of the machine hits all of them alike."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgent.engine.engine import Engine
from edgent.latency.profile import Timing

Clock = Callable[[], float]
Task = Callable[[], object]
Progress = Callable[[int, int], None]
"""Called with how much is done, and with the whole amount."""

# Below three a median is no protection against one disturbed round.
FEWEST_ROUNDS = 3

_BURST = 0.004  # seconds that a timing lasts at least, so that the clock's and the call's own cost do not count
_MOST_IN_BURST = 50
_COLD_BELOW = 0.05  # seconds; what takes longer does not feel what ran before it in the caches
_FINE = 1e-6  # seconds that a clock must tell apart


def machine_name() -> str:
    """The name of this machine in all that is measured on it: host name and architecture."""
    return f"{platform.node()} {platform.machine()}"


def stopwatch_for(engine: Engine) -> Clock:
    """The clock that shows best what an engine's work takes: what other programs take meanwhile is not in it."""
    # With one thread ONNX Runtime computes in the thread that calls it, so that the system counts its processor time.
    # Others have threads of their own, even if it is one.
    in_caller = engine.threads == 1 and engine.name.startswith("onnxruntime")
    fine = time.get_clock_info("thread_time").resolution <= _FINE
    return time.thread_time if in_caller and fine else time.perf_counter


def interleaved(
    timed: Sequence[Task],
    untimed: Sequence[Task] = (),
    *,
    rounds: int,
    until: float,
    stopwatch: Clock = time.perf_counter,
    progress: Progress | None = None,
) -> list[NDArray[np.float64]]:
    """Runs everything once in each round.

    Args:
        timed: what to time.
        untimed: what to run as well, so that it meets the same phases of the machine.
        rounds: how often; at least 3 times whatever the clock says.
        until: reading of `time.perf_counter` after which no new round begins.
        stopwatch: what tasks are timed by, such as that of `stopwatch_for`.
        progress: called after each round.

    Returns:
        Seconds of each task, one number a round.
    """
    counts = [_burst_length(task, stopwatch) for task in timed]
    times: list[list[float]] = [[] for _ in timed]
    rounds = max(FEWEST_ROUNDS, rounds)
    for done in range(rounds):
        # The clock is asked between rounds only, so that all tasks have the same number of timings.
        if done >= FEWEST_ROUNDS and time.perf_counter() > until:
            break
        for task, count, seconds in zip(timed, counts, times, strict=True):
            # One round of everything, then the next: a phase of a second in which the machine is slow lengthens one
            # round of all tasks, where timing task after task would lengthen one task only.
            seconds.append(_burst(task, count, stopwatch))
        for task in untimed:
            task()
        if progress:
            progress(done + 1, rounds)
    if progress:
        progress(rounds, rounds)
    return [np.array(seconds) for seconds in times]


def summary(seconds: NDArray[np.float64]) -> Timing:
    """Median and spread of repeated timings."""
    # Quartiles and not the standard deviation: interruptions make timings long, and would rule it.
    low, median, high = np.percentile(seconds, [25, 50, 75])
    spread = float((high - low) / median) if median > 0 else 0.0
    return Timing(median=float(median), spread=spread, samples=len(seconds))


def line(sizes: NDArray[np.float64], seconds: NDArray[np.float64]) -> tuple[float, float]:
    """Base and slope of the line closest to some timings, neither below zero; relative errors count alike.

    Args:
        sizes: shape (m,), positive.
        seconds: shape (m,), positive.
    """
    goal = np.ones(len(sizes))
    # Dividing by the times makes errors relative: a codec's base is microseconds, its slope matters in milliseconds.
    columns = np.stack([goal, sizes], axis=1) / seconds[:, None]
    base, slope = np.linalg.lstsq(columns, goal, rcond=None)[0]
    if base >= 0 and slope >= 0:
        return float(base), float(slope)
    # The best line is at a bound then: only a base, or only a slope.
    alone = [float(column.sum() / (column @ column)) for column in columns.T]
    misses = [float(np.sum((goal - value * column) ** 2)) for value, column in zip(alone, columns.T, strict=True)]
    return (alone[0], 0.0) if misses[0] <= misses[1] else (0.0, alone[1])


def _burst_length(task: Task, stopwatch: Clock) -> int:
    # Called twice: the first call may load code and data, and would make the burst too short.
    if _mean(task, 1, stopwatch) > _COLD_BELOW:
        return 1
    return max(1, min(_MOST_IN_BURST, int(_BURST / max(_mean(task, 1, stopwatch), 1e-9))))


def _burst(task: Task, count: int, stopwatch: Clock) -> float:
    """Mean time of a task, with what it needs in the caches."""
    # The first call of a burst brings the data back into the caches that the task before pushed out.
    first = _mean(task, 1, stopwatch)
    return first if first > _COLD_BELOW else _mean(task, count, stopwatch)


def _mean(task: Task, count: int, stopwatch: Clock) -> float:
    start = stopwatch()
    for _ in range(count):
        task()
    return (stopwatch() - start) / count
