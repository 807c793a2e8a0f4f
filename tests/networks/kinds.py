"""Small files with tensors of every kind at their cuts, and what plain ONNX Runtime answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

ML = [("", 17), ("ai.onnx.ml", 3)]


def tensor(name: str, kind: int, shape: Sequence[int | str] | None) -> onnx.ValueInfoProto:
    return h.make_tensor_value_info(name, kind, shape)


def constant(name: str, array: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def saved(folder: Path, nodes, inputs, outputs, constants=(), *, domains=(("", 17),), name="kind") -> Path:
    graph = h.make_graph(nodes, name, inputs, outputs, list(constants))
    proto = h.make_model(graph, opset_imports=[h.make_opsetid(*one) for one in domains], ir_version=10)
    onnx.save(proto, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def plain(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The right answer: the original file, undivided."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))


def between(folder: Path, name: str, there: onnx.NodeProto, back: onnx.NodeProto, constants=(), *, opset=21) -> Path:
    """x -> Relu r -> `there` (r to m) -> `back` (m to z) -> Sigmoid y, all of shape [2, 4]."""
    nodes = [h.make_node("Relu", ["x"], ["r"]), there, back, h.make_node("Sigmoid", ["z"], ["y"])]
    ends = tensor("x", T.FLOAT, [2, 4]), tensor("y", T.FLOAT, [2, 4])
    return saved(folder, nodes, [ends[0]], [ends[1]], constants, domains=[("", opset)], name=name)


def cast(folder: Path, kind: int) -> Path:
    name = T.DataType.Name(kind).lower()
    there, back = h.make_node("Cast", ["r"], ["m"], to=kind), h.make_node("Cast", ["m"], ["z"], to=T.FLOAT)
    return between(folder, name, there, back, opset=23 if kind == T.FLOAT4E2M1 else 21)


def sequence(folder: Path) -> Path:
    constants = [constant("two", np.int64(2)), constant("zero", np.int64(0))]
    nodes = [
        h.make_node("Relu", ["x"], ["r"]),
        h.make_node("SplitToSequence", ["r", "two"], ["m"], axis=0),
        h.make_node("SequenceAt", ["m", "zero"], ["z"]),
        h.make_node("Sigmoid", ["z"], ["y"]),
    ]
    return saved(folder, nodes, [tensor("x", T.FLOAT, [2, 4])], [tensor("y", T.FLOAT, [2, 4])], constants, name="seq")


def optional(folder: Path) -> Path:
    there, back = h.make_node("Optional", ["r"], ["m"]), h.make_node("OptionalGetElement", ["m"], ["z"])
    return between(folder, "optional", there, back, opset=18)


def sequence_answer(folder: Path) -> Path:
    nodes = [h.make_node("Relu", ["x"], ["r"]), h.make_node("SplitToSequence", ["r", "one"], ["y"], axis=0)]
    answer = h.make_tensor_sequence_value_info("y", T.FLOAT, None)
    return saved(folder, nodes, [tensor("x", T.FLOAT, [2, 4])], [answer], [constant("one", np.int64(1))], name="seqout")


def maps(folder: Path) -> Path:
    """A classifier of scikit-learn's kind: a label, and a sequence of maps."""
    classify = h.make_node(
        "LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", coefficients=[0.1, 0.2, -0.1, 0.3, 0.0, -0.2],
        intercepts=[0.0, 0.1, 0.2], classlabels_ints=[0, 1, 2], multi_class=0, post_transform="SOFTMAX",
    )  # fmt: skip
    zip_map = h.make_node("ZipMap", ["p"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2])
    kind = h.make_sequence_type_proto(h.make_map_type_proto(T.INT64, h.make_tensor_type_proto(T.FLOAT, [])))
    outputs = [tensor("label", T.INT64, [None]), h.make_value_info("maps", kind)]
    return saved(folder, [classify, zip_map], [tensor("x", T.FLOAT, [None, 2])], outputs, domains=ML, name="maps")


def text_in(folder: Path) -> Path:
    nodes = [
        h.make_node("LabelEncoder", ["t"], ["l"], domain="ai.onnx.ml", keys_strings=["a", "bé"], values_int64s=[1, 2]),
        h.make_node("Cast", ["l"], ["y"], to=T.FLOAT),
    ]
    ends = [tensor("t", T.STRING, [1, 3])], [tensor("y", T.FLOAT, [1, 3])]
    return saved(folder, nodes, *ends, domains=[("", 17), ("ai.onnx.ml", 2)], name="text_in")


