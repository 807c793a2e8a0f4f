"""A picture for a network whose input is no float32: plain ONNX Runtime's answer, however the picture travels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from detectors import plain, save
from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.model.metadata import Metadata, Preprocessing
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from shared_fixtures import make_profile

SIDE = 16
KINDS = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "float16": TensorProto.FLOAT16}
CODECS = ("source", "png", "webp-lossless", "float32", "float32+zstd")


def network(path: Path, dtype: str, form: Preprocessing) -> Path:
    """[1, 16, 16, 3] -> [1, 5]; it makes a float of its input itself."""
    weights = np.random.default_rng(0).normal(0, 0.01, (SIDE * SIDE * 3, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], name="float", to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"], name="flat"),
        helper.make_node("MatMul", ["flat", "w"], ["scores"], name="scores"),
    ]
    ends = [
        helper.make_tensor_value_info("x", KINDS[dtype], [1, SIDE, SIDE, 3]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], initializer=[numpy_helper.from_array(weights, "w")])
    proto: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return save(proto, path, Metadata(task="classification", preprocessing=form))


@pytest.mark.parametrize("dtype", KINDS)
def test_the_answer_is_that_of_the_undivided_file_by_every_codec_that_loses_nothing(dtype, tmp_path, clock) -> None:
    shift = {"uint8": 0.0, "int8": 128.0, "float16": 0.0}[dtype]
    form = Preprocessing(
        size=(SIDE, SIDE), layout="NHWC", dtype=dtype, scale=1 / 255 if dtype == "float16" else 1.0, mean=(shift,) * 3
    )
    path = network(tmp_path / "m.onnx", dtype, form)
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    values = (pixels.astype(np.float32) * np.float32(form.scale) - shift).astype(dtype)
    expected = plain(path, {"x": values[None]})["scores"]
    model = load(path)
    link = FakeLink(Edge(model, clock=clock).service.methods(), clock=clock)
    told = {"deadline": 60.0, "bandwidth": 1e9, "round_trip": 1e-3, "clock": clock}
    with Device(model, channel=link, device_profile=make_profile(model), **told) as device:
        assert device.wait_ready(60.0)
        last = len(model.branches[0].layers)
        for cuts, codec in [
            ((last, last), "float32"),
            *(((0, last), codec) for codec in CODECS),
            ((1, last), "float32"),
        ]:
            configuration = Configuration(exit=0, upload_cut=cuts[0], download_cut=cuts[1], codec=codec)
            answer = device.infer(encode_image("png", pixels), configuration=configuration, race=False)
            assert answer.record.by == ("device" if configuration.device_only else "edge")
            np.testing.assert_allclose(answer.outputs["scores"], expected, rtol=1e-3, err_msg=f"{cuts} {codec}")
