"""A machine's own profile is measured once, and kept for what it was measured with."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import CacheError, InputError
from edgent.profiling.kept_profile import kept_profile, profile, profile_of_like
from graphs import dense, residual
from shared_fixtures import make_profile


@pytest.fixture
def small(model_file):
    onnx.save(residual(), model_file)
    return load(model_file)


@pytest.fixture
def rounds():
    """How often something is measured: what is called with the rounds done, and the list of those."""
    seen = []
    return seen, lambda done, total: seen.append(done)


def test_a_profile_is_measured_at_the_first_call_only(small, rounds, empty_cache) -> None:
    seen, progress = rounds
    first = profile(small, progress=progress)
    measured = len(seen)
    assert measured >= 3
    assert profile(small, progress=progress) == first and len(seen) == measured
    assert first.digest == small.digest and len(list((empty_cache / "profiles").iterdir())) == 1


def test_other_threads_are_measured_anew(small, rounds, empty_cache) -> None:
    seen, progress = rounds
    profile(small, OnnxRuntimeEngine(threads=1))
    profile(small, OnnxRuntimeEngine(threads=2), progress=progress)
    assert seen and kept_profile(small, OnnxRuntimeEngine(threads=3)) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("{"),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.write_text("{}"),
        lambda file: file.unlink(),
    ],
)
def test_a_kept_profile_that_was_spoilt_is_measured_again(spoil, small, empty_cache) -> None:
    profile(small)
    (file,) = (empty_cache / "profiles").iterdir()
    spoil(file)
    assert kept_profile(small, OnnxRuntimeEngine()) is None
    assert profile(small) == kept_profile(small, OnnxRuntimeEngine())


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_measured(small, rounds, empty_cache) -> None:
    seen, progress = rounds
    empty_cache.mkdir(parents=True)
    (empty_cache / "profiles").touch()
    with pytest.raises(CacheError, match="XDG_CACHE_HOME"):
        profile(small, progress=progress)
    assert not seen


def test_a_shipped_model_is_profiled_by_its_name(model, empty_cache) -> None:
    assert profile("b-alexnet").digest == model.digest
    with pytest.raises(InputError, match="no such file"):
        profile("nobody")


def retrained(folder, network=residual, by=1.0, side=8):
    """A file of the same name with other weights."""
    folder.mkdir()
    proto = network(side=side)
    weights = onnx.numpy_helper.to_array(proto.graph.initializer[0]) * by
    proto.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(weights.astype("float32"), proto.graph.initializer[0].name)
    )
    onnx.save(proto, folder / "net.onnx")
    return load(folder / "net.onnx")


def test_a_network_trained_again_takes_as_long_as_before(tmp_path) -> None:
    old, new = retrained(tmp_path / "old"), retrained(tmp_path / "new", by=0.5)
    known = make_profile(old, layer=0.003)
    found = profile_of_like(new, old, known)
    assert found is not None and old.digest != new.digest == found.digest
    assert (found.branches, found.codecs) == (known.branches, known.codecs)


@pytest.mark.parametrize("other", [{"network": dense}, {"side": 16}])
def test_another_network_or_another_size_is_measured_anew(tmp_path, other) -> None:
    old, new = retrained(tmp_path / "old"), retrained(tmp_path / "new", **other)
    assert profile_of_like(new, old, make_profile(old)) is None


def test_times_of_yet_another_version_say_nothing(tmp_path) -> None:
    versions = [retrained(tmp_path / str(by), by=by) for by in (1.0, 0.5, 0.25)]
    assert profile_of_like(versions[2], versions[1], make_profile(versions[0])) is None
    assert profile_of_like(versions[2], versions[1], None) is None


def test_a_profile_of_fewer_files_of_a_bundle_is_not_that_of_more(empty_cache) -> None:
    from edgent.model.files.partial import manifest_of, partial
    from edgent.profiling import kept_profile as module

    bundle = load("b-alexnet-narrow+b-alexnet")
    here = partial(load("b-alexnet-narrow"), manifest_of(bundle, ["b-alexnet"]))
    engine = OnnxRuntimeEngine()
    (empty_cache / "profiles").mkdir(parents=True)
    make_profile(here).save(module._file(here, engine))
    assert kept_profile(here, engine) == make_profile(here)
    assert kept_profile(bundle, engine) is None
    make_profile(bundle).save(module._file(bundle, engine))
    assert kept_profile(bundle, engine) == kept_profile(here, engine) == make_profile(bundle)


def test_a_kept_profile_of_other_layers_under_the_same_digest_is_measured_anew(small, empty_cache) -> None:
    from edgent.profiling import kept_profile as module

    engine, whole = OnnxRuntimeEngine(), make_profile(small)
    (branch,) = whole.branches
    fewer = replace(branch, layers=(branch.whole.median / 2,) * 2)
    (empty_cache / "profiles").mkdir(parents=True)
    replace(whole, branches=(fewer,)).save(module._file(small, engine))
    assert kept_profile(small, engine) is None
    assert len(profile(small, engine).branches[0].layers) == len(small.branches[0].layers)
