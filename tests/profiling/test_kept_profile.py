"""A machine's own profile is measured once, and kept for what it was measured with."""

from __future__ import annotations

import onnx
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import CacheError, InputError
from edgent.profiling.kept_profile import kept_profile, profile
from graphs import residual


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
    profile(small, Engine(threads=1))
    profile(small, Engine(threads=2), progress=progress)
    assert seen and kept_profile(small, Engine(threads=3)) is None


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
    assert kept_profile(small, Engine()) is None
    assert profile(small) == kept_profile(small, Engine())


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
