"""Algorithm 1 of Edgent (Li et al., IEEE TWC 2020), to be read beside the paper.

It is the reference and a test's oracle. What runs is `edgent.planning.planner`, which chooses among two cuts, codecs
and unequal links, and finds the same plan where it is restricted to what is considered here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from edgent.errors import InputError
from edgent.units import BitsPerSecond, Seconds, serialisation_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBranch:
    """A branch as the paper sees it: a chain of N layers, each giving one tensor.

    Attributes:
        exit: The exit it ends in (the paper's i).
        device: ED_1 .. ED_N, seconds of each layer on the device.
        edge: ES_1 .. ES_N, seconds of each layer on the edge.
        input_size: Input, bytes.
        output_sizes: D_1 .. D_N, bytes.
    """

    exit: int
    device: Sequence[float]
    edge: Sequence[float]
    input_size: float
    output_sizes: Sequence[float]

    def __post_init__(self) -> None:
        # Deviation: the paper's regressions predict these times inside the algorithm. Here they are arguments,
        # so that measured, predicted and made-up times are all planned with by the same lines.
        if not len(self.device) == len(self.edge) == len(self.output_sizes):
            raise InputError(
                f"exit {self.exit}: found {len(self.device)} times on the device, {len(self.edge)} on the edge and "
                f"{len(self.output_sizes)} sizes, expected as many of each"
            )


class Partition(NamedTuple):
    """What the algorithm returns: exit i, partition point p (1 .. N + 1) and the latency A(i, p)."""

    exit: int
    point: int
    latency: Seconds


def algorithm1(
    branches: Iterable[ChainBranch], bandwidth: BitsPerSecond, deadline: Seconds, *, device_first: bool = False
) -> Partition | None:
    """Chooses the exit and the partition point: the longest branch that can be in time, divided at its best.

    Args:
        branches: The branches, in any order; a later exit has the higher number and is taken to be more accurate.
        bandwidth: B, bits per second, in either direction.
        deadline: The latency requirement.
        device_first: Neurosurgeon's direction instead of the paper's: the device begins and the edge finishes.

    Returns:
        The partition, or None where no branch can be in time.
    """
    # Deviation: the paper knows one direction; the other is for Neurosurgeon, which it compares itself with.
    latencies = device_first_latencies if device_first else edge_first_latencies
    # The longest branch first: it is the most accurate, so the first that is in time is the best that is.
    for branch in sorted(branches, key=lambda branch: branch.exit, reverse=True):  # for i = M .. 1
        # With p = N_i + 1 among the points, neither all on the device nor all on the edge needs a case of its own.
        by_point = latencies(branch, bandwidth)  # A(i, p) for p = 1 .. N_i + 1
        best = min(range(len(by_point)), key=by_point.__getitem__)  # p* = argmin A(i, p)
        if by_point[best] <= deadline:  # if A(i, p*) <= deadline
            return Partition(branch.exit, best + 1, by_point[best])  # return (i, p*)
    # "return NULL" in the paper: the user has to be told that no exit can meet the deadline.
    return None


def edge_first_latencies(branch: ChainBranch, bandwidth: BitsPerSecond) -> list[Seconds]:
    """The paper's A(i, p) for p = 1 .. N + 1: the edge runs layers before p, the device the rest.

        A(i, p) = sum_{j < p} ES_j + sum_{j >= p} ED_j + Input / B + D_{p-1} / B

    With p = 1 the device runs everything and nothing travels; with p = N + 1 the edge does, and the answer's few bytes
    are not counted. Prefix sums make the whole list O(N).
    """
    # D_{p-1} comes back, and the input has gone up before: both are paid for at B, which is one for both directions.
    inner = [branch.input_size + size for size in branch.output_sizes[:-1]]
    # One size for each p: nothing at p = 1; input and D_{p-1} in between; at p = N + 1 the input alone.
    sizes = [0.0, *inner, branch.input_size] if branch.output_sizes else [0.0]
    return _latencies(first=branch.edge, then=branch.device, sizes=sizes, bandwidth=bandwidth)


def device_first_latencies(branch: ChainBranch, bandwidth: BitsPerSecond) -> list[Seconds]:
    """Neurosurgeon's latency (Kang et al., ASPLOS 2017) for p = 1 .. N + 1: the device runs layers before p.

        sum_{j < p} ED_j + sum_{j >= p} ES_j + D_{p-1} / B        with D_0 = Input

    With p = 1 the edge runs everything; with p = N + 1 the device does, and nothing travels.
    """
    # The last output is left out: at p = N + 1 the device has answered, and nothing travels.
    sizes = [branch.input_size, *branch.output_sizes[:-1], 0.0] if branch.output_sizes else [0.0]
    return _latencies(first=branch.device, then=branch.edge, sizes=sizes, bandwidth=bandwidth)


def _latencies(
    *, first: Sequence[float], then: Sequence[float], sizes: Sequence[float], bandwidth: BitsPerSecond
) -> list[Seconds]:
    # Prefix and suffix sums: O(N) for all p, where the formula as printed takes O(N^2).
    before = accumulate(first, initial=0.0)  # sum_{j < p}
    after = reversed(list(accumulate(reversed(then), initial=0.0)))  # sum_{j >= p}
    travel = (serialisation_time(size, bandwidth) for size in sizes)
    return [Seconds(a + b + c) for a, b, c in zip(before, after, travel, strict=True)]
