"""A model: branches over one folded graph, and the segments between cuts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx

from edgent.errors import InputError, ModelError
from edgent.model.configuration.binding import Binding, bind
from edgent.model.configuration.dimensions import FreeDimension
from edgent.model.configuration.dimensions import free_dimensions as free_of
from edgent.model.configuration.fitting import check_fits
from edgent.model.configuration.sources import configured
from edgent.model.files import external, identity
from edgent.model.files.bounds import check_sizes
from edgent.model.files.bundle import BundleMember, join, prefix_of
from edgent.model.files.constants import all_tensors
from edgent.model.files.gather import gather
from edgent.model.files.named import BETWEEN, ModelFiles, files
from edgent.model.files.read import read, without_functions
from edgent.model.files.weights import Weights
from edgent.model.fold import fold
from edgent.model.metadata import ExitInfo, Metadata, Preprocessing
from edgent.model.quantised import constants_of, fused_tensors, with_whole_pairs
from edgent.model.shapes import Interpreter, bodies, subgraph_reads, tensor_of
from edgent.model.tasks.append import append_answers, check_answers
from edgent.model.values import Branch, Layer, Tensor, tensors_by_name
from edgent.text import readable

# They change a tensor's shape and nothing else, so each belongs to the layer that reads it.
SHAPE_ONLY = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


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
    source = path.parent.absolute()
    opened = _opened(paths, dims or {})
    bound, metadata, weights = opened.proto, opened.metadata, opened.weights
    exits = _exits(bound.graph, metadata)
    gather(bound.graph, source)
    # Constants of every kind first become one kind, which is then all that folding has to know.
    values = fold(bound, weights, interpreter)
    tensors = _tensors(values, metadata)
    own = tuple(value.name for value in bound.graph.output)
    inputs = tuple(tensors[value.name] for value in bound.graph.input)
    check_fits(path, metadata, inputs)
    with _naming(path):
        answers = append_answers(bound, metadata, exits, tensors, [prefix_of(file) for file in paths[1:]])
    # What was appended brings constants of its own, and its shapes are not known yet.
    if answers.changed:
        values = fold(bound, weights, interpreter)
        with _naming(path):
            check_answers(metadata, answers, values)
        tensors = _tensors(values, metadata, answers.most)
    check_sizes(tensors.values())
    return Model(
        name=readable(BETWEEN.join(file.stem for file in paths)),
        path=path,
        members=tuple(paths),
        files=opened.beside,
        digest=_digest(opened.digests, [entry.outputs for entry in answers.exits]),
        digests=opened.digests,
        inputs=inputs,
        branches=_branches(bound.graph, tensors, answers.exits, inputs),
        metadata=metadata,
        dims=opened.dims,
        doubts=opened.doubts,
        proto=bound,
        tensors=tensors,
        values=values,
        weights=weights,
        own_outputs=own,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """The files of a model, bound and as one, and what only the files as they came can tell.

    Attributes:
        proto: The only file, or all of them as one; its inputs have a number for every dimension.
        metadata: What they say of themselves.
        dims: The number of every dimension that is free in a file, by name.
        doubts: What was taken for granted, a sentence each.
        beside: The files of weights that they name, by their paths from the folder.
        weights: Where constants are, and their hashes.
        digests: Of each file, by name.
    """

    proto: onnx.ModelProto
    metadata: Metadata
    dims: Mapping[str, int]
    doubts: tuple[str, ...]
    beside: tuple[str, ...]
    weights: Weights
    digests: dict[str, str]


def _opened(paths: Sequence[Path], dims: Mapping[str, int]) -> _Opened:
    """Reads and hashes files; their own copies are let go, or a model of gigabytes would be held twice from here on."""
    # Digests are of the files as they came, before anything is gathered or folded: so a device and an edge with
    # other versions of this program, which may fold otherwise, still agree on what a model is.
    protos = [configured(file, read(file)) for file in paths]
    # Each is bound by itself, for in a bundle it may have an input of its own, and is the same file as it is alone.
    bindings = [_bound(file, proto, own) for file, proto, own in zip(paths, protos, _apart(dims, protos), strict=True)]
    members = [BundleMember(file, one.proto, one.metadata) for file, one in zip(paths, bindings, strict=True)]
    proto, metadata = join(members) if len(paths) > 1 else (bindings[0].proto, bindings[0].metadata)
    source, came = paths[0].parent.absolute(), proto if len(paths) > 1 else protos[0]
    weights = Weights(source, identity.hashes(came.graph.initializer, source))
    digests = {}
    for member, own in zip(members, protos, strict=True):
        name, contents = _member(member.path, own, member.path == paths[0], weights)
        asked = _outputs(member.proto.graph, member.metadata)
        digests[name] = identity.digest(contents, member.proto.graph.input, asked, member.metadata)
    return _Opened(
        proto=proto,
        metadata=metadata,
        dims={name: number for one in bindings for name, number in one.dims.items()},
        doubts=tuple(dict.fromkeys(doubt for one in bindings for doubt in one.doubts)),
        beside=external.locations(all_tensors(came)),
        weights=weights,
        digests=digests,
    )


def _bound(path: Path, proto: onnx.ModelProto, dims: Mapping[str, int]) -> Binding:
    with _naming(path):
        return bind(path, proto, dims)


def _apart(dims: Mapping[str, int], protos: Sequence[onnx.ModelProto]) -> list[dict[str, int]]:
    """The numbers that each file of a bundle has a dimension for; what none of them has, all get, and refuse."""
    if len(protos) == 1:
        return [dict(dims)]
    known = [{text for entry in free_of(proto.graph) for text in (entry.name, entry.place)} for proto in protos]
    nobodys = dims.keys() - set().union(*known)
    return [{name: dims[name] for name in dims if name in own or name in nobodys} for own in known]


def _digest(digests: Mapping[str, str], exits: Sequence[tuple[str, ...]]) -> str:
    """That of the only file, or of a bundle of some."""
    return identity.bundle_digest(digests, exits) if len(digests) > 1 else next(iter(digests.values()))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says of which file a configuration is that cannot be."""
    try:
        yield
    except ModelError as error:
        said = str(error)
        raise ModelError(said if said.startswith(f"{path}: ") else f"{path}: {said}") from None


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


