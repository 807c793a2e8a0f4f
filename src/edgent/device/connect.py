"""A device in one call: what `edgent run` does before its first answer, for programs.

with edgent.connect("10.0.0.2:8001", "b-alexnet", deadline=0.1) as device:
    answer = device.infer(Path("cat.jpg"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.address import Address
from edgent.device.device import Device
from edgent.engine.onnxruntime import Engine
from edgent.engine.opening import load
from edgent.evaluation.calibration_files import calibration_for
from edgent.model import Model, find
from edgent.profiling.kept_profile import profile
from edgent.units import seconds_of
from edgent.wire.fetch_model import fetch_model

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.device.choosers.chooser import Environment
    from edgent.latency import Profile
    from edgent.profiling.timing import Progress
    from edgent.telemetry import Record

_TIMEOUT = 10.0


def connect(  # noqa: PLR0913 - each is a setting of its own
    edge: str,
    model: Model | str | Path,
    *,
    deadline: float,
    dims: Mapping[str, int] | None = None,
    device_profile: Profile | None = None,
    calibration: Calibration | None = None,
    engine: Engine | None = None,
    environment: Environment = "static",
    require_edge: bool = False,
    on_record: Callable[[Record], object] | None = None,
    progress: Progress | None = None,
) -> Device:
    """A device that is connected and ready: its model, its profile and its calibration are found, fetched or measured.

    An edge that is not there is no error unless it is required: the device then answers by itself, looks for the edge
    in the background, and `Device.connected` is False meanwhile. Whatever else a device can be told, `Device` takes.

    Args:
        edge: "HOST:PORT".
        model: a model, a file, or a name: of a model shipped with Edgent, else of one that the edge serves; that is
            fetched at the first call and kept in the cache.
        deadline: seconds from input handed over to answer.
        dims: numbers for free dimensions of the model, where a name or a file is given; see `edgent.load`.
        device_profile: of this device; None: measured at the first call, some 15 s long, and kept in the cache.
        calibration: sizes and accuracies of codecs; None: the one beside the model or in the cache, else the edge's.
        engine: runs segments; by default one of one thread.
        environment: "static", for the link as the last transfer found it, or "dynamic", which follows it.
        require_edge: whether a lost edge is an error.
        on_record: is told of each answer's record; see `Device`.
        progress: called with the rounds done and their number, where the device is measured.

    Returns:
        A context manager; without `with`, call its `close`.

    Raises:
        InputError: an address, a deadline or a model that is none; the cache cannot be written.
        RefusedError: the edge serves something else, or no such model.
        EdgeError: the edge is not there, and the model must come from it, or `require_edge`.
    """
    Address.parse(edge)  # refused before the work is done for it, as the deadline is
    seconds_of(deadline, "deadline")
    loaded = model if isinstance(model, Model) else find_model(model, edge, dims)
    runner = engine or Engine()
    with ExitStack() as opened:
        device = opened.enter_context(
            Device(
                loaded,
                edge=edge,
                deadline=deadline,
                device_profile=device_profile or profile(loaded, runner, progress=progress),
                calibration=calibration_for(loaded) if calibration is None else calibration,
                engine=runner,
                environment=environment,
                require_edge=require_edge,
                on_record=on_record,
            )
        )
        device.wait_ready(_TIMEOUT)
        opened.pop_all()  # whoever called closes it from here on
        return device


def find_model(model: str | Path, edge: str | None, dims: Mapping[str, int] | None = None) -> Model:
    """The model of a file or a name here; else the one that the edge serves by this name.

    Args:
        model: a name or a file.
        edge: "HOST:PORT"; None: there is none.
        dims: numbers for free dimensions; None: those of the configuration, or of the edge that the model is fetched
            from.

    Raises:
        ModelError: neither here nor a name that an edge could serve, or no model that can be used.
        RefusedError: the edge has no such model, or is none.
        EdgeError: the edge is not there.
    """
    is_name = isinstance(model, str) and "/" not in model and not model.endswith(".onnx")
    if edge and is_name and not find(model).exists():
        return fetch_model(edge, str(model), dims=dims)
    return load(model, dims=dims)
