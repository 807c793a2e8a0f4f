"""The grid: its cells, and the assumptions about networks that were not measured here."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Literal

from edgent.document import Node, parse
from edgent.errors import InputError
from edgent.files import read_text
from edgent.lab.boards.emulation import find_device
from edgent.units import BitsPerSecond, Seconds

SCHEMA = 1

Given = Literal["file", "tensor", "kept"]
"""What the input is; see `INPUTS`."""

INPUTS: Mapping[Given, str] = {
    "file": "an image file, which may be sent as it came",
    "tensor": "a tensor, which no image codec fits",
    "kept": "an image file, which may not leave the device, however it is encoded",
}

_AXES = ("bandwidths_bps", "deadlines_ms", "devices", "inputs", "variations", "round_trip_ms", "networks")
_ASSUMED = ("exits", "answer_bytes", "images", "tensors", "int8", "smaller", "bigger")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class GridCell:
    """One cell of a model's map.

    Attributes:
        device: The emulated device's name.
        given: What the input is.
        variation: Coefficient of variation of the bandwidth.
        bandwidth: Its mean, both directions, bits per second.
        deadline: From the input handed over to the answer.
    """

    device: str
    given: Given
    variation: float
    bandwidth: BitsPerSecond
    deadline: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The axes of a grid; its cells are their product.

    Attributes:
        bandwidths: Bits per second, mean, both directions.
        deadlines: Seconds.
        devices: Names of emulated devices.
        inputs: What requests bring.
        variations: Coefficients of variation of the bandwidth.
        round_trip: Of the empty link.
        networks: Their names.
    """

    bandwidths: tuple[BitsPerSecond, ...]
    deadlines: tuple[Seconds, ...]
    devices: tuple[str, ...]
    inputs: tuple[Given, ...]
    variations: tuple[float, ...]
    round_trip: Seconds
    networks: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("bandwidths", "deadlines", "devices", "inputs", "variations", "networks"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"grid: {name}: found {len(values)} entries, expected one at least and none twice")
        if min(*self.bandwidths, *self.deadlines) <= 0:
            raise InputError("grid: found a bandwidth or deadline of 0, expected positive ones")
        if unknown := [given for given in self.inputs if given not in INPUTS]:
            raise InputError(f"grid: the input {unknown[0]!r} is none of {', '.join(INPUTS)}")
        for name in self.devices:
            find_device(name)

    def cells(self) -> Iterator[GridCell]:
        """All cells of one model."""
        every = product(self.devices, self.inputs, self.variations, self.bandwidths, self.deadlines)
        for device, given, variation, bandwidth, deadline in every:
            yield GridCell(device=device, given=given, variation=variation, bandwidth=bandwidth, deadline=deadline)

    def some(self, share: float, seed: int) -> tuple[GridCell, ...]:
        """A seeded share of the cells, in their order."""
        every = list(self.cells())
        return tuple(sorted(random.Random(f"{seed} live").sample(every, max(1, round(share * len(every))))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A coded image, as it is assumed: bytes, and the accuracy lost."""

    codec: str
    size: float
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is assumed of 224 x 224 networks; nothing of it was measured here.

    Attributes:
        exits: Early exits: share of the whole network's work before them, and of its accuracy. They cost nothing
            themselves.
        answer_bytes: Size of an answer.
        images: Coded images.
        tensor_codec: The lossy codec of boundaries.
        tensor_loss: Accuracy lost by it.
        zstd: Bytes after zstd, as a share of float32's.
        int8_loss: Accuracy lost by a quantised network.
        int8_time: By device: its time as a share of the float32 network's.
        smaller: The network that the device could have instead.
        bigger: The network that only the edge holds.
    """

    exits: tuple[tuple[float, float], ...]
    answer_bytes: float
    images: tuple[Image, ...]
    tensor_codec: str
    tensor_loss: float
    zstd: float
    int8_loss: float
    int8_time: dict[str, float]
    smaller: str
    bigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid file.

    Attributes:
        shipped: The cells of the shipped networks.
        public: Those of 224 x 224 networks.
        assumed: About the latter.
        live_share: Share of the shipped cells that is run live.
        requests: Of each configuration and link state there.
        digest: SHA-256 of the content, whatever its layout.
    """

    shipped: Axes
    public: Axes
    assumed: Assumed
    live_share: float
    requests: int
    digest: str

    def __post_init__(self) -> None:
        if not (0 < self.live_share <= 1 and self.requests >= 10):
            raise InputError(
                f"grid: live: found a share of {self.live_share:g} and {self.requests} requests, "
                "expected a share above 0, 1 at most, and 10 requests or more"
            )

    def check_unchanged(self, ran_with: str) -> None:
        """Makes sure that a run goes on with the grid that it began with.

        Raises:
            InputError: the grid is another one.
        """
        if ran_with != self.digest:
            raise InputError(
                f"the grid was changed after its run: it was {ran_with[:12]} and is {self.digest[:12]}; "
                "put it back, or name another output folder"
            )


def load_grid(path: Path | None = None) -> Grid:
    """Reads a grid; None: the one that ships.

    Raises:
        InputError: it cannot be read, or is no grid.
    """
    try:
        text = read_text(path) if path is not None else (files(__package__) / "grid.json").read_text("utf-8")
        document = parse(text)
        top = Node(document, "grid", ("schema", "shipped", "public", "assumed", "live"))
        if top.whole("schema") != SCHEMA:
            raise InputError(f"grid.schema: found {top.whole('schema')}, expected {SCHEMA}")
        live = top.node("live", ("share", "requests"))
        return Grid(
            shipped=_axes(top.node("shipped", _AXES)),
            public=_axes(top.node("public", _AXES)),
            assumed=_assumed(top.node("assumed", _ASSUMED)),
            live_share=live.number("share"),
            requests=live.whole("requests"),
            digest=hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
        )
    except InputError as error:
        raise InputError(f"{path or 'the grid that ships'}: {error}") from None


def _axes(node: Node) -> Axes:
    return Axes(
        bandwidths=tuple(map(BitsPerSecond, node.numbers("bandwidths_bps"))),
        deadlines=tuple(Seconds(ms / 1e3) for ms in node.numbers("deadlines_ms")),
        devices=node.texts("devices"),
        inputs=node.texts("inputs"),  # type: ignore[arg-type]  # checked by the axes themselves
        variations=node.numbers("variations"),
        round_trip=Seconds(node.number("round_trip_ms") / 1e3),
        networks=node.texts("networks"),
    )


def _assumed(node: Node) -> Assumed:
    tensors, int8 = node.node("tensors", ("codec", "loss", "zstd")), node.node("int8", ("loss", "time"))
    times = Node(int8.values["time"], "grid.assumed.int8.time", tuple(_names(int8.values["time"])))
    return Assumed(
        exits=tuple((one.number("work"), one.number("accuracy")) for one in node.nodes("exits", ("work", "accuracy"))),
        answer_bytes=node.number("answer_bytes"),
        images=tuple(
            Image(codec=one.text("codec"), size=one.number("bytes"), loss=one.number("loss"))
            for one in node.nodes("images", ("codec", "bytes", "loss"))
        ),
        tensor_codec=tensors.text("codec"),
        tensor_loss=tensors.number("loss"),
        zstd=tensors.number("zstd"),
        int8_loss=int8.number("loss"),
        int8_time={name: times.number(name) for name in times.values},
        smaller=node.text("smaller"),
        bigger=node.text("bigger"),
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, dict) else ()
