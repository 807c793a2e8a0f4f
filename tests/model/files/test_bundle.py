from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import ModelError
from edgent.model import SHIPPED
from edgent.model.configuration.document import KEY
from edgent.model.costs import layer_costs
from networks.kinds import plain


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The shipped network again, every exit a little less accurate, its weights all halved."""
    path = tmp_path_factory.mktemp("bundle") / "second.onnx"
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    for tensor in proto.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(onnx.numpy_helper.from_array(array / 2, tensor.name))
    _change(proto, lambda exits: [entry | {"accuracy": entry["accuracy"] - 0.0001} for entry in exits])
    onnx.save(proto, path)
    return path


def _change(proto, change):
    (entry,) = proto.metadata_props
    document = json.loads(entry.value)
    document["exits"] = change(document["exits"])
    entry.value = json.dumps(document)
    assert entry.key == KEY


def test_the_exits_of_all_files_are_numbered_by_accuracy(second):
    bundle = load(f"b-alexnet+{second}")
    accuracies = [branch.accuracy for branch in bundle.branches]
    assert bundle.name == "b-alexnet+second"
    assert len(accuracies) == 10
    assert accuracies == sorted(accuracies)


def test_each_exit_answers_as_in_its_own_file(second):
    engine, picture = Engine(), np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)
    bundle = load(f"b-alexnet+{second}")
    compared = 0
    for file, prefix in (("b-alexnet", ""), (second, "second/")):
        alone = load(file)
        for branch in alone.branches:
            name = branch.outputs[0].name
            want = engine.session(alone, ["image"], [name]).run({"image": picture})[name]
            answer = engine.session(bundle, ["image"], [prefix + name]).run({"image": picture})[prefix + name]
            np.testing.assert_allclose(answer, want, rtol=1e-5, atol=1e-5)
            compared += 1
    assert compared == 10


def test_a_bundle_is_another_model_than_its_files(second):
    digests = {load(name).digest for name in ("b-alexnet", str(second), f"b-alexnet+{second}")}
    assert len(digests) == 3


def apart(path, folder):
    """The same network with its weights in a file beside it, as PyTorch exports it."""
    folder.mkdir()
    onnx.save(onnx.load(path), folder / path.name, save_as_external_data=True, location=f"{path.name}.data")
    return folder / path.name


def test_it_does_not_matter_where_the_weights_of_its_files_lie(second, tmp_path):
    first = apart(SHIPPED / "b-alexnet.onnx", tmp_path / "one")
    bundle = load(f"{first}+{apart(second, tmp_path / 'other')}")
    assert bundle.digest == load(f"b-alexnet+{second}").digest
    answers = [branch.outputs[0].name for branch in bundle.branches]
    picture = np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)
    found = Engine().session(bundle, ["image"], answers).run({"image": picture})
    for file, prefix in ((SHIPPED / "b-alexnet.onnx", ""), (second, "second/")):
        for name, want in plain(file, {"image": picture}).items():
            np.testing.assert_allclose(found[prefix + name], want, rtol=1e-5, atol=1e-5)


def test_two_files_of_one_name_are_refused(tmp_path):
    shutil.copy(SHIPPED / "b-alexnet.onnx", tmp_path)
    with pytest.raises(ModelError, match="rename one"):
        load(f"b-alexnet+{tmp_path / 'b-alexnet.onnx'}")


def test_unknown_accuracies_are_refused(tmp_path):
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    _change(proto, lambda exits: [entry | {"accuracy": None} for entry in exits])
    onnx.save(proto, tmp_path / "unknown.onnx")
    with pytest.raises(ModelError, match="accuracy of an exit is unknown"):
        load(f"b-alexnet+{tmp_path / 'unknown.onnx'}")


def test_accuracies_on_other_data_are_refused(tmp_path):
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    _change(proto, lambda exits: [entry | {"data": "another set"} for entry in exits])
    onnx.save(proto, tmp_path / "elsewhere.onnx")
    with pytest.raises(ModelError, match="data behind the accuracies"):
        load(f"b-alexnet+{tmp_path / 'elsewhere.onnx'}")


def multiplying(model, branch):
    """Operations of its convolutions and linear layers."""
    kinds = ("Conv", "QLinearConv", "Gemm")
    return sum(cost.flops for cost in layer_costs(model, branch) if cost.kind in kinds)


def test_a_quantised_network_does_as_many_operations_as_the_one_it_stands_for():
    plain, quantised = load("b-alexnet"), load("b-alexnet-int8")
    for ours, theirs in zip(quantised.branches, plain.branches, strict=True):
        assert multiplying(quantised, ours) == multiplying(plain, theirs)
