"""A post-processing graph of one's own, put behind the outputs of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from edgent.errors import ModelError
from edgent.model.files.bundle import opset_of, put_behind
from edgent.model.files.constants import all_tensors
from edgent.model.files.external import is_external
from edgent.model.files.gather import gather
from edgent.model.files.read import check, without_functions
from edgent.model.metadata import Metadata
from edgent.model.tasks.tail import Tail
from edgent.model.values import Tensor


def append_post(tail: Tail, proto: onnx.ModelProto, outputs: Sequence[Tensor], metadata: Metadata) -> list[str]:
    """Appends the graph of the configuration; returns the names of what it puts out.

    Its inputs are outputs of the model, by name; the only input of the one is the only output of the other.

    Raises:
        ModelError: no valid graph, of another opset than the model, with weights in other files, or with inputs that
            the model does not put out.
    """
    post, name = _read(metadata), metadata.post
    if opset_of(post) != opset_of(proto):
        raise ModelError(f"{name}: found opset {opset_of(post)}, expected the model's, {opset_of(proto)}; export it so")
    prefix = f"{tail.fresh('post')}/"
    sources = _sources(post.graph, outputs, name)
    put_behind(post.graph, prefix)
    graph = tail.graph
    for source, value in zip(sources, post.graph.input, strict=True):
        graph.node.append(onnx.helper.make_node("Identity", [source], [value.name], name=value.name))
    graph.node.extend(post.graph.node)
    graph.initializer.extend(post.graph.initializer)
    known = {entry.domain for entry in proto.opset_import}
    proto.opset_import.extend(entry for entry in post.opset_import if entry.domain not in known)
    return [value.name for value in post.graph.output]


def _read(metadata: Metadata) -> onnx.ModelProto:
    path = Path(metadata.post)
    try:
        post = onnx.ModelProto.FromString(metadata.post_graph)
    except DecodeError as error:
        raise ModelError(f"{path}: is no ONNX file ({error}); expected a graph that reads the outputs") from None
    if any(map(is_external, all_tensors(post))):
        raise ModelError(f"{path}: has weights in other files; save it with them inside")
    check(path, post)
    post = without_functions(post)
    gather(post.graph, path.parent)
    return post


def _sources(post: onnx.GraphProto, outputs: Sequence[Tensor], name: str) -> list[str]:
    """Which output of the model each input of the graph is."""
    known = {tensor.name: tensor for tensor in outputs}
    wanted = [value.name for value in post.input]
    if len(wanted) == len(outputs) == 1:
        known = {wanted[0]: outputs[0]}
    if missing := [each for each in wanted if each not in known]:
        raise ModelError(f"{name}: reads {missing[0]!r}; the model puts out {', '.join(known)}")
    for value in post.input:
        _check_fits(value, known[value.name], name)
    return [known[each].name for each in wanted]


def _check_fits(value: onnx.ValueInfoProto, output: Tensor, name: str) -> None:
    """Refuses a graph that says it reads something else than there is."""
    dims = value.type.tensor_type.shape.dim
    stated = [dim.dim_value or None for dim in dims]
    found = output.shape
    if found is None or not value.type.tensor_type.HasField("shape"):
        return
    if len(stated) != len(found) or any(a not in (None, b) for a, b in zip(stated, found, strict=True)):
        shown = ["?" if size is None else size for size in stated]
        raise ModelError(
            f"{name}: reads {value.name!r} of shape {shown}, the model's {output.name!r} has {list(found)}"
        )
