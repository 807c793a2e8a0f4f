"""The files of a model, read, bound and joined: what the rest of loading works on.

Digests are of the files as they came, before anything is gathered or folded: so a device and an edge with other
versions of this program, which may fold otherwise, still agree on what a model is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgent.errors import ModelError
from edgent.model.configuration.binding import Binding, bind
from edgent.model.configuration.dimensions import free_dimensions
from edgent.model.configuration.sources import configured
from edgent.model.files import external, identity
from edgent.model.files.bundle import BundleMember, join, prefix_of
from edgent.model.files.constants import all_tensors
from edgent.model.files.read import read, read_whole
from edgent.model.files.weights import Weights
from edgent.model.metadata import ExitInfo, Metadata
from edgent.text import readable


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFiles:
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


def opened_files(paths: Sequence[Path], dims: Mapping[str, int]) -> OpenedFiles:
    """Reads, binds and hashes files.

    Their own copies are let go when it returns, or a model of gigabytes would be held twice from there on.

    Args:
        paths: of one model, or of all files of a bundle.
        dims: numbers for free dimensions, as `bind` takes them.

    Raises:
        ModelError: see `read`, `configured`, `bind` and `join`.
    """
    # In a bundle weights have other names than in their file, and lie in several folders: they are taken in.
    protos = [configured(file, read(file) if len(paths) == 1 else read_whole(file)) for file in paths]
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
    return OpenedFiles(
        proto=proto,
        metadata=metadata,
        dims={name: number for one in bindings for name, number in one.dims.items()},
        doubts=tuple(dict.fromkeys(doubt for one in bindings for doubt in one.doubts)),
        beside=external.locations(all_tensors(came)),
        weights=weights,
        digests=digests,
    )


def exits_of(graph: onnx.GraphProto, metadata: Metadata) -> tuple[ExitInfo, ...]:
    """Those that the file names; without any, all outputs together are one."""
    names = tuple(value.name for value in graph.output)
    for entry in metadata.exits:
        if unknown := sorted(set(entry.outputs) - set(names)):
            raise ModelError(f"exit {entry.name!r} names output {unknown[0]!r}, which the graph does not have")
    return metadata.exits or (ExitInfo(name="output", outputs=names),)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Says of which file a configuration is that cannot be."""
    # What checks a configuration knows no files; a user has to be told which one to open.
    try:
        yield
    except ModelError as error:
        said = str(error)
        raise ModelError(said if said.startswith(f"{path}: ") else f"{path}: {said}") from None


def _bound(path: Path, proto: onnx.ModelProto, dims: Mapping[str, int]) -> Binding:
    with naming(path):
        return bind(path, proto, dims)


def _apart(dims: Mapping[str, int], protos: Sequence[onnx.ModelProto]) -> list[dict[str, int]]:
    """The numbers that each file of a bundle has a dimension for; what none of them has, all get, and refuse."""
    if len(protos) == 1:
        return [dict(dims)]
    known = [{text for entry in free_dimensions(proto.graph) for text in (entry.name, entry.place)} for proto in protos]
    unknown = dims.keys() - set().union(*known)
    return [{name: dims[name] for name in dims if name in own or name in unknown} for own in known]


def _member(path: Path, proto: onnx.ModelProto, is_first: bool, weights: Weights) -> tuple[str, str]:
    """A file's name, and the hash of its contents by the hashes of the whole, where constants have a bundle's names."""
    prefix = "" if is_first else prefix_of(path)
    hashes = {tensor.name: weights.hashes[prefix + tensor.name] for tensor in proto.graph.initializer}
    return readable(path.stem), identity.contents(proto, hashes, weights.source)


def _outputs(graph: onnx.GraphProto, metadata: Metadata) -> list[tuple[str, ...]]:
    return [entry.outputs for entry in exits_of(graph, metadata)]
