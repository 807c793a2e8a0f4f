"""What each side computes: for every pair of cuts the pieces make the whole, in ONNX Runtime, on real tensors."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.device.compute import Compute
from edgent.device.division import Divisions, divide
from edgent.device.request import LocalBranch, at_pace
from edgent.engine.onnxruntime import Engine
from edgent.planning.plan import Configuration
from edgent.testing import ManualClock
from edgent.units import Seconds


class Impatient:
    def hold(self, started_at, seconds):
        """Nothing is held."""


@pytest.fixture(scope="module")
def compute(model):
    return Compute(model, Engine(capacity=1000), None, Impatient(), ManualClock())


def whole(compute, model, branch, picture):
    session = compute.engine.session(model, ["image"], [tensor.name for tensor in branch.outputs])
    return session.run({"image": picture})[branch.outputs[0].name]


@pytest.mark.parametrize("exit", [0, 4])
def test_head_middle_and_suffix_of_every_kind_of_cut_make_the_whole(model, compute, picture, exit):
    branch = model.branch(exit)
    n = len(branch.layers)
    expected = whole(compute, model, branch, picture)
    for upload, download in [(0, n), *((u, n) for u in range(1, n)), *((0, d) for d in range(1, n)), (2, 5), (4, 9)]:
        made = divide(model, Configuration(exit=exit, upload_cut=upload, download_cut=download))
        tensors = {"image": picture} | compute.run(made.head, {"image": picture})
        given, asked = ([tensor.name for tensor in side] for side in (made.up, made.down))
        tensors |= compute.engine.session(model, given, asked).run({name: tensors[name] for name in given})
        answers = {name: tensors[name] for name in made.answers if name in asked}
        answers |= compute.run(made.suffix, tensors)
        assert np.allclose(answers[branch.outputs[0].name], expected, rtol=1e-4, atol=1e-4), (upload, download)


@pytest.mark.parametrize("upload", [0, 3, 5, 8])
def test_every_local_branch_goes_on_from_what_the_head_left(model, compute, picture, upload):
    made = divide(model, Configuration(exit=4, upload_cut=upload, download_cut=22))
    left = {"image": picture} | compute.run(made.head, {"image": picture})
    for branch in model.branches:
        found = compute.run(made.locals[branch.exit], left)[branch.outputs[0].name]
        assert np.allclose(found, whole(compute, model, branch, picture), rtol=1e-4, atol=1e-4)


def test_the_times_of_head_and_local_branch_add_up_to_the_branch(model, slow):
    made = divide(model, Configuration(exit=4, upload_cut=8, download_cut=22), device=slow, host=slow)
    assert made.head.seconds == pytest.approx(8 * 0.022)
    assert made.branches[4].seconds == pytest.approx(14 * 0.022)
    assert made.locals[4].seconds == pytest.approx(14 * 0.022)


def test_a_local_branch_includes_preparing_what_the_head_did_not_need(model, slow):
    coded = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
    raw = Configuration(exit=4, upload_cut=0, download_cut=22)
    assert divide(model, coded, device=slow, preparing=1.0).branches[0].seconds == pytest.approx(1 + 12 * 0.022)
    assert divide(model, raw, device=slow, preparing=1.0).branches[0].seconds == pytest.approx(12 * 0.022)


def test_alone_a_branch_may_stand_in_for_the_planned_one_only_if_it_is_faster(model, slow):
    own = divide(model, Configuration(exit=2, upload_cut=19, download_cut=19), device=slow)
    assert [branch.exit for branch in own.branches] == [2, 0, 1]
    shared = divide(model, Configuration(exit=4, upload_cut=0, download_cut=22), device=slow)
    assert [branch.exit for branch in shared.branches] == [0, 1, 2, 3, 4]


def test_exits_that_may_not_answer_stand_in_for_nothing(model, slow):
    divisions = Divisions(model, slow, None, exits=[1, 2])
    shared = divisions.of(Configuration(exit=4, upload_cut=0, download_cut=22), "array")
    own = divisions.of(Configuration(exit=2, upload_cut=19, download_cut=19), "array")
    named = divisions.of(Configuration(exit=4, upload_cut=22, download_cut=22), "array")
    assert [[branch.exit for branch in division.branches] for division in (shared, own, named)] == [
        [1, 2],
        [2, 1],
        [4, 1, 2],
    ]


def test_the_device_alone_has_no_head_and_its_exit_as_a_local_branch(model):
    made = divide(model, Configuration(exit=1, upload_cut=16, download_cut=16))
    assert made.head.asked == made.suffix.asked == made.up == made.down == ()
    assert made.locals[1].given == ("image",)


def test_only_image_codecs_that_encode_need_pixels(model):
    def wants(codec):
        made = divide(model, Configuration(exit=4, upload_cut=0, download_cut=22, codec=codec))
        return made.tensors, made.pixels

    assert wants("source") == ((), ())
    assert wants("webp-90") == ((), ("image",))
    assert wants("uint8") == (("image",), ())


def test_layers_and_pictures_have_paces_of_their_own():
    (one,) = at_pace([LocalBranch(exit=1, seconds=Seconds(0.05), preparing=Seconds(0.02))], 2.0, 3.0)
    assert (one.seconds, one.preparing) == (pytest.approx(0.12), pytest.approx(0.06))
