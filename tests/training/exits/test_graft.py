from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.training.exits.graft import Twig, grafted, is_unchanged, write_grafted
from edgent.training.exits.places import places_of
from edgent.training.exits.twigs import TwigWeights, form_of, zero_weights
from networks.kinds import plain
from networks.taught import SIDE, staged


def twigs(model, softmax: bool = False, most: float = 1e6) -> list[Twig]:
    rng = np.random.default_rng(3)
    trained = []
    for place in places_of(model):
        form = form_of(place, 3, softmax, most)
        weights = TwigWeights(
            tuple(
                (rng.standard_normal(w.shape).astype(np.float32) / w[0].size ** 0.5, rng.random(b.shape, np.float32))
                for w, b in zero_weights(form).layers
            )
        )
        trained.append(Twig(place, form, weights))
    return trained


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """A convolution that keeps the size, in sums of shifted maps."""
    side = weight.shape[-1]
    padded = np.pad(x, [(0, 0), (side // 2, side // 2), (side // 2, side // 2)])
    height, width = x.shape[1:]
    total = sum(
        np.einsum("oi,ihw->ohw", weight[:, :, row, column], padded[:, row : row + height, column : column + width])
        for row in range(side)
        for column in range(side)
    )
    return np.maximum(total + bias[:, None, None], 0)[:, ::stride, ::stride]


def test_an_exit_answers_what_its_layers_give_in_numpy(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    new = twigs(load(file))
    write_grafted(file, new, tmp_path / "exits.onnx")
    picture = np.random.default_rng(0).random((1, 3, SIDE, SIDE)).astype(np.float32)
    answers = plain(tmp_path / "exits.onnx", {"image": picture})
    seen = onnx.load(file)
    seen.graph.output.extend(helper.make_tensor_value_info(h.place.tensor, 1, None) for h in new)
    onnx.save(seen, tmp_path / "seen.onnx")
    maps = plain(tmp_path / "seen.onnx", {"image": picture})
    for number, twig in enumerate(new):
        x = maps[twig.place.tensor][0].astype(np.float64)
        *layers, (weight, bias) = twig.weights.layers
        for layer, (kernel, shift) in zip(twig.form.convolutions, layers, strict=True):
            x = convolved(x, kernel, shift, layer.stride)
        expected = weight @ x.mean(axis=(1, 2)) + bias
        assert answers[f"exit{number}"][0] == pytest.approx(expected, rel=1e-4)


def test_weights_that_lie_in_another_file_are_taken_in(tmp_path) -> None:
    whole = staged(tmp_path / "net.onnx")
    file = tmp_path / "apart.onnx"
    onnx.save(onnx.load(whole), file, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "elsewhere").mkdir()
    write_grafted(file, twigs(load(file)), tmp_path / "elsewhere" / "exits.onnx")
    picture = {"image": np.random.default_rng(0).random((1, 3, SIDE, SIDE)).astype(np.float32)}
    assert (
        plain(tmp_path / "elsewhere" / "exits.onnx", picture)["scores"].tobytes()
        == plain(whole, picture)["scores"].tobytes()
    )


def test_many_pictures_at_once_are_answered_as_each_alone(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    write_grafted(file, twigs(load(file)), tmp_path / "exits.onnx")
    pictures = np.random.default_rng(0).random((4, 3, SIDE, SIDE)).astype(np.float32)
    together = plain(tmp_path / "exits.onnx", {"image": pictures})
    for row in range(4):
        alone = plain(tmp_path / "exits.onnx", {"image": pictures[row : row + 1]})
        assert all(together[name][row] == pytest.approx(alone[name][0], rel=1e-5) for name in alone)


def test_the_old_nodes_and_outputs_stand_first_and_as_they_were(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    before, (after, names) = onnx.load(file), grafted(file, twigs(load(file)))
    count = len(before.graph.node)
    assert [node.SerializeToString() for node in after.graph.node[:count]] == [
        node.SerializeToString() for node in before.graph.node
    ]
    assert [value.name for value in after.graph.output] == ["scores", *names]


def test_names_that_are_taken_are_left_alone(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    proto = onnx.load(file)
    for node in proto.graph.node:
        node.input[:] = ["exit0/conv0" if name == "flat" else name for name in node.input]
        node.output[:] = ["exit0/conv0" if name == "flat" else name for name in node.output]
    onnx.save(proto, file)
    _, names = grafted(file, twigs(load(file)))
    assert names[0] == "exit0_"


def test_a_change_of_the_last_answer_by_one_bit_is_seen(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    picture = {"image": np.ones((1, 3, SIDE, SIDE), np.float32)}
    write_grafted(file, twigs(load(file)), tmp_path / "exits.onnx")
    assert is_unchanged(file, tmp_path / "exits.onnx", [picture])
    proto = onnx.load(tmp_path / "exits.onnx")
    bias = next(tensor for tensor in proto.graph.initializer if tensor.name == "b")
    moved = np.nextafter(onnx.numpy_helper.to_array(bias), np.float32(-1e9))
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, "b"))
    onnx.save(proto, tmp_path / "exits.onnx")
    assert not is_unchanged(file, tmp_path / "exits.onnx", [picture])


def test_a_file_of_too_old_an_opset_is_refused(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    new, proto = twigs(load(file)), onnx.load(file)
    proto.opset_import[0].version = 6
    onnx.save(proto, file)
    with pytest.raises(ModelError, match="found opset 6, expected 7 or more"):
        grafted(file, new)
