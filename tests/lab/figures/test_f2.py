from __future__ import annotations

import pytest

from edgent.lab.figures import f2
from edgent.latency.profile import BranchProfile, Profile, Timing
from edgent.model import load


def profile(model, seconds):
    once = Timing(median=1e-4, spread=0.0, samples=1)
    branch = BranchProfile(
        exit=4, whole=Timing(median=sum(seconds), spread=0.0, samples=1), layers=tuple(seconds), unassigned=0.0
    )
    return Profile(
        model=model.name, digest=model.digest, machine="made up", engine="none", threads=1, branches=(branch,),
        codecs=(), decode_source=once, fit=once, normalise=once,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load("b-alexnet")


def test_the_sizes_are_those_of_the_layers_outputs(model):
    (table,) = f2.result(model, profile(model, [0.01] * 22), "a device").tables
    sizes = {row[0]: row[3] for row in table.rows}
    assert sizes["conv1"] == 32 * 32 * 32 * 4
    assert sizes["pool5"] == 64 * 4 * 4 * 4
    assert sizes["fc8"] == 40


@pytest.mark.parametrize(("first", "uneven"), [(1.0, True), (0.01, False)])
def test_times_are_uneven_where_one_layer_stands_out(model, first, uneven):
    (ordering,) = f2.result(model, profile(model, [first, *[0.01] * 21]), "a device").orderings
    assert ordering.reproduced is uneven
