"""The results of the demo in words, the same on the terminal and in the report."""

from __future__ import annotations

from edgent.demo.paper.outage import Unplugged
from edgent.demo.paper.paired import Comparison
from edgent.demo.paper.result import CellOutcome, DemoResult
from edgent.planning.plan import RAW, Configuration
from edgent.units import format_bandwidth, format_duration


def chosen_in_words(configuration: Configuration) -> str:
    """A choice in words: "exit 4 on the device" or "exit 2, cuts 3..19, uint8+zstd"."""
    if configuration.device_only:
        return f"exit {configuration.exit} on the device"
    codecs = configuration.codec
    if configuration.download_codec != RAW:
        codecs += f", back {configuration.download_codec}"
    return f"exit {configuration.exit}, cuts {configuration.upload_cut}..{configuration.download_cut}, {codecs}"


def cell_in_words(point: CellOutcome) -> str:
    """A cell in words: its bandwidth and its deadline."""
    return f"{format_bandwidth(point.cell.bandwidth)}, {format_duration(point.cell.deadline)}"


def verdict(result: DemoResult) -> str:
    """How Edgent compares, in a sentence or two."""
    counted = [point for point in result.points if not point.borderline]
    worse = [f"{cell_in_words(p)} ({', '.join(p.worse_than)})" for p in counted if p.worse_than]
    chance = sum(bool(p.lower_than) and not p.worse_than for p in counted)
    border = len(result.points) - len(counted)
    ruled = "at most a quarter may be" if result.is_evidence else "MORE THAN A QUARTER: this comparison is no evidence"
    return (
        f"In {len(counted) - len(worse)} of {len(counted)} cells Edgent is not worse than any other method, the rival "
        f"included: not by more than half a point beyond the paired interval (in {chance} of them its figure is more "
        f"than half a point lower, within the interval). {'Worse at: ' + '; '.join(worse) + '. ' if worse else ''}"
        f"{border} of {len(result.points)} cells are borderline (a median within 5 % of the deadline) and not counted; "
        f"{ruled}."
    )


def ahead_in_words(compared: Comparison | None) -> str:
    """How far Edgent is ahead, in points with the interval; empty beside itself."""
    if compared is None:
        return ""
    ahead, low, high = (value * 100 for value in (compared.ahead, compared.low, compared.high))
    return f"{ahead:+z.1f} ({low:+z.1f} .. {high:+z.1f})"


def confirmation(result: DemoResult) -> str:
    """What the device itself decided."""
    decided = [point for point in result.points if point.decision is not None]
    same = sum(point.confirmed for point in decided)
    return (
        f"Given the deadline only, the device itself, on its own measurements of the live link, decided for the same "
        f"configuration in {same} of {len(decided)} cells."
    )


def knobs(result: DemoResult) -> str:
    """How often each knob was needed."""
    shares = ", ".join(f"{knob} {share * 100:.0f} %" for knob, share in result.knobs.items())
    return f"Share of the cells in which each knob was needed: {shares}."


def other_device(result: DemoResult) -> str:
    """How often the second device needs no edge."""
    if result.beside is None:
        return ""
    share = result.beside.alone_suffices * 100
    return f"No plan promises more than the device alone in {share:.0f} % of the cells on {result.beside.name}."


def emulated_in_words(result: DemoResult) -> str:
    """What the device is, what its planner knows of it, and how well this machine stood in for it."""
    return (
        f"Emulated: the link, and the device, {result.host.device}. Its planner never sees these factors: it knows the "
        "device by what profiling through the emulation finds, of everything the median of some jittered runs, and by "
        f"its records. Overruns: {result.host.account}."
    )


def unplugged_in_words(run: Unplugged) -> str:
    """What happened while the link was cut."""
    back = run.back_after
    returned = (
        "the edge did not answer again" if back is None else f"the edge answered again {back:.2f} s after its return"
    )
    gone = run.phase("during")
    met = sum(r.deadline_met for r in gone)
    return (
        f"At {format_bandwidth(run.bandwidth)} and a deadline of {format_duration(run.deadline)} the link was cut for "
        f"{round(run.restored_at - run.cut_at, 1):g} s: every byte stopped. Meanwhile the device answered "
        f"{sum(r.by == 'device' for r in gone)} of {len(gone)} requests by itself, {met} in time; {returned}."
    )
