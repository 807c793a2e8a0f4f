"""`/metrics`: what a view counts, for Prometheus, in its base units (seconds, bytes) and with its endings of names.

Nothing is counted twice for it: the numbers are the view's, read when somebody scrapes. All labels are bounded, for
each of their values costs whoever keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from edgent.dashboard.tallies import BUCKETS
from edgent.units import BITS_PER_BYTE
from edgent.version import __version__

if TYPE_CHECKING:
    from edgent.dashboard.device_view import DeviceView
    from edgent.dashboard.edge_view import EdgeView


def scraped(families: Callable[[], Iterator[Metric]]) -> Callable[[], tuple[bytes, str]]:
    """What gives the text of `/metrics`, and its type."""
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return lambda: (generate_latest(registry), CONTENT_TYPE_LATEST)


class _Families(Collector):
    """What a registry asks."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()


def device_families(view: DeviceView) -> Iterator[Metric]:
    """The metrics of a device."""
    device, tallies = view.device, view.tallies
    yield _info("edgent_device", "The device's model and release.", device.model.name, device.model.version)
    yield _gauge("edgent_deadline_seconds", "Deadline of the device's answers.", device.deadline)
    frames = CounterMetricFamily(
        "edgent_frames",
        "Frames by what became of them: answered in time or late, replaced by a newer one, or failed.",
        labels=("source", "outcome"),
    )
    refined = CounterMetricFamily("edgent_refined_answers", "Answers that a better one followed.", labels=("source",))
    with view.guard:
        for source, tally in tallies.sources.items():
            for outcome in ("in_time", "late", "replaced", "failed"):
                frames.add_metric((source, outcome), getattr(tally, outcome))
            refined.add_metric((source,), tally.refined)
        yield from (frames, refined, _latencies(view), _stages(view))
        yield _counter("edgent_missed_deadlines", "Late answers by what made them late.", "reason", tallies.missed)
        detours = "Answers that are not by their plan, by the reason."
        yield _counter("edgent_detours", detours, "reason", tallies.detours)
    yield from _link_families(view)


def _latencies(view: DeviceView) -> Metric:
    durations = HistogramMetricFamily(
        "edgent_answer_duration_seconds", "From the input handed over to the answer, by who answered.", labels=("by",)
    )
    ends = (*map(str, BUCKETS), "+Inf")
    for side, tally in view.tallies.latencies.items():
        buckets = list(zip(ends, map(float, accumulate(tally.counts)), strict=True))
        durations.add_metric((side,), buckets=buckets, sum_value=tally.seconds)
    return durations


def _stages(view: DeviceView) -> Metric:
    words = "Seconds that answers spent in each stage, all added up."
    return _counter("edgent_stage_seconds", words, "stage", view.tallies.stages)


def _link_families(view: DeviceView) -> Iterator[Metric]:
    device, conditions = view.device, view.device.conditions
    # Without an edge there is no link to speak of; a 0 would be an edge that is lost, and raise an alarm.
    if not device.has_edge:
        return
    yield _gauge("edgent_edge_connected", "1 while the edge is connected and serves the model.", device.connected)
    yield _counter(
        "edgent_link_bytes",
        "Bytes of requests sent up, and of their answers that came down.",
        "direction",
        dict(zip(("up", "down"), device.traffic, strict=True)),
    )
    if conditions is None:
        return
    bandwidth = GaugeMetricFamily(
        "edgent_link_bandwidth_bytes_per_second", "Bandwidth that the link is believed to have.", labels=("direction",)
    )
    for direction, transfers in (("up", conditions.uplink), ("down", conditions.downlink)):
        bandwidth.add_metric((direction,), transfers.bandwidth / BITS_PER_BYTE)
    yield bandwidth
    words = "Round trip that the link is believed to have."
    yield _gauge("edgent_link_round_trip_seconds", words, conditions.uplink.round_trip)
    yield _gauge("edgent_edge_wait_seconds", "Wait at the edge, by its last word.", conditions.queue)


def edge_families(view: EdgeView) -> Iterator[Metric]:
    """The metrics of an edge."""
    labels = ("model", "version")
    requests = CounterMetricFamily(
        "edgent_edge_requests", "Requests by model and by what became of them.", labels=(*labels, "outcome")
    )
    waited = CounterMetricFamily("edgent_edge_queue_seconds", "Seconds that answered requests waited.", labels=labels)
    computed = CounterMetricFamily(
        "edgent_edge_compute_seconds", "Seconds of decoding, computing and encoding.", labels=labels
    )
    for account in view.edge.service.counters.accounts:
        model = (account.name, account.version)
        requests.add_metric((*model, "answered"), account.answered)
        requests.add_metric((*model, "refused"), account.turned_away)
        waited.add_metric(model, account.queue)
        computed.add_metric(model, account.middle)
    yield from (requests, waited, computed)
    yield from _queue_families(view)
    asked = CounterMetricFamily(
        "edgent_edge_device_requests",
        "Requests by the device that asked; all beyond the first 256 share a name.",
        labels=("device", "outcome"),
    )
    for name, counts in view.callers.counts.items():
        for outcome in ("answered", "refused", "failed"):
            asked.add_metric((name, outcome), getattr(counts, outcome))
    yield asked


def _queue_families(view: EdgeView) -> Iterator[Metric]:
    load = view.edge.service.queue_threads.load
    yield _gauge("edgent_edge_running_requests", "Requests that are computed now.", load.running)
    yield _gauge("edgent_edge_slots", "Requests that may be computed at once.", load.slots)
    yield _gauge("edgent_edge_waiting_requests", "Requests that wait now.", load.waiting)
    yield _gauge("edgent_edge_waiting_limit", "Requests that may wait.", load.bound)
    yield _gauge("edgent_edge_expected_wait_seconds", "How long a request that came now would wait.", load.wait)


def _info(name: str, words: str, model: str, version: str) -> Metric:
    value = {"model": model, "model_version": version, "release": __version__}
    return InfoMetricFamily(name, words, value=value)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))


def _counter(name: str, words: str, label: str, counts: dict[str, float] | dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, words, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family
