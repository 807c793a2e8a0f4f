"""Pictures of any kind are measured: the numbers beside plain arithmetic, and what cannot be measured is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgent.codec import decode_pixels, encode_image
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.evaluation.data.examples import opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.evaluation.evaluate import Evaluation, evaluate
from edgent.evaluation.sizes import expected_sizes, few_pictures, mean_bytes, sizes_of
from edgent.model import Metadata
from evaluation.data.folders_on_disk import classes, picture, table, yolo
from evaluation.small_networks import FORM, answers, shades
from graphs import Graph, saved

CODECS = ("float32", "uint8", "source", "png", "jpeg-50")


def measured(path: Path, data: Path, reference: Path | None = None) -> Evaluation:
    examples = opened(read_listing(data, recognised(data)))
    other = None if reference is None else load(reference)
    return evaluate(load(path), examples, engine=Engine(), codecs=CODECS, reference=other, every_cut=True)


def greys(root: Path, shades: list[int]) -> Path:
    for number, shade in enumerate(shades):
        picture(root / f"{number}.png", shade, (20 + number, 30))
    return root


def test_labels_give_an_accuracy(tmp_path: Path) -> None:
    names = [f"{k}.png" for k in range(4)]
    data = table(tmp_path / "d", "file,label\n0.png,0\n1.png,1\n2.png,2\n3.png,0\n", *names)
    for name, shade in zip(names, (0, 85, 170, 255), strict=True):
        picture(data / name, shade)
    outcome = measured(shades(tmp_path), data)
    calibration = outcome.calibration
    assert (calibration.measure, calibration.metric, calibration.reference) == ("accuracy", "top-1", "")
    assert outcome.accuracies == (0.75,) == (calibration.exit_accuracy(0),)
    assert calibration.exits[0].interval[0] < 0.75 < calibration.exits[0].interval[1]
    assert calibration.exits[0].samples == 4
    assert calibration.data == "d"


def test_folders_called_by_numbers_are_indices_in_whatever_order_their_names_are(tmp_path: Path) -> None:
    data = tmp_path / "d"
    greys_of_classes = {"0": 0, "2": 170, "10": 255}  # as text, 10 comes before 2
    for folder, shade in greys_of_classes.items():
        picture(data / folder / "p.png", shade)
    examples = opened(read_listing(data, recognised(data)))
    assert sorted(examples.truths) == [0, 2, 10] and not examples.class_names
    (data / "10").rename(data / "3")
    for path in (shades(tmp_path), shades(tmp_path, "named", labels=("black", "dark", "light", "white"))):
        assert measured(path, data).accuracies == (1.0,)


def test_sizes_are_those_of_the_files_and_of_the_codecs(tmp_path: Path) -> None:
    data = greys(tmp_path / "d", [0, 80, 200])
    calibration = measured(shades(tmp_path), data).calibration
    files = [path.read_bytes() for path in sorted(data.iterdir())]
    assert calibration.size(["image"], "source", np.nan) == pytest.approx(np.mean(list(map(len, files))))
    fitted = [np.full((8, 8, 3), decode_pixels(file)[0, 0, 0], np.uint8) for file in files]
    coded = np.mean([len(encode_image("jpeg-50", pixels)) for pixels in fitted])
    assert calibration.size(["image"], "jpeg-50", np.nan) == pytest.approx(coded)


def test_without_labels_it_is_fidelity_to_the_model_itself_undivided(tmp_path: Path) -> None:
    outcome = measured(shades(tmp_path), greys(tmp_path / "d", [10, 90, 160, 250]))
    calibration = outcome.calibration
    assert (calibration.measure, calibration.reference, calibration.metric) == ("fidelity", "shades", "same label")
    assert outcome.accuracies == (1.0,)
    assert calibration.accuracy(0, ["image"], "jpeg-50") == 1.0


def test_with_a_reference_it_is_agreement_with_that(tmp_path: Path) -> None:
    data = greys(tmp_path / "d", [0, 85, 170, 255])
    fixed = answers(tmp_path, np.array([[0, 9, 0, 0]]), Metadata(preprocessing=FORM))
    outcome = measured(shades(tmp_path), data, fixed)
    assert (outcome.calibration.measure, outcome.calibration.reference) == ("agreement", "fixed")
    assert outcome.accuracies == (0.25,)


def test_a_reference_counts_more_than_labels(tmp_path: Path) -> None:
    data = table(tmp_path / "d", "file,label\na.png,3\n", "a.png")
    same = shades(tmp_path, "same")
    assert measured(shades(tmp_path), data, same).accuracies == (1.0,)
    assert measured(shades(tmp_path), data).accuracies == (0.0,)


def test_classes_are_found_by_their_names_whatever_their_order(tmp_path: Path) -> None:
    path = shades(tmp_path, classes=3, labels=("black", "grey", "white"))
    data = classes(tmp_path / "d", white=1, black=1)
    picture(data / "white" / "0.png", 255)
    assert measured(path, data).accuracies == (1.0,)


def test_boxes_are_measured_in_the_pictures_own_pixels(tmp_path: Path) -> None:
    box = np.array([[2, 2, 6, 6, 0.9, 1]])  # of 8 x 8: the middle half
    path = answers(tmp_path, box, Metadata(task="detection", head="end-to-end", preprocessing=FORM))
    right = yolo(tmp_path / "r", {"a": "1 0.5 0.5 0.5 0.5", "b": "1 0.5 0.5 0.5 0.5"}, ["a", "b"])
    outcome = measured(_boxes(path), right)
    assert (outcome.calibration.metric, outcome.accuracies) == ("mAP 50:95", (pytest.approx(1.0),))
    assert outcome.others["mAP 50"] == pytest.approx(1.0)
    wrong = yolo(tmp_path / "w", {"a": "0 0.5 0.5 0.5 0.5"}, ["a"])
    assert measured(_boxes(path), wrong).accuracies == (0.0,)


def _boxes(path: Path) -> Path:
    import onnx

    model = onnx.load(path)  # an end-to-end head gives [1, n, 6]
    for tensor in model.graph.initializer:
        if tensor.name == "value":
            del tensor.dims[:]
            tensor.dims.extend([1, 1, 6])
    shape = model.graph.output[0].type.tensor_type.shape
    shape.ClearField("dim")
    for size in (1, 1, 6):
        shape.dim.add().dim_value = size
    onnx.save(model, path)
    return path


def test_masks_are_measured_by_the_pictures_pixels(tmp_path: Path) -> None:
    halves = np.zeros((1, 2, 8, 8))
    halves[0, 0, :, :4] = halves[0, 1, :, 4:] = 1.0  # class 0 on the left, 1 on the right
    path = answers(tmp_path, halves, Metadata(task="segmentation", preprocessing=FORM))
    data = table(tmp_path / "d", "file,label\na.png,m.png\n", "a.png", "m.png")
    mask = np.zeros((30, 40, 3), np.uint8)
    mask[:, 20:] = 1
    mask[:15, :20] = 1  # a quarter of it is not what is answered
    from PIL import Image

    Image.fromarray(mask).save(data / "m.png")
    outcome = measured(path, data)
    assert outcome.calibration.metric == "mIoU"
    assert outcome.accuracies[0] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_outputs_that_nobody_explains_are_compared_by_their_angle(tmp_path: Path) -> None:
    path = answers(tmp_path, np.arange(12.0).reshape(1, 3, 4), Metadata(task="raw", preprocessing=FORM))
    outcome = measured(path, greys(tmp_path / "d", [0, 200]))
    assert (outcome.calibration.measure, outcome.calibration.metric) == ("fidelity", "cosine")
    assert outcome.accuracies == (pytest.approx(1.0),)


def refused(path: Path, data: Path, reference: Path | None = None) -> str:
    with pytest.raises(InputError) as error:
        measured(path, data, reference)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_pictures_for_a_model_of_several_inputs_are_refused_without_leading_anybody_to_a_configuration(
    tmp_path: Path,
) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("image", "meta")]
    saved(g.model(g.node("Add", "image", "meta")), tmp_path / "two.onnx")
    assert refused(tmp_path / "two.onnx", greys(tmp_path / "d", [0, 200])).endswith(
        "two takes 2 inputs, so it cannot be measured on pictures"
    )


def test_labels_that_do_not_fit_the_outputs_are_refused(tmp_path: Path) -> None:
    path = shades(tmp_path)
    assert "gives 4 scores, expected one for each of 8" in refused(
        path, table(tmp_path / "a", "file,label\nx.png,7\n", "x.png")
    )
    assert "found boxes as labels" in refused(path, yolo(tmp_path / "b", {"a": "0 0.5 0.5 0.1 0.1"}, ["a"]))
    assert "found masks as labels" in refused(
        path, table(tmp_path / "c", "file,label\nx.png,m.png\n", "x.png", "m.png")
    )
    assert "4 scores and no names" in refused(path, classes(tmp_path / "d", cat=1, dog=1))
    named = shades(tmp_path, "named", classes=2, labels=("cat", "dog"))
    assert "found the class 'cow', which named does not know" in refused(named, classes(tmp_path / "e", cat=1, cow=1))


def test_boxes_without_any_are_refused(tmp_path: Path) -> None:
    box = answers(tmp_path, np.zeros((1, 6)), Metadata(task="detection", head="end-to-end", preprocessing=FORM))
    assert "found no box in any picture" in refused(_boxes(box), yolo(tmp_path / "d", {"a": ""}, ["a"]))


def test_a_reference_that_is_no_relative_is_refused(tmp_path: Path) -> None:
    data = greys(tmp_path / "d", [0])
    path = shades(tmp_path, labels=("a", "b", "c", "d"))
    other = shades(tmp_path, "other", labels=("a", "b", "c", "e"))
    assert "other is no reference for shades" in refused(path, data, other)
    fewer = shades(tmp_path, "fewer", classes=3)
    assert "is no reference" in refused(shades(tmp_path, "more"), data, fewer)
    vector = answers(tmp_path, np.ones((1, 4)), Metadata(task="embedding", preprocessing=FORM))
    assert "the task embedding, expected classification" in refused(path, data, vector)
    blind = answers(tmp_path, np.ones((1, 4)), Metadata(), "blind")
    assert "blind does not say how a picture becomes its input" in refused(shades(tmp_path, "plain"), data, blind)


def test_a_mask_of_another_size_than_its_picture_is_refused(tmp_path: Path) -> None:
    path = answers(tmp_path, np.zeros((1, 2, 8, 8)), Metadata(task="segmentation", preprocessing=FORM))
    data = table(tmp_path / "d", "file,label\na.png,m.png\n", "a.png")
    picture(data / "m.png", 1, (5, 5))
    assert "found a mask of 5 x 5, its picture is 40 x 30" in refused(path, data)


def test_a_few_pictures_tell_sizes_and_no_accuracy(tmp_path: Path) -> None:
    data = greys(tmp_path / "d", list(range(0, 250, 10)))
    model, examples = load(shades(tmp_path)), few_pictures(data)
    assert len(examples) == 4
    assert mean_bytes(examples) == np.mean([file.stat().st_size for file in examples.files])
    calibration = sizes_of(model, examples, Engine())
    assert calibration.size(["image"], "source", np.nan) == mean_bytes(examples)
    assert {"png", "webp-lossless", "source", "float32+zstd"} <= {size.codec for size in calibration.sizes}
    assert not calibration.accuracies and not calibration.exits


def test_inputs_that_tell_no_size_tell_none(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"none")
    model = load(shades(tmp_path))
    assert expected_sizes(model, [tmp_path / "b.png", tmp_path / "gone.png"], Engine()) is None
    blind = load(answers(tmp_path, np.ones((1, 4)), Metadata(), "blind"))
    assert expected_sizes(blind, [picture(tmp_path / "a.png")], Engine()) is None
    assert expected_sizes(model, [tmp_path / "a.png"], Engine()) is not None
