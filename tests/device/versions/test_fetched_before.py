"""A device that starts while its edge is away begins with what it fetched there before: which, and from whom.

The oracle of a version is the digest of the file at the edge, and of an answer plain ONNX Runtime on that file.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import onnx
import pytest

from device.versions.site import INPUT, close
from edgent.codec import Calibration
from edgent.device.connect import follow, newest
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import CacheError, EdgeError, InputError
from edgent.evaluation import calibration_files
from edgent.evaluation.gates import files as gate_files
from edgent.identity.credentials import Credentials
from edgent.model import Model
from edgent.planning.gates import Gates
from edgent.testing import FakeLink
from edgent.wire.fetch_model import fetch_model, fetched_before
from edgent.wire.fetched_versions import FetchedVersion, FetchedVersions, remember, versions_of
from graphs import dense, inception, residual, saved
from shared_fixtures import make_profile

EDGE = "127.0.0.1:9"  # where nobody listens
DIGESTS = ["a" * 64, "b" * 64, "c" * 64]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    """Three versions of one name, of as many networks; the first one has its weights beside it."""
    folders = [tmp_path_factory.mktemp(network.__name__) for network in (residual, dense, inception)]
    for folder, network in zip(folders, (residual, dense, inception), strict=True):
        saved(network(), folder / "net.onnx")
    onnx.save(residual(), folders[0] / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    return [load(folder / "net.onnx") for folder in folders]


@pytest.fixture(scope="module")
def tried(versions: list[Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the files of all versions: a process that tries each of them is started once, not for each test."""
    cache = tmp_path_factory.mktemp("tried")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        for model in versions:
            fetch(model)
    shutil.rmtree(cache / "edgent" / "fetched")
    return cache / "edgent"


@pytest.fixture(autouse=True)
def _cache(empty_cache: Path, tried: Path) -> None:
    """Each test starts with files in the cache, and no word of where they come from."""
    shutil.copytree(tried, empty_cache)


def fetch(model: Model, edge: str = EDGE) -> Model:
    return fetch_model(edge, model.name, channel=FakeLink(Edge(model).service.methods()))


def folder_of(model: Model, cache: Path) -> Path:
    return cache / "models" / f"{model.name}-{model.digest[:32]}"


def lists(cache: Path) -> list[Path]:
    return [path for path in (cache / "fetched").rglob("*") if path.is_file()]


def test_it_is_what_was_fetched_last_also_where_that_is_the_older_one(versions):
    assert fetched_before(EDGE, "net") is None
    for model in (*versions, versions[1]):
        fetch(model)
        before = fetched_before(EDGE, "net")
        assert before is not None and before.digest == model.digest


def test_nothing_of_another_edge_or_another_name_is_taken_for_it(versions):
    fetch(versions[0])
    fetch(versions[1], "127.0.0.1:10")
    assert fetched_before(EDGE, "net").digest == versions[0].digest
    assert fetched_before("127.0.0.1:10", "net").digest == versions[1].digest
    assert fetched_before("127.0.0.1:11", "net") is None and fetched_before(EDGE, "nets") is None


def test_an_edge_of_another_authority_at_the_same_address_is_another_edge(tmp_path):
    def trusting(text: str) -> Credentials:
        (authority := tmp_path / text).write_text(text)
        return Credentials(authority=authority, certificate=authority, key=authority)

    known = {"one": DIGESTS[0], "two": DIGESTS[1]}
    for name, digest in known.items():
        remember(EDGE, "net", trusting(name), FetchedVersion(digest=digest))
    for name, digest in known.items():
        assert [version.digest for version in versions_of(EDGE, "net", trusting(name)).versions] == [digest]
    assert versions_of(EDGE, "net", trusting("three")) == FetchedVersions()
    assert versions_of(EDGE, "net", None) == FetchedVersions(), "nor is what speaks plain text there"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        *(("net.onnx", kind) for kind in ("truncated", "emptied", "gone", "a folder")),
        *(("w.bin", kind) for kind in ("truncated", "changed", "gone")),
    ],
)
def test_a_version_that_is_damaged_is_passed_over_for_one_that_is_whole(versions, empty_cache, file, kind):
    fetch(versions[1])
    damaged = folder_of(fetch(versions[0]), empty_cache) / file
    data = damaged.read_bytes()
    damaged.unlink()
    if kind == "a folder":
        damaged.mkdir()
    elif kind != "gone":
        contents = {"truncated": data[: len(data) // 2], "changed": data[:-4] + b"\x40\x40\x40\x40", "emptied": b""}
        damaged.write_bytes(contents[kind])
    assert fetched_before(EDGE, "net").digest == versions[1].digest


def test_so_is_one_that_was_tidied_away_or_whose_folder_is_none(versions, empty_cache):
    for model in versions:
        fetch(model)
    folder_of(versions[2], empty_cache).rename(empty_cache / "elsewhere")
    folder_of(versions[1], empty_cache).rename(empty_cache / "elsewhere, too")
    folder_of(versions[1], empty_cache).write_text("no folder")
    assert fetched_before(EDGE, "net").digest == versions[0].digest
    folder_of(versions[0], empty_cache).rename(empty_cache / "and this")
    assert fetched_before(EDGE, "net") is None
    assert not folder_of(versions[0], empty_cache).exists(), "nothing is left of having looked"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 5000, '{"schema": 1}', '{"schema": 2, "versions": []}', '{"schema": 1, "versions": [7]}']
    + [
        json.dumps({"schema": 1, "versions": [{"digest": digest, "dims": dims, "manifest": manifest}]})
        for digest, dims, manifest in [
            ("../" * 21 + "a", [], None),
            ("a" * 64, {"N": 1}, None),
            ("a" * 64, [{"name": "N", "size": "1"}], None),
            ("a" * 64, [], 1),
        ]
    ],
)
def test_a_list_that_is_damaged_is_as_none_and_the_next_fetch_mends_it(versions, empty_cache, text):
    fetch(versions[0])
    (file,) = lists(empty_cache)
    file.write_text(text)
    assert fetched_before(EDGE, "net") is None
    fetch(versions[0])
    assert fetched_before(EDGE, "net").digest == versions[0].digest


