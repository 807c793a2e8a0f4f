from __future__ import annotations

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine, branch_ends
from edgent.lab.figures.choosing import both_machines
from edgent.lab.figures.machines import at_the_speed_of
from edgent.lab.figures.wide import wide_trunk
from lab.figures import made


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return load(wide_trunk(tmp_path_factory.mktemp("wide")))


def test_the_wide_trunk_has_the_layers_of_alexnet(wide):
    (branch,) = wide.branches
    narrow = load("b-alexnet").branches[-1]
    assert [layer.op for layer in branch.layers] == [layer.op for layer in narrow.layers]
    assert len(branch.layers) == 22


def test_the_wide_trunk_answers(wide):
    reads, asked = branch_ends(wide.branches[0])
    (answer,) = Engine().session(wide, reads, asked).run({reads[0]: np.ones((1, 3, 32, 32), np.float32)}).values()
    assert answer.shape == (1, 10)
    assert np.isfinite(answer).all()


def test_another_model_on_the_same_device_is_slowed_down_by_the_same_factor(wide, tmp_path):
    known = made.setting("paper-pi3-resident")
    lab = made.lab(tmp_path)
    lab.parts.part("profile-alexnet-wide", {"digest": wide.digest}, lambda: made.host(wide, layer=0.001).to_json())
    scaled = at_the_speed_of(known, lab, wide)
    factor = known.profile.branches[-1].whole.median / known.host.branches[-1].whole.median
    assert scaled.profile.branches[-1].whole.median == pytest.approx(factor * 22 * 0.001)
    assert scaled.edge == scaled.host


def test_a_figures_device_runs_at_one_factor_without_jitter_and_its_planner_knows_it():
    setting = made.setting("paper-pi3")
    table, planned = setting.board.table.branches[-1], setting.profile.branches[-1]
    assert table.layers == pytest.approx(planned.layers) and table.whole.median == pytest.approx(2.2)
    assert setting.board.profile.branches[-1].layers == pytest.approx(table.layers)
    assert setting.board.jitter == 0


def test_a_device_keeps_its_factor_whatever_a_predictor_says_of_this_machine():
    setting = made.setting("paper-pi3")
    device, edge = both_machines(setting, made.host(setting.model, layer=3e-4))
    assert device.branches[-1].whole.median == pytest.approx(3 * 2.2)
    assert edge.branches[-1].whole.median == pytest.approx(3 * 0.0075)


def test_float32_settings_are_asked_tensors_and_the_others_pictures():
    setting = made.setting()
    assert all(tensor.shape == (1, 3, 32, 32) and tensor.dtype == np.float32 for tensor in setting.inputs)
    assert {setting.candidates.codecs[k] for k in np.unique(setting.candidates.codec)} == {"float32"}
