"""A device in one call: what `edgent run` does before its first answer, for programs.

with edgent.connect("10.0.0.2:8001", "b-alexnet", deadline=0.1) as device:
    answer = device.infer(Path("cat.jpg"))
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from edgent.address import Address
from edgent.device.device import Device
from edgent.device.settings import DeviceKeywords, DeviceSettings, settings_of
from edgent.device.versions.follower import Follower, Make
from edgent.engine.guarded_loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgeError
from edgent.evaluation.calibration_files import calibration_for
from edgent.evaluation.gates.files import gates_for
from edgent.model import Model
from edgent.model.files.named import files
from edgent.planning.configuration_map import ConfigurationMap
from edgent.profiling.kept_profile import profile, profile_of_like
from edgent.wire.fetch_model import fetch_model, fetched_before

if TYPE_CHECKING:
    from edgent.clock import Clock
    from edgent.device.connection.handshake import OnVersion
    from edgent.profiling.timing import Progress

_TIMEOUT = 10.0

_log = logging.getLogger("edgent.device")


def connect(
    edge: str,
    model: Model | str | Path,
    settings: DeviceSettings | None = None,
    *,
    dims: Mapping[str, int] | None = None,
    progress: Progress | None = None,
    **keywords: Unpack[DeviceKeywords],
) -> Device | Follower:
    """A device that is connected and ready: its model, its profile and its calibration are found, fetched or measured.

    An edge that is not there is no error unless it is required: the device then answers by itself, looks for the edge
    in the background, and `Device.connected` is False meanwhile. A model that was fetched stays what its edge serves:
    the device moves over to another version beside its requests (see `Follower`).

    Args:
        edge: "HOST:PORT".
        model: a model, a file, or a name: of a model shipped with Edgent, else of one that the edge serves; that is
            fetched at the first call and kept in the cache, for when the edge is away at a later one.
        settings: what the device is told. Without a profile of the device, one is measured at the first call, some
            15 s long, and kept in the cache; without a calibration, the one beside the model or in the cache counts,
            else the edge's.
        dims: numbers for free dimensions of the model, where a name or a file is given; see `edgent.load`.
        progress: called with the rounds done and their number, where the device is measured.
        keywords: the fields of `DeviceSettings`, for what `settings` leaves out or says otherwise; `deadline` must be
            in either.

    Returns:
        A context manager; without `with`, call its `close`. Where the model was fetched, a `Follower`.

    Raises:
        InputError: an address, a deadline or a model that is none; the cache cannot be written.
        RefusedError: the edge serves something else, or no such model.
        EdgeError: the edge is not there, and the model must come from it and never did, or `require_edge`.
        TypeError: a keyword that is no setting, or no deadline.
    """
    Address.parse(edge)  # refused before the work is done for it, as the settings are
    settings = settings_of(settings, keywords)
    with ExitStack() as opened:
        device = _device(edge, model, dims, settings, progress)
        opened.callback(device.close)
        if not device.began_alone:  # else the edge was waited for, and is looked for beside the requests
            device.wait_ready(_TIMEOUT)
        opened.pop_all()  # whoever called closes it from here on
        return device


def _device(
    edge: str,
    model: Model | str | Path,
    dims: Mapping[str, int] | None,
    settings: DeviceSettings,
    progress: Progress | None,
) -> Device | Follower:
    if isinstance(model, str) and is_fetched(model, edge):
        make = partial(_version, edge, settings, progress)
        return follow(
            edge,
            model,
            make,
            dims=dims,
            clock=settings.clock,
            insecure=settings.insecure,
            require_edge=settings.require_edge,
        )
    loaded = model if isinstance(model, Model) else load(model, dims=dims)
    return Device(loaded, edge, _complete(settings, loaded, progress))


def follow(
    edge: str,
    name: str,
    make: Make,
    *,
    dims: Mapping[str, int] | None = None,
    clock: Clock | None = None,
    insecure: bool = False,
    require_edge: bool = False,
) -> Follower:
    """A device of the model that an edge serves by a name, from version to version.

    Where the edge is away the device begins with what was fetched from it before; see `newest`.

    Args:
        edge: "HOST:PORT".
        name: of the model there.
        make: see `Follower`.
        dims: numbers that free dimensions must have there; None: those that they have.
        clock: see `Follower`.
        insecure: see `DeviceSettings`.
        require_edge: whether the edge must be there now.

    Raises:
        RefusedError: the edge has no such model, or is none.
        EdgeError: the edge is not there, and is required, or nothing was fetched from it before.
    """
    fetch = partial(fetch_model, edge, name, dims=dims, insecure=insecure)
    model, is_away = (fetch(), False) if require_edge else newest(edge, name, dims=dims, insecure=insecure)
    return Follower(model, make, fetch, clock, began_alone=is_away)


def newest(
    edge: str, name: str, *, dims: Mapping[str, int] | None = None, insecure: bool = False
) -> tuple[Model, bool]:
    """The model that an edge serves by a name; where it is away, the newest version that was fetched from it before.

    A board that starts again while its edge is down still answers; one line of the log says with what.

    Returns:
        The model, and whether the edge is away.

    Raises:
        RefusedError: the edge has no such model, or is none.
        EdgeError: it is away, and nothing was fetched from it before.
    """
    try:
        return fetch_model(edge, name, dims=dims, insecure=insecure), False
    except EdgeError as error:
        if (model := fetched_before(edge, name, dims=dims, insecure=insecure)) is None:
            raise
        _log.warning(
            "%s; the device answers by itself, with version %s of %s, which it fetched there before",
            error,
            model.version,
            name,
        )
        return model, True


def _version(
    edge: str,
    settings: DeviceSettings,
    progress: Progress | None,
    model: Model,
    on_version: OnVersion | None,
    before: Device | None,
) -> Device:
    """The device of one version; what was told of the first one does not hold for others."""
    if before is None:
        return Device(model, edge, _complete(replace(settings, on_version=on_version), model, progress))
    engine = settings.engine or OnnxRuntimeEngine()  # sessions of the version before go with its own
    known = settings_of_version(before, model) or replace(
        for_another_version(before.settings, model),
        device_profile=None,
        calibration=None,
        gates=None,
        expected_sizes=None,
    )
    return Device(model, edge, _complete(replace(known, engine=engine), model, None))


def settings_of_version(before: Device, model: Model) -> DeviceSettings | None:
    """The settings of the device of one version, for another one; None where its times must be measured anew."""
    old = before.settings
    device, host = (profile_of_like(model, before.model, known) for known in (old.device_profile, old.host_profile))
    if device is None or (host is None and old.host_profile is not None):
        return None
    # Both prepare pictures alike (`profile_of_like`), so codecs make them as large as before.
    sizes = old.expected_sizes and replace(old.expected_sizes, model=model.name, digest=model.digest)
    return replace(
        for_another_version(old, model),
        device_profile=device,
        host_profile=host,
        calibration=calibration_for(model),
        gates=gates_for(model),
        expected_sizes=sizes,
    )


def for_another_version(settings: DeviceSettings, model: Model) -> DeviceSettings:
    """The settings for a version that a configuration map is not of: the controller follows the link in its place."""
    states = settings.environment
    if not isinstance(states, ConfigurationMap) or states.digest == model.digest:
        return settings
    # A device that kept to its map could never move: the map would be refused for each version but its own.
    _log.warning(
        "%r is of another version than %s of %s, which the controller plans for; build one for it (edgent map)",
        states,
        model.version,
        model.name,
    )
    return replace(settings, environment="dynamic")


def _complete(settings: DeviceSettings, model: Model, progress: Progress | None) -> DeviceSettings:
    """The settings with an engine, and with the profile and the calibration that go with the model."""
    engine = settings.engine or OnnxRuntimeEngine()
    return replace(
        settings,
        engine=engine,
        device_profile=settings.device_profile or profile(model, engine, progress=progress),
        calibration=calibration_for(model) if settings.calibration is None else settings.calibration,
    )


def is_fetched(model: str, edge: str | None) -> bool:
    """Whether a model comes from the edge: it is a name, and the file, or one of a bundle's, is not here."""
    is_name = "/" not in model and not model.endswith(".onnx")
    return bool(edge) and is_name and not all(path.exists() for path in files(model))
