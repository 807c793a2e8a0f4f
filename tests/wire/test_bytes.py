"""What a request costs beyond its tensors: bytes in the messages, and bytes on a shaped link."""

from __future__ import annotations

import numpy as np

from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.lab.links.link import ShapedLink
from edgent.planning.plan import Configuration
from edgent.wire import messages as m
from edgent.wire.tensors import ModelInferRequest, ModelInferResponse, parse
from edgent.wire.transport import Unary
from real_time import until

EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
IMAGE = encode_image("png", np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
ANSWER = 40
CALLS = 20


def test_messages_say_nothing_that_the_other_side_knows(made, link):
    answer, seen = link.methods[m.MODEL_INFER].answer, []

    def noted(message, call):
        seen.append((message, body := answer(message, call)))
        return body

    link.methods = {**link.methods, m.MODEL_INFER: Unary(answer=noted)}
    device = made(deadline=10.0, bandwidth=1e8)
    assert device.wait_ready(20.0)
    device.infer(IMAGE, configuration=EDGE_ONLY, race=False)
    ((request, response),) = seen
    assert len(request) - len(IMAGE) <= 100
    assert len(response) - ANSWER <= 30
    assert not parse(ModelInferRequest, request).outputs
    assert not parse(ModelInferResponse, response).model_name


def test_an_exchange_adds_few_bytes_to_its_tensors_on_the_wire(model, slow, fast):
    """HTTP/2, gRPC, the messages and the packets' headers; on a connection that is warm."""
    with (
        Edge(model, port=0, profiles=[fast]) as edge,
        ShapedLink(edge.address, uplink=1e8) as link,
        Device(model, edge=link.address, deadline=60.0, device_profile=slow, bandwidth=1e8) as device,
    ):
        assert until(lambda: device.wait_ready(60.0))
        device.infer(IMAGE, configuration=EDGE_ONLY, race=False)
        before = link.counts()
        for _ in range(CALLS):
            device.infer(IMAGE, configuration=EDGE_ONLY, race=False)
        after = link.counts()
    up, down = after.up_wire_bytes - before.up_wire_bytes, after.down_wire_bytes - before.down_wire_bytes
    packets = -(-len(IMAGE) // 1448)
    assert up / CALLS - len(IMAGE) - 66 * packets <= 160
    assert down / CALLS - ANSWER <= 200
