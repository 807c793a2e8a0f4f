"""The configuration map: bandwidth state -> configuration, built offline by Algorithm 2, kept as a JSON file.

What the paper leaves open: an *unseen* bandwidth takes the configuration of the highest state below it, for what is
in time on a slower link is in time here. A map always has the state 0, a link that carries nothing, where the device
answers alone.

A device looks a map up instead of planning, so a map that is wrong is followed without a word. That is why a file is
checked when it is read (`__post_init__`), and again against the machines that it shall serve (`check`).
"""

from __future__ import annotations

import json
import math
import string
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from edgent.document import Document, Node, keys_of
from edgent.errors import InputError
from edgent.planning.plan import Configuration
from edgent.planning.reward import find_reward
from edgent.units import BitsPerSecond, Seconds, format_bandwidth, format_duration

if TYPE_CHECKING:
    from edgent.latency import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What wins from a deadline on, until the next step."""

    deadline: Seconds
    configuration: Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A bandwidth state and what wins in it.

    Attributes:
        bandwidth: Mean, bits per second; 0: the link carries nothing.
        steps: By rising deadline; the first begins at the least deadline of the map's range.
    """

    bandwidth: BitsPerSecond
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not (self.steps and 0 <= self.bandwidth < math.inf):
            raise InputError(f"state {self.bandwidth!r}: expected a finite bandwidth, 0 or more, and a step at least")
        # `at` searches by bisection: unsorted steps would answer, but with any of them.
        _check_rising("deadlines", [step.deadline for step in self.steps])

    def at(self, deadline: Seconds) -> Configuration:
        """What wins at a deadline of the map's range."""
        # The last step that begins at or before the deadline is in force.
        return self.steps[bisect_right(self.steps, deadline, key=_deadline) - 1].configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Whose profile a map was built with: enough to tell it from another."""

    machine: str
    engine: str
    threads: int
    emulated: str | None

    @classmethod
    def of(cls, profile: Profile) -> Machine:
        """The machine of a profile."""
        return cls(machine=profile.machine, engine=profile.engine, threads=profile.threads, emulated=profile.emulated)

    def __str__(self) -> str:
        name = self.machine if self.emulated is None else f"{self.emulated} (emulated on {self.machine})"
        return f"{name}, {self.engine} x{self.threads}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConfigurationMap(Document):
    """Bandwidth state -> configuration, for one model, two machines and a range of deadlines.

    Attributes:
        model: The model's name.
        digest: The model's digest.
        device: The device that it was built for.
        edge: The edge.
        shortest: The least deadline.
        longest: The greatest.
        round_trip: Of the empty link, taken for all states.
        reward: Name of what was maximised.
        states: By rising bandwidth; the first is 0.
    """

    KIND = "configuration map"
    AGAIN = "build it again: edgent map MODEL --device FILE --edge FILE --states FILE ... --deadline TIME -o FILE"

    model: str
    digest: str
    device: Machine
    edge: Machine
    shortest: Seconds
    longest: Seconds
    round_trip: Seconds
    reward: str
    states: tuple[State, ...]
    _bandwidths: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        find_reward(self.reward)
        if len(self.digest) != 64 or not set(self.digest) <= set(string.hexdigits):
            raise InputError(f"digest: found {self.digest!r}, expected 64 hex digits")
        if not 0 < self.shortest <= self.longest < math.inf:
            raise InputError(f"deadlines {self.shortest!r} .. {self.longest!r}: expected positive, finite, rising")
        bandwidths = tuple(float(state.bandwidth) for state in self.states)
        # Without a state 0, a bandwidth below the lowest state would have no configuration at all.
        if not bandwidths or bandwidths[0] != 0:
            raise InputError("states: expected the first to be of bandwidth 0, where the device is alone")
        _check_rising("states' bandwidths", bandwidths)
        for state in self.states:
            # Each state covers the whole range, so that a lookup inside it never fails at run time.
            if state.steps[0].deadline != self.shortest or state.steps[-1].deadline > self.longest:
                raise InputError(
                    f"state {format_bandwidth(state.bandwidth)}: expected steps from {self.shortest!r} s, "
                    f"none beyond {self.longest!r} s"
                )
        object.__setattr__(self, "_bandwidths", bandwidths)

    def state(self, bandwidth: float) -> State:
        """The highest state not above a bandwidth.

        Raises:
            InputError: a bandwidth below 0, or nan.
        """
        # Written so that nan fails as well: every comparison with nan is false, so `bandwidth < 0` would let it pass.
        if not bandwidth >= 0:
            raise InputError(f"bandwidth {bandwidth!r}: expected 0 or more bits per second")
        # The highest state not above: on a slower link than assumed a plan is late, on a faster one it only gives away
        # a little.
        return self.states[bisect_right(self._bandwidths, bandwidth) - 1]

    def look_up(self, bandwidth: float, deadline: Seconds) -> Configuration:
        """What to run in the state of this bandwidth.

        Raises:
            InputError: a bandwidth below 0 or nan, or a deadline outside the range that the map was built for.
        """
        self._check_deadline(deadline)
        return self.state(bandwidth).at(deadline)

    @property
    def configurations(self) -> frozenset[Configuration]:
        """Every configuration that the map may ask for."""
        # Asked before a map is used: one that names what may not run here is refused then, and not at some lookup.
        return frozenset(step.configuration for state in self.states for step in state.steps)

    def check(self, deadline: Seconds, device: Profile, edge: Profile | None = None) -> None:
        """Makes sure that the map is for these requests.

        Args:
            deadline: That they usually have.
            device: The device's profile of the model.
            edge: The edge's; None: not known yet.

        Raises:
            InputError: it is for another model, device or edge, or for other deadlines.
        """
        self._check_deadline(deadline)
        # Another version may have other layers under the same cuts: its answers would be right and its times wrong.
        if device.digest != self.digest:
            raise InputError(
                f"{self!r} is of version {self.digest[:12]}, the model is {device.digest[:12]}; {self.AGAIN}"
            )
        # The same model on another board has other times: the map would be valid JSON and wrong in every entry.
        for side, built, profile in (("device", self.device, device), ("edge", self.edge, edge)):
            if profile is not None and built != (actual := Machine.of(profile)):
                raise InputError(f"{self!r} was built for the {side} {built}, this one is {actual}; {self.AGAIN}")

    def to_json(self) -> str:
        """The file's text; the same map always gives the same text."""
        return json.dumps(_document(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def _read(cls, document: object) -> ConfigurationMap:
        # Configurations before states, whose steps say by a number which one they mean.
        node = Node(document, "map", ("schema", *_KEYS, "configurations"))
        known = list(map(Configuration.from_node, node.nodes("configurations", keys_of(Configuration))))
        return cls(
            model=node.text("model"),
            digest=node.text("digest"),
            device=_read_machine(node.node("device", keys_of(Machine))),
            edge=_read_machine(node.node("edge", keys_of(Machine))),
            shortest=Seconds(node.number("shortest")),
            longest=Seconds(node.number("longest")),
            round_trip=Seconds(node.number("round_trip")),
            reward=node.text("reward"),
            states=tuple(_read_state(item, known) for item in node.nodes("states", keys_of(State))),
        )

    def _check_deadline(self, deadline: Seconds) -> None:
        if not self.shortest <= deadline <= self.longest:
            raise InputError(
                f"deadline {format_duration(deadline)}: the map was built for {format_duration(self.shortest)} .. "
                f"{format_duration(self.longest)}; take one of these, or {self.AGAIN}"
            )

    def __repr__(self) -> str:
        last = format_bandwidth(self.states[-1].bandwidth)
        within = f"{format_duration(self.shortest)} .. {format_duration(self.longest)}"
        return f"<ConfigurationMap {self.model}: {len(self.states)} states up to {last}, {within}, {self.reward}>"


def _deadline(step: Step) -> Seconds:
    return step.deadline


def _check_rising(what: str, numbers: Sequence[float]) -> None:
    if any(not a < b for a, b in pairwise(numbers)):
        raise InputError(f"{what}: expected each once, in rising order")


def _document(built: ConfigurationMap) -> dict[str, object]:
    # A map names few configurations in hundreds of steps: each is written once, and steps have its position. They are
    # numbered as they first occur, so the same map always gives the same text.
    places: dict[Configuration, int] = {}
    states = [
        {"bandwidth": state.bandwidth, "steps": [_plain_step(step, places) for step in state.steps]}
        for state in built.states
    ]
    head = {key: getattr(built, key) for key in _KEYS if key not in ("device", "edge", "states")}
    machines = {"device": asdict(built.device), "edge": asdict(built.edge)}
    # The schema first, so that a reader of another version sees at once why it is refused.
    return {
        "schema": built.SCHEMA,
        **head,
        **machines,
        "configurations": [asdict(known) for known in places],
        "states": states,
    }


def _plain_step(step: Step, places: dict[Configuration, int]) -> dict[str, object]:
    return {"deadline": step.deadline, "configuration": places.setdefault(step.configuration, len(places))}


def _read_machine(node: Node) -> Machine:
    return Machine(
        machine=node.text("machine"),
        engine=node.text("engine"),
        threads=node.whole("threads"),
        emulated=None if node.absent("emulated") else node.text("emulated"),
    )


def _read_state(node: Node, known: Sequence[Configuration]) -> State:
    steps = tuple(_read_step(item, known) for item in node.nodes("steps", keys_of(Step)))
    return State(bandwidth=BitsPerSecond(node.number("bandwidth")), steps=steps)


def _read_step(node: Node, known: Sequence[Configuration]) -> Step:
    place = node.whole("configuration")
    # An index from a file: Python would accept -1, and quietly give the last configuration.
    if not 0 <= place < len(known):
        raise InputError(f"{node.place}.configuration: found {place}, expected one of the {len(known)} configurations")
    return Step(deadline=Seconds(node.number("deadline")), configuration=known[place])


_KEYS = keys_of(ConfigurationMap)
