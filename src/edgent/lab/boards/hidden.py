"""Emulated devices that do not leak their table: each layer type is faster or slower than the board's usual factor.

The one way to make an emulated device that runs: the demo, the benchmarks and `--emulate` all make it here. One that is
emulated by one factor is the planner's own table times a number: predictions about it cannot fail. So here a
*hidden* factor for each layer type, each codec and each step of image preparation, drawn once from a seed, perturbs the
table that the pace follows. The planner never sees that table. It gets what a profiler on the device would have found,
medians of jittered times, and whatever its records tell it.

The hidden factors are log-normal with median 1. Their spread is that of the board's factor between whole networks, in
ncnn's published benchmark table (one thread, float32, against one thread of an EPYC 7742; standard deviation of the
logarithm 0.16 over 25 networks on the Pi 3B+, 0.19 over 27 on the Pi 4, 0.18 over 27 on the Pi 5). A network averages
over its layers, so single layer types spread more; that would take a table by layer, which is not published.

The jitter is as large as that table's: between the slowest and the quickest of 4-10 loops lie 0.4-1.5 % of the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from edgent.clock import Clock
from edgent.lab.boards.emulation import Emulated, EmulatedDevice, Throttle, emulated_profile
from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.units import format_duration

if TYPE_CHECKING:
    from edgent.model import Branch, Model

JITTER = 0.01
ROUNDS = 30  # as many as `edgent profile` makes


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenDevice:
    """An emulated device whose layers are each perturbed.

    To run it: `Device(model, device_profile=profile, host_profile=table, edge_profile=HOST'S, pace=pace())`.

    Attributes:
        device: What it stands for.
        seed: Of its factors and jitter.
        table: Hidden: what its work really takes, but for jitter. For the pace, never for a planner.
        profile: What profiling it gave: for the planner.
        jitter: Standard deviation of the logarithm of each piece's time.
    """

    device: EmulatedDevice
    seed: int
    table: Profile
    profile: Profile
    jitter: float

    def pace(self, throttle: Throttle | None = None, clock: Clock | None = None) -> Emulated:
        """Its pace, for work stated by `table`."""
        name = f"{self.device.name}, hidden factors of seed {self.seed}"
        return Emulated(name, jitter=self.jitter, throttle=throttle, seed=self.seed, clock=clock)

    def __str__(self) -> str:
        return (
            f"{self.device}; each layer type perturbed by a hidden factor (seed {self.seed}, log-normal, "
            f"spread {self.device.spread:g}), jitter {self.jitter:.1%}: with these its slowest whole branch takes "
            f"{format_duration(max(branch.whole.median for branch in self.table.branches))}"
        )


def hidden_device(
    host: Profile, model: Model, device: EmulatedDevice, *, seed: int, jitter: float = JITTER
) -> HiddenDevice:
    """A device with hidden factors, and the profile that was measured through its emulation.

    Args:
        host: This machine's profile of the model.
        model: What is run.
        device: Which one.
        seed: The same seed gives the same device.
        jitter: Of each piece of work.

    Raises:
        InputError: the profile is of another model, or emulated itself.
    """
    table = hidden_table(host, model, device, seed)
    return HiddenDevice(
        device=device, seed=seed, table=table, profile=profiled(table, seed=seed, jitter=jitter), jitter=jitter
    )


def hidden_table(host: Profile, model: Model, device: EmulatedDevice, seed: int) -> Profile:
    """What everything takes on the device: the host's time x the board's factor x a hidden one for each type."""
    board = emulated_profile(host, device)

    def hidden(kind: str) -> float:
        # Seeded by the names and not drawn in turn: a device has the same factors in every model, whatever layers come
        # first.
        return Random(f"{seed} {device.name} {kind}").lognormvariate(0.0, device.spread)

    branches = [_perturbed(board.branch(branch.exit), branch, hidden) for branch in model.branches]
    return replace(
        board,
        branches=tuple(branches),
        codecs=tuple(codec.scaled(hidden(codec.codec)) for codec in board.codecs),
        decode_source=board.decode_source.scaled(hidden("decode_source")),
        fit=board.fit.scaled(hidden("fit")),
        normalise=board.normalise.scaled(hidden("normalise")),
    )


def profiled(table: Profile, *, seed: int, jitter: float = JITTER, rounds: int = ROUNDS) -> Profile:
    """What a profiler on the device finds: of everything the median of some runs, layers adding up to the whole."""
    # Another stream than the pace's: what profiling found is not what will be run.
    draws = Random(f"{seed} profiling")

    def measured() -> float:
        return median(draws.lognormvariate(0.0, jitter) for _ in range(rounds))

    def timed(timing: Timing) -> Timing:
        return replace(timing.scaled(measured()), samples=rounds)

    def branch(one: BranchProfile) -> BranchProfile:
        whole = timed(one.whole)
        layers = [seconds * measured() for seconds in one.layers]
        # As a real profile: layers add up to the whole, and the jitter of each is not the jitter of the sum.
        scale = whole.median / sum(layers) if any(layers) else 1.0
        return replace(one, whole=whole, layers=tuple(seconds * scale for seconds in layers))

    def codec(one: CodecTime) -> CodecTime:
        return one.scaled(measured())

    return replace(
        table,
        branches=tuple(map(branch, table.branches)),
        codecs=tuple(map(codec, table.codecs)),
        decode_source=timed(table.decode_source),
        fit=timed(table.fit),
        normalise=timed(table.normalise),
    )


def _perturbed(board: BranchProfile, branch: Branch, hidden: Callable[[str], float]) -> BranchProfile:
    seconds = [took * hidden(layer.op) for took, layer in zip(board.layers, branch.layers, strict=True)]
    # Layers add up to the whole, so it changes by what they do; its relative spread stays.
    whole = board.whole.scaled(sum(seconds) / board.whole.median)
    return replace(board, whole=whole, layers=tuple(seconds))
