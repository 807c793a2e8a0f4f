"""Facts about a machine that cost inferences time, each with the command that mends it.

Facts are read where Linux keeps them, and from `iw` and `vcgencmd` where these are installed. What is absent or cannot
be read is *not found*: no guess stands in for it.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 5.0  # seconds for a command
_SLOW_START = "proc/sys/net/ipv4/tcp_slow_start_after_idle"
_GOVERNORS = "sys/devices/system/cpu"
# Bits of `vcgencmd get_throttled` that tell of now; the same 16 higher tell of any time since the start.
_THROTTLED = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")

Run = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What mends a finding until the machine starts again; as root.

    Attributes:
        command: What is run.
        undo: What makes it as it was.
    """

    command: tuple[str, ...]
    undo: tuple[str, ...]

    @property
    def typed(self) -> str:
        """The command as a user types it."""
        return f"sudo {shlex.join(self.command)}"

    @property
    def undo_typed(self) -> str:
        """The same of what undoes it."""
        return f"sudo {shlex.join(self.undo)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact about a machine.

    Attributes:
        what: Its name.
        found: Its value in words; None where it was not found.
        costs: What it costs an inference, in words; empty where it costs nothing, or is unknown.
        mend: The command, or the action, that mends it; empty where nothing is to be mended.
        repair: The command as it can be run; None where nothing is to be mended, or no command can.
    """

    what: str
    found: str | None
    costs: str = ""
    mend: str = ""
    repair: Repair | None = None


def checkup(root: Path = Path("/"), run: Run | None = None) -> tuple[Finding, ...]:
    """All facts about this machine.

    Args:
        root: Where /proc and /sys are.
        run: Runs a command and returns its output; None where the command is missing or fails.
    """
    run = run or output_of
    return (slow_start_after_idle(root), *wifi_power_save(root, run), governor(root), *throttling(root, run))


def slow_start_after_idle(root: Path) -> Finding:
    """Whether TCP forgets its congestion window after each pause."""
    setting = _read(root / _SLOW_START)
    # The initial window is ten segments of 1448 bytes.
    costs = "after a pause, messages over 14 kB wait for one or more round trips" if setting == "1" else ""
    set_to = "net.ipv4.tcp_slow_start_after_idle"
    repair = Repair(command=("sysctl", "-w", f"{set_to}=0"), undo=("sysctl", "-w", f"{set_to}=1")) if costs else None
    return Finding(
        what="tcp_slow_start_after_idle",
        found={"1": "on", "0": "off"}.get(setting or "", setting),
        costs=costs,
        mend=repair.typed if repair else "",
        repair=repair,
    )


def wifi_power_save(root: Path, run: Run) -> list[Finding]:
    """Whether the radio sleeps between messages, for each Wi-Fi interface."""
    devices = sorted(path.parent.name for path in (root / "sys/class/net").glob("*/wireless"))
    if not devices:
        return [Finding(what="Wi-Fi power save", found=None)]
    return [_power_save(device, run) for device in devices]


def _power_save(device: str, run: Run) -> Finding:
    printed = run(["iw", "dev", device, "get", "power_save"])
    # `iw` prints "Power save: on".
    state = None if printed is None else printed.rpartition(":")[2].strip() or None
    asleep = state == "on"
    setting = ("iw", "dev", device, "set", "power_save")
    repair = Repair(command=(*setting, "off"), undo=(*setting, "on")) if asleep else None
    return Finding(
        what=f"Wi-Fi power save ({device})",
        found=state,
        costs="a message may wait for the radio to wake, up to some 100 ms" if asleep else "",
        mend=repair.typed if repair else "",
        repair=repair,
    )


def governor(root: Path) -> Finding:
    """Whether the processor begins each request at a low clock rate."""
    files = sorted((root / _GOVERNORS).glob("cpu[0-9]*/cpufreq/scaling_governor"))
    by_file = {file.relative_to(root): name for file in files if (name := _read(file))}
    names = sorted(set(by_file.values()))
    slow = [name for name in names if name != "performance"]
    before = "; ".join(f"echo {name} > /{file}" for file, name in by_file.items())
    every = f"echo performance | tee /{_GOVERNORS}/cpu*/cpufreq/scaling_governor"
    repair = Repair(command=("sh", "-c", every), undo=("sh", "-c", before)) if slow else None
    return Finding(
        what="CPU governor",
        found=", ".join(names) or None,
        costs="the clock rate rises only some way into a request" if slow else "",
        mend=repair.typed if repair else "",
        repair=repair,
    )


def throttling(root: Path, run: Run) -> list[Finding]:
    """Whether heat or a weak supply holds the processor back: a Raspberry Pi's own word, or the kernel's counters."""
    # Only a Raspberry Pi has this command; it knows of the supply's voltage, which the kernel does not.
    printed = run(["vcgencmd", "get_throttled"])
    if printed is not None:
        with suppress(ValueError):
            return [_raspberry(int(printed.strip().rpartition("=")[2], 16))]
    counters = (root / _GOVERNORS).glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [int(text) for text in map(_read, counters) if text is not None and text.isdigit()]
    if not counts:
        return [Finding(what="throttling", found=None)]
    times = max(counts)
    return [
        Finding(
            what="throttling",
            found=f"{times} times since the start",
            costs="the processor was held back by heat" if times else "",
            mend="cool the board: a heat sink, a fan, or room for air" if times else "",
        )
    ]


def _raspberry(bits: int) -> Finding:
    now = [word for bit, word in enumerate(_THROTTLED) if bits >> bit & 1]
    before = [word for bit, word in enumerate(_THROTTLED) if bits >> (16 + bit) & 1 and word not in now]
    mends = ["a power supply of 5.1 V that is strong enough"] * ("under-voltage" in now + before)
    mends += ["cool the board: a heat sink or a fan"] * bool(set(now + before) - {"under-voltage"})
    words = [*(f"{word} now" for word in now), *(f"{word} before" for word in before)]
    return Finding(
        what="throttling",
        found=", ".join(words) or "none",
        costs="the processor is or was held back" if words else "",
        mend="; ".join(mends),
    )


def output_of(command: Sequence[str]) -> str | None:
    """What a command prints; None where it is not installed, fails or hangs."""
    try:
        # A fixed list of arguments and no shell: nothing in them can be taken for a command.
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