def test_a_list_that_names_what_is_of_no_use_is_no_crash(versions, empty_cache):
    fetch(versions[0])
    for version in (
        FetchedVersion(digest=versions[0].digest, manifest="no manifest"),
        FetchedVersion(digest=versions[0].digest, dims={"nobody": -3}),
        FetchedVersion(digest="0" * 64),
    ):
        lists(empty_cache)[0].write_text(FetchedVersions(versions=(version,)).to_json())
        before = fetched_before(EDGE, "net")
        assert before is None or before.digest == versions[0].digest


def test_what_was_fetched_with_numbers_for_its_dimensions_has_them_again(tmp_path):
    model = load(saved(residual(batch="batch", side="side"), tmp_path / "net.onnx"), dims={"batch": 2, "side": 16})
    fetch(model)
    before = fetched_before(EDGE, "net", dims={"batch": 2})
    assert before.digest == model.digest and before.dims == {"batch": 2, "side": 16}
    assert fetched_before(EDGE, "net", dims={"batch": 3}) is None


def test_of_a_bundle_the_device_has_its_own_file_and_knows_the_rest():
    bundle = load("b-alexnet-narrow+b-alexnet")
    link = FakeLink(Edge(bundle, edge_only=["b-alexnet"]).service.methods())
    fetched = fetch_model(EDGE, bundle.name, channel=link)
    before = fetched_before(EDGE, bundle.name)
    assert (before.name, before.digest, before.digests) == (bundle.name, bundle.digest, bundle.digests)
    assert (before.branches, before.remote) == (fetched.branches, fetched.remote)


def test_gates_and_calibration_that_were_kept_for_it_are_there_as_well(versions):
    digest = fetch(versions[0]).digest
    measured = {"model": "net", "digest": digest, "data": "pictures", "measure": "accuracy"}
    gates = Gates(**measured, max_drop=0.01, confidence_level=0.9, gates=())
    calibration = Calibration(**measured, sizes=(), accuracies=())
    gate_files.keep(gates)
    calibration_files.keep(calibration)
    before = fetched_before(EDGE, "net")
    assert gate_files.gates_for(before) == gates and calibration_files.calibration_for(before) == calibration


def test_the_list_is_short_and_written_only_when_it_changes(empty_cache):
    many = [FetchedVersion(digest=f"{number:064x}") for number in range(20)]
    for version in many:
        remember(EDGE, "net", None, version)
    assert versions_of(EDGE, "net", None).versions == tuple(many[:11:-1])
    (file,) = lists(empty_cache)
    inode = file.stat().st_ino
    remember(EDGE, "net", None, many[-1])
    assert file.stat().st_ino == inode and lists(empty_cache) == [file]
    assert list(file.parent.iterdir()) == [file], "no draft is left"


def test_a_version_whose_digest_is_none_is_refused():
    for digest in ("", "a" * 63, "A" * 64, "../" * 21 + "a"):
        with pytest.raises(InputError, match="64 hex digits"):
            FetchedVersion(digest=digest)


def test_a_cache_that_others_fill_is_no_reason_not_to_run(versions, empty_cache):
    fetch(versions[0])
    (file,) = lists(empty_cache)
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("no folder: nothing can be written into it")
    with pytest.raises(CacheError):
        remember(EDGE, "net", None, FetchedVersion(digest=versions[0].digest))
    assert fetch(versions[0]).digest == versions[0].digest


def make(model, on_version, before):
    return Device(model, deadline=5.0, device_profile=make_profile(model), on_version=on_version)


def test_a_device_begins_with_it_where_the_edge_is_away_and_one_line_says_so(versions, caplog):
    fetch(versions[0])
    with caplog.at_level(logging.WARNING, "edgent"), follow(EDGE, "net", make) as following:
        assert following.began_alone and close(following.infer(INPUT), versions[0])
    (line,) = caplog.messages
    assert f"the edge {EDGE} cannot be reached" in line and f"version {versions[0].version} of net" in line


def test_where_it_is_required_or_nothing_was_fetched_the_start_fails_as_without_a_cache(versions):
    with pytest.raises(EdgeError, match="cannot be reached"):
        newest(EDGE, "net")
    fetch(versions[0])
    with pytest.raises(EdgeError, match="cannot be reached"):
        follow(EDGE, "net", make, require_edge=True)
    assert newest(EDGE, "net")[0].digest == versions[0].digest
