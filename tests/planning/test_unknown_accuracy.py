"""Planning from no data: what loses nothing needs no accuracy, and what is not known is not made up."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from onnx import helper

from edgent.codec import Calibration, CodecAccuracy, CodecError, EncodedSize, ExitAccuracy
from edgent.document import Node
from edgent.engine.loading import load
from edgent.latency.profile import CodecTime
from edgent.link import TransferModel
from edgent.model import SHIPPED, Model
from edgent.model.configuration.document import KEY, write_json
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.plan import Plan, Stages, plan_keys
from edgent.units import BitsPerSecond, Seconds
from lab.figures.made import host

MODEL = load("b-alexnet")
TIMED = tuple(
    CodecTime(codec=codec, encode_base=1e-5, encode_per_byte=0.0, decode_base=1e-5, decode_per_byte=0.0)
    for codec in ("png", "webp-lossless", "jpeg-50", "float32+zstd")
)
HOST = replace(host(MODEL), codecs=TIMED)


@lru_cache
def never_measured() -> Model:
    """The same network, whose file knows no accuracies: they are in no digest."""
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    exits = tuple(replace(entry, accuracy=None) for entry in MODEL.metadata.exits)
    helper.set_model_props(proto, {KEY: write_json(replace(MODEL.metadata, exits=exits))})
    with TemporaryDirectory() as folder:
        onnx.save(proto, Path(folder) / "b-alexnet.onnx")
        return load(Path(folder) / "b-alexnet.onnx")


def conditions(bandwidth: float) -> Conditions:
    way = TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(0.005))
    return Conditions(uplink=way, downlink=way)


def table(
    calibration: Calibration | None = None, source_bytes: float | None = None, slower: float = 60.0
) -> Candidates:
    device = HOST.scaled(slower, "a board")
    return Candidates.build(never_measured(), device, HOST, calibration, source_bytes=source_bytes)


def sizes(**known: float) -> tuple[EncodedSize, ...]:
    return tuple(
        EncodedSize(tensors=("image",), codec=codec.replace("_", "-"), mean_bytes=size, samples=4)
        for codec, size in known.items()
    )


def calibration(**changes) -> Calibration:
    return Calibration(**({"model": MODEL.name, "digest": MODEL.digest, "data": "d"} | changes))


def test_without_any_data_raw_tensors_are_offered_and_accuracies_are_unknown() -> None:
    candidates = table()
    assert {candidates.codecs[k] for k in candidates.codec} == {"float32"}
    assert np.isnan(candidates.accuracy).all()


def test_the_file_as_it_came_is_offered_as_soon_as_its_size_is_known() -> None:
    candidates = table(source_bytes=2_000.0)
    rows = candidates.codec == candidates.codecs.index("source")
    assert rows.any()
    assert set(candidates.bytes_up[rows]) == {2_000.0}
    assert set(candidates.upload_cut[rows]) == {0}


def test_the_plan_from_no_data_can_be_the_file_to_the_edge() -> None:
    chosen = Planner(table(source_bytes=2_000.0)).plan(conditions(5e6), Seconds(0.5))
    assert (chosen.configuration.codec, chosen.configuration.upload_cut) == ("source", 0)
    assert chosen.accuracy is None
    assert chosen.stages.prepare == 0  # the device does not even decode it


def test_a_few_pictures_sizes_offer_what_loses_nothing_and_nothing_else() -> None:
    measured = calibration(sizes=sizes(source=2_000.0, png=2_300.0, webp_lossless=1_800.0, jpeg_50=700.0))
    offered = {codec for k, codec in enumerate(table(measured).codecs) if (table(measured).codec == k).any()}
    assert {"float32", "source", "png", "webp-lossless"} <= offered
    assert "jpeg-50" not in offered


def test_among_unknown_accuracies_the_last_exit_in_time_is_best_and_every_answer_counts() -> None:
    candidates = table()
    assert candidates.merit.max() == 1.0
    assert candidates.merit.min() > 0
    assert np.array_equal(np.argsort(candidates.merit, kind="stable"), np.argsort(candidates.exit, kind="stable"))


def test_a_lossy_codec_beside_an_exit_of_unknown_accuracy_has_no_rank_and_is_not_offered() -> None:
    lossy = CodecAccuracy(exit=4, tensors=("image",), codec="jpeg-50", accuracy=0.8, samples=60)
    candidates = table(calibration(sizes=sizes(jpeg_50=700.0), accuracies=(lossy,)))
    assert not (candidates.codec == _place(candidates, "jpeg-50")).any()


def fidelity(change: tuple[float, float]) -> Calibration:
    exits = tuple(
        ExitAccuracy(exit=k, accuracy=a, samples=60, interval=(0, 1), change=(a - 1, a - 1))
        for k, a in enumerate((0.5, 0.6, 0.7, 0.8, 1.0))
    )
    lossy = CodecAccuracy(exit=4, tensors=("image",), codec="jpeg-50", accuracy=0.95, samples=60, change=change)
    return calibration(measure="fidelity", exits=exits, sizes=sizes(source=9_000.0, jpeg_50=700.0), accuracies=(lossy,))


@pytest.mark.parametrize(("change", "codec"), [((-0.1, 0.02), "jpeg-50"), ((-0.1, -0.01), "source")])
def test_a_codec_that_the_pictures_cannot_tell_from_nothing_wins_by_its_size(change, codec) -> None:
    chosen = Planner(table(fidelity(change))).plan(conditions(5e6), Seconds(0.5))
    assert chosen.configuration.codec == codec
    assert chosen.accuracy == (0.95 if codec == "jpeg-50" else 1.0)  # told as it was measured


def test_a_fidelity_is_called_so_and_never_stands_beside_the_files_accuracies() -> None:
    candidates = Candidates.build(MODEL, HOST, HOST, fidelity((-0.1, 0.0)))
    assert candidates.measure == "fidelity"
    assert set(np.unique(candidates.accuracy)) == {0.5, 0.6, 0.7, 0.8, 0.95, 1.0}
    document = Planner(candidates).plan(conditions(5e6), Seconds(0.5)).document()
    assert document["accuracy"] is None
    assert document["fidelity"] in (0.95, 1.0)


@pytest.mark.parametrize("measure", ["accuracy", "agreement", "fidelity"])
@pytest.mark.parametrize("number", [0.5, None])
def test_a_plan_is_read_as_it_was_written(measure, number) -> None:
    configuration = table().configurations[0]
    plan = Plan(
        configuration=configuration, accuracy=number, meets_deadline=True, stages=Stages(head=0.5), measure=measure
    )
    document = plan.document()
    back = Plan.from_node(Node(document, "plan", plan_keys(document)))
    assert (back.accuracy, back.measure) == (number, measure if number is not None else "accuracy")


def test_the_stage_that_takes_longest_dominates() -> None:
    assert Stages(prepare=0.001, uplink=0.02, middle=0.019).dominating == "uplink"


def test_codecs_that_exist_are_never_refused_and_those_that_do_not_always_are() -> None:
    only = table(source_bytes=2_000.0).restricted(codecs=["jpeg-50", "source"])
    assert {only.codecs[k] for k in only.codec[only.messages > 0]} == {"source"}
    with pytest.raises(CodecError, match="jpeg-0"):
        table().restricted(codecs=["jpeg-0"])


def _place(candidates: Candidates, codec: str) -> int:
    return candidates.codecs.index(codec) if codec in candidates.codecs else -1
