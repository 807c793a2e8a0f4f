"""Small files that ask for terabytes, for hours, or for stacks without end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, helper

from hostile.protos import Hostile, body, changed, field, hostile, in_file, model, node, real, value, whole

_ENDLESS = 2**62
_INT64 = TensorProto.INT64
_BOOL = TensorProto.BOOL
_STRING = TensorProto.STRING


def costly() -> Iterator[Hostile]:
    """All kinds of greed."""
    yield from _functions()
    yield from _sizes()
    yield from _doubling()
    yield from _loops()
    yield from _slow()
    yield from _strings()
    yield from _counts()
    yield from _metadata()


def _functions() -> Iterator[Hostile]:
    for depth in (5, 25, 40):
        yield hostile("functions", f"laughs-{depth}", _laughs(depth))
    files: dict[str, list[FunctionProto]] = {
        "calls-itself": [_function("f0", "f0")],
        "call-each-other": [_function("f0", "f1"), _function("f1", "f0")],
        "calls-nobody": [_function("f0", "nobody")],
        "twice": [_function("f0", ""), _function("f0", "")],
        "in-a-row-of-5000": [_function(f"f{i}", f"f{i + 1}" if i < 4999 else "") for i in range(5000)],
        "thousand-wide": [_wide("f0", "f1"), _wide("f1", "f2"), _wide("f2", "f3"), _wide("f3", "")],
    }
    for name, functions in files.items():
        yield hostile("functions", f"function-{name}", model([node("f0", "x", domain="f")], functions=functions))
    in_body = body([node("f0", "x", "z", domain="f")], [], [value("z", None)])
    yield hostile(
        "functions",
        "laughs-in-a-body",
        lambda: model(
            [node("If", "c", then_branch=in_body, else_branch=in_body)], [_truth()], functions=_laughs(40).functions
        ),
    )


def _truth() -> TensorProto:
    return helper.make_tensor("c", _BOOL, [], [True])


def _laughs(depth: int) -> ModelProto:
    """Each function calls the next one twice."""
    functions = []
    for level in range(depth):
        call = f"f{level + 1}" if level < depth - 1 else ""
        functions.append(_made(f"f{level}", [_call(call, "x", "a"), _call(call, "a", "y")]))
    return model([node("f0", "x", domain="f")], functions=functions)


def _function(name: str, call: str) -> FunctionProto:
    return _made(name, [_call(call, "x", "y")])


def _wide(name: str, call: str) -> FunctionProto:
    return _made(name, [_call(call, "x" if i == 0 else f"a{i - 1}", f"a{i}" if i < 999 else "y") for i in range(1000)])


def _call(name: str, read: str, made: str) -> NodeProto:
    return node(name, read, made, domain="f") if name else node("Relu", read, made)


def _made(name: str, nodes: Sequence[NodeProto]) -> FunctionProto:
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
    return helper.make_function("f", name, ["x"], ["y"], list(nodes), imports)


# Operators that make much out of little: nodes that read the whole numbers n (a list) or k (a scalar), and the list.
_MAKERS: dict[str, tuple[list[NodeProto], tuple[int, ...]]] = {
    "constant-of-shape": ([node("ConstantOfShape", "n", "b")], (2**17, 2**17)),
    "expand": ([node("Expand", "one n", "b")], (2**17, 2**17)),
    "tile": ([node("Tile", "one n", "b")], (2**34,)),
    "range": (
        [node("ReduceMax", "n", "k", keepdims=0), node("Range", "nought k unit", "r"), node("Cast", "r", "b", to=1)],
        (2**33,),
    ),
    "pad": ([node("Pad", "one n", "b")], (2**33, 2**32)),
    "one-hot": ([node("OneHot", "zeros n values", "b")], (2**30,)),
    "resize": ([node("Resize", "image - - n", "b")], (1, 1, 2**17, 2**17)),
    "terabytes": ([node("ConstantOfShape", "n", "b")], (2**20, 2**20)),
    "overflow": ([node("ConstantOfShape", "n", "b")], (2**32, 2**32)),
    "just-below-2-gib": (
        [node("ConstantOfShape", "n", "b")]
        + [node("Exp", "b", f"e{i}") for i in range(8)]
        + [node("Sum", " ".join(f"e{i}" for i in range(8)), "bb")],
        (2**14, 2**15 - 8),
    ),
}


def _sizes() -> Iterator[Hostile]:
    """Each as a constant, as the same number computed from the input, and by a number that only real inputs have."""
    helpers = [
        real("one", 1),
        helper.make_tensor("image", 1, [1, 1, 1, 1], [1]),
        whole("nought", 0, scalar=True),
        real("values", 0, 1),
        whole("unit", 1, scalar=True),
        whole("zeros", *[0] * 64),
    ]
    at_run_time = [
        node("Cast", "x", "i", to=_INT64),
        node("Sub", "i i", "z"),
        node("ReduceSum", "z", "s", keepdims=0),
        node("Add", "s n0", "n"),
    ]
    if_asked = [
        node("Ceil", "x", "up"),
        node("Abs", "up", "a"),
        node("ReduceMax", "a", "big", keepdims=0),
        node("Clip", "big - limit", "t"),
        node("Cast", "t", "s", to=_INT64),
        node("Mul", "s n0", "n"),
    ]
    for name, (nodes, numbers) in _MAKERS.items():
        last = nodes[-1].output[0]
        end = [node("ReduceMax", last, "m", keepdims=0), node("Add", "x m")]
        for when, before, constants in (
            ("constant", [], [whole("n", *numbers)]),
            ("run-time", at_run_time, [whole("n0", *numbers)]),
            ("data", if_asked, [whole("n0", *numbers), helper.make_tensor("limit", 1, [], [1.0])]),
        ):
            yield hostile(f"sizes, {when}", f"{name}-{when}", model([*before, *nodes, *end], [*constants, *helpers]))
    wide = [value("x", [1, 1, 8, 8])]
    kernel = helper.make_tensor("w", 1, [1, 1, 1, 1], [1])
    outer = [node("Reshape", "x s1", "a"), node("Reshape", "x s2", "b")]
    column = [whole("s1", -1, 1), whole("s2", 1, -1)]
    long = {"inputs": [value("x", [1, 2**17])]}
    files = {
        "transposed-conv": model([node("ConvTranspose", "x w", strides=[2**16, 2**16])], [kernel], inputs=wide),
        "outer-product": model([*outer, node("Mul", "a b")], column, **long),
        "outer-matmul": model([*outer, node("MatMul", "a b")], column, **long),
        "outer-einsum": model([node("Einsum", "x x", equation="ab,cd->bd")], **long),
        "padded": model([node("Pad", "x p")], [whole("p", 0, 0, 0, 2**40)]),
        "upsampled": model([node("Resize", "x - k")], [real("k", 1, 1, 1e6, 1e6)], inputs=wide),
        "input-of-terabytes": model([node("Relu", "x")], inputs=[value("x", [2**20, 2**20])]),
        "input-of-9-gigabytes": model([node("ReduceMax", "x")], inputs=[value("x", [9, 2**28])]),
        "hundred-of-a-gigabyte": model(
            [
                node("Expand", "x n", "a"),
                *(node("Exp", "a", f"e{i}") for i in range(100)),
                node("Sum", " ".join(f"e{i}" for i in range(100))),
            ],
            [whole("n", 2**25, 8)],
        ),
    }
    for name, proto in files.items():
        yield hostile("sizes, constant", f"activation-{name}", proto)


def _doubling() -> Iterator[Hostile]:
    """Twice as much at every node: of tensors, of shapes, and of both inside the constants."""
    for name, start, count in (("input", "x", 44), ("constant", "c", 44)):
        chain = [node("Concat", f"{start if i == 0 else f't{i}'} " * 2, f"t{i + 1}", axis=0) for i in range(count)]
        end = [node("ReduceMax", f"t{count}", "m", keepdims=0), node("Add", "x m")]
        yield hostile("doubling", f"concat-{name}", model([*map(_clean, chain), *end], [real("c", 1)]))
    shapes = [node("Shape", "x", "t0")] + [_clean(node("Concat", f"t{i} " * 2, f"t{i + 1}", axis=0)) for i in range(44)]
    end = [node("ReduceMax", "t44", "m", keepdims=0), node("Cast", "m", "f", to=1), node("Add", "x f")]
    yield hostile("doubling", "concat-shapes", model([*shapes, *end]))
    squares = [node("Unsqueeze", f"{'x' if i == 0 else f't{i}'} axis", f"t{i + 1}") for i in range(500)]
    yield hostile("doubling", "axes", model([*squares, node("ReduceMax", "t500", keepdims=0)], [whole("axis", 0)]))
    adds = [node("Add", f"{'x' if i == 0 else f't{i}'} " * 2, f"t{i + 1}") for i in range(60)]
    yield hostile("doubling", "adds-are-fine", model([*map(_clean, adds), node("Relu", "t60")]))


def _clean(made: NodeProto) -> NodeProto:
    names = [name for name in made.input if name]
    del made.input[:]
    made.input.extend(names)
    return made


def _loops() -> Iterator[Hostile]:
    count, go = value("i", [], _INT64), value("go", [], _BOOL)
    on, keep = node("Identity", "go", "on"), value("on", [], _BOOL)
    step = body([on, node("Sin", "v", "w")], [count, go, value("v", None)], [keep, value("w", None)])
    twice = body([on, node("Concat", "v v", "w", axis=0)], [count, go, value("v", None)], [keep, value("w", None)])
    inner = body(
        [node("Identity", "go1", "on1"), node("Loop", "m - v1", "w1", body=step)],
        [value("i1", [], _INT64), value("go1", [], _BOOL), value("v1", None)],
        [value("on1", [], _BOOL), value("w1", None)],
    )
    gathered = body([on, node("Identity", "x", "w")], [count, go], [keep, value("w", None)])
    sequence = helper.make_tensor_sequence_value_info
    grows = body(
        [on, node("SequenceInsert", "v x", "w")], [count, go, sequence("v", 1, None)], [keep, sequence("w", 1, None)]
    )
    endless, true = whole("m", _ENDLESS, scalar=True), _truth()
    number = [value("y", [], _INT64)]
    read_count = [
        node("Cast", "x", "xi", to=_INT64),
        node("ReduceSum", "xi", "xs", keepdims=0),
        node("Sub", "xs xs", "z"),
        node("Add", "z m0", "m"),
    ]
    later = whole("m0", _ENDLESS, scalar=True)
    files = {
        "trips": model([node("Loop", "m - x", body=step)], [endless]),
        "condition": model([node("Loop", "- c x", body=step)], [true]),
        "trips-at-run-time": model([*read_count, node("Loop", "m - x", body=step)], [later]),
        "nested": model([node("Loop", "m - x", body=inner)], [whole("m", 10**6, scalar=True)]),
        "doubles": model([node("Loop", "m - x", body=twice)], [whole("m", 45, scalar=True)]),
        "of-constants": model([node("Loop", "m - k", "z", body=step), node("Add", "x z")], [endless, real("k", 1)]),
        "doubles-constants": model(
            [node("Loop", "m - k", "z", body=twice), node("ReduceMax", "z", "zz"), node("Add", "x zz")],
            [whole("m", 45, scalar=True), real("k", 1)],
        ),
        "gathers": model([node("Loop", "m -", body=gathered)], [endless]),
        "inserts": model(
            [node("SequenceEmpty", "", "e"), node("Loop", "m - e", "s", body=grows), node("SequenceLength", "s")],
            [endless],
            outputs=number,
        ),
    }
    for name, proto in files.items():
        yield hostile("loops", f"loop-{name}", proto)
    turn = body(
        [node("Sin", "s", "t"), node("Identity", "e", "o")],
        [value("s", None), value("e", None)],
        [value("t", None), value("o", None)],
    )
    scan = [node("Expand", "x n", "long"), node("Scan", "x long", "z y", body=turn, num_scan_inputs=1)]
    for name, length in (("1e9", 10**9), ("1e7", 10**7)):
        yield hostile("loops", f"scan-{name}", model(scan, [whole("n", length, 8)]))


def _slow() -> Iterator[Hostile]:
    """Little memory, and hours of arithmetic."""
    square = [node("ConstantOfShape", "n", "a")]
    side = [whole("n", 20_000, 20_000)]
    image, kernel = helper.make_tensor("i", 1, [], [0.0]), [whole("n", 1, 1, 4096, 4096), whole("k", 1, 1, 2048, 2048)]
    end = [node("ReduceMax", "b", "m", keepdims=0), node("Add", "x m")]
    conv = [node("ConstantOfShape", "k", "w"), node("Conv", "a w", "b")]
    wide = [value("x", [1, 64, 512, 512])]
    window = {"kernel_shape": [511, 511], "pads": [255] * 4}
    chain = [node("MatMul", f"{'a' if i == 0 else f'p{i}'} a", f"p{i + 1}") for i in range(200)]
    last = [node("ReduceMax", "p200", "m", keepdims=0), node("Add", "x m")]
    files = {
        "matmul-of-constants": model([*square, node("MatMul", "a a", "b"), *end], side),
        "conv-of-constants": model([*square, *conv, *end], [*kernel, image]),
        "matmul-at-run-time": model(
            [node("ReduceMax", "x", "s", keepdims=0), node("Expand", "s n", "a"), node("MatMul", "a a", "b"), *end],
            side,
        ),
        "conv-at-run-time": model(
            [node("ReduceMax", "x", "s", keepdims=0), node("Expand", "s n", "a"), *conv, *end], [*kernel, image]
        ),
        "matmuls-in-a-row": model(
            [node("ReduceMax", "x", "s", keepdims=0), node("Expand", "s n", "a"), *chain, *last],
            [whole("n", 4000, 4000)],
        ),
        "pool": model([node("AveragePool", "x", **window)], inputs=wide),
        "max-pool": model([node("MaxPool", "x", **window)], inputs=wide),
        "sort": model(
            [node("Expand", "x n", "a"), node("TopK", "a k", "b c", axis=0), *end],
            [whole("n", 10**7, 8), whole("k", 10**7)],
        ),
        "lrn": model([node("LRN", "x", size=2001)], inputs=[value("x", [1, 4000, 64, 64])]),
        "einsum": model(
            [
                node("ReduceMax", "x", "s", keepdims=0),
                node("Expand", "s n", "a"),
                node("Einsum", "a a a", "b", equation="ij,jk,kl->il"),
                *end,
            ],
            [whole("n", 8000, 8000)],
        ),
        "cast-of-cast": model(
            [node("Sin", "x" if i == 0 else f"t{i}", f"t{i + 1}") for i in range(20_000)] + [node("Relu", "t20000")]
        ),
    }
    for name, proto in files.items():
        yield hostile("slow", f"slow-{name}", proto)


def _strings() -> Iterator[Hostile]:
    texts = {"inputs": [value("x", [1], _STRING)], "outputs": [value("y", None, _STRING)]}
    chain = [node("StringConcat", f"{'c' if i == 0 else f't{i}'} " * 2, f"t{i + 1}") for i in range(44)]
    constant = helper.make_tensor("c", _STRING, [1], [b"ab"])
    read = [node("StringConcat", f"{'x' if i == 0 else f't{i}'} " * 2, f"t{i + 1}") for i in range(44)]
    split = {"inputs": [value("x", [1], _STRING)], "outputs": [value("y", None, _STRING)]}
    slow = "(a|a|aa)*" * 20 + "b"
    match = {"inputs": [value("x", [1], _STRING)], "outputs": [value("y", [1], _BOOL)]}
    files = {
        "doubling": model([*map(_clean, read), node("StringConcat", "t44 c")], [constant], **texts),
        "doubling-constants": model([*map(_clean, chain), node("StringConcat", "t44 x")], [constant], **texts),
        "split": model([node("StringSplit", "x", "y n", delimiter="")], **split),
        "regex-slow": model([node("RegexFullMatch", "x", pattern=slow)], **match),
        "regex-large": model([node("RegexFullMatch", "x", pattern="((a{1,100}){1,100}){1,100}")], **match),
        "regex-broken": model([node("RegexFullMatch", "x", pattern="(((((")], **match),
        "normalised": model([node("StringNormalizer", "x", locale="../../x", case_change_action="LOWER")], **texts),
    }
    for name, proto in files.items():
        yield hostile("text", f"text-{name}", proto)


def _counts() -> Iterator[Hostile]:
    """Much of something."""
    opset, relu = field(8, field(1, b"") + bytes([16, 20])), model([node("Relu", "x")]).SerializeToString()
    files = {
        "million-empty-nodes": lambda: in_file(b"\x0a\x00" * 10**6),
        "million-opsets": lambda: relu + opset * 10**6,
        "hundred-thousand-functions": lambda: relu + field(25, field(1, b"f") + field(10, b"f")) * 10**5,
        "million-initialisers": lambda: in_file(b"\x2a\x00" * 10**6),
        "million-value-infos": lambda: in_file(b"\x6a\x00" * 10**6),
        "hundred-thousand-properties": lambda: relu + field(14, field(1, b"k") + field(2, b"v")) * 10**5,
        "hundred-thousand-outputs": lambda: model(
            [node("Relu", "x", f"y{i}") for i in range(10**5)], outputs=[value(f"y{i}") for i in range(10**5)]
        ),
        "hundred-thousand-inputs": lambda: model(
            [node("Sum", " ".join(f"x{i}" for i in range(10**5)))], inputs=[value(f"x{i}") for i in range(10**5)]
        ),
        "hundred-thousand-reads": lambda: model([node("Concat", " ".join(["x"] * 10**5), axis=0)]),
        "hundred-thousand-attributes": lambda: changed(
            lambda m: m.graph.node[3].attribute.extend(helper.make_attribute(f"a{i}", i) for i in range(10**5))
        ),
        "every-one-reads-all": lambda: model(
            [node("Concat", " ".join(f"t{j}" for j in range(i)) or "x", f"t{i}", axis=1) for i in range(1, 1500)]
            + [node("Relu", "t1499")]
        ),
        "hundred-thousand-nodes": lambda: model(
            [node("Relu", f"t{i}" if i else "x", f"t{i + 1}") for i in range(10**5)] + [node("Relu", "t100000")]
        ),
        "million-external-entries": lambda: model(
            [node("Add", "x c")],
            [
                TensorProto(
                    name="c", data_type=1, dims=[8], data_location=1, external_data=[{"key": "k", "value": "v"}] * 10**6
                )
            ],
        ),
    }
    for name, build in files.items():
        yield hostile("counts", name, build)


def _metadata() -> Iterator[Hostile]:
    size = {"size": [2**30, 2**30]}
    exits = [{"name": str(i), "outputs": ["y"]} for i in range(20_000)]
    texts = {
        "deep": "[" * 100_000,
        "deep-object": '{"version": ' * 50_000,
        "digits": '{"version": ' + "9" * 100_000 + "}",
        "labels-of-9-megabytes": json.dumps({"version": 1, "labels": ["x" * 9_000_000]}),
        "million-labels": json.dumps({"version": 1, "labels": [""] * 10**6}),
        "labels-are-a-number": '{"version": 1, "labels": 5}',
        "escape-labels": json.dumps({"version": 1, "labels": ["\x1b[2J", "[red]", "\0"] * 3}),
        "keys-twice": "{" + '"version": 1, ' * 200_000 + '"labels": []}',
        "not-a-number": '{"version": 1, "exits": [{"name": "a", "outputs": ["y"], "accuracy": NaN}]}',
        "accuracy-is-text": '{"version": 1, "exits": [{"name": "a", "outputs": ["y"], "accuracy": "high"}]}',
        "outputs-are-text": '{"version": 1, "exits": [{"name": "a", "outputs": "y"}]}',
        "outputs-are-numbers": '{"version": 1, "exits": [{"name": "a", "outputs": [1, []]}]}',
        "output-twice": '{"version": 1, "exits": [{"name": "a", "outputs": ["y", "y"]}]}',
        "picture-of-2-to-60": json.dumps({"version": 1, "preprocessing": size}),
        "picture-of-infinity": '{"version": 1, "preprocessing": {"size": [1e999, 1]}}',
        "mean-is-text": '{"version": 1, "preprocessing": {"size": [8, 8], "mean": "abc"}}',
        "twenty-thousand-exits": json.dumps({"version": 1, "exits": exits}),
        "surrogates": '{"version": 1, "labels": ["\\ud800"]}',
    }
    for name, text in texts.items():
        yield hostile("metadata", f"metadata-{name}", lambda text=text: _with_metadata(text))


def _with_metadata(text: str) -> ModelProto:
    made = changed(lambda m: m.ClearField("metadata_props"))
    made.metadata_props.add(key="edgent", value=text)
    return made
