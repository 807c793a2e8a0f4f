"""Files that are damaged: truncated, flipped, of wrong types, with names and numbers that make no sense."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, helper

from hostile.protos import (
    Hostile,
    changed,
    field,
    graph,
    honest,
    hostile,
    in_file,
    model,
    nested_ifs,
    node,
    real,
    value,
    varint,
    whole,
)

_MEGABYTE = "n" * 2**20


def broken() -> Iterator[Hostile]:
    """All kinds of damage."""
    yield from _truncated()
    yield from _flipped()
    yield from _nested()
    yield from _graphs()
    yield from _wire()
    yield from _names()
    yield from _dimensions()
    yield from _initialisers()
    yield from _opsets()
    yield from _zeros()


def _truncated() -> Iterator[Hostile]:
    data = honest().SerializeToString()
    for stop in _structure(data):
        yield hostile("truncated", f"truncated-{stop}", data[:stop])


def _structure(data: bytes) -> list[int]:
    """Where a field of the file ends, and inside the graph, and one byte beside."""
    proto = honest()
    marks = [data.find(part) for part in (b"MatMul", b"Relu", b"Softmax", b"edgent", b"labels")]
    start = data.find(proto.graph.node[0].SerializeToString())
    weights = data.find(proto.graph.initializer[0].raw_data)
    return sorted(
        {1, 2, 3, start, start + 1, *marks, *(mark + 3 for mark in marks), weights, weights + 7, len(data) - 1}
    )


def _flipped() -> Iterator[Hostile]:
    data = honest().SerializeToString()
    for seed in range(30):
        random = np.random.default_rng(seed)
        noisy = bytearray(data)
        for place in random.integers(0, len(data), 1 + seed % 6):
            noisy[place] ^= 1 << int(random.integers(8))
        yield hostile("bits flipped", f"flipped-{seed}", bytes(noisy))


def _nested() -> Iterator[Hostile]:
    for depth in (10, 30, 50, 500, 2_000):
        yield hostile("nested bodies", f"nested-{depth}", lambda depth=depth: nested_ifs(depth))
    types = value("x").type
    for _ in range(30):
        outer = type(types)()
        outer.sequence_type.elem_type.CopyFrom(types)
        types = outer
    deep = honest()
    deep.graph.output[0].type.CopyFrom(types)
    yield hostile("nested bodies", "nested-types", deep)
    yield hostile("nested bodies", "nested-groups", in_file(b"\x0b" * 5000))


def _graphs() -> Iterator[Hostile]:
    relu = node("Relu", "x")
    no_type = AttributeProto(name="axis", i=1)
    unset = AttributeProto(name="then_branch", type=AttributeProto.GRAPH)
    outside = AttributeProto(name="axis", type=AttributeProto.INT, ref_attr_name="axis")
    files: dict[str, ModelProto] = {
        "cycle": model([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b")]),
        "self-loop": model([node("Add", "x y")]),
        "output-made-twice": model([relu, relu]),
        "two-outputs-of-one-name": model([node("Split", "x", "y y", axis=1, num_outputs=2)]),
        "output-is-input": model([node("Relu", "x", "x")], outputs=[value("x")]),
        "reads-nothing-known": model([node("Relu", "nowhere")]),
        "unsorted": model([node("Relu", "a"), node("Relu", "x", "a")]),
        "nobody-makes-the-output": model([node("Relu", "x", "z")]),
        "output-twice": model([relu], outputs=[value("y"), value("y")]),
        "input-twice": model([relu], inputs=[value("x"), value("x")]),
        "constant-twice": model([node("Add", "x c")], [real("c", 1), real("c", 2, 3)]),
        "constant-is-made": model([node("Relu", "x", "c"), node("Relu", "c")], [real("c", 1)]),
        "no-inputs-at-all": model([node("ConstantOfShape", "s")], [whole("s", 3)], inputs=[]),
        "no-outputs": model([relu], outputs=[]),
        "nothing": ModelProto(),
        "no-nodes": model([]),
        "no-graph": ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 20)]),
        "no-operator": model([node("", "x")]),
        "no-output-names": model([node("Relu", "x", "-"), relu]),
        "no-reads": model([node("Relu", "")]),
        "empty-read": model([node("Relu", "-")]),
        "if-without-branches": model([node("If", "c")], [whole("c", 1)]),
        "if-with-unset-branch": changed(lambda m: m.graph.node[1].attribute.append(unset)),
        "attribute-without-type": changed(lambda m: m.graph.node[3].attribute.append(no_type)),
        "attribute-refers-outside": changed(lambda m: m.graph.node[3].attribute.append(outside)),
        "attribute-twice": changed(lambda m: m.graph.node[3].attribute.extend([helper.make_attribute("axis", 1)] * 2)),
        "attribute-of-another-type": model([node("Softmax", "x", axis="one")]),
        "axis-far-away": model([node("Softmax", "x", axis=2**62)]),
        "too-many-reads": model([node("Relu", "x x x x")]),
        "input-without-type": changed(lambda m: m.graph.input[0].ClearField("type")),
        "input-is-a-sequence": model(
            [node("SequenceLength", "x")],
            inputs=[helper.make_tensor_sequence_value_info("x", 1, None)],
            outputs=[value("y", [], TensorProto.INT64)],
        ),
        "type-99": changed(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99)),
        "loop-body-without-inputs": model(
            [node("Loop", "m -", body=graph([relu], inputs=[]))], [whole("m", 3, scalar=True)]
        ),
    }
    for name, proto in files.items():
        yield hostile("graph makes no sense", name, proto)


def _wire() -> Iterator[Hostile]:
    files = {
        "graph-is-a-number": bytes([1 << 3, 9, 7 << 3, 5]),
        "node-is-fixed32": in_file(bytes([1 << 3 | 5, 1, 2, 3, 4])),
        "field-zero": in_file(bytes([2, 1, 65])),
        "group-never-ends": in_file(bytes([3 << 3 | 3])),
        "group-ends-first": in_file(bytes([3 << 3 | 4])),
        "wire-type-7": in_file(bytes([3 << 3 | 7])),
        "varint-never-ends": b"\xff" * 64,
        "length-beyond-the-end": bytes([7 << 3 | 2]) + varint(2**63 - 1) + b"abc",
        "length-4-gib": bytes([7 << 3 | 2]) + varint(2**32 - 1) + b"abc",
        "graph-twice": in_file(graph([node("Relu", "x")]).SerializeToString()) * 2,
        "dims-packed-badly": in_file(field(5, bytes([1 << 3 | 2]) + varint(3) + b"\xff\xff\xff")),
        "unknown-fields": in_file(field(1900, b"x" * 1000) * 1000),
    }
    for name, data in files.items():
        yield hostile("wrong wire types", name, data)


def _names() -> Iterator[Hostile]:
    data = honest().SerializeToString()
    for name, old, new in (("operator", b"Softmax", b"Soft\xffax"), ("domain", b"edgent", b"\xfe\xffgent")):
        yield hostile("odd names", f"bad-utf8-{name}", data.replace(old, new))
    relu = graph([node("Relu", "xx")], inputs=[value("xx")]).SerializeToString()
    yield hostile("odd names", "bad-utf8-input", in_file(relu.replace(b"xx", b"\xc3\x28")))
    for name, text in (
        ("nul", "a\0b"),
        ("newline", "a\nb"),
        ("escape", "\x1b[2J\x1b]0;x\x07"),
        ("megabyte", _MEGABYTE),
        ("dots", "../../etc/passwd"),
        ("markup", "[red]x[/red][/]"),
        ("spaces", "a b\u202ec"),
    ):
        yield hostile(
            "odd names",
            f"{name}-in-input",
            model([node("Relu", "").__class__(op_type="Relu", input=[text], output=["y"])], inputs=[value(text)]),
        )
        yield hostile("odd names", f"{name}-in-output", model([_relu("x", text)], outputs=[value(text)]))
        yield hostile("odd names", f"{name}-unknown", model([_relu(text, "y")]))
    yield hostile("odd names", "megabyte-operator", model([node(_MEGABYTE, "x")]))
    yield hostile("odd names", "escape-operator", model([node("\x1b[31mRed", "x")]))
    yield hostile("odd names", "megabyte-dimension", model([node("Relu", "x")], inputs=[value("x", [1, _MEGABYTE])]))


def _relu(read: str, made: str) -> object:
    return helper.make_node("Relu", [read], [made])


def _dimensions() -> Iterator[Hostile]:
    for name, shape in (
        ("minus-five", [1, -5]),
        ("2-to-62", [1, 2**62]),
        ("overflow", [2**32, 2**32]),
        ("overflow-to-few", [2**33, 2**31, 8]),
        ("thousand-axes", [1] * 1000),
        ("zero", [0, 8]),
        ("terabytes", [1, 2**40]),
        ("min", [1, -(2**63)]),
    ):
        yield hostile("dims", f"input-{name}", model([node("Relu", "x")], inputs=[value("x", shape)]))
        yield hostile("dims", f"output-{name}", model([node("Relu", "x")], outputs=[value("y", shape)]))
        tensor = TensorProto(name="c", data_type=1, dims=shape, raw_data=b"1234")
        yield hostile("dims", f"constant-{name}", model([node("Add", "x c")], [tensor]))


def _initialisers() -> Iterator[Hostile]:
    def tensor(**fields: object) -> TensorProto:
        return TensorProto(**{"name": "c", "data_type": 1, "dims": [8], **fields})

    four = b"\0" * 4
    tensors = {
        "raw-short": tensor(raw_data=four * 7),
        "raw-long": tensor(raw_data=four * 9),
        "raw-odd": tensor(raw_data=b"\0" * 31),
        "raw-and-typed": tensor(raw_data=four * 8, float_data=[1] * 8),
        "two-typed": tensor(float_data=[1] * 8, int32_data=[1] * 8),
        "typed-short": tensor(float_data=[1] * 7),
        "typed-of-another": tensor(int64_data=[1] * 8),
        "no-numbers": tensor(),
        "type-99": tensor(data_type=99, raw_data=four * 8),
        "type-0": tensor(data_type=0, raw_data=four * 8),
        "type-minus-1": tensor(data_type=-1, raw_data=four * 8),
        "text-as-raw": tensor(data_type=8, raw_data=four * 8),
        "text-short": tensor(data_type=8, string_data=[b"a"]),
        "text-bad-utf8": tensor(data_type=8, string_data=[b"\xff\xfe"] * 8),
        "int4-short": tensor(data_type=22, raw_data=b"\0"),
        "float8-short": tensor(data_type=17, raw_data=b"\0"),
        "segment": tensor(raw_data=four * 8, segment=TensorProto.Segment(begin=0, end=2**62)),
        "no-name": tensor(name="", raw_data=four * 8),
    }
    for name, made in tensors.items():
        yield hostile("initialisers", f"constant-{name}", model([node("Add", "x c")], [made]))
        yield hostile(
            "initialisers", f"attribute-{name}", model([node("Constant", "", "c", value=made), node("Add", "x c")])
        )
    yield from _sparse()


def _sparse() -> Iterator[Hostile]:
    for name, dims, indices in (
        ("outside", [8], [9]),
        ("negative", [8], [-1]),
        ("terabytes", [2**40], [1]),
        ("overflow", [2**32, 2**32], [1]),
    ):
        proto = model([node("Add", "x c")])
        sparse = proto.graph.sparse_initializer.add(dims=dims)
        sparse.values.CopyFrom(real("c", 1.0))
        sparse.indices.CopyFrom(whole("", *indices))
        yield hostile("initialisers", f"sparse-{name}", proto)


def _opsets() -> Iterator[Hostile]:
    for name, entries in (
        ("absent", []),
        ("huge", [("", 2**62)]),
        ("negative", [("", -3)]),
        ("zero", [("", 0)]),
        ("twice", [("", 11), ("", 20)]),
        ("two-names", [("", 20), ("ai.onnx", 9)]),
        ("only-foreign", [("com.example", 1)]),
        ("old", [("", 1)]),
    ):
        proto = honest()
        del proto.opset_import[:]
        proto.opset_import.extend(helper.make_opsetid(*entry) for entry in entries)
        yield hostile("opsets", f"opset-{name}", proto)
    yield hostile("opsets", "ir-version-huge", changed(lambda m: setattr(m, "ir_version", 2**62)))
    yield hostile("opsets", "ir-version-negative", changed(lambda m: setattr(m, "ir_version", -1)))


def _zeros() -> Iterator[Hostile]:
    """Numbers that something is divided by."""
    image = {"inputs": [value("x", [1, 1, 8, 8])]}
    weight = TensorProto(name="w", data_type=1, dims=[1, 1, 3, 3], raw_data=b"\0" * 36)
    files = {
        "stride-zero": model([node("Conv", "x w", strides=[0, 0])], [weight], **image),
        "dilation-zero": model([node("Conv", "x w", dilations=[0, 0])], [weight], **image),
        "group-zero": model([node("Conv", "x w", group=0)], [weight], **image),
        "kernel-zero": model([node("MaxPool", "x", kernel_shape=[0, 0])], **image),
        "pool-stride-zero": model([node("AveragePool", "x", kernel_shape=[2, 2], strides=[0, 0])], **image),
        "pads-2-to-62": model([node("MaxPool", "x", kernel_shape=[2, 2], pads=[2**62] * 4)], **image),
        "block-zero": model([node("DepthToSpace", "x", blocksize=0)], **image),
        "transposed-stride-zero": model([node("ConvTranspose", "x w", strides=[0, 0])], [weight], **image),
        "slice-step-zero": model(
            [node("Slice", "x a b c d")], [whole(n, k) for n, k in zip("abcd", (0, 5, 1, 0), strict=True)]
        ),
        "range-delta-zero": model(
            [node("Range", "a b c", "r"), node("Cast", "r", to=1)],
            [whole(n, k, scalar=True) for n, k in zip("abc", (0, 5, 0), strict=True)],
        ),
        "integer-division": model(
            [node("Div", "a b", "c"), node("Cast", "c", "d", to=1), node("Add", "x d")], [whole("a", 5), whole("b", 0)]
        ),
        "integer-division-at-run-time": model(
            [node("Cast", "x", "i", to=7), node("Sub", "i i", "z"), node("Div", "i z", "c"), node("Cast", "c", to=1)]
        ),
        "integer-modulo": model(
            [node("Mod", "a b", "c"), node("Cast", "c", "d", to=1), node("Add", "x d")], [whole("a", 5), whole("b", 0)]
        ),
        "least-by-minus-one": model(
            [node("Div", "a b", "c"), node("Cast", "c", "d", to=1), node("Add", "x d")],
            [whole("a", -(2**63)), whole("b", -1)],
        ),
        "split-in-zero": model([node("Split", "x", axis=1, num_outputs=0)]),
        "gather-outside": model([node("Gather", "x i", axis=1)], [whole("i", 2**40)]),
        "reshape-two-unknown": model([node("Reshape", "x s")], [whole("s", -1, -1)]),
        "reshape-overflow": model([node("Reshape", "x s")], [whole("s", 2**32, 2**32, 8)]),
        "transpose-twice-one-axis": model([node("Transpose", "x", perm=[0, 0])]),
        "transpose-outside": model([node("Transpose", "x", perm=[0, 9])]),
        "one-hot-negative": model([node("OneHot", "i d v")], [whole("i", 1), whole("d", -4), real("v", 0, 1)]),
        "top-k-negative": model([node("TopK", "x k", "y z")], [whole("k", -5)]),
        "einsum-nonsense": model([node("Einsum", "x x", equation="ij,jk->zzzz,,->")]),
    }
    for name, proto in files.items():
        yield hostile("division by zero and the like", name, proto)
