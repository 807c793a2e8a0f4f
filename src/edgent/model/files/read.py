"""Reading an ONNX file: nothing is trusted, and weights kept in other files are not loaded."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import checker

from edgent.errors import ModelError
from edgent.model.files import external
from edgent.model.files.bounds import check_functions, check_sparse
from edgent.model.files.constants import all_tensors, inline_all, nbytes
from edgent.model.files.formats import check_file
from edgent.model.files.ordering import put_in_order

_FIRST_OPSET = 6
_TYPES = frozenset(onnx.TensorProto.DataType.values())


def read(path: Path) -> onnx.ModelProto:
    """Reads a file as it stands, checked; weights in other files stay there.

    Raises:
        ModelError: no ONNX file, damaged, an operator or opset nobody here knows, external data that is missing or
            outside the model's folder.
    """
    proto = parse_file(path)
    check(path, proto)
    return proto


def read_whole(path: Path) -> onnx.ModelProto:
    """Reads a file as `read` does, with the weights that lie in other files inside.

    Raises:
        ModelError: as `read`; also more weights than one file can have.
    """
    proto = read(path)
    inline_all(proto, path.parent)
    return proto


def check(path: Path, proto: onnx.ModelProto) -> None:
    """Refuses what is no valid model.

    Args:
        path: of its file; weights in other files are looked for beside it.
        proto: what the file holds; its nodes are put in order where they are not.

    Raises:
        ModelError: as `read`.
    """
    # Order matters: names, sizes and types are checked before anything walks, expands or computes with them, and ONNX's
    # own checker comes last, for it trusts more than we do.
    _check_opset(path, proto)
    _check_names(path, proto.graph)
    check_functions(path, proto)
    check_sparse(path, proto)
    _check_types(path, proto)
    outside = [tensor for tensor in all_tensors(proto) if external.is_external(tensor)]
    external.check(path, [(tensor, nbytes(tensor)) for tensor in outside])
    put_in_order(proto.graph)
    _check_operators(path, proto)


def weight_files(path: Path) -> tuple[str, ...]:
    """The other files that a model's file names for its weights, whether or not they are there.

    Raises:
        ModelError: no ONNX file, or one that does not say where they are.
    """
    return external.locations(all_tensors(parse_file(path)))


def without_functions(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A model whose functions stand where they were called, and whose inputs are none that have a constant already."""
    if proto.functions:
        from onnx import inliner  # rarely needed, and it costs every start

        proto = inliner.inline_local_functions(proto)
    _drop_initialisers_from_inputs(proto.graph)
    proto.ir_version = max(proto.ir_version, 4)  # the first in which an initialiser need not be an input too
    return proto


def parse_file(path: Path) -> onnx.ModelProto:
    """Reads a file without a look at what it says.

    Raises:
        ModelError: no ONNX file.
    """
    check_file(path)
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors differ between its implementations
        raise ModelError(f"{path} is no ONNX file, or is truncated ({_line(error)}); export the model again") from error
    if not proto.graph.node or not proto.ir_version or not proto.opset_import:
        raise ModelError(f"{path} is no ONNX model: it has no nodes or no opset; export the model again")
    return proto


def _check_opset(path: Path, proto: onnx.ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    for entry in proto.opset_import:
        if entry.domain in ("", "ai.onnx") and not _FIRST_OPSET <= entry.version <= newest:
            raise ModelError(
                f"{path}: opset {entry.version} is not supported, expected {_FIRST_OPSET}..{newest}; "
                "convert the model with onnx.version_converter, or install a newer onnx"
            )


def _check_names(path: Path, graph: onnx.GraphProto) -> None:
    """Refuses names that are no UTF-8: protobuf returns them as bytes, where all other code expects text."""
    names = [value.name for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info)]
    names += [name for node in graph.node for name in (*node.input, *node.output, node.name, node.op_type, node.domain)]
    for name in names:
        if not isinstance(name, str):
            raise ModelError(f"{path}: the name {name!r} is no UTF-8 text; export the model again")


def _check_types(path: Path, proto: onnx.ModelProto) -> None:
    """Refuses types with unknown numbers, which pass ONNX's checker but fail everywhere else."""
    graph = proto.graph
    types = [(tensor.name, tensor.data_type) for tensor in all_tensors(proto)]
    types += [(v.name, v.type.tensor_type.elem_type) for v in (*graph.input, *graph.output, *graph.value_info)]
    for name, number in types:
        if number not in _TYPES:
            raise ModelError(f"{path}: tensor {name!r} has type {number}, which ONNX does not know; export it again")


def _check_operators(path: Path, proto: onnx.ModelProto) -> None:
    try:
        checker.check_model(_without_weights(proto))
    except (checker.ValidationError, ValueError) as error:
        raise ModelError(f"{path} is not a valid ONNX model: {_line(error)}") from error


def _without_weights(proto: onnx.ModelProto) -> onnx.ModelProto:
    """What the checker shall see: weights as inputs (it would read or copy them all), and a shape on every output.

    Those that bodies and attributes keep in other files were checked above, and are seen as if they were empty.
    """
    bare = onnx.ModelProto()
    # A copy: the checker needs another form than the one that is kept.
    bare.CopyFrom(proto)
    bare.ir_version = max(bare.ir_version, 4)
    known = {value.name for value in bare.graph.input}
    sparse = [(entry.values, entry.dims) for entry in bare.graph.sparse_initializer]
    for tensor, dims in (*((tensor, tensor.dims) for tensor in bare.graph.initializer), *sparse):
        if tensor.name not in known:
            bare.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, dims))
    del bare.graph.initializer[:], bare.graph.sparse_initializer[:]
    for tensor in filter(external.is_external, all_tensors(bare)):
        tensor.CopyFrom(onnx.TensorProto(name=tensor.name, dims=[0], data_type=tensor.data_type, raw_data=b""))
    for value in (*bare.graph.input, *bare.graph.output):
        if value.type.HasField("tensor_type"):
            # An output may leave its shape open; the checker wants the field to be there.
            value.type.tensor_type.shape.SetInParent()
    return bare


def _drop_initialisers_from_inputs(graph: onnx.GraphProto) -> None:
    constant = {tensor.name for tensor in graph.initializer}
    constant |= {sparse.values.name for sparse in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in constant]
    del graph.input[:]
    graph.input.extend(inputs)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:157] + "..."
