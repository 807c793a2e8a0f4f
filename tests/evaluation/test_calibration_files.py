from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgent.codec import Calibration, CodecAccuracy, EncodedSize, ExitAccuracy
from edgent.engine.loading import load
from edgent.evaluation.calibration_files import calibration_for
from edgent.model import SHIPPED

BUNDLE = "b-alexnet+b-alexnet-int8"


def test_a_bundle_has_what_was_measured_of_its_members_under_the_numbers_of_its_own_exits():
    bundle = load(BUNDLE)
    together = calibration_for(bundle)
    for member, prefix in (("b-alexnet", ""), ("b-alexnet-int8", "b-alexnet-int8/")):
        alone, own = load(member), calibration_for(load(member))
        for branch in alone.branches:
            (number,) = (b.exit for b in bundle.branches if b.name == prefix + branch.name)
            for codec in ("jpeg-25", "webp-95", "uint8"):
                want = own.accuracy(branch.exit, ["image"], codec)
                assert want is not None
                assert together.accuracy(number, ["image"], codec) == want


def test_crossings_of_a_member_bear_its_name_and_the_input_is_shared():
    together = calibration_for(load(BUNDLE))
    crossed = {name for size in together.sizes for name in size.tensors}
    assert {"image", "conv1"} < crossed
    assert together.size(["image"], "webp-25", 0.0) == calibration_for(load("b-alexnet")).size(["image"], "webp-25", 0)
    assert together.digest == load(BUNDLE).digest


MEMBERS = ("b-alexnet", "b-alexnet-int8")


@pytest.fixture
def measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Calibration | None]:
    """The bundle's calibration where each member was measured as told, beside files of its own."""

    def bundled(*measures: str) -> Calibration | None:
        for name, measure in zip(MEMBERS, measures, strict=True):
            shutil.copy(SHIPPED / f"{name}.onnx", tmp_path)
            member = load(tmp_path / f"{name}.onnx")
            exits = tuple(
                ExitAccuracy(exit=b.exit, accuracy=0.5 + b.exit / 10, samples=60, interval=(0, 1), change=(-0.1, 0.1))
                for b in member.branches
            )
            lossy = CodecAccuracy(exit=0, tensors=("image",), codec="jpeg-50", accuracy=0.4, samples=60)
            size = EncodedSize(tensors=("image",), codec="jpeg-50", mean_bytes=700.0, samples=60)
            head = {"model": name, "digest": member.digest, "data": "d", "measure": measure, "metric": "same label"}
            head |= {"reference": name if measure == "fidelity" else "", "exits": exits}
            Calibration(**head, sizes=(size,), accuracies=(lossy,)).save(tmp_path / f"{name}.calibration.json")
        return calibration_for(load("+".join(str(tmp_path / f"{name}.onnx") for name in MEMBERS)))

    return bundled


def test_members_measured_alike_are_ranked_together_and_their_exits_by_what_they_seem(measured_anew) -> None:
    together = measured_anew("accuracy", "accuracy")
    assert together is not None and together.measure == "accuracy"
    assert len(together.exits) == len(load(BUNDLE).branches)
    best = max(entry.accuracy for entry in together.exits)
    for entry in together.exits:
        assert together.exit_counts_as(entry.exit) == entry.accuracy
    assert best == 0.5 + load("b-alexnet").branches[-1].exit / 10


@pytest.mark.parametrize("measures", [("accuracy", "fidelity"), ("fidelity", "fidelity"), ("agreement", "accuracy")])
def test_members_measured_otherwise_or_each_beside_itself_bring_their_sizes_only(measured_anew, measures) -> None:
    together = measured_anew(*measures)
    assert together is not None
    assert (together.measure, together.exits, together.accuracies) == ("accuracy", (), ())
    assert together.size(["image"], "jpeg-50", 0.0) == 700.0
