"""A model by value, and what computes it behind the door: no Ray is needed for that."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from edgent.cluster.model_copy import ModelCopy
from edgent.cluster.replica import Refusal, Replica
from edgent.edge.job import resolve
from edgent.edge.registry import Registry
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine, Original
from edgent.errors import EdgentError, ModelError
from edgent.model import SHIPPED
from edgent.testing import FakeEngine
from edgent.wire.errors import BusyError, LateError, NotServedError
from edgent.wire.tensors import raw_parcel, read_arrays, write_request

BUNDLE = "b-alexnet+b-alexnet-int8"


@pytest.fixture
def sent(model):
    """A copy after its way to another machine."""
    return pickle.loads(pickle.dumps(ModelCopy.of(model)))


def test_a_copy_is_the_model_that_it_was_made_of(model, sent, empty_cache):
    opened, entry = sent.opened()
    assert (opened.digest, opened.name) == (model.digest, model.name)
    assert entry.path.is_relative_to(empty_cache)
    assert opened.path.is_relative_to(empty_cache)


def test_a_copy_of_a_bundle_has_all_its_files(empty_cache):
    bundle = load(BUNDLE)
    opened, _ = pickle.loads(pickle.dumps(ModelCopy.of(bundle))).opened()
    assert (opened.digest, len(opened.members)) == (bundle.digest, 2)


def test_a_copy_with_other_weights_is_refused(sent, empty_cache):
    (name,) = [name for name in sent.files if name.endswith(".onnx")]
    other = (SHIPPED / "b-alexnet-int8.onnx").read_bytes()
    with pytest.raises(ModelError, match="same release"):
        replace(sent, files={**sent.files, name: other}).opened()


def test_a_damaged_copy_on_a_machine_is_written_anew(model, sent, empty_cache):
    _, entry = sent.opened()
    (entry.path / sent.main[0]).write_bytes(b"damaged")
    opened, _ = sent.opened()
    assert opened.digest == model.digest


def test_a_replica_answers_as_the_undivided_file(model, picture, sent, empty_cache):
    message = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], ())
    answer = Replica(sent, OnnxRuntimeEngine()).compute(message, 0)
    target = resolve(Registry((model,)), model.name, "")
    expected = Original(model.path).run({model.inputs[0].name: picture})
    for name, array in read_arrays(answer, target.offered).items():
        assert np.abs(array - expected[name]).max() <= 1e-5


def test_a_replica_makes_a_session_of_what_it_prepares_and_knows_no_other_model(model, sent, empty_cache):
    engine = FakeEngine()
    replica = Replica(sent, engine)
    replica.prepare(f"{model.name}.x4.u0.d22")
    assert len(engine.built) == 1
    with pytest.raises(NotServedError):
        replica.prepare("another.x4.u0.d22")


@pytest.mark.parametrize("kind", [BusyError, LateError, NotServedError])
def test_an_error_is_the_same_after_its_way(kind):
    refusal = pickle.loads(pickle.dumps(Refusal.of(kind("words"))))
    assert type(refusal.error()) is kind
    assert str(refusal.error()) == "words"


def test_what_has_no_number_of_its_own_counts_as_broken():
    assert Refusal.of(EdgentError("it failed")).error().args == ("it failed",)