def _member(path: Path, proto: onnx.ModelProto, is_first: bool, weights: Weights) -> tuple[str, str]:
    """A file's name, and the hash of its contents by the hashes of the whole, where constants have a bundle's names."""
    prefix = "" if is_first else prefix_of(path)
    hashes = {tensor.name: weights.hashes[prefix + tensor.name] for tensor in proto.graph.initializer}
    return readable(path.stem), identity.contents(proto, hashes, weights.source)


def _outputs(graph: onnx.GraphProto, metadata: Metadata) -> list[tuple[str, ...]]:
    return [entry.outputs for entry in _exits(graph, metadata)]


def _exits(graph: onnx.GraphProto, metadata: Metadata) -> tuple[ExitInfo, ...]:
    """Those that the file names; without any, all outputs together are one."""
    names = tuple(value.name for value in graph.output)
    for entry in metadata.exits:
        if unknown := sorted(set(entry.outputs) - set(names)):
            raise ModelError(f"exit {entry.name!r} names output {unknown[0]!r}, which the graph does not have")
    return metadata.exits or (ExitInfo(name="output", outputs=names),)


def _branches(
    graph: onnx.GraphProto, tensors: dict[str, Tensor], exits: tuple[ExitInfo, ...], inputs: tuple[Tensor, ...]
) -> tuple[Branch, ...]:
    constants, fused = constants_of(graph), fused_tensors(graph, tensors)
    branches = []
    for number, entry in enumerate(exits):
        layers = _layers(graph, entry.outputs, constants)
        branch = Branch(
            exit=number,
            name=entry.name,
            layers=layers,
            inputs=_read(inputs, layers, entry.outputs),
            outputs=tuple(tensors[name] for name in entry.outputs),
            accuracy=entry.accuracy,
            tensors=tensors,
            fused=fused,
        )
        branches.append(branch)
    return tuple(branches)


def _read(inputs: tuple[Tensor, ...], layers: Sequence[Layer], outputs: Sequence[str]) -> tuple[Tensor, ...]:
    """The inputs that a branch reads; all of them where it reads none, for a request has to bring something."""
    read = {name for layer in layers for name in layer.inputs}.union(outputs)
    return tuple(tensor for tensor in inputs if tensor.name in read) or inputs


def _layers(graph: onnx.GraphProto, outputs: tuple[str, ...], constants: set[str]) -> tuple[Layer, ...]:
    """The layers of one branch in the file's order.

    Each shape-only node, and each that makes a constant, joins the first layer that reads it.
    """
    indices = _ancestors(graph, outputs)
    # The first reader of each tensor: going backwards, an earlier node overwrites what a later one wrote.
    reader: dict[str, int] = {}
    for index in reversed(indices):
        reader.update(dict.fromkeys(subgraph_reads(graph.node[index]), index))
    members: dict[int, list[int]] = {}
    home: dict[int, int] = {}
    for index in reversed(indices):
        node = graph.node[index]
        joins = node.op_type in SHAPE_ONLY or node.output[0] in constants
        next_reader = reader.get(node.output[0]) if joins else None
        # A node that joins goes where its reader went, so a chain of them ends in one layer.
        home[index] = index if next_reader is None else home[next_reader]
        members.setdefault(home[index], []).append(index)
    return tuple(_layer(graph, tuple(sorted(members[index])), constants) for index in sorted(members))


def _layer(graph: onnx.GraphProto, nodes: tuple[int, ...], constants: set[str]) -> Layer:
    # The last node is the one that the others joined: it gives the layer its name and its kind.
    own = graph.node[nodes[-1]]
    outputs = [name for index in nodes for name in graph.node[index].output if name and name not in constants]
    reads = dict.fromkeys(name for index in nodes for name in subgraph_reads(graph.node[index]))
    return Layer(
        name=own.name or outputs[-1],
        op=own.op_type,
        nodes=nodes,
        inputs=tuple(name for name in reads if name not in constants and name not in outputs),
        outputs=tuple(outputs),
        own=tuple(name for name in own.output if name),
    )


def _ancestors(graph: onnx.GraphProto, outputs: tuple[str, ...]) -> list[int]:
    wanted = set(outputs)
    needed = []
    for index in range(len(graph.node) - 1, -1, -1):
        node = graph.node[index]
        if wanted.intersection(node.output):
            wanted.update(subgraph_reads(node))
            needed.append(index)
    return needed[::-1]