def text_out(folder: Path) -> Path:
    nodes = [
        h.make_node("Relu", ["x"], ["r"]),
        h.make_node("ArgMax", ["r"], ["a"], axis=1, keepdims=0),
        h.make_node("Cast", ["a"], ["i"], to=T.INT64),
        h.make_node(
            "LabelEncoder", ["i"], ["y"], domain="ai.onnx.ml", keys_int64s=[0, 1, 2, 3],
            values_strings=["none", "ünï", "", "三"],
        ),
    ]  # fmt: skip
    ends = [tensor("x", T.FLOAT, [2, 4])], [tensor("y", T.STRING, [2])]
    return saved(folder, nodes, *ends, domains=[("", 17), ("ai.onnx.ml", 2)], name="text_out")


def text_between(folder: Path) -> Path:
    """Numbers in, numbers out, and text of two shapes at the cuts."""
    encode = {"domain": "ai.onnx.ml"}
    nodes = [
        h.make_node("LabelEncoder", ["x"], ["t"], keys_int64s=[0, 1], values_strings=["zero", "one"], **encode),
        h.make_node("Transpose", ["t"], ["tt"], perm=[1, 0]),
        h.make_node("LabelEncoder", ["tt"], ["n"], keys_strings=["zero", "one"], values_int64s=[10, 11], **encode),
        h.make_node("Cast", ["n"], ["y"], to=T.FLOAT),
    ]
    ends = [tensor("x", T.INT64, [2, 3])], [tensor("y", T.FLOAT, [3, 2])]
    return saved(folder, nodes, *ends, domains=[("", 17), ("ai.onnx.ml", 2)], name="text_between")


def non_zero(folder: Path) -> Path:
    nodes = [
        h.make_node("Relu", ["x"], ["r"]),
        h.make_node("NonZero", ["r"], ["nz"]),
        h.make_node("Transpose", ["nz"], ["nt"]),
        h.make_node("GatherND", ["r", "nt"], ["y"]),
    ]
    return saved(folder, nodes, [tensor("x", T.FLOAT, [2, 4])], [tensor("y", T.FLOAT, ["k"])], name="nonzero")


def compress(folder: Path) -> Path:
    """A floating tensor of unknown length, with work after it."""
    nodes = [
        h.make_node("Relu", ["x"], ["r"]),
        h.make_node("Greater", ["r", "half"], ["is"]),
        h.make_node("Reshape", ["is", "flat"], ["which"]),
        h.make_node("Compress", ["r", "which"], ["c"]),
        h.make_node("Exp", ["c"], ["e"]),
        h.make_node("Neg", ["e"], ["y"]),
    ]
    constants = [constant("half", np.float32(0.5)), constant("flat", np.int64([-1]))]
    return saved(
        folder, nodes, [tensor("x", T.FLOAT, [2, 4])], [tensor("y", T.FLOAT, ["k"])], constants, name="compress"
    )


def boxes(folder: Path) -> Path:
    """The end of a detector: how many boxes pass depends on the scores."""
    nodes = [
        h.make_node("Sigmoid", ["x"], ["s"]),
        h.make_node("NonMaxSuppression", ["where", "s", "most", "iou", "least"], ["kept"]),
        h.make_node("Cast", ["kept"], ["f"], to=T.FLOAT),
        h.make_node("Relu", ["f"], ["y"]),
    ]
    corners = np.arange(6, dtype=np.float32)[:, None] * np.float32([1, 1, 1, 1]) + np.float32([0, 0, 0.9, 0.9])
    constants = [
        constant("where", corners[None]), constant("most", np.int64([6])), constant("iou", np.float32([0.5])),
        constant("least", np.float32([0.6])),
    ]  # fmt: skip
    ends = [tensor("x", T.FLOAT, [1, 1, 6])], [tensor("y", T.FLOAT, ["k", 3])]
    return saved(folder, nodes, *ends, constants, name="boxes")


def unique(folder: Path) -> Path:
    nodes = [
        h.make_node("Cast", ["x"], ["c"], to=T.INT64),
        h.make_node("Unique", ["c"], ["u"]),
        h.make_node("Mul", ["u", "u"], ["y"]),
    ]
    return saved(folder, nodes, [tensor("x", T.FLOAT, [2, 4])], [tensor("y", T.INT64, ["k"])], name="unique")
