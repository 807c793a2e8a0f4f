from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.evaluation.gates.gating import Promise
from edgent.lab.cameras.facts import facts_of, measure_facts, pair_of, promise_for, read_facts
from edgent.lab.cameras.parameters import CASCADE_SHARE
from edgent.model.tasks.class_probabilities import confidence
from lab.cameras import made

OPINIONS = made.opinions()
SIZES = {codec: np.full(600, 1e3) for codec in made.CODECS}


def test_right_is_the_class_of_the_highest_score():
    facts = facts_of(OPINIONS, (0, 1), SIZES)
    assert facts.codecs == made.CODECS
    assert np.array_equal(facts.small, OPINIONS.by_exit[0].argmax(axis=1) == OPINIONS.truths)
    assert np.array_equal(facts.big["source"], OPINIONS.by_exit[1].argmax(axis=1) == OPINIONS.truths)
    assert np.array_equal(facts.big["jpeg-25"], OPINIONS.coded["jpeg-25"].argmax(axis=1) == OPINIONS.truths)


def test_a_cascade_is_unsure_of_its_share():
    facts = facts_of(OPINIONS, (0, 1), SIZES)
    assert abs((~facts.clear).mean() - CASCADE_SHARE) < 0.05
    sure = confidence(OPINIONS.by_exit[0])
    for half in (0, 1):
        rows = facts.half == half
        assert sure[rows & facts.clear].min() >= sure[rows & ~facts.clear].max()


def test_no_picture_is_judged_by_a_gate_that_has_seen_what_is_right_of_it():
    facts = facts_of(OPINIONS, (0, 1), SIZES)
    for half in (0, 1):
        rows = facts.half == half
        wrong = np.where(rows, (OPINIONS.truths + 1) % 5, OPINIONS.truths)
        other = facts_of(OPINIONS._replace(truths=wrong), (0, 1), SIZES)
        for codec in made.CODECS:
            assert np.array_equal(facts.sure[codec][:, rows], other.sure[codec][:, rows])
            # The last answers are the same too: they were right where they are now one class off.
            assert not (facts.both[codec] & other.both[codec])[rows].any()


def test_facts_come_back_from_json():
    facts = facts_of(OPINIONS, (0, 1), SIZES)
    back = read_facts(json.loads(json.dumps(facts.to_json())))
    assert back.to_json() == facts.to_json()
    assert back.small.dtype == np.bool_
    assert len(back) == 600


def test_gates_that_were_given_are_used_as_they_are():
    gates = made.gates(load("b-alexnet"))
    gates = replace(gates, gates=(replace(gates.gates[0], exit=0, later=1),))
    facts = facts_of(OPINIONS, (0, 1), SIZES, gates)
    assert tuple(facts.sure) == ("source",)  # there is none for a JPEG
    assert np.array_equal(facts.sure["source"], [confidence(OPINIONS.by_exit[0]) >= 0.99])


def test_with_few_pictures_gates_promise_what_they_can():
    assert promise_for(230) == Promise(0.01, 0.9)
    few = promise_for(75)
    assert few.level is None and few.max_drop == pytest.approx(1 / 76)
    assert few.allowed(75) == 0


def test_too_few_pictures_are_refused_before_any_is_asked_about():
    with pytest.raises(InputError, match="found 60 pictures, expected 100 or more"):
        measure_facts(load("b-alexnet"), made.Squares(pictures=60), None, made.CODECS)


def test_the_pair_of_a_file_is_its_last_two_exits():
    pair = pair_of(load("b-alexnet"))
    assert pair.exits == (3, 4)
    assert (pair.small[1], pair.big[1]) == (3, 4)
