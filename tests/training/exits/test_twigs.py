from __future__ import annotations

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.model.costs import branch_flops
from edgent.training.exits.graft import Twig, write_grafted
from edgent.training.exits.places import ExitPlace, places_of
from edgent.training.exits.twigs import TwigWeights, form_of, pooled_map, zero_weights
from networks.taught import staged


def place(channels: int, height: int, width: int) -> ExitPlace:
    return ExitPlace(tensor="x", shape=(channels, height, width), operations=1e6, share=0.5)


@pytest.mark.parametrize("most", [0.0, 2e5, 4e6])
@pytest.mark.parametrize("softmax", [False, True])
def test_a_twig_takes_the_operations_that_are_counted_in_the_file_that_it_becomes(tmp_path, most, softmax) -> None:
    model = load(staged(tmp_path / "net.onnx", softmax=softmax))
    first = places_of(model)[0]
    form = form_of(first, 3, softmax, most)
    write_grafted(model.path, [Twig(first, form, zero_weights(form))], tmp_path / "exits.onnx")
    exits = load(tmp_path / "exits.onnx")
    assert branch_flops(exits, exits.branches[0]) == first.operations + form.operations
    assert (not form.convolutions) == (most == 0)


@pytest.mark.parametrize("shape", [(80, 14, 14), (192, 7, 7), (24, 56, 56), (3, 30, 5)])
def test_a_twig_is_as_wide_as_it_may_be_and_no_wider(shape) -> None:
    forms = [form_of(place(*shape), 10, False, most) for most in (1e7, 2e7, 4e7)]
    assert all(form.operations <= most for form, most in zip(forms, (1e7, 2e7, 4e7), strict=True))
    widths = [form.convolutions[0].outputs for form in forms]
    assert widths == sorted(set(widths))
    assert max(forms[0].read[1:]) <= 16


def test_means_of_squares_are_what_an_average_pooling_gives() -> None:
    values = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    means = pooled_map(values, 2)
    assert means.shape == (2, 2, 3)
    assert means[1, 1, 2] == np.mean([values[1, row, column] for row in (2, 3) for column in (4, 5)])
    assert (pooled_map(values, 1) == values).all()


def test_a_temperature_divides_scores_and_leaves_the_rest() -> None:
    form = form_of(place(8, 8, 8), 3, False, 1e6)
    weights = TwigWeights(tuple((weight + 2, bias + 1) for weight, bias in zero_weights(form).layers))
    cooled = weights.cooled(4.0)
    assert (cooled.layers[-1][0] == 0.5).all()
    assert (cooled.layers[-1][1] == 0.25).all()
    assert all((a[0] == b[0]).all() for a, b in zip(cooled.layers[:-1], weights.layers[:-1], strict=True))


def test_weights_are_read_as_they_were_written(tmp_path) -> None:
    form = form_of(place(8, 8, 8), 3, False, 1e6)
    rng = np.random.default_rng(0)
    weights = TwigWeights(
        tuple((rng.random(w.shape, np.float32), rng.random(b.shape, np.float32)) for w, b in zero_weights(form).layers)
    )
    weights.save(tmp_path / "twig.npz")
    read = TwigWeights.load(tmp_path / "twig.npz")
    assert len(read.layers) == len(weights.layers)
    assert all(
        (a == b).all()
        for one, other in zip(read.layers, weights.layers, strict=True)
        for a, b in zip(one, other, strict=True)
    )
