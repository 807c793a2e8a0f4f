from __future__ import annotations

import onnx
import pytest
from onnx.utils import Extractor

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.training.exits.places import operations_of, places_of
from networks.graphs import GRAPHS, saved
from networks.taught import staged


def test_a_place_holds_all_that_the_answer_is_made_of(tmp_path) -> None:
    model = load(staged(tmp_path / "net.onnx"))
    proto = onnx.shape_inference.infer_shapes(onnx.load(model.path))
    for place in places_of(model):
        # onnx itself cuts the graph there: with another way around the place it would find no end.
        rest = Extractor(proto).extract_model([place.tensor], ["scores"])
        made = {name for node in rest.graph.node for name in node.output}
        constants = {tensor.name for tensor in rest.graph.initializer}
        assert {name for node in rest.graph.node for name in node.input} <= made | constants | {place.tensor}


def test_inside_a_block_with_a_skip_beside_it_there_is_no_place(tmp_path) -> None:
    with_skip = {place.tensor for place in places_of(load(staged(tmp_path / "skip.onnx")))}
    without = {place.tensor for place in places_of(load(staged(tmp_path / "plain.onnx", residual=False)))}
    assert not with_skip & {"two", "two.y", "three", "three.y"}
    assert without & {"two", "two.y", "three", "three.y"}


def test_operations_are_those_that_arithmetic_gives(tmp_path) -> None:
    model = load(staged(tmp_path / "net.onnx"))
    per_pixel = [(3, 8), (8, 16), (16, 8), (8, 24)]
    convolutions = sum(144 * (2 * 9 * inputs * outputs + outputs) for inputs, outputs in per_pixel)  # and their ReLUs
    rest = 144 * 8 + 144 * 24 + 2 * 24 * 3  # sum, mean, linear layer
    assert operations_of(model) == convolutions + rest
    first = places_of(model)[0]
    assert first.tensor == "one.y"
    assert first.operations == 144 * 2 * 9 * 3 * 8
    assert first.share == pytest.approx(first.operations / operations_of(model))


def test_places_stand_in_order_and_none_costs_as_much_as_another(tmp_path) -> None:
    shares = [place.share for place in places_of(load(staged(tmp_path / "net.onnx", residual=False)))]
    assert shares == sorted(set(shares))
    assert len({int(share * 20) for share in shares}) == len(shares)


@pytest.mark.parametrize("name", ["attention", "dense"])
def test_a_network_in_which_no_map_crosses_alone_has_none(tmp_path, name) -> None:
    with pytest.raises(InputError, match="has no place for an exit: expected a map of features"):
        places_of(load(saved(GRAPHS[name](), tmp_path / f"{name}.onnx")))
