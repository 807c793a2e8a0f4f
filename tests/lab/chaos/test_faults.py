"""Which fault comes when follows from the seed alone."""

from __future__ import annotations

from itertools import islice

import pytest

from edgent.lab.chaos.faults import KINDS, FaultSpell, during, faults


def test_the_same_seed_gives_the_same_faults_and_another_one_others():
    first, again, other = (list(islice(faults(seed), 50)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("seed", range(5))
def test_each_kind_comes_before_any_comes_again(seed):
    kinds = [fault.kind for fault in islice(faults(seed), 3 * len(KINDS))]
    for at in range(0, len(kinds), len(KINDS)):
        assert sorted(kinds[at : at + len(KINDS)]) == sorted(KINDS)


def test_pauses_and_faults_are_as_long_as_is_asked():
    for fault in islice(faults(3, kinds=("kill",), quiet=(1.0, 2.0), seconds=(0.5, 0.6)), 100):
        assert fault.kind == "kill" and 1.0 <= fault.quiet <= 2.0 and 0.5 <= fault.seconds <= 0.6


@pytest.mark.parametrize(("at", "kind"), [(0.9, ""), (1.0, "kill"), (1.9, "kill"), (2.0, ""), (3.5, "disk")])
def test_a_moment_has_the_fault_that_was_felt_then(at, kind):
    spells = (FaultSpell(kind="kill", since=1.0, until=2.0), FaultSpell(kind="disk", since=3.0, until=4.0))
    assert during(spells, at) == kind
