"""`edgent doctor`: what this machine and the link to an edge have that costs time, and the command that mends it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.options import AsJson, Insecure
from edgent.cli.terminal import show
from edgent.errors import EdgentError, InputError
from edgent.units import format_bandwidth, format_bytes, format_duration

if TYPE_CHECKING:
    from edgent.doctor.link import LinkCheck, PauseCost
    from edgent.doctor.machine import Finding, Repair
    from edgent.doctor.mending import Mending
    from edgent.wire.edge_client import ModelCounts

_NOT_FOUND = "not found"
_TIMEOUT = 10.0


def doctor(
    edge: Annotated[str, typer.Option(metavar="HOST:PORT", help="Measure the link to this edge, too.")] = "",
    insecure: Insecure = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what costs time, as root; each is asked for first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Mend all of it without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """What this machine and link have; what costs time or is missing, and the command that mends it."""
    from edgent.doctor.machine import checkup, output_of
    from edgent.doctor.mending import mend

    if yes and not fix:
        raise InputError("--yes agrees to what --fix would do: add --fix, or leave it out")
    if fix and as_json and not yes:
        raise InputError("--fix asks before it mends, and --json prints its document alone: add --yes")
    link, served = _asked(edge, insecure) if edge else (None, ())
    of_machine = checkup()
    findings = [*of_machine, *(_of_pauses(link) if link else [])]
    if not as_json:
        if link is not None:
            _print_link(edge, link)
            _print_served(served)
        _print_findings(findings)
    mendings: list[Mending] = []
    if fix:
        check_may_mend(of_machine, os.geteuid())
        done = mend(of_machine, (lambda *_: True) if yes else _agrees, checkup, output_of)
        mendings = list(done) if as_json else list(_told(done))
    if as_json:
        show.document(
            {
                "edge": edge or None,
                "link": link and _document(link),
                "served": [_averages(counts) for counts in served],
                "findings": list(map(asdict, findings)),
                **({"mendings": [_of_mending(mending) for mending in mendings]} if fix else {}),
            }
        )
    if not all(mending.worked for mending in mendings):
        raise EdgentError("not all was mended; what failed is named above, with the command to run by hand")


def check_may_mend(findings: Sequence[Finding], user: int) -> None:
    """Whether somebody may mend these.

    Raises:
        EdgentError: only root may, and there is something to mend.
    """
    if user != 0 and any(finding.repair for finding in findings):
        raise EdgentError("only root may change this machine: run `sudo edgent doctor --fix`, or the commands above")


def _agrees(finding: Finding, repair: Repair) -> bool:
    show.out.print(f"\n{finding.what}: {finding.found}; it costs: {finding.costs}", soft_wrap=True)
    show.out.print(f"    would run: {repair.typed}\n    undone by: {repair.undo_typed}", soft_wrap=True)
    return typer.confirm("Do it?", default=False)


def _told(mendings: Iterable[Mending]) -> Iterable[Mending]:
    """Prints each as soon as it is done."""
    some = False
    for mending in mendings:
        some = True
        after = mending.after.found if mending.after else None
        show.out.print(f"{mending.before.what}: {mending.before.found} -> {after or _NOT_FOUND}", soft_wrap=True)
        if mending.worked:
            show.out.print(f"    undo:  {mending.repair.undo_typed}", soft_wrap=True)
        else:
            how = "had no effect" if mending.ran else "failed"
            show.complain(f"{mending.before.what}: {mending.repair.typed} {how}; run it by hand to see why")
        yield mending
    show.out.print("\nwhat was mended holds until this machine starts again" if some else "\nnothing was changed")


def _of_mending(mending: Mending) -> dict[str, Any]:
    return {
        "what": mending.before.what,
        "before": mending.before.found,
        "after": mending.after.found if mending.after else None,
        "worked": mending.worked,
        "command": list(mending.repair.command),
        "undo": list(mending.repair.undo),
    }


def _asked(edge: str, insecure: bool) -> tuple[LinkCheck, tuple[ModelCounts, ...]]:
    """What the link is like, and what the edge says it has served."""
    from edgent.clock import MonotonicClock
    from edgent.doctor.link import check_link
    from edgent.identity.joined import credentials_towards
    from edgent.wire.edge_client import EdgeClient
    from edgent.wire.grpc_channel import GrpcChannel

    # Without the upkeep of a device's connection: what it probes would share the link with what is measured.
    clock, credentials = MonotonicClock(), credentials_towards(edge, insecure=insecure)
    channel = GrpcChannel(edge, max_message=4 << 20, clock=clock, credentials=credentials)
    try:
        show.err.print("measuring the link, some 10 s")
        remote = EdgeClient(channel)
        return check_link(remote, clock), remote.report(_TIMEOUT)
    finally:
        channel.close()


def _of_pauses(link: LinkCheck) -> list[Finding]:
    """What pauses were measured to cost, as findings: each is mended on the machine that sends."""
    return [_of_pause("uplink", "on this machine", link.up), _of_pause("downlink", "on the edge", link.down)]


def _of_pause(way: str, where: str, pause: PauseCost) -> Finding:
    from edgent.doctor.machine import Finding

    what = f"{format_bytes(pause.bytes)} after 1 s, {way}"
    times = f"{format_duration(pause.after_pause)}, at once {format_duration(pause.at_once)}"
    # A setting is only advised where it was seen to cost something here, on this link.
    if not pause.cost:
        return Finding(what=what, found=times)
    costs = f"{format_duration(pause.cost)} after each pause: TCP's slow start after idling"
    return Finding(
        what=what, found=times, costs=costs, mend=f"{where}: sudo sysctl -w net.ipv4.tcp_slow_start_after_idle=0"
    )


def _document(link: LinkCheck) -> dict[str, Any]:
    def pause(of: PauseCost) -> dict[str, float]:
        return {
            "bytes": of.bytes,
            "after_pause_ms": of.after_pause * 1e3,
            "at_once_ms": of.at_once * 1e3,
            "costs_ms": of.cost * 1e3,
        }

    return {
        "round_trip_ms": link.round_trip * 1e3,
        "uplink_bps": link.uplink,
        "downlink_bps": link.downlink,
        "pause_up": pause(link.up),
        "pause_down": pause(link.down),
    }


def _print_link(edge: str, link: LinkCheck) -> None:
    show.out.print(
        f"{edge}: round trip {format_duration(link.round_trip)}, {format_bandwidth(link.uplink)} up, "
        f"{format_bandwidth(link.downlink)} down\n"
    )


def _averages(account: ModelCounts) -> dict[str, Any]:
    times = {"queue_ms": account.queue, "middle_ms": account.middle}
    return {
        "model": account.name,
        "version": account.version,
        "answered": account.answered,
        "turned_away": account.turned_away,
        **{name: seconds / account.answered * 1e3 if account.answered else None for name, seconds in times.items()},
    }


def _print_served(served: tuple[ModelCounts, ...]) -> None:
    for model in served:
        queue, middle = (format_duration(seconds / max(model.answered, 1)) for seconds in (model.queue, model.middle))
        times = f", on average {queue} in the queue and {middle} of work" if model.answered else ""
        counts = f"{model.answered} answered, {model.turned_away} turned away"
        show.out.print(f"{model.name} {model.version}: {counts}{times}")
    show.out.print()


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        show.out.print(f"{'!' if finding.costs else ' '} {finding.what}: {finding.found or _NOT_FOUND}")
        if finding.costs:
            show.out.print(f"    costs: {finding.costs}")
            show.out.print(f"    mend:  {finding.mend}")
    wrong = sum(bool(finding.costs) for finding in findings)
    show.out.print(f"\n{wrong} of {len(findings)} cost time" if wrong else "\nnothing was found that costs time")
