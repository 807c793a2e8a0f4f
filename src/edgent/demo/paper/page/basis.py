"""The report's sections on its basis: a second device, predictions, the transport, and what is emulated."""

from __future__ import annotations

import statistics

from edgent.demo.paper.result import DemoResult
from edgent.demo.paper.words import chosen_in_words, emulated_in_words
from edgent.planning.plan import Plan
from edgent.report import Section, paragraph, table
from edgent.units import format_bandwidth, format_duration


def other_device_section(result: DemoResult) -> Section:
    """What would be planned for a faster device."""
    beside, options = result.beside, result.options
    title = f"A faster device: {options.also}"
    if beside is None:
        return Section(title=title, parts=(paragraph("Not looked at."),))
    rows = [
        (format_duration(deadline), *(_planned(beside.plans[b, deadline]) for b in options.bandwidths))
        for deadline in options.deadlines
    ]
    text = (
        f"{beside.name}. Alone it takes {statistics.median(beside.totals) * 1e3:.1f} ms (live, median of "
        f"{len(beside.totals)}; the deadlines begin at {format_duration(min(options.deadlines))}). In "
        f"{beside.alone_suffices * 100:.0f} % of the cells no plan promises a better accuracy in time than the device "
        f"alone; a plan with the edge is only faster there. Overruns: {beside.account}."
    )
    head = ("deadline", *(format_bandwidth(b) for b in options.bandwidths))
    return Section(title=title, parts=(paragraph(text), table(head, rows)))


def _planned(plan: Plan) -> str:
    late = "" if plan.meets_deadline else ", late"
    return f"{chosen_in_words(plan.configuration)} ({plan.stages.total * 1e3:.0f} ms{late})"


def trust(result: DemoResult) -> Section:
    """The section on the errors of the predictions, and on the cost of our transport."""
    errors = result.prediction_errors
    off = (
        f"Prediction: over {len(errors)} live configurations the planned latency was off by "
        f"{statistics.median(errors) * 100:.1f} % in the median and {max(errors) * 100:.1f} % at the most. The "
        "planner had the device's profile, not the factors that perturb it; a part takes the sum of its layers there, "
        "on a real board only about that."
        if errors
        else "Nothing was predicted."
    )
    cost = (
        "Cost of the transport: the same configuration over gRPC with the Open Inference Protocol, less over the "
        "rival's bare socket; difference of the medians. At low bandwidths these are the bytes of headers and messages."
    )
    rows = [(format_bandwidth(e.bandwidth), e.codec, f"{e.seconds * 1e3:+.1f}") for e in result.transport]
    compared = (paragraph(cost), table(("bandwidth", "codec", "ours minus bare socket, ms"), rows)) if rows else ()
    return Section(title="Prediction and transport", parts=(paragraph(off), *compared))


def emulation(result: DemoResult) -> Section:
    """The section on what is real and what is emulated."""
    host, requests = result.host, [point.requests for point in result.points]
    words = (
        "Real: the network and its measured accuracy, the images, the edge process, the device process, gRPC and TCP "
        "between them, every inference.",
        emulated_in_words(result),
        "Everything it computes (image decoding, codecs, layers) returns no earlier than this machine's profiled time "
        "x the board's factor x the hidden one of that layer type, codec or step x jitter. That makes no real board: "
        "between networks the true factor differs by two and more.",
        "Emulated link: a proxy in user space, the same rate in both directions, packet headers counted, "
        f"{format_duration(result.options.round_trip)} round trip. It ends TCP on both sides, so slow start after "
        "idling, loss and retransmission do not show. The device is told neither bandwidth nor round trip: it measures "
        "them through that link, and every method plans on what it measured.",
        f"Live runs: {min(requests)} to {max(requests)} requests of each configuration in each link state, interleaved "
        "(what needs no link: once for all). The rival picks, in hindsight, its best codec for each cell; its encoding "
        "is slowed like everything on the device, its network runs in a bare ONNX Runtime loop behind a plain socket.",
        f"Machine: {host.machine}; {host.engine}. Model {result.model} {result.digest[:12]}.",
    )
    return Section(
        title="What is real and what is emulated",
        parts=(*map(paragraph, words), paragraph("Commands:", code=host.commands)),
    )
