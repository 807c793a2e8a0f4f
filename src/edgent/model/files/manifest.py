"""What a device is told of a bundle that it fetches: its files, and the exits of all of them in their order.

A device fetches the files that are meant for devices, each by its digest. Of the others it needs to know how their
exits are asked for and what comes back; that is all that it can do with them. The bundle's digest follows from what
stands here (`edgent.model.files.identity`), so that it can be held against the one that the edge named.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from edgent.document import Document, Node, keys_of
from edgent.errors import InputError
from edgent.model.configuration.document import read_preprocessing
from edgent.model.files.identity import bundle_digest
from edgent.model.metadata import Preprocessing
from edgent.model.values import Tensor

_MOST_LAYERS, _MOST_EXITS = 100_000, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFile:
    """One file; `edge_only`: it is not for devices, which leave its exits to the edge."""

    name: str
    digest: str
    edge_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleInput:
    """One input, and how a picture becomes it; `form` is None where only arrays do."""

    tensor: Tensor
    form: Preprocessing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleExit:
    """One exit of a bundle, as somebody knows it who may not have its file.

    Attributes:
        name: with its file's name before it, as the bundle has it.
        accuracy: 0..1, by which the exits are numbered.
        inputs: names of those of the bundle's inputs that it reads.
        outputs: its answer.
        layers: of its branch: the last cut's number.
    """

    name: str
    accuracy: float
    inputs: tuple[str, ...]
    outputs: tuple[Tensor, ...]
    layers: int

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= _MOST_LAYERS:
            raise InputError(f"exit {self.name!r}: found {self.layers} layers, expected 1..{_MOST_LAYERS:,}")
        if self.accuracy > 1:
            raise InputError(f"exit {self.name!r}: found an accuracy of {self.accuracy}, expected 0..1")
        if not self.inputs or not self.outputs:
            raise InputError(f"exit {self.name!r}: found no inputs or no outputs, expected both")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Document):
    """A bundle as an edge describes it.

    Attributes:
        files: in the bundle's order.
        inputs: in the bundle's order.
        exits: in the bundle's order: an exit's number is its place.
    """

    KIND = "bundle's manifest"
    AGAIN = "ask the edge for it again"

    files: tuple[BundleFile, ...]
    inputs: tuple[BundleInput, ...]
    exits: tuple[BundleExit, ...]

    def __post_init__(self) -> None:
        # It comes from an edge: names twice would let one file stand for another, and numbers without a bound would
        # have a device make as many layers as it is told.
        if len({file.name for file in self.files}) < len(self.files) or not self.here:
            raise InputError("found two files of one name, or none for devices, expected each once")
        if not 1 <= len(self.exits) <= _MOST_EXITS:
            raise InputError(f"found {len(self.exits)} exits, expected 1..{_MOST_EXITS}")

    @property
    def digest(self) -> str:
        """The bundle's digest, 64 hex digits."""
        # Of what stands here and nothing else, so that a manifest which was changed on the way has another digest than
        # the one that the edge named before.
        digests = {file.name: file.digest for file in self.files}
        return bundle_digest(digests, [[tensor.name for tensor in entry.outputs] for entry in self.exits])

    @property
    def here(self) -> tuple[BundleFile, ...]:
        """The files for devices."""
        return tuple(file for file in self.files if not file.edge_only)

    def to_json(self) -> str:
        """The file's text; the same manifest always gives the same text."""
        return json.dumps({"schema": self.SCHEMA, **asdict(self)}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def _read(cls, document: object) -> Manifest:
        node = Node(document, "bundle", ("schema", *keys_of(cls)))
        return cls(
            files=tuple(map(_read_file, node.nodes("files", keys_of(BundleFile)))),
            inputs=tuple(map(_read_input, node.nodes("inputs", keys_of(BundleInput)))),
            exits=tuple(map(_read_exit, node.nodes("exits", keys_of(BundleExit)))),
        )


def _read_file(node: Node) -> BundleFile:
    return BundleFile(name=node.text("name"), digest=node.text("digest"), edge_only=node.truth("edge_only"))


def _read_input(node: Node) -> BundleInput:
    form = None if node.absent("form") else read_preprocessing(node.values["form"])
    return BundleInput(tensor=_read_tensor(node.node("tensor", keys_of(Tensor))), form=form)


def _read_exit(node: Node) -> BundleExit:
    return BundleExit(
        name=node.text("name"),
        accuracy=node.number("accuracy"),
        inputs=node.texts("inputs"),
        outputs=tuple(map(_read_tensor, node.nodes("outputs", keys_of(Tensor)))),
        layers=node.whole("layers"),
    )


def _read_tensor(node: Node) -> Tensor:
    shape: Any = None if node.absent("shape") else tuple(int(size) for size in node.numbers("shape"))
    return Tensor(name=node.text("name"), dtype=node.text("dtype"), shape=shape)
