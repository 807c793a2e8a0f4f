"""A device in one call: what `edgent run` does before its first answer, for programs.

with edgent.connect("10.0.0.2:8001", "b-alexnet", deadline=0.1) as device:
    answer = device.infer(Path("cat.jpg"))
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from edgent.address import Address
from edgent.device.device import Device
from edgent.device.settings import DeviceKeywords, DeviceSettings, settings_of
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.engine.opening import load
from edgent.evaluation.calibration_files import calibration_for
from edgent.model import Model, find
from edgent.profiling.kept_profile import profile
from edgent.wire.fetch_model import fetch_model

if TYPE_CHECKING:
    from edgent.profiling.timing import Progress

_TIMEOUT = 10.0


def connect(
    edge: str,
    model: Model | str | Path,
    settings: DeviceSettings | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[DeviceKeywords],
) -> Device:
    """A device that is connected and ready: its model, its profile and its calibration are found, fetched or measured.

    An edge that is not there is no error unless it is required: the device then answers by itself, looks for the edge
    in the background, and `Device.connected` is False meanwhile.

    Args:
        edge: "HOST:PORT".
        model: a model, a file, or a name: of a model shipped with Edgent, else of one that the edge serves; that is
            fetched at the first call and kept in the cache.
        settings: what the device is told. Without a profile of the device, one is measured at the first call, some
            15 s long, and kept in the cache; without a calibration, the one beside the model or in the cache counts,
            else the edge's.
        progress: called with the rounds done and their number, where the device is measured.
        keywords: the fields of `DeviceSettings`, for what `settings` leaves out or says otherwise; `deadline` must be
            in either.

    Returns:
        A context manager; without `with`, call its `close`.

    Raises:
        InputError: an address, a deadline or a model that is none; the cache cannot be written.
        RefusedError: the edge serves something else, or no such model.
        EdgeError: the edge is not there, and the model must come from it, or `require_edge`.
        TypeError: a keyword that is no setting, or no deadline.
    """
    Address.parse(edge)  # refused before the work is done for it, as the settings are
    settings = settings_of(settings, keywords)
    loaded = model if isinstance(model, Model) else find_model(model, edge)
    with ExitStack() as opened:
        device = opened.enter_context(Device(loaded, edge, _complete(settings, loaded, progress)))
        device.wait_ready(_TIMEOUT)
        opened.pop_all()  # whoever called closes it from here on
        return device


def _complete(settings: DeviceSettings, model: Model, progress: Progress | None) -> DeviceSettings:
    """The settings with an engine, and with the profile and the calibration that go with the model."""
    engine = settings.engine or OnnxRuntimeEngine()
    return replace(
        settings,
        engine=engine,
        device_profile=settings.device_profile or profile(model, engine, progress=progress),
        calibration=calibration_for(model) if settings.calibration is None else settings.calibration,
    )


def find_model(model: str | Path, edge: str | None) -> Model:
    """The model of a file or a name here; else the one that the edge serves by this name.

    Raises:
        ModelError: neither here nor a name that an edge could serve, or no model that can be used.
        RefusedError: the edge has no such model, or is none.
        EdgeError: the edge is not there.
    """
    is_name = isinstance(model, str) and "/" not in model and not model.endswith(".onnx")
    if edge and is_name and not find(model).exists():
        return fetch_model(edge, str(model))
    return load(model)
