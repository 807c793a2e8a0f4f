"""A configuration map is of one version: a device that follows one moves to the next version all the same."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import onnx
import pytest

from device.versions.site import INPUT, WITHIN, Site, by_the_edge, close, records_of_the_move
from edgent.device.connect import for_another_version, settings_of_version
from edgent.device.device import Device
from edgent.device.settings import DeviceSettings
from edgent.device.versions.follower import Follower
from edgent.engine.loading import load
from edgent.planning import Candidates
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid
from edgent.units import BitsPerSecond
from graphs import inception, residual, saved
from shared_fixtures import make_profile

DEADLINE = 0.1


def version(folder, network=residual, by: float = 1.0):
    """A version of one name; `by`: the same network, trained again."""
    proto = network()
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.float32(by), tensor.name))
    folder.mkdir()
    return load(saved(proto, folder / "net.onnx"))


@pytest.fixture
def old(tmp_path):
    return version(tmp_path / "old")


@pytest.fixture(params=["of other weights", "of other layers"])
def new(request, tmp_path):
    if request.param == "of other weights":
        return version(tmp_path / "new", by=0.5)
    return version(tmp_path / "new", inception)


def states_of(model):
    slow, fast = make_profile(model, layer=0.03), make_profile(model, layer=1e-3)
    recipe = MapSettings(bandwidths=grid(1e5, 1e9, 9), deadlines=[0.05, 1.0])
    return build_map(Candidates.build(model, slow, fast, None), model.name, slow, fast, recipe)


class MappedSite(Site):
    """Its devices follow a map of the first version, and are told the rest as `edgent.connect` tells it."""

    def link(self):
        link = super().link()
        link.bandwidth = BitsPerSecond(2e7)  # a map is looked up for what transfers took
        return link

    def device(self, model, on_version=None, before=None):
        measured = make_profile(model, layer=0.03)
        if before is None:
            settings = DeviceSettings(
                deadline=DEADLINE, device_profile=measured, clock=self.clock,
                environment=states_of(model), on_version=on_version,
            )  # fmt: skip
        else:
            settings = settings_of_version(before, model) or replace(
                for_another_version(before.settings, model), device_profile=measured
            )
        return Device(model, None, replace(settings, channel=self.link()))


@pytest.fixture
def site(clock, old):
    return MappedSite(clock, old)


@pytest.fixture
def follower(site, old, clock):
    with Follower(old, site.device, site.fetch, clock) as following:
        assert following.wait_ready(WITHIN)
        yield following


def test_it_moves_over_and_the_controller_plans_for_the_new_version(site, follower, old, new, until, caplog):
    assert by_the_edge(follower, until) and close(follower.infer(INPUT), old)
    with caplog.at_level(logging.WARNING, "edgent.device"):
        site.restart(new)
        assert until(lambda: follower.model is new)
    assert by_the_edge(follower, until) and close(follower.infer(INPUT), new)
    assert follower.settings.environment == "dynamic"
    said = [one.getMessage() for one in caplog.records if "edgent map" in one.getMessage()]
    assert len(said) == 1 and new.version in said[0]


def test_in_the_meantime_every_request_is_answered_in_time(site, follower, old, new, clock):
    site.restart(new)
    records = records_of_the_move(follower, old, new, clock, least=50)
    assert all(record.deadline_met for record in records)


def test_where_the_edge_comes_back_with_the_same_version_its_map_is_kept(site, follower, old, until):
    site.restart(old)
    assert until(lambda: follower.connected) and by_the_edge(follower, until)
    assert follower.settings.environment == states_of(old)


def test_settings_without_a_map_are_those_of_every_version(new):
    for environment in ("static", "dynamic"):
        settings = DeviceSettings(deadline=DEADLINE, environment=environment)
        assert for_another_version(settings, new) is settings
