"""How large a message may be: the largest that a plan needs, and a plain word where it is larger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kinds
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import RefusedError
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.wire.errors import RejectedError
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.message_limit import message_limit, too_large
from edgent.wire.messages import DESCRIBE

MIB = 1 << 20
X = np.float32([[-1, 0.25, 3, 0.75], [0.5, -2, 0, 1]])


def test_a_small_model_needs_room_for_a_cameras_picture(model):
    assert message_limit([model]) == 17 * MIB


def test_a_large_boundary_needs_its_bytes_and_a_little_room(tmp_path):
    nodes = [kinds.h.make_node("Expand", ["x", "to"], ["big"]), kinds.h.make_node("ReduceSum", ["big"], ["y"])]
    ends = [kinds.tensor("x", kinds.T.FLOAT, [1])], [kinds.tensor("y", kinds.T.FLOAT, [1])]
    path = kinds.saved(tmp_path, nodes, *ends, [kinds.constant("to", np.int64([8 * MIB]))], name="big")
    assert message_limit([load(path)]) == 33 * MIB


@pytest.mark.parametrize("make", [kinds.non_zero, kinds.text_in, kinds.text_between])
def test_where_a_size_is_unknown_there_is_room_for_one(make, tmp_path, model):
    assert message_limit([model, load(make(tmp_path))]) == 65 * MIB


def test_what_is_too_large_says_by_how_much():
    with pytest.raises(RejectedError, match="it takes 11 bytes, more than the 10 of a message"):
        raise too_large(bytes(11), 10, "it")


def test_a_message_is_no_larger_than_was_agreed_on(model):
    channel = GrpcChannel("127.0.0.1:1", max_message=10)
    try:
        with pytest.raises(RejectedError, match="what is to be sent takes 11 bytes"):
            channel.call(DESCRIBE, bytes(11), 1.0)
    finally:
        channel.close()


def test_an_answer_that_is_larger_than_a_message_is_refused_and_the_device_answers(tmp_path, clock):
    path = kinds.compress(tmp_path)
    model = load(path)
    service = replace(Edge(model, clock=clock).service, max_message=20)
    link, n = FakeLink(service.methods(), clock=clock), len(model.branches[0].layers)
    with Device(model, channel=link, deadline=60.0, bandwidth=1e9, round_trip=1e-3, clock=clock) as device:
        assert device.wait_ready(60.0)
        given = Configuration(exit=0, upload_cut=0, download_cut=n)
        answer = device.infer(X, configuration=given, race=False)
    assert answer.record.by == "device"
    assert answer.record.why.startswith("edge refused: the answer takes ")
    assert np.array_equal(answer.outputs["y"], kinds.plain(path, {"x": X})["y"])


def test_what_is_too_large_to_be_sent_is_refused_before_it_is(channel):
    with pytest.raises(RefusedError, match="what is to be sent takes"):
        channel.call("/nowhere", bytes(channel.max_message + 1), 5.0)
