"""What the door hands out comes back, also where a replica dies: with fakes, in virtual time."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.cluster.executor import ClusterExecutor, ReplicaLost
from edgent.cluster.replica import Refusal
from edgent.edge.job import read_job, resolve
from edgent.edge.registry import Registry
from edgent.errors import InputError
from edgent.wire.errors import BrokenError, LateError, NotServedError
from edgent.wire.tensors import raw_parcel, write_request


class Replicas:
    """Some that die, and then one that answers."""

    def __init__(self, clock, dying=0, takes=0.0, answer=b"answer"):
        self.clock, self.dying, self.takes, self.answer = clock, dying, takes, answer
        self.asked, self.prepared = [], []

    def prepare(self, segment):
        self.prepared.append(segment)
        return self.answer if isinstance(self.answer, Refusal) else None

    def ask(self, segment, message, choice, timeout):
        self.asked.append((segment, message, choice))
        self.clock.sleep(min(self.takes, timeout))
        if len(self.asked) <= self.dying:
            raise ReplicaLost("gone")
        if self.takes > timeout:
            raise LateError("too long")
        return self.answer


@pytest.fixture
def resolved(model):
    registry = Registry((model,))
    return lambda name, version: resolve(registry, name, version)


@pytest.fixture
def job(model, resolved):
    zeros = np.zeros(model.inputs[0].shape, np.float32)
    name, instead = (f"{model.name}.x{number}.u0.d{len(model.branch(number).layers)}" for number in (4, 0))
    return read_job(resolved, write_request(name, "", [raw_parcel(model.inputs[0], zeros)], (), (instead,)))


def executor(model, replicas, clock):
    return ClusterExecutor({model.digest: replicas}, clock)


def test_a_message_goes_as_it_came_with_the_segment_that_it_was_let_in_for(model, clock, job):
    replicas = Replicas(clock)
    assert executor(model, replicas, clock).compute(job, 1, 1.0) == b"answer"
    assert replicas.asked == [(job.choices[1].target.name, job.message, 1)]
    assert ".x0." in replicas.asked[0][0]


@pytest.mark.parametrize("left", [1.0, None])
def test_whose_replica_dies_is_asked_again(model, clock, job, left):
    replicas = Replicas(clock, dying=2, takes=0.1)
    assert executor(model, replicas, clock).compute(job, 0, left) == b"answer"
    assert len(replicas.asked) == 3


def test_nobody_is_asked_again_after_the_budget(model, clock, job):
    replicas, began_at = Replicas(clock, dying=1000, takes=0.1), clock.now()
    with pytest.raises(LateError, match="no replica"):
        executor(model, replicas, clock).compute(job, 0, 0.5)
    assert clock.now() - began_at == pytest.approx(0.5, abs=0.03)
    assert 4 <= len(replicas.asked) <= 5


def test_who_takes_too_long_is_late_and_not_asked_again(model, clock, job):
    replicas = Replicas(clock, takes=2.0)
    with pytest.raises(LateError, match="too long"):
        executor(model, replicas, clock).compute(job, 0, 0.5)
    assert len(replicas.asked) == 1


@pytest.mark.parametrize("error", [InputError("no picture"), BrokenError("it broke"), NotServedError("not here")])
def test_a_refusal_is_the_error_that_it_was_and_is_not_tried_again(model, clock, job, error):
    replicas = Replicas(clock, answer=Refusal.of(error))
    with pytest.raises(InputError if isinstance(error, InputError) else type(error), match=str(error)):
        executor(model, replicas, clock).compute(job, 0, 1.0)
    assert len(replicas.asked) == 1


def test_a_segment_is_prepared_by_its_name(model, clock, job):
    replicas = Replicas(clock)
    executor(model, replicas, clock).prepare(job.target)
    assert replicas.prepared == [job.target.name]


def test_a_segment_that_cannot_be_prepared_is_told(model, clock, job):
    replicas = Replicas(clock, answer=Refusal.of(NotServedError("not here")))
    with pytest.raises(NotServedError, match="not here"):
        executor(model, replicas, clock).prepare(job.target)
