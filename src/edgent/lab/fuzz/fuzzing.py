"""Gives a reader input after input, and sees what it says, how long that takes and what memory it costs."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

from edgent.errors import EdgentError
from edgent.lab.fuzz.mutations import Mutation

MOST_BEYOND = 1 << 20
"""Bytes that an input which is rejected may cost beyond its own."""

MOST_SECONDS = 1.0
"""For one input: a reader that takes longer can be made to hang."""

_SELF = Path("/proc/self")
_LIBRARY = "/edgent/"  # in the paths of its files
_FINDINGS = 20  # that are kept of a target
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzTarget:
    """A reader of what comes from outside.

    Attributes:
        name: its own.
        modules: of the library, whose reading this is.
        seeds: honest inputs.
        mutate: how they are changed.
        read: takes an input; returns, or raises what `rejects`.
        rejects: how it may say no.
    """

    name: str
    modules: tuple[str, ...]
    seeds: tuple[bytes, ...]
    mutate: Mutation
    read: Callable[[bytes], object]
    rejects: tuple[type[BaseException], ...] = (EdgentError,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzFinding:
    """An input that was neither read nor rejected as it should be; `target`, `seed` and `number` make it again."""

    target: str
    seed: int
    number: int
    what: str
    size: int
    input: bytes = field(repr=False)

    @property
    def file_name(self) -> str:
        """What it is kept as."""
        return f"{self.target.replace(' ', '-')}-{sha256(self.input).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzResult:
    """What came of many inputs."""

    target: str
    inputs: int
    read: int
    rejected: int
    findings: tuple[FuzzFinding, ...]
    seconds: float
    worst_ms: float
    beyond_mb: float


def input_of(target: FuzzTarget, seed: int, number: int) -> bytes:
    """One input of a run: it depends on nothing else, so a finding is made again at once."""
    chance = Random(f"{target.name} {seed} {number}")
    return target.mutate(chance, chance.choice(target.seeds), target.seeds)


def fuzzed(target: FuzzTarget, seed: int, numbers: range) -> FuzzResult:
    """Gives a reader these inputs.

    Raises:
        AssertionError: it reads none of its own honest inputs.
    """
    _check_honest(target)
    run = _Run(target=target, seed=seed)
    began_at = time.perf_counter()
    with warnings.catch_warnings():
        # A line that nobody asked for, on a terminal or in a log, is a fault as well.
        warnings.simplefilter("error")
        for number in numbers:
            run.give(number, input_of(target, seed, number))
    return FuzzResult(
        target=target.name,
        inputs=len(numbers),
        read=run.read,
        rejected=run.rejected,
        findings=tuple(run.findings),
        seconds=round(time.perf_counter() - began_at, 2),
        worst_ms=round(run.worst * 1e3, 2),
        beyond_mb=round(run.beyond / 1e6, 2),
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    target: FuzzTarget
    seed: int
    read: int = 0
    rejected: int = 0
    worst: float = 0.0
    beyond: float = 0.0
    findings: list[FuzzFinding] = field(default_factory=list)

    def give(self, number: int, data: bytes) -> None:
        """One input."""
        # For each anew: a process that has become smaller since its peak could take as much again unseen.
        _forget_peak()
        size, began_at, accepted, what = _status("VmRSS"), time.perf_counter(), False, ""
        try:
            self.target.read(data)
            accepted = True
        except self.target.rejects as error:
            what = _of_more_than_a_line(str(error))
        except (Exception, RecursionError) as error:
            what = f"untyped {type(error).__name__} at {_place(error)}: {error}"[:300]
        seconds = time.perf_counter() - began_at
        self.worst = max(self.worst, seconds)
        self.read, self.rejected = self.read + accepted, self.rejected + (not accepted)
        if seconds > MOST_SECONDS and _least(lambda: self._again(data), MOST_SECONDS) > MOST_SECONDS:
            what = f"took {seconds:.1f} s"
        if not accepted and _status("VmHWM") - size > MOST_BEYOND:
            self._weigh(number, data)
        if what:
            self._found(number, data, what)

    def _weigh(self, number: int, data: bytes) -> None:
        """The process has grown: what of it this input takes is seen when it comes once more."""
        if (beyond := _least(lambda: cost(self.target, data) - len(data), MOST_BEYOND)) > MOST_BEYOND:
            self._found(number, data, f"{beyond / 1e6:.1f} MB for an input that is rejected")
        self.beyond = max(self.beyond, beyond)

    def _again(self, data: bytes) -> float:
        began_at = time.perf_counter()
        _tried(self.target, data)
        return time.perf_counter() - began_at

    def _found(self, number: int, data: bytes, what: str) -> None:
        if len(self.findings) < _FINDINGS and what not in {finding.what for finding in self.findings}:
            self.findings.append(
                FuzzFinding(
                    target=self.target.name, seed=self.seed, number=number, what=what, size=len(data), input=data
                )
            )


def _least(measure: Callable[[], float], most: float) -> float:
    """What an input takes it takes each time; what the machine or another thread did meanwhile comes once."""
    least = measure()
    for _ in range(_TRIES - 1):
        if least <= most:
            break
        least = min(least, measure())
    return least


def cost(target: FuzzTarget, data: bytes) -> int:
    """Bytes by which the process grows at most while it reads this."""
    _tried(target, data)  # what is made once is not the input's
    before = _status("VmRSS")
    _forget_peak()
    _tried(target, data)
    return max(0, _status("VmHWM") - before)


def _tried(target: FuzzTarget, data: bytes) -> None:
    try:
        target.read(data)
    except Exception:  # what it is was judged when it came first
        return


def _check_honest(target: FuzzTarget) -> None:
    refusals = []
    for honest in target.seeds:
        try:
            target.read(honest)
        except target.rejects as error:
            refusals.append(str(error))
    assert len(refusals) < len(target.seeds), f"{target.name} does not read what is honest: {refusals}"


def _of_more_than_a_line(text: str) -> str:
    return f"an error of {len(text)} signs, or of several lines: {text[:80]!r}" if _unfit(text) else ""


def _unfit(text: str) -> bool:
    return "\n" in text or len(text) > 2_000 or any(ord(sign) < 32 or 0x202A <= ord(sign) <= 0x202E for sign in text)


def _place(error: BaseException) -> str:
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _LIBRARY in frame.filename and frame.filename != __file__]
    last = ours[-1] if ours else frames[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _forget_peak() -> None:
    """What the process took at most so far counts no more: proc(5), `clear_refs`."""
    (_SELF / "clear_refs").write_text("5")


def _status(name: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
