from __future__ import annotations

import json

import numpy as np

from edgent.lab.cameras.facts import facts_of, pair_of, read_facts
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
            assert np.array_equal(facts.sure[codec][rows], other.sure[codec][rows])
            # The last answers are the same too: they were right where they are now one class off.
            assert not (facts.both[codec] & other.both[codec])[rows].any()


def test_facts_come_back_from_json():
    facts = facts_of(OPINIONS, (0, 1), SIZES)
    back = read_facts(json.loads(json.dumps(facts.to_json())))
    assert back.to_json() == facts.to_json()
    assert back.small.dtype == np.bool_
    assert len(back) == 600


def test_the_pair_of_a_file_is_its_last_two_exits():
    from edgent.engine.loading import load

    pair = pair_of(load("b-alexnet"))
    assert pair.exits == (3, 4)
    assert (pair.small[1], pair.big[1]) == (3, 4)
