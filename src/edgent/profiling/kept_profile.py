"""This machine's profile of a model: measured at the first call, then kept in the cache.

It is kept by the model's digest, the engine, its threads and our version: another version may time other codecs.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.cache import cache_folder, writable_folder
from edgent.errors import InputError
from edgent.latency import Profile
from edgent.model import Model
from edgent.profiling import model_profiler
from edgent.units import Seconds
from edgent.version import __version__

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.profiling.timing import Progress

_KIND = "profiles"  # in the cache

PROFILING = Seconds(120.0)
"""The longest time that `serve` and `run` measure a model; it takes some twenty runs, of a minute each at most."""


def profile(
    model: Model | str | Path,
    engine: Engine | None = None,
    *,
    most: float = math.inf,
    progress: Progress | None = None,
) -> Profile:
    """This machine's profile of a model: measured once, some 15 s long, then kept in the cache.

    Args:
        model: what to time; a name or a file is loaded as `edgent.load` does.
        engine: runs it; by default ONNX Runtime on one thread.
        most: seconds after which measuring is given up.
        progress: called with the rounds done and their number, where something is measured.

    Raises:
        ModelError: the name or file is no model that can be used.
        EdgentError: it takes longer than `most`.
        CacheError: the cache cannot be written; this is found out before anything is measured.
    """
    if not isinstance(model, Model):
        from edgent.engine.guarded_loading import load

        model = load(model)
    if engine is None:
        from edgent.engine.onnxruntime import OnnxRuntimeEngine  # ONNX Runtime, only when something is to be run

        engine = OnnxRuntimeEngine()
    if (kept := kept_profile(model, engine)) is not None:
        return kept
    writable_folder(_KIND)  # before the work is done for it
    measured = model_profiler.profile(model, engine, most=most, progress=progress)
    measured.save(_file(model, engine))
    return measured


def kept_profile(model: Model, engine: Engine) -> Profile | None:
    """The profile that `profile` has kept; None where there is none, or none that can be used.

    It may be damaged, of fewer files of a bundle, or of the layers that another version made of the same file.
    """
    try:
        kept = Profile.load(_file(model, engine))
        kept.check_layers(model)
    except InputError:
        return None
    return kept if {branch.exit for branch in model.branches} <= {branch.exit for branch in kept.branches} else None


def profile_of_like(model: Model, other: Model, known: Profile | None) -> Profile | None:
    """What was measured of another version of a model that does the same work, as this one's; None where it does not.

    A network that was trained again has other weights and takes as long.
    """
    if known is None or known.digest != other.digest or _work(model) != _work(other):
        return None
    return replace(known, model=model.name, digest=model.digest)


def _work(model: Model) -> object:
    """All that times depend on: everything but the values of constants."""
    graph = model.proto.graph
    return (
        [node.SerializeToString() for node in graph.node],
        [(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in graph.initializer],
        dict(model.tensors),
        [branch.outputs for branch in model.branches],
        model.metadata.preprocessing,
    )


def _file(model: Model, engine: Engine) -> Path:
    name = f"{model.digest[:32]}-{engine.name.replace(' ', '-')}-{engine.threads}-{__version__}.json"
    return cache_folder() / _KIND / name
