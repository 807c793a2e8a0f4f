"""A draft is a configuration that can be read, says nothing twice, and guesses what shapes tell."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgent.engine.loading import load
from edgent.model.configuration.beside import read_beside, toml, write_toml
from edgent.model.configuration.draft import DraftLine, draft, write_draft
from edgent.model.configuration.guess import Port, guess_answers, guess_pictures, is_picture, ports
from edgent.model.configuration.sources import find
from edgent.model.metadata import BoxLimits, Metadata, Preprocessing, Task
from graphs import Graph, residual, saved

PICTURE = Port(name="x", shape=(1, 3, 64, 64))


def lines_of(path: Path) -> dict[str, DraftLine]:
    proto = onnx.load(path)
    return {line.key: line for line in draft(proto, find(path, proto))}


def written(path: Path) -> str:
    proto = onnx.load(path)
    return write_draft(path, draft(proto, find(path, proto)), *ports(proto))


@pytest.mark.parametrize(
    ("shapes", "op", "expected"),
    [
        ([(1, 10)], "Gemm", ("classification", "logits")),
        ([(None, 10)], "Softmax", ("classification", None)),
        ([(1, 84, 2100)], "Concat", ("detection", "yolov8")),
        ([(1, 25200, 85)], "Concat", ("detection", "yolov5")),
        ([(1, 300, 6)], "Concat", ("detection", "end-to-end")),
        ([(1, 21, 64, 64)], "Conv", ("segmentation", "logits")),
        ([(1, 21, 8, 8)], "Conv", ("segmentation", "logits")),
        ([(1, 85, 4, 4)], "Conv", (None, None)),
        ([None], "Conv", (None, None)),
    ],
)
def test_shapes_of_outputs_tell_what_they_may_mean(shapes, op, expected) -> None:  # type: ignore[no-untyped-def]
    outputs = [Port(name=f"y{k}", shape=shape, op=op) for k, shape in enumerate(shapes)]
    found = guess_answers([PICTURE], outputs)
    assert tuple(found[key].value if key in found else None for key in ("task", "head")) == expected


def test_yolox_is_told_by_a_row_for_each_cell_and_takes_pixels_as_they_are() -> None:
    rows = [Port(name="o", shape=(1, 3549, 6), op="Transpose")]
    sized = [Port(name="x", shape=(1, 3, 416, 416))]
    assert guess_answers(sized, rows)["head"].value == "yolox"
    with_a_fourth_grid = [Port(name="x", shape=(1, 3, 640, 640))], [Port(name="o", shape=(1, 8500, 85), op="Transpose")]
    assert guess_answers(*with_a_fourth_grid)["head"].value == "yolox"
    assert guess_answers(sized, [replace(rows[0], op="Concat")])["head"].value == "yolov5"  # decoded already
    for other in ((1, 3, 320, 320), (1, 3, None, None), (3, 416, 416)):
        assert guess_answers([Port(name="x", shape=other)], rows)["head"].value == "yolov5"
    picture = {key: guess.value for key, guess in guess_pictures("detection", "yolox", sized, "").items()}
    assert picture == {"resize": "corner", "color": "BGR", "scale": 1.0}


def test_boxes_that_torchvision_has_chosen_are_told_by_their_types_where_nothing_has_a_name() -> None:
    parts = {"3011": ((None, 4), "float32"), "2980": ((None,), "float32"), "2981": ((None,), "int64")}
    outputs = [Port(name=name, shape=shape, dtype=dtype) for name, (shape, dtype) in parts.items()]
    assert guess_answers([PICTURE], outputs)["head"].value == "boxes-scores"
    assert guess_answers([PICTURE], outputs[::-1])["head"].value == "boxes-scores"
    assert guess_answers([PICTURE], [*outputs[:2], replace(outputs[2], dtype="float32")]) == {}


@pytest.mark.parametrize(("op", "task"), [("Sigmoid", "segmentation"), ("Resize", None), ("Conv", None)])
def test_a_single_plane_may_be_a_depth_and_is_a_mask_only_where_it_holds_shares(op: str, task: str | None) -> None:
    found = guess_answers([PICTURE], [Port(name="y", shape=(1, 1, 64, 64), op=op)])
    assert (found["task"].value if found else None) == task and "head" not in found


def test_planes_of_an_unknown_number_are_classes() -> None:
    found = guess_answers([PICTURE], [Port(name="y", shape=(None,) * 4, op="Resize")])
    assert (found["task"].value, found["head"].value) == ("segmentation", "logits")


@pytest.mark.parametrize(("task", "resize"), [("classification", "stretch"), ("detection", "letterbox")])
def test_where_pixels_go_in_no_scale_is_guessed(task: Task, resize: str) -> None:
    found = guess_pictures(task, "", [Port(name="x", shape=(1, 224, 224, 3), dtype="uint8")], "tf2onnx")
    assert {key: guess.value for key, guess in found.items()} == {"resize": resize}


def test_names_of_outputs_tell_boxes_and_embeddings() -> None:
    boxes = [Port(name="scores", shape=(1, 10, 80)), Port(name="Boxes", shape=(1, 10, 4))]
    assert guess_answers([PICTURE], boxes)["head"].value == "boxes-scores"
    assert guess_answers([PICTURE], [Port(name="image_embeds", shape=(1, 512))])["task"].value == "embedding"


def test_where_no_picture_goes_in_the_outputs_are_given_as_they_are() -> None:
    inputs = [Port(name="sound", shape=(1, 512)), Port(name="state", shape=(2, 1, 128))]
    assert guess_answers(inputs, [Port(name="y", shape=(1, 1))])["task"].value == "raw"


@pytest.mark.parametrize(("planes", "height"), [(3, 48), (1, 64), (1, 32)])
def test_a_line_of_text_is_guessed_by_its_height_in_colour_and_in_grey(planes: int, height: int) -> None:
    found = guess_pictures(None, "", [Port(name="x", shape=(None, planes, height, None))], "")
    assert (found["resize"].value, found["mean"].value) == ("height", [0.5] * planes)
    square = guess_pictures(None, "", [Port(name="x", shape=(None, planes, height, height))], "")
    assert square["resize"].value == "stretch"


@pytest.mark.parametrize(
    ("shape", "picture"),
    [((3, 320, 320), True), ((320, 320, 3), True), ((3, None, None), True), ((1, 80, 100), False), ((1, 50, 1), False)],
)
def test_a_single_picture_is_told_by_its_three_colours(shape: tuple[int | None, ...], picture: bool) -> None:
    inputs, boxes = [Port(name="x", shape=shape)], [Port(name=name, shape=None) for name in ("boxes", "scores")]
    assert is_picture(inputs) is picture
    assert guess_pictures("detection", "", inputs, "")["resize"].value == "letterbox" or not picture
    assert guess_answers(inputs, boxes)["head"].value == "boxes-scores"


def classifier(path: Path) -> Path:
    g = Graph(batch="N", side=16)
    proto = g.model(g.node("Flatten", g.node("GlobalAveragePool", g.conv("x", 3, 5))))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(proto.graph.output[0].name, TensorProto.FLOAT, [1, 5]))
    return saved(proto, path)


def test_a_draft_can_be_read_as_it_is_and_its_guesses_are_in_force(model_file: Path) -> None:
    classifier(model_file)
    model_file.with_name("model.edgent.toml").write_text(written(model_file))
    metadata = load(model_file).metadata
    assert (metadata.task, metadata.head) == ("classification", "logits")
    assert metadata.preprocessing is not None and metadata.preprocessing.crop == 0.875


def test_what_is_to_fill_in_is_said_and_completing_it_suffices(model_file: Path) -> None:
    classifier(model_file)
    text = written(model_file)
    (todo,) = [line for line in text.splitlines() if "FILL IN: " in line]
    assert "with 5 names" in todo
    model_file.with_name("labels.txt").write_text("a\nb\nc\nd\ne\n")
    model_file.with_name("model.edgent.toml").write_text(text.replace(todo, todo.removeprefix("# ")))
    assert load(model_file).metadata.labels == tuple("abcde")


def test_a_free_dimension_is_to_fill_in_and_a_batch_is_not(model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "time", 4])]
    saved(g.model(g.node("Relu", "x")), model_file)
    lines = lines_of(model_file)
    assert (lines["dims.time"].standing, lines["dims.batch"].standing) == ("to fill in", "default")
    text = written(model_file).replace("# time = 128", "time = 7")
    model_file.with_name("model.edgent.toml").write_text(text)
    assert load(model_file).inputs[0].shape == (1, 7, 4)


def test_names_that_would_break_toml_do_not(model_file: Path) -> None:
    g = Graph()
    name = 'a "b"\n= [c]\x00\x7f'.replace("\x00", "")
    g.inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 'd "e"\nf = 1'])]
    saved(g.model(g.node("Relu", name)), model_file)
    text = written(model_file)
    assert tomllib.loads(text) == {"task": "raw", "dims": {}, "inputs": {name: {}}}


def test_the_layout_in_a_draft_is_the_inputs_own(tmp_path: Path) -> None:
    for shape, layout in (([1, 224, 224, 3], "NHWC"), ([1, 3, 224, 224], "NCHW")):
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
        onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
        assert f'layout = "{layout}"' in written(tmp_path / "m.onnx")


def test_a_draft_for_pixels_says_so_and_can_be_read(tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(n, k, [1, 8, 8, 3]) for n, k in (("x", TensorProto.UINT8), ("y", 1))]
    graph = helper.make_graph([helper.make_node("Cast", ["x"], ["y"], to=1)], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    text = written(tmp_path / "m.onnx")
    assert '# dtype = "uint8"' in text and "# scale = 1.0" in text
    (tmp_path / "m.edgent.toml").write_text(text)
    form = load(tmp_path / "m.onnx").metadata.preprocessing
    assert form is not None and (form.dtype, form.scale) == ("uint8", 1.0)


def test_what_others_say_stands_there_only_as_a_comment(model_file: Path) -> None:
    proto = residual()
    for key, value in {"stride": "32", "names": "{0: 'x'}", "task": "detect", "imgsz": "[8, 8]"}.items():
        proto.metadata_props.add(key=key, value=value)
    saved(proto, model_file)
    assert lines_of(model_file)["task"].standing == "known"
    assert tomllib.loads(written(model_file)) == {"limits": {}, "preprocessing": {}}


def test_a_document_is_written_as_toml_and_read_again(tmp_path: Path) -> None:
    form = Preprocessing(size=(4, 6), resize="crop", crop=0.5, mean=(0.1, 0.2, 0.3))
    metadata = Metadata(task="raw", labels=('a "b"', "ü\n\\", "\x7f"), preprocessing=form, dims={"n m": 3, "x:1": 4})
    path = tmp_path / "m.edgent.toml"
    path.write_text(write_toml(metadata.document()), encoding="utf-8")
    found = read_beside(path)
    assert found["labels"] == list(metadata.labels) and found["dims"] == {"n m": 3, "x:1": 4}
    assert found["preprocessing"] == form.document()


@pytest.mark.parametrize("value", ["", "a'b", [1, 2.5], {"a": ["b"]}, True, 1e-300, "\u2028"])
def test_each_value_is_written_as_toml_has_it(value: object) -> None:
    assert tomllib.loads(f"v = {toml(value)}")["v"] == value


def test_a_draft_mentions_every_key_that_there_is(model_file: Path) -> None:
    """But exits, which are written by who trained them."""
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "height", "width"])]
    saved(g.model(g.node("Relu", "x")), model_file)
    text = written(model_file)
    said = {line.removeprefix("# ").partition(" = ")[0] for line in text.splitlines() if " = " in line}
    keys = set(Metadata().document()) - {"exits", "limits", "preprocessing", "dims", "inputs"}
    keys |= set(BoxLimits().document()) | set(Preprocessing(size=(1, 1)).document()) | {"fill", "excess"}
    assert keys <= said
    assert {"[limits]", "[preprocessing]", "[dims]", "[inputs.x]"} <= set(text.splitlines())


def test_names_with_points_stay_whole_in_a_draft(model_file: Path) -> None:
    g = Graph()
    g.inputs = [
        helper.make_tensor_value_info("x.1", TensorProto.FLOAT, ["N", "long.side"]),
        helper.make_tensor_value_info("by.2", TensorProto.FLOAT, [1]),
    ]
    saved(g.model(g.node("Mul", "x.1", "by.2")), model_file)
    text = written(model_file).replace("# example = 1", "example = 1").replace('# "long.side" = 128', '"long.side" = 4')
    found = tomllib.loads(text)
    assert found["inputs"]["by.2"] == {"example": 1} and found["dims"] == {"long.side": 4}
    model_file.with_name("model.edgent.toml").write_text(text)
    assert load(model_file).inputs[0].shape == (1, 4)
