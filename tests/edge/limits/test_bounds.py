"""What a request may make an edge take memory for, whatever the request says."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from edgent.edge.edge import Edge
from edgent.errors import InputError
from edgent.testing import FakeEngine
from edgent.wire import messages as m
from edgent.wire.tensors import Parcel, write_request


class Call:
    """One call, of a caller who waits for ever."""

    def time_remaining(self):
        return None

    def given_up(self):
        return False

    def window(self):
        return None

    def note(self, notes):
        pass


def ask(model, clock, method, message):
    return Edge(model, engine=FakeEngine(), clock=clock).service.methods()[method].answer(message, Call())


@pytest.mark.parametrize("codec", ["source", "png", "webp-lossless"])
@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP"])
def test_a_picture_of_more_pixels_than_the_model_can_use_is_refused_before_it_is_decoded(model, clock, codec, form):
    target = io.BytesIO()
    Image.new("1", (4097, 2160)).save(target, form)
    parcel = Parcel(tensor=model.inputs[0], codec=codec, shape=model.inputs[0].shape, data=target.getvalue())
    with pytest.raises(InputError, match=f"4097 x 2160, expected at most {4096 * 2160} pixels"):
        ask(model, clock, m.MODEL_INFER, write_request(model.name, "", [parcel], []))


@pytest.mark.parametrize("wanted", [-1, (1 << 20) + 1, 1 << 40, (1 << 63) - 1])
def test_a_few_bytes_cannot_ask_for_many(model, clock, wanted):
    with pytest.raises(InputError, match=r"expected 0\.\."):
        ask(model, clock, m.PROBE, m.ProbeRequest(load_down=wanted).SerializeToString())


def test_what_devices_ask_for_is_sent(model, clock):
    body = ask(model, clock, m.PROBE, m.ProbeRequest(load_down=1_000_000).SerializeToString())
    assert len(m.ProbeResponse.FromString(body).load) == 1_000_000
