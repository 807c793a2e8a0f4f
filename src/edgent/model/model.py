"""A model: branches over one folded graph, and the segments between cuts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx

from edgent.errors import InputError, ModelError
from edgent.model.configuration.dimensions import FreeDimension
from edgent.model.configuration.dimensions import free_dimensions as free_of
from edgent.model.configuration.fitting import check_fits
from edgent.model.files import identity
from edgent.model.files.bounds import check_sizes
from edgent.model.files.bundle import prefix_of
from edgent.model.files.gather import gather
from edgent.model.files.named import BETWEEN, ModelFiles, files
from edgent.model.files.opened import OpenedFiles, exits_of, naming, opened_files
from edgent.model.files.read import read, without_functions
from edgent.model.files.weights import Weights
from edgent.model.fold import fold
from edgent.model.layers import branches_of
from edgent.model.metadata import ExitInfo, Metadata, Preprocessing
from edgent.model.quantised import with_whole_pairs
from edgent.model.shapes import Interpreter, bodies, subgraph_reads, tensor_of
from edgent.model.tasks.append import append_answers, check_answers
from edgent.model.values import Branch, Tensor, tensors_by_name
from edgent.text import readable


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Segment:
    """A part of a model that an engine can run: tensors given, tensors asked."""

    given: tuple[Tensor, ...]
    asked: tuple[Tensor, ...]
    proto: bytes
    weights: Path

    def __repr__(self) -> str:
        given, asked = (", ".join(tensor.name for tensor in side) for side in (self.given, self.asked))
        return f"<Segment {given} -> {asked}>"

    def with_free_sizes(self) -> Segment | None:
        """The same part with every size of its inputs left open; None where it has no bodies.

        Of the branches of an If only one runs, and another may be impossible for these very sizes.
        """
        proto = onnx.ModelProto.FromString(self.proto)
        if not any(True for node in proto.graph.node for _ in bodies(node)):
            return None
        for value in proto.graph.input:
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()
        return replace(self, proto=proto.SerializeToString())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Model:
    """A loaded model file.

    Attributes:
        name: what the wire calls it: the file's name without its ending.
        path: the file; of a bundle, the first.
        members: the files that are here; a bundle has several.
        files: the other files that hold weights, by their paths from the folder of `path`.
        digest: of all that changes an answer, 64 hex digits (see `edgent.model.files.identity`).
        digests: of each of its files, by name; of a bundle also of those that only the edge holds.
        inputs: the tensors of one request, every dimension a number.
        branches: one per exit, earliest first; of a bundle those whose files are here.
        remote: the other branches of a bundle, which only the edge can run (see `edgent.model.files.partial`).
        metadata: what it says of itself: task, labels, exits, pre-processing.
        dims: the number of every dimension that is free in the file, by name (see `edgent.model.configuration`).
        doubts: what was taken for granted when it was opened, a sentence each.
        own_outputs: what the file puts out; the answers of the branches may be made of them (see `edgent.model.tasks`).
    """

    name: str
    path: Path
    members: tuple[Path, ...]
    files: tuple[str, ...]
    digest: str
    digests: Mapping[str, str] = field(hash=False)
    inputs: tuple[Tensor, ...]
    branches: tuple[Branch, ...]
    remote: tuple[Branch, ...] = ()
    metadata: Metadata
    dims: Mapping[str, int] = field(hash=False)
    doubts: tuple[str, ...] = field(compare=False)
    proto: onnx.ModelProto = field(hash=False, compare=False)
    tensors: Mapping[str, Tensor] = field(hash=False, compare=False)
    values: Mapping[str, onnx.ValueInfoProto] = field(hash=False, compare=False)
    weights: Weights = field(hash=False, compare=False)
    own_outputs: tuple[str, ...] = ()

    def __repr__(self) -> str:
        layers = ", ".join(str(len(branch.layers)) for branch in self.branches)
        remote = f", {len(self.remote)} on the edge" if self.remote else ""
        return f"<Model {self.name!r} {self.version}: branches of {layers} layers{remote}>"

    @property
    def version(self) -> str:
        """The first 12 hex digits of the digest: `model_version` on the wire."""
        return self.digest[:12]

    @property
    def file_bytes(self) -> int:
        """Of the file at `path`, and of those that hold its weights."""
        return sum((self.path.parent / name).stat().st_size for name in (self.path.name, *self.files))

    @property
    def largest_form(self) -> Preprocessing | None:
        """How a picture becomes the largest of its inputs; None: it takes no pictures."""
        forms = [form for t in self.inputs if (form := self.metadata.preprocessing_of(t.name)) is not None]
        return max(forms, key=lambda form: form.size[0] * form.size[1], default=None)

    def metadata_at(self, exit: int) -> Metadata:
        """What it says of an exit's answers: its own, with the pre-processing of the input that the exit reads."""
        form = self.metadata.preprocessing_of(self.branch(exit).inputs[0].name)
        return self.metadata if form is self.metadata.preprocessing else replace(self.metadata, preprocessing=form)

    def branch(self, exit: int) -> Branch:
        """The branch of an exit, wherever its file is.

        Raises:
            ModelError: the model has no such exit.
        """
        known = (*self.branches, *self.remote)
        for branch in known:
            if branch.exit == exit:
                return branch
        raise ModelError(f"{self.name} has no exit {exit}: expected 0..{len(known) - 1}")

    def member_of(self, branch: Branch) -> Path:
        """Which file of a bundle a branch is from."""
        return next((path for path in self.members[1:] if branch.name.startswith(prefix_of(path))), self.path)

    def segment(self, given: Iterable[str], asked: Iterable[str]) -> Segment:
        """The part of the graph that makes `asked` out of `given`, and nothing else.

        Raises:
            ModelError: an unknown tensor, or one that cannot be made out of what is given.
        """
        # A model file of its own and not a view: engines open files. Constants stay in the shared file of weights, to
        # which each segment refers, so that fifty segments of a network hold its weights once.
        known = dict(self.tensors)
        start, end = tensors_by_name(tuple(given), known, "given"), tensors_by_name(tuple(asked), known, "asked")
        nodes, constants = self._slice({tensor.name for tensor in start}, [tensor.name for tensor in end])
        proto = onnx.ModelProto(ir_version=self.proto.ir_version, opset_import=self.proto.opset_import)
        proto.graph.name = self.name
        proto.graph.node.extend(nodes)
        proto.graph.initializer.extend(map(self.weights.reference, constants))
        proto.graph.input.extend(self.values[tensor.name] for tensor in start)
        proto.graph.output.extend(self.values[tensor.name] for tensor in end)
        return Segment(given=start, asked=end, proto=proto.SerializeToString(), weights=self.weights.folder())

    def _slice(self, given: set[str], asked: list[str]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        wanted = {name for name in asked if name not in given}
        nodes: list[onnx.NodeProto] = []
        # Backwards from what is asked, stopping at what is given: exactly the nodes between, whatever the cuts were.
        for node in reversed(self.proto.graph.node):
            if wanted.intersection(node.output):
                nodes.append(node)
                wanted.difference_update(node.output)
                wanted.update(name for name in subgraph_reads(node) if name not in given)
        # Back in the order of the graph. At its ends, a part of a quantised network may need a whole pair of nodes.
        nodes = with_whole_pairs(nodes[::-1], self.proto.graph, self.tensors, given, asked)
        read = wanted.union(*(node.input for node in nodes))
        constants = [tensor for tensor in self.proto.graph.initializer if tensor.name in read]
        # What is still wanted now is neither made, nor given, nor a constant.
        missing = wanted - {tensor.name for tensor in constants}
        if missing:
            raise ModelError(f"{', '.join(asked)} cannot be made without {sorted(missing)[0]!r}: give it as well")
        return nodes, constants


def load(model: ModelFiles, *, interpreter: Interpreter, dims: Mapping[str, int] | None = None) -> Model:
    """Opens a model by name or file; `edgent.load` does it with the product's own engine.

    Args:
        model: the name of a shipped model ("b-alexnet"), or the path of an ONNX file; several with "+" between them
            are a bundle (see `edgent.model.files.bundle`), named after all of them.
        interpreter: the engine: computes constants, and knows types and shapes that ONNX does not.
        dims: numbers for free dimensions, by name or as "INPUT:AXIS", before those of the model's configuration. A
            free leading dimension is the batch and 1 unless either says otherwise.

    Raises:
        ModelError: see `join`, `read`, `configured`, `bind` and `check_fits`: a file or a configuration that cannot be
            used, or one that does not fit the other.
    """
    paths = files(model)
    path = paths[0]
    opened = opened_files(paths, dims or {})
    gather(opened.proto.graph, path.parent.absolute())
    completed = _completed(paths, opened, interpreter)
    check_sizes(completed.tensors.values())
    return Model(
        name=readable(BETWEEN.join(file.stem for file in paths)),
        path=path,
        members=tuple(paths),
        files=opened.beside,
        digest=_digest(opened.digests, [entry.outputs for entry in completed.exits]),
        digests=opened.digests,
        inputs=completed.inputs,
        branches=branches_of(opened.proto.graph, completed.exits, completed.inputs, completed.tensors),
        metadata=opened.metadata,
        dims=opened.dims,
        doubts=opened.doubts,
        proto=opened.proto,
        tensors=completed.tensors,
        values=completed.values,
        weights=opened.weights,
        own_outputs=completed.own_outputs,
    )


def _digest(digests: Mapping[str, str], exits: Sequence[tuple[str, ...]]) -> str:
    """That of the only file, or of a bundle of some."""
    return identity.bundle_digest(digests, exits) if len(digests) > 1 else next(iter(digests.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Completed:
    """What is known of a graph once its constants are folded, and its answers are appended to it.

    Attributes:
        values: Type and shape of each value, by name.
        tensors: The same as tensors.
        inputs: Those that a request brings.
        own_outputs: Names of the outputs that the graph had before anything was appended.
        exits: Each with the outputs that are its answer.
    """

    values: dict[str, onnx.ValueInfoProto]
    tensors: dict[str, Tensor]
    inputs: tuple[Tensor, ...]
    own_outputs: tuple[str, ...]
    exits: tuple[ExitInfo, ...]


def _completed(paths: Sequence[Path], opened: OpenedFiles, interpreter: Interpreter) -> _Completed:
    """Folds a graph whose constants were gathered, and appends what makes answers out of its outputs."""
    proto, metadata, weights = opened.proto, opened.metadata, opened.weights
    exits = exits_of(proto.graph, metadata)
    values = fold(proto, weights, interpreter)
    tensors = _tensors(values, metadata)
    own_outputs = tuple(value.name for value in proto.graph.output)
    inputs = tuple(tensors[value.name] for value in proto.graph.input)
    # Before anything is appended: a configuration that does not fit the inputs would fail there with a worse message.
    check_fits(paths[0], metadata, inputs)
    with naming(paths[0]):
        answers = append_answers(proto, metadata, exits, tensors, [prefix_of(file) for file in paths[1:]])
    # What was appended brings constants of its own, and its shapes are not known yet.
    if answers.changed:
        values = fold(proto, weights, interpreter)
        with naming(paths[0]):
            check_answers(metadata, answers, values)
        tensors = _tensors(values, metadata, answers.most)
    return _Completed(values=values, tensors=tensors, inputs=inputs, own_outputs=own_outputs, exits=answers.exits)


def _tensors(
    values: Mapping[str, onnx.ValueInfoProto], metadata: Metadata, most: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, Tensor]:
    """All tensors of the graph, with what else is known of answers and of inputs."""
    examples = {name: entry.example for name, entry in metadata.inputs.items()}
    return {
        name: replace(tensor_of(value), most=(most or {}).get(name), example=examples.get(name, ()))
        for name, value in values.items()
    }


def check_model(model: object, who: str) -> None:
    """Refuses what is no model where `who` expects one; the name of one is the usual mistake.

    Raises:
        InputError: it is none.
    """
    if not isinstance(model, Model):
        shown = repr(str(model)) if isinstance(model, str | Path) else f"a {type(model).__name__}"
        raise InputError(f"{who} expects a model, found {shown[:80]}: give it what edgent.load(NAME or FILE) returns")


def free_dimensions(model: str | Path) -> tuple[FreeDimension, ...]:
    """The free dimensions of a model's inputs, without opening it.

    Raises:
        ModelError: see `read`.
    """
    return tuple(entry for path in files(model) for entry in free_of(without_functions(read(path)).graph))
