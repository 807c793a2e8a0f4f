"""Arrays of the other byte order hold the same numbers: what comes out is the same, alone or over the edge."""

from __future__ import annotations

import io

import numpy as np
import pytest

from edgent.engine.feeds import in_native_order
from edgent.engine.material import Material
from edgent.engine.onnxruntime import Engine


def swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("S"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "uint16", "uint8", "bool"])
def test_the_same_numbers_in_this_machines_order(dtype: str) -> None:
    array = np.arange(6).astype(dtype)
    native = in_native_order(swapped(array))
    assert native.tobytes() == array.tobytes()
    assert native.dtype.isnative


def test_what_is_in_order_is_not_copied() -> None:
    array = np.arange(6.0)
    assert in_native_order(array) is array


def test_a_list_of_arrays_is_passed_on() -> None:
    sequence = [np.arange(3.0)]
    assert in_native_order(sequence) is sequence


@pytest.mark.parametrize("form", ["array", "mapping", "npz"])
def test_an_input_is_taken_in_either_order(model, picture, form: str) -> None:
    foreign = swapped(picture)
    if form == "mapping":
        foreign = {"image": foreign}
    elif form == "npz":
        file = io.BytesIO()
        np.savez(file, image=foreign)
        file.seek(0)
        foreign = dict(np.load(file))
    (tensor,) = Material(foreign, model).tensors.values()
    assert tensor.tobytes() == picture.tobytes()


def test_the_engine_answers_alike(model, picture) -> None:
    session = Engine().session(model, ["image"], ["exit4"])
    right, native = (session.run({"image": array})["exit4"] for array in (picture, swapped(picture)))
    assert right.tobytes() == native.tobytes()
