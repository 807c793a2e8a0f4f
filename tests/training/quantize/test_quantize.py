from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.evaluation.data.examples import opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.training.exits.add_exits import add_exits
from edgent.training.exits.job import Order, new_job
from edgent.training.quantize import integers
from edgent.training.quantize.quantize import Quantised, quantize
from networks.kinds import plain
from networks.taught import SIDE, FixedTrainer, shaded, staged


def pictures(root: Path):
    return opened(read_listing(root, recognised(root)))


def made(folder: Path, say=lambda *_: None, **options) -> Quantised:
    file, data = folder / "net.onnx", folder / "shades"
    if not file.exists():
        staged(file, **options)
    if not data.exists():
        shaded(data)
    engine = OnnxRuntimeEngine()
    return quantize(
        load(file), pictures(data), folder / "net-int8.onnx", engine=engine, timing=engine, test=None, say=say
    )


def test_the_file_holds_whole_numbers_with_a_scale_for_each_channel_and_answers_nearly_the_same(tmp_path) -> None:
    quantised = made(tmp_path)
    proto = onnx.load(quantised.model.path)
    weights = [t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.INT8 and len(t.dims) == 4]
    assert len(weights) == 4
    scales = {t.name: t for t in proto.graph.initializer}
    assert any(
        list(scales[node.input[1]].dims) == [8] for node in proto.graph.node if node.op_type == "DequantizeLinear"
    )
    for shade in (0.1, 0.5, 0.9):
        picture = np.full((1, 3, SIDE, SIDE), shade, np.float32)
        before, after = (plain(path, {"image": picture}) for path in (tmp_path / "net.onnx", quantised.model.path))
        assert after["scores"].argmax() == before["scores"].argmax()
        assert np.abs(after["scores"] - before["scores"]).max() < 0.1 * np.abs(before["scores"]).max()


def test_accuracies_of_both_files_are_those_of_pictures_held_back_and_the_new_ones_stand_in_the_file(tmp_path) -> None:
    quantised = made(tmp_path)
    (pair,) = quantised.accuracies.exits
    (entry,) = quantised.model.metadata.exits
    assert (entry.accuracy, entry.samples, entry.data) == (pair.whole.number, 9, "shades, a tenth held back")
    assert pair.change.low <= pair.whole.number - pair.plain.number <= pair.change.high
    assert quantised.model.metadata.labels == load(tmp_path / "net.onnx").metadata.labels
    assert quantised.times.interval.low <= quantised.times.ratio <= quantised.times.interval.high


def test_without_labels_both_are_held_against_the_network_as_it_was(tmp_path) -> None:
    shaded(tmp_path / "shades", labelled=False)
    quantised = made(tmp_path)
    assert quantised.accuracies.name == "agreement"
    assert quantised.accuracies.exits[0].plain.number == 1
    assert quantised.model.metadata.exits[0].accuracy is None


def test_an_embedder_is_held_against_its_own_vectors_though_pictures_have_labels(tmp_path) -> None:
    quantised = made(tmp_path, task="embedding")
    assert quantised.accuracies.metric == "cosine"
    assert quantised.accuracies.exits[0].whole.number > 0.99


def test_a_file_with_exits_keeps_them_and_both_files_are_one_bundle(tmp_path) -> None:
    engine, data = OnnxRuntimeEngine(), pictures(shaded(tmp_path / "shades"))
    model, output = load(staged(tmp_path / "net.onnx")), tmp_path / "net-exits.onnx"
    order = Order(shares=(0.6,))
    job = new_job(model, data, output, engine=engine, order=order, test=None, say=lambda *_: None, clock=lambda: 0.0)
    added = add_exits(job, FixedTrainer(), output)
    whole = tmp_path / "net-exits-int8.onnx"
    quantize(added.model, data, whole, engine=engine, timing=engine, test=None, say=lambda *_: None)
    bundle = load(f"{output}+{whole}")
    assert len(bundle.branches) == 4
    names = {entry.name for entry in bundle.metadata.exits}
    assert names == {"exit0", "last", "net-exits-int8/exit0", "net-exits-int8/last"}


def test_weights_in_another_file_are_taken_in_and_counted(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="w.bin", size_threshold=0)
    quantised = made(tmp_path)
    assert quantised.model.files == ()
    assert quantised.plain_bytes == file.stat().st_size + (tmp_path / "w.bin").stat().st_size


def test_a_file_of_an_older_opset_is_converted(tmp_path) -> None:
    proto = onnx.load(staged(tmp_path / "net.onnx"))
    proto.opset_import[0].version = 11
    onnx.save(proto, tmp_path / "net.onnx")
    assert made(tmp_path).accuracies.exits[0].whole.number > 0.9


def test_ranges_are_the_extremes_on_the_pictures_however_often_the_run_was_killed(tmp_path) -> None:
    integers.prepared(staged(tmp_path / "net.onnx"), tmp_path / "prepared.onnx")
    rng = np.random.default_rng(0)
    inputs = [{"image": rng.random((1, 3, SIDE, SIDE)).astype(np.float32)} for _ in range(40)]

    def kill_at(number):
        def progress(done, whole):
            if done == number:
                raise KeyboardInterrupt

        return progress

    def ranges(progress=lambda *_: None):
        return integers.ranges_of(tmp_path / "prepared.onnx", iter(inputs), 40, tmp_path / "ranges.json", progress)

    for number in (20, 38):
        with pytest.raises(KeyboardInterrupt):
            ranges(kill_at(number))
    assert json.loads((tmp_path / "ranges.json").read_text())["done"] == 32
    low, high = ranges()["scores"]
    answers = [plain(tmp_path / "net.onnx", feeds)["scores"] for feeds in inputs]
    assert (low, high) == pytest.approx((np.min(answers), np.max(answers)), rel=1e-4)


def test_a_run_that_is_killed_goes_on_and_ends_as_one_that_was_not(tmp_path) -> None:
    def kill(what, done, whole):
        if what == "comparing answers":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, kill)
    assert not (tmp_path / "net-int8.onnx").exists()
    ranged: list[str] = []
    again = made(tmp_path, lambda what, *_: ranged.append(what))
    assert "measuring ranges" not in ranged
    (tmp_path / "net-int8.onnx").unlink()
    assert made(tmp_path).model.digest == again.model.digest
    assert not list(tmp_path.glob("*.work"))


def test_what_cannot_be_quantised_is_refused_in_one_line(tmp_path) -> None:
    quantised = made(tmp_path)
    engine = OnnxRuntimeEngine()

    def again(model):
        data = pictures(tmp_path / "shades")
        return quantize(model, data, tmp_path / "x.onnx", engine=engine, timing=engine, test=None, say=lambda *_: None)

    with pytest.raises(InputError, match="net-int8 is quantised already"):
        again(quantised.model)
    with pytest.raises(InputError, match="quantizing is for classifiers and embedders, not for detectors"):
        again(load(staged(tmp_path / "raw.onnx", task="raw")))
