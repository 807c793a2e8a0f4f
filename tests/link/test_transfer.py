from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.units import BitsPerSecond, Seconds

sizes = st.floats(min_value=0, max_value=1e8)
bandwidths = st.floats(min_value=1e3, max_value=1e10)
models = st.builds(
    lambda bandwidth, round_trip: TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(round_trip)),
    bandwidths,
    st.floats(min_value=0, max_value=1),
)


@given(bandwidth=bandwidths, size=sizes)
def test_the_papers_model_is_bytes_over_bandwidth(bandwidth: float, size: float) -> None:
    model = TransferModel.paper(BitsPerSecond(bandwidth))
    assert model.uplink(size) == model.downlink(size) == pytest.approx(size * 8 / bandwidth)


@given(model=models, size=sizes, more=sizes)
def test_more_bytes_never_take_less_time(model: TransferModel, size: float, more: float) -> None:
    assert model.uplink(size + more) >= model.uplink(size)
    assert model.downlink(size + more) >= model.downlink(size)


@given(bandwidth=bandwidths, factor=st.floats(min_value=1, max_value=100), size=sizes)
def test_more_bandwidth_never_takes_more_time(bandwidth: float, factor: float, size: float) -> None:
    slow = TransferModel(bandwidth=BitsPerSecond(bandwidth))
    fast = TransferModel(bandwidth=BitsPerSecond(bandwidth * factor))
    assert fast.uplink(size) <= slow.uplink(size)
    assert fast.downlink(size) <= slow.downlink(size)


@given(model=models, size=sizes)
def test_the_round_trip_is_booked_once_in_the_uplink(model: TransferModel, size: float) -> None:
    flat = TransferModel(bandwidth=model.bandwidth, header_factor=model.header_factor)
    assert model.uplink(size) == pytest.approx(flat.uplink(size) + model.round_trip)
    assert model.downlink(size) == flat.downlink(size)


@given(model=models, size=sizes)
def test_the_call_time_is_booked_once_in_the_uplink(model: TransferModel, size: float) -> None:
    without = dataclasses.replace(model, call_time=Seconds(0.0))
    assert model.uplink(size) == pytest.approx(without.uplink(size) + model.call_time)
    assert model.downlink(size) == without.downlink(size)


@given(model=models, values=st.lists(sizes, min_size=1, max_size=20))
def test_arrays_give_what_their_elements_give(model: TransferModel, values: list[float]) -> None:
    array = np.array(values)
    assert model.uplink(array) == pytest.approx([model.uplink(value) for value in values])
    assert model.downlink(array) == pytest.approx([model.downlink(value) for value in values])


def test_a_large_message_costs_the_measured_headers() -> None:
    model = TransferModel(bandwidth=BitsPerSecond(1e6), round_trip=Seconds(0.01))
    assert model.uplink(100_000.0) == pytest.approx(0.837 + 0.01, rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bandwidth": 0.0},
        {"bandwidth": -1.0},
        {"bandwidth": math.nan},
        {"bandwidth": math.inf},
        {"bandwidth": 1e6, "round_trip": -0.1},
        {"bandwidth": 1e6, "round_trip": math.nan},
        {"bandwidth": 1e6, "header_factor": 0.9},
        {"bandwidth": 1e6, "message_bytes": -1},
        {"bandwidth": 1e6, "reply_bytes": -1},
        {"bandwidth": 1e6, "call_time": -0.001},
        {"bandwidth": 1e6, "call_time": math.inf},
    ],
)
def test_a_link_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        TransferModel(**wrong)  # type: ignore[arg-type]


def test_its_repr_names_what_it_assumes() -> None:
    model = TransferModel(bandwidth=BitsPerSecond(4e5), round_trip=Seconds(0.01), message_bytes=300, reply_bytes=200)
    assert repr(model) == "<TransferModel 400 kbit/s + 10 ms, headers x 1.046, 300 B up, 200 B down and 2 ms a call>"
