"""`edgent doctor`: what this machine and the link to an edge have that costs time, and the command that mends it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.options import AsJson, Insecure
from edgent.cli.terminal import show
from edgent.units import format_bandwidth, format_bytes, format_duration

if TYPE_CHECKING:
    from edgent.doctor.link import LinkCheck, PauseCost
    from edgent.doctor.machine import Finding
    from edgent.wire.edge_client import ModelCounts

_NOT_FOUND = "not found"
_TIMEOUT = 10.0


def doctor(
    edge: Annotated[str, typer.Option(metavar="HOST:PORT", help="Measure the link to this edge, too.")] = "",
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """What this machine and link have; what costs time or is missing, and the command that mends it."""
    from edgent.doctor.machine import checkup

    link, served = _asked(edge, insecure) if edge else (None, ())
    findings = [*checkup(), *(_of_pauses(link) if link else [])]
    if as_json:
        show.document(
            {
                "edge": edge or None,
                "link": link and _document(link),
                "served": [_averages(counts) for counts in served],
                "findings": list(map(asdict, findings)),
            }
        )
        return
    if link is not None:
        _print_link(edge, link)
        _print_served(served)
    _print_findings(findings)


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
