"""What a device is told when it is built: one frozen value, or the same as keywords of `Device` and `connect`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypedDict

from edgent.device.choosers.candidate_sets import Restriction
from edgent.device.choosers.chooser import Environment, MakeChooser
from edgent.device.choosers.environment import check_environment, chooser_of
from edgent.planning.planner import usual_margin
from edgent.text import nearest
from edgent.units import Seconds, delay_of, rate_of, seconds_of

if TYPE_CHECKING:
    from edgent.clock import Clock
    from edgent.codec import Calibration
    from edgent.device.connection.handshake import OnVersion
    from edgent.engine.engine import Engine
    from edgent.engine.pace import Pace
    from edgent.latency import Profile
    from edgent.planning.candidates import Direction
    from edgent.planning.configuration_map import ConfigurationMap
    from edgent.planning.gates import Gates
    from edgent.telemetry import Record
    from edgent.tracing.device_traces import DeviceTraces
    from edgent.wire.transport import Channel

# A thread may wake 5 ms late beside a full load, so a margin of some milliseconds keeps most deadlines. Of a long
# deadline 3 % would be more than any thread needs.
LEAST_MARGIN, MOST_MARGIN = 0.002, 0.020  # seconds
# Answers that are kept for an edge until their deadlines would all be handed over at the same moment, and the last one
# of fifty was late by 0.3 s on a full machine. So each request keeps more free than those that came before it.
HANDED_OVER = 0.003  # seconds that a thread takes to wake and hand over its answer there


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DeviceSettings:
    """What a device is told; everything but the deadline has a default that measures, fetches or allows.

    Attributes:
        deadline: seconds from input handed over to answer, unless a request names its own.
        margin: seconds kept free before a deadline; None: 3 % of it, within 2 .. 20 ms.
        race: whether the device starts a branch of its own when the edge is late. Without it the dynamic environment
            still has the device answer beside an edge that it only tries, as it would by itself.
        require_edge: whether a lost edge is an error; else the device answers by itself.
        on_record: called with each answer's record after the answer, in a thread of its own; what it raises is logged.
        traces: what makes spans of requests (`edgent run --trace-to`); None: nothing does.
        on_version: for a model that was fetched from the edge: called with the version that the model's name stands for
            there, whenever that is learned; another one is no error then. See `edgent.device.versions.follower`.
        environment: "static": plans are chosen by the planner, for the link as the last transfer found it; "dynamic":
            by a controller that follows the link; a configuration map: they are looked up in it by the paper's
            Algorithm 3; or what makes a chooser of your own.
        direction: which cuts plans may have: "any", "device-first" or "edge-first".
        exits: numbers of the exits that may answer; None: all.
        codecs: names of the codecs that plans may use; None: all.
        device_profile: times of the model on this device; None: only configurations that requests name can be run.
        edge_profile: the same of an edge that has none to fetch; None: the edge is taken to be as fast as this machine.
        calibration: sizes and accuracies of codecs on the model; None: the edge's, if it has one.
        gates: of which first answers the device is sure enough not to ask the edge (`edgent gate`); None: of none.
        expected_sizes: how large codecs make the pictures that will come, where no calibration says it (see
            `edgent.evaluation.sizes`); what their files take is learned from the requests as well.
        bandwidth: of the uplink, bits per second, where it is known; None: it is measured, and kept fresh.
        downlink: of the downlink, bits per second; None: as the bandwidth where that is known, else measured.
        round_trip: seconds; None: it is measured.
        engine: what runs segments; None: ONNX Runtime with one thread.
        insecure: whether plain text may be spoken with an edge on another machine; else the device must have joined it
            (`edgent join`), and shows its certificate there.
        channel: what carries messages to the edge; None: gRPC to its address. For tests.
        clock: what times everything, and what everybody waits by; None: the machine's own. For tests.
        pace: what holds the device's work to the speed of a slower machine; None: work takes what it takes. For labs.
        host_profile: times on the machine that computes, where that stands in for the device at a pace; None: as
            `device_profile`. For labs.

    Raises:
        InputError: a number that is none; an unknown environment; a map for another deadline or device.
    """

    deadline: float
    margin: float | None = None
    race: bool = True
    require_edge: bool = False
    on_record: Callable[[Record], object] | None = None
    traces: DeviceTraces | None = None
    on_version: OnVersion | None = None
    environment: Environment | ConfigurationMap | MakeChooser = "static"
    direction: Direction = "any"
    exits: Collection[int] | None = None
    codecs: Collection[str] | None = None
    device_profile: Profile | None = None
    edge_profile: Profile | None = None
    calibration: Calibration | None = None
    gates: Gates | None = None
    expected_sizes: Calibration | None = None
    bandwidth: float | None = None
    downlink: float | None = None
    round_trip: float | None = None
    engine: Engine | None = None
    insecure: bool = False
    channel: Channel | None = None
    clock: Clock | None = None
    pace: Pace | None = None
    host_profile: Profile | None = None

    def __post_init__(self) -> None:
        deadline = seconds_of(self.deadline, "deadline")
        delay_of(self.margin, "margin")
        rate_of(self.bandwidth, "bandwidth")
        rate_of(self.downlink, "downlink")
        delay_of(self.round_trip, "round_trip")
        check_environment(self.environment, deadline, self.device_profile)

    @property
    def host(self) -> Profile | None:
        """The profile of the machine that computes: work is booked, and held to a pace, by its times."""
        return self.host_profile or self.device_profile

    @property
    def make_chooser(self) -> MakeChooser:
        """What makes the chooser of plans, for an edge whose candidates are known."""
        return chooser_of(self.environment)

    @property
    def restriction(self) -> Restriction:
        """What plans may be chosen from."""
        return Restriction(
            direction=self.direction,
            exits=None if self.exits is None else frozenset(self.exits),
            codecs=None if self.codecs is None else tuple(self.codecs),
            gates=self.gates,
        )

    def margin_before(self, deadline: Seconds, others: int = 0) -> Seconds:
        """The seconds kept free before a deadline, with so many other requests in hand."""
        usual = min(max(usual_margin(deadline), LEAST_MARGIN), MOST_MARGIN + others * HANDED_OVER)
        return Seconds(usual if self.margin is None else self.margin)

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        unusual = [field.name for field in fields(self) if values[field.name] is not field.default]
        return f"DeviceSettings({', '.join(f'{name}={values[name]!r}' for name in unusual)})"


class DeviceKeywords(TypedDict, total=False):
    """The same names as keywords, so that type checkers know them: a test holds the two together."""

    deadline: float
    margin: float | None
    race: bool
    require_edge: bool
    on_record: Callable[[Record], object] | None
    traces: DeviceTraces | None
    on_version: OnVersion | None
    environment: Environment | ConfigurationMap | MakeChooser
    direction: Direction
    exits: Collection[int] | None
    codecs: Collection[str] | None
    device_profile: Profile | None
    edge_profile: Profile | None
    calibration: Calibration | None
    gates: Gates | None
    expected_sizes: Calibration | None
    bandwidth: float | None
    downlink: float | None
    round_trip: float | None
    engine: Engine | None
    insecure: bool
    channel: Channel | None
    clock: Clock | None
    pace: Pace | None
    host_profile: Profile | None


def settings_of(settings: DeviceSettings | None, keywords: Mapping[str, object]) -> DeviceSettings:
    """The settings of a call: those it was given, with the keywords in place of what they say.

    Raises:
        InputError: as `DeviceSettings`.
        TypeError: a keyword that is no setting; no deadline; something else in place of settings.
    """
    if not isinstance(settings, DeviceSettings | None):
        raise TypeError(f"found {type(settings).__name__} as settings, expected DeviceSettings")
    names = [field.name for field in fields(DeviceSettings)]
    for name in keywords.keys() - set(names):
        raise TypeError(f"a device has no setting {name!r}{nearest(name, names)}; DeviceSettings lists them")
    if settings is None and "deadline" not in keywords:
        raise TypeError("a device needs a deadline: give deadline=SECONDS, or DeviceSettings")
    return DeviceSettings(**keywords) if settings is None else replace(settings, **keywords)  # type: ignore[arg-type]
