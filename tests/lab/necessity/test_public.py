from __future__ import annotations

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.lab.necessity.grid import load_grid
from edgent.lab.necessity.networks import PUBLISHED, network
from edgent.lab.necessity.public import at_cuts, early_exit, public_candidates, single_cuts, undivided, without_input
from edgent.model.costs import layer_costs
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.knobs import left_without

ASSUMED = load_grid().assumed


def plane(n, value):
    return np.full((n + 1, n + 1), value, dtype=float)


def costs(seconds=(0.1, 0.2, 0.3, 0.4), accuracy=0.8):
    """Sizes name the pair of cuts, so that a wrong pair shows."""
    n = len(seconds)
    size = np.array([[100.0 * up + down for down in range(n + 1)] for up in range(n + 1)])
    source = plane(n, np.nan)
    source[0] = 50.0

    def crossing(codec, bytes_of, accuracies=None):
        nothing = plane(n, 0.0)
        return Crossing(codec=codec, size=bytes_of, encode=nothing, decode=nothing, accuracy=accuracies)

    return BranchCosts(
        exit=0,
        accuracy=accuracy,
        device=np.array(seconds),
        edge=np.array(seconds) / 10,
        up=(
            crossing("float32", size),
            crossing("source", source),
            crossing("uint8", size / 4, plane(n, accuracy - 0.01)),
        ),
        down=(crossing("float32", size + 0.5),),
    )


def test_fewer_cuts_leave_the_work_and_what_crosses_at_them_as_it_was():
    whole, some = costs(), at_cuts(costs(), (0, 1, 4))
    assert some.device.tolist() == pytest.approx([0.1, 0.9])
    assert some.device.sum() == pytest.approx(whole.device.sum())
    assert some.up[0].size[1, 2] == whole.up[0].size[1, 4]
    table = Candidates.of([some])
    assert set(zip(table.upload_cut.tolist(), table.download_cut.tolist(), strict=True)) == {
        (2, 2), (0, 1), (0, 2), (1, 2),
    }  # fmt: skip


def test_an_early_exit_is_the_layers_before_it_and_its_answer_comes_down():
    early = early_exit(costs(), 7, 0.25, 0.9, 40.0)
    assert (early.exit, early.layers) == (7, 2)
    assert early.accuracy == pytest.approx(0.72)
    table = Candidates.of([early])
    answered = table.download_cut == 2
    assert set(table.bytes_down[answered & (table.messages > 0)].tolist()) == {40.0}
    assert set(table.accuracy[table.codec == table.codecs.index("uint8")].round(6).tolist()) == {0.711}


def test_an_undivided_network_runs_on_one_side_or_the_other():
    table = Candidates.of([undivided(costs(), 3, loss=0.02, device_time=0.5)])
    assert set(zip(table.upload_cut.tolist(), table.download_cut.tolist(), strict=True)) == {(1, 1), (0, 1)}
    assert table.head[table.messages == 0].tolist() == pytest.approx([0.5])
    assert table.accuracy.max() == pytest.approx(0.78)


def test_an_input_that_is_kept_does_not_travel():
    table = Candidates.of([costs()])
    assert (without_input(table, "kept").upload_cut > 0).all()
    assert len(without_input(table, "file")) == len(table)


def test_rivals_stand_beside_the_network_and_the_bigger_one_is_the_edge_s_alone():
    networks = {"a": costs(), ASSUMED.smaller: costs((0.05,), 0.6), ASSUMED.bigger: costs((2.0, 1.0), 0.9)}
    table, kinds = public_candidates("a", networks, ASSUMED, "pi-4", "file")
    bigger = np.isclose(table.accuracy, 0.9)
    assert bigger.any() and (table.messages[bigger] > 0).all()
    remain = left_without(table, kinds)
    assert table.accuracy[remain["networks"]].max() == pytest.approx(0.8)
    quantised = ~remain["int8"] & (table.messages == 0)
    assert table.head[quantised].tolist() == pytest.approx([ASSUMED.int8_time["pi-4"]])
    assert not remain["exit"][np.isclose(table.accuracy, 0.8 * ASSUMED.exits[0][1])].any()


def test_the_smaller_network_is_no_rival_of_itself():
    networks = {ASSUMED.smaller: costs(), ASSUMED.bigger: costs((2.0, 1.0), 0.9)}
    _, kinds = public_candidates(ASSUMED.smaller, networks, ASSUMED, "pi-5", "kept")
    assert len(kinds.others) == 1


@pytest.mark.parametrize(
    ("name", "giga"),
    [("mobilenet_v2", 0.30), ("efficientnet_lite0", 0.39), ("mobilenet_v3_small", 0.057), ("resnet18", 1.82)],
)
def test_networks_have_the_multiply_adds_that_their_authors_published(tmp_path, name, giga):
    model = load(network(name, tmp_path))
    (branch,) = model.branches
    assert sum(cost.flops for cost in layer_costs(model, branch)) / 2e9 == pytest.approx(giga, rel=0.05)
    assert branch.accuracy == PUBLISHED[name]
    assert branch.inputs[0].shape == (1, 3, 224, 224)
    assert single_cuts(branch)[0] == 0 and single_cuts(branch)[-1] == len(branch.layers)


def test_a_network_of_the_onnx_wheel_is_described_as_well(tmp_path):
    model = load(network("squeezenet", tmp_path))
    assert model.branches[0].accuracy == PUBLISHED["squeezenet"]
    assert model.metadata.preprocessing.size == (224, 224)


def test_an_unknown_network_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match="resnet18"):
        network("resnet19", tmp_path)
