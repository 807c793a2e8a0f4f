"""Names point at models, each at its versions; who says which one gets that one or a refusal."""

from __future__ import annotations

import pytest

from edgent.edge.registry import Registry
from edgent.engine.loading import load
from edgent.errors import InputError, RefusedError
from edgent.wire.errors import NotServedError
from graphs import dense, residual, saved


@pytest.fixture
def versions(tmp_path):
    """Two files of one name, and one of another."""
    for folder in ("new", "old"):
        (tmp_path / folder).mkdir()
    new, old = saved(residual(), tmp_path / "new" / "net.onnx"), saved(dense(), tmp_path / "old" / "net.onnx")
    return load(new), load(old), load(saved(residual(), tmp_path / "other.onnx"))


def test_a_name_alone_is_its_first_version(versions):
    new, old, other = versions
    assert Registry(versions).find("net", "") is new
    assert Registry((old, other, new)).find("net", "") is old


def test_each_version_is_found_by_its_first_digits_and_by_its_whole_digest(versions):
    registry = Registry(versions)
    for model in versions:
        assert registry.find(model.name, model.version) is model
        assert registry.find(model.name, model.digest) is model


@pytest.mark.parametrize("version", ["0" * 12, "0" * 64])
def test_another_version_is_refused_naming_it_and_all_that_are_served(versions, version):
    new, old, _ = versions
    with pytest.raises(
        RefusedError, match=f"in version {new.version} and {old.version}, asked for was {version[:12]}:"
    ):
        Registry(versions).find("net", version)


def test_the_version_of_another_name_is_refused(versions):
    new, _, other = versions
    assert new.digest == other.digest, "one file, twice"
    with pytest.raises(RefusedError):
        Registry(versions).find("other", versions[1].version)


def test_an_unknown_name_is_told_the_known_ones(versions):
    with pytest.raises(NotServedError, match="no model 'nets' here; served: net, other"):
        Registry(versions).find("nets", "")


def test_newest_and_older_are_all_there_is(versions):
    new, old, other = versions
    registry = Registry(versions)
    assert registry.newest == (new, other) and registry.older == (old,)
    assert list(registry) == [new, old, other]


def test_a_version_that_is_there_twice_and_no_model_at_all_are_refused(versions):
    with pytest.raises(InputError, match=rf"'net' is there twice in version {versions[0].version}"):
        Registry((versions[0], versions[1], versions[0]))
    with pytest.raises(InputError, match="one model or more; found none"):
        Registry(())


def test_a_file_for_the_edge_only_must_be_one_of_a_bundle_and_not_its_first(versions):
    bundle = load("b-alexnet-narrow+b-alexnet")
    with pytest.raises(InputError, match=r"found no file 'nobody'.*one of b-alexnet-narrow, b-alexnet$"):
        Registry((bundle,), ["nobody"])
    with pytest.raises(InputError, match="found 'net' for the edge only, but no model here is a bundle"):
        Registry(versions, ["net"])
    with pytest.raises(InputError, match="name the files for devices first"):
        Registry((bundle,), ["b-alexnet-narrow"])
    assert Registry(versions).manifest(versions[0]) is None
