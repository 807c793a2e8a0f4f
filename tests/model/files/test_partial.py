"""A bundle of which some files are elsewhere: numbered and named as the whole, and divisible only where it is here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgent.engine.loading import load
from edgent.errors import InputError, ModelError
from edgent.model.coarse import coarse
from edgent.model.files.manifest import Manifest
from edgent.model.files.partial import manifest_of, partial
from edgent.planning.candidates import Candidates
from edgent.wire.message_limit import message_limit
from graphs import Graph, saved
from shared_fixtures import make_profile

SMALL, MIDDLE, BIG = "b-alexnet-narrow", "b-alexnet-int8", "b-alexnet"


@pytest.fixture(scope="module")
def bundle():
    return load(f"{SMALL}+{MIDDLE}+{BIG}")


@pytest.fixture(scope="module")
def here(bundle):
    return partial(load(f"{SMALL}+{MIDDLE}"), manifest_of(bundle, [BIG]))


def test_a_manifest_has_the_bundles_digest_and_survives_its_file(bundle):
    manifest = manifest_of(bundle, [BIG])
    assert manifest.digest == bundle.digest
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert [(file.name, file.edge_only) for file in manifest.files] == [(SMALL, False), (MIDDLE, False), (BIG, True)]
    assert [file.digest for file in manifest.files] == [load(name).digest for name in (SMALL, MIDDLE, BIG)]


def test_marking_a_file_changes_no_digest(bundle):
    digests = {manifest_of(bundle, marked).digest for marked in ([], [BIG], [MIDDLE], [MIDDLE, BIG])}
    assert digests == {bundle.digest}


def test_every_exit_keeps_its_number_and_its_ends(bundle, here):
    assert (here.name, here.digest) == (bundle.name, bundle.digest)
    assert sorted(branch.exit for branch in (*here.branches, *here.remote)) == list(range(15))
    for branch in bundle.branches:
        ends = here.branch(branch.exit)
        assert (ends.name, ends.accuracy, ends.outputs) == (branch.name, branch.accuracy, branch.outputs)
        n = len(branch.layers)
        assert ends.sent(0, n) == branch.sent(0, n)
        assert (ends in here.remote) == (bundle.member_of(branch).stem == BIG)


def test_a_branch_elsewhere_can_be_shared_at_no_cuts_but_its_ends(here):
    for branch in here.remote:
        n = len(branch.layers)
        pairs = {(int(up), int(down)) for up, down in np.argwhere(np.triu(branch.divisible, k=1))}
        assert pairs == {(0, n)}
        for upload, download in ((0, 1), (1, n), (n - 1, n), (2, 5)):
            with pytest.raises(ModelError, match="cannot be used: tensor 'inside"):
                branch.sent(upload, download)


@pytest.mark.parametrize("layers", [1, 2, 3, 2000])
def test_that_holds_for_branches_of_any_length(bundle, layers):
    manifest = manifest_of(bundle, [BIG])
    exits = tuple(replace(entry, layers=layers) for entry in manifest.exits)
    branch = partial(load(f"{SMALL}+{MIDDLE}"), replace(manifest, exits=exits)).remote[0]
    assert len(branch.layers) == layers and branch.obstacle(0, layers) == ""
    assert all(branch.obstacle(0, cut) for cut in range(1, layers))
    assert coarse(branch, (0, layers)).boundary(0, 1) == branch.boundary(0, layers)


def test_its_candidates_send_the_input_and_get_the_answer_and_it_never_runs_alone(bundle, here):
    device, edge = make_profile(here, layer=0.01), make_profile(bundle, layer=0.001)
    assert len(device.branches) == 10
    table = Candidates.build(here, device, edge, source="array")
    for branch in here.remote:
        rows = np.flatnonzero(table.exit == branch.exit)
        assert len(rows) > 0
        assert set(zip(table.upload_cut[rows], table.download_cut[rows], strict=True)) == {(0, len(branch.layers))}
        np.testing.assert_allclose(table.middle[rows], 0.001 * len(branch.layers))
        np.testing.assert_allclose(table.head[rows] + table.suffix[rows], 0.0)
    ours = Candidates.build(bundle, make_profile(bundle, layer=0.01), edge, source="array")
    for branch in here.branches:
        kept, whole = table.keep(table.exit == branch.exit), ours.keep(ours.exit == branch.exit)
        np.testing.assert_allclose(kept.demand, whole.demand)


def test_a_message_is_no_longer_for_what_is_elsewhere(bundle, here):
    assert message_limit([here]) <= message_limit([bundle])


def test_files_that_the_manifest_does_not_have_are_refused(bundle):
    manifest = manifest_of(bundle, [BIG])
    with pytest.raises(ModelError, match="are not those that the bundle's manifest has"):
        partial(load(BIG), replace(manifest, files=tuple(replace(f, digest="0" * 64) for f in manifest.files)))
    left_out = tuple(entry for entry in manifest.exits if not entry.name.startswith(MIDDLE))
    with pytest.raises(ModelError, match=f"leaves out exit '{MIDDLE}/"):
        partial(load(f"{SMALL}+{MIDDLE}"), replace(manifest, exits=left_out))


def test_the_first_file_cannot_be_for_the_edge_only(bundle):
    with pytest.raises(InputError, match=f"its first file {SMALL} is said to be for the edge only.*devices first"):
        manifest_of(bundle, [SMALL])


def segmenter(path: Path, seed: int, *accuracies: float) -> Path:
    """A network whose answers are made by what is put behind its outputs: an exit for each accuracy."""
    g = Graph()
    g.random = np.random.default_rng(seed)
    reached, exits = "x", []
    for k, accuracy in enumerate(accuracies):
        reached = g.node("Relu", g.conv(reached, 4 if k else 3, 4))
        name = f"output{k or ''}"
        exits.append({"name": name, "outputs": [g.conv(reached, 4, 3)], "accuracy": accuracy, "data": "made up"})
    proto = g.model(*(entry["outputs"][0] for entry in exits))
    document = {"version": 1, "task": "segmentation", "labels": ["a", "b", "c"], "exits": exits}
    proto.metadata_props.add(key="edgent", value=json.dumps(document))
    return saved(proto, path)


def test_answers_put_behind_outputs_have_the_same_names_whichever_files_are_here(tmp_path):
    files = {name: segmenter(tmp_path / f"{name}.onnx", k, 0.5 + k / 10) for k, name in enumerate(("a", "c", "b"))}
    bundle = load([files[name] for name in ("a", "b", "c")])
    assert [branch.name for branch in bundle.branches] == ["output", "c/output", "b/output"]
    for edge_only in (["b"], ["c"], ["b", "c"]):
        here = partial(
            load([file for name, file in sorted(files.items()) if name not in edge_only]),
            manifest_of(bundle, edge_only),
        )
        assert here.digest == bundle.digest and len(here.remote) == len(edge_only)
        for branch in here.branches:
            whole = bundle.branch(branch.exit)
            assert [layer.outputs for layer in branch.layers] == [layer.outputs for layer in whole.layers]
            assert branch.outputs == whole.outputs and branch.uses == whole.uses
        for branch in here.remote:
            assert branch.outputs == bundle.branch(branch.exit).outputs


@pytest.mark.parametrize("accuracies", [(0.5, 0.7, 0.6), (0.7, 0.6, 0.5), (0.5, 0.6, 0.7)])
def test_exits_of_a_file_are_the_same_whether_it_is_alone_or_in_a_bundle_that_orders_them(tmp_path, accuracies):
    small = segmenter(tmp_path / "small.onnx", 0, *accuracies)
    bundle = load([small, segmenter(tmp_path / "big.onnx", 1, 0.9)])
    here = partial(load(small), manifest_of(bundle, ["big"]))
    assert here.digest == bundle.digest and len(here.branches) == 3
    for branch in here.branches:
        whole = bundle.branch(branch.exit)
        assert (branch.name, branch.outputs, branch.accuracy) == (whole.name, whole.outputs, whole.accuracy)
        assert [layer.outputs for layer in branch.layers] == [layer.outputs for layer in whole.layers]


@pytest.mark.parametrize("other", [{"task": "raw"}, {"labels": ["a", "b", "d"]}, {"inputs": {"x": {"fill": "pad"}}}])
def test_files_that_answer_otherwise_are_no_bundle(tmp_path, other):
    first, second = segmenter(tmp_path / "a.onnx", 0, 0.5), segmenter(tmp_path / "b.onnx", 1, 0.6)
    proto = onnx.load(second)
    (entry,) = proto.metadata_props
    entry.value = json.dumps(json.loads(entry.value) | other)
    onnx.save(proto, second)
    with pytest.raises(ModelError, match=r"differs from .* in its (task|labels|inputs)"):
        load([first, second])
