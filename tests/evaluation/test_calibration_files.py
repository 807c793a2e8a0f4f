from __future__ import annotations

from edgent.engine.loading import load
from edgent.evaluation.calibration_files import calibration_for

BUNDLE = "b-alexnet+b-alexnet-int8"


def test_a_bundle_has_what_was_measured_of_its_members_under_the_numbers_of_its_own_exits():
    bundle = load(BUNDLE)
    together = calibration_for(bundle)
    for member, prefix in (("b-alexnet", ""), ("b-alexnet-int8", "b-alexnet-int8/")):
        alone, found = load(member), calibration_for(load(member))
        for branch in alone.branches:
            (number,) = (b.exit for b in bundle.branches if b.name == prefix + branch.name)
            for codec in ("jpeg-25", "webp-95", "uint8"):
                want = found.accuracy(branch.exit, ["image"], codec)
                assert want is not None
                assert together.accuracy(number, ["image"], codec) == want


def test_crossings_of_a_member_bear_its_name_and_the_input_is_shared():
    together = calibration_for(load(BUNDLE))
    crossed = {name for size in together.sizes for name in size.tensors}
    assert {"image", "conv1"} < crossed
    assert together.size(["image"], "webp-25", 0.0) == calibration_for(load("b-alexnet")).size(["image"], "webp-25", 0)
    assert together.digest == load(BUNDLE).digest
