"""A device that follows a name moves from version to version beside its requests; the engine is real."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from device.versions.site import INPUT, WITHIN, Site, by_the_edge, close, records_of_the_move
from edgent.device.connection.upkeep import IDLE
from edgent.device.device import Device
from edgent.device.versions.follower import Follower
from edgent.device.versions.renewal import RETRY
from edgent.engine.loading import load
from edgent.errors import EdgeError, EdgentError, ModelError
from edgent.wire import messages as m
from graphs import dense, inception, residual, saved


@pytest.fixture
def versions(tmp_path):
    """Three versions of one name, of as many networks."""
    for network in (residual, dense, inception):
        (folder := tmp_path / network.__name__).mkdir()
        saved(network(), folder / "net.onnx")
    return [load(tmp_path / network.__name__ / "net.onnx") for network in (residual, dense, inception)]


@pytest.fixture
def site(clock, versions):
    return Site(clock, versions[0])


@pytest.fixture
def follower(site, versions, clock):
    with Follower(versions[0], site.device, site.fetch, clock) as following:
        assert following.wait_ready(WITHIN)
        yield following


def test_a_new_version_on_the_edge_is_fetched_and_answers_by_the_edge_again(site, follower, versions, until):
    old, new, _ = versions
    assert close(follower.infer(INPUT), old)
    site.restart(new)
    assert until(lambda: follower.model is new)
    answer = follower.infer(INPUT)
    assert answer.record.by == "edge" and close(answer, new)
    assert site.fetched == [new]


def test_meanwhile_every_request_is_answered_in_time_by_one_version_or_the_other(site, follower, versions, clock):
    old, new, _ = versions
    site.restart(new)
    records = records_of_the_move(follower, old, new, clock, least=200)
    assert all(record.deadline_met for record in records)
    assert {record.by for record in records} == {"device", "edge"}
    assert any("edge refused: the edge serves net in version" in record.why for record in records)


def test_two_versions_side_by_side_serve_the_device_of_either_while_one_moves(site, follower, versions, clock, until):
    old, new, _ = versions
    of_a_file = site.device(old)
    assert of_a_file.wait_ready(WITHIN)
    site.restart(new, old)
    assert by_the_edge(follower, until) and until(lambda: follower.model is new)
    assert until(lambda: of_a_file.connected)
    for device, model in ((follower, new), (of_a_file, old)):
        answer = device.infer(INPUT)
        assert answer.record.by == "edge" and close(answer, model)
    of_a_file.close()


def test_a_restart_that_goes_unnoticed_is_told_with_the_next_answer(site, follower, versions, until):
    old, new, _ = versions
    site.start(new, old)
    calls = sum(link.calls.count(m.DESCRIBE) for link in site.links)
    answer = follower.infer(INPUT)
    assert answer.record.by == "edge" and close(answer, old)
    assert calls == sum(link.calls.count(m.DESCRIBE) for link in site.links), "nobody had asked"
    assert until(lambda: follower.model is new)


@pytest.mark.parametrize("with_the_old", [True, False])
def test_a_device_that_needs_no_edge_hears_of_it_with_the_next_check(
    site, follower, versions, until, clock, with_the_old
):
    old, new, _ = versions
    site.start(*((new, old) if with_the_old else (new,)))
    clock.sleep(2 * IDLE)
    assert until(lambda: follower.model is new)
    assert sum(link.calls.count(m.MODEL_INFER) for link in site.links) == 0


def test_one_after_which_the_old_version_is_gone_is_told_with_the_next_refusal(site, follower, versions, until):
    old, new, _ = versions
    site.start(new)
    answer = follower.infer(INPUT)
    assert answer.record.by == "device" and answer.record.deadline_met and close(answer, old)
    assert until(lambda: follower.model is new)


def test_a_device_that_was_given_its_model_stays_with_it_alone_and_says_why(site, versions, until):
    old, new, _ = versions
    of_a_file = site.device(old)
    assert of_a_file.wait_ready(WITHIN)
    site.restart(new)
    assert until(lambda: "refused" in of_a_file.infer(INPUT).record.why)
    record = (answer := of_a_file.infer(INPUT)).record
    assert record.by == "device" and close(answer, old)
    assert f"in version {new.version}, here it is {old.version}" in record.why
    of_a_file.close()


def test_an_edge_that_goes_back_takes_the_device_with_it(site, follower, versions, until):
    old, new, _ = versions
    site.restart(new)
    assert until(lambda: follower.model is new)
    site.restart(old, new)
    assert until(lambda: follower.model is old) and by_the_edge(follower, until)


def test_a_version_that_cannot_be_fetched_yet_is_fetched_later(site, follower, versions, until, caplog, monkeypatch):
    old, new, _ = versions
    tries = []

    def fetch():
        tries.append(site.clock.now())
        if len(tries) < 3:
            raise EdgeError("the fetch broke off")
        return new

    follower._fetch = fetch
    with caplog.at_level(logging.WARNING, "edgent.device"):
        site.restart(new)
        assert until(lambda: follower.model is new)
    assert np.allclose(np.diff(tries), [RETRY, 2 * RETRY], atol=0.1)
    assert f"goes on with version {old.version} of net: the fetch broke off" in caplog.messages


@pytest.mark.parametrize("error", [ModelError("no model for this device"), KeyError("odd")])
def test_a_version_that_this_device_cannot_use_is_given_up_and_the_next_one_is_not(
    site, follower, versions, until, clock, error
):
    old, new, newest = versions
    tries = []

    def fetch():
        tries.append(site.models[0])
        if site.models[0] is new:
            raise error
        return site.models[0]

    follower._fetch = fetch
    site.restart(new)
    clock.sleep(100.0)
    assert tries == [new] and follower.model is old
    assert close(follower.infer(INPUT), old)
    site.restart(newest)
    assert until(lambda: follower.model is newest) and tries == [new, newest]


def test_an_edge_that_is_lost_during_the_move_leaves_the_old_version_running(site, follower, versions, until, clock):
    old, new, _ = versions
    moved_to = []

    def make(model, on_version, before):
        moved_to.append(model)
        if len(moved_to) == 1:
            site.stop()
        device = site.device(model, on_version)
        if len(moved_to) == 1:
            site.links[-1].cut()
        return device

    follower._make = make
    site.restart(new)
    assert until(lambda: moved_to)
    assert close(follower.infer(INPUT), old)
    site.start(new)
    assert until(lambda: follower.model is new) and moved_to == [new, new]


def test_a_request_under_way_ends_on_the_device_that_began_it(site, follower, versions, until, clock):
    old, new, _ = versions
    (link,) = site.links
    link.hold(m.MODEL_INFER)
    answers = []
    waiting = clock.thread(lambda: answers.append(follower.infer(INPUT, deadline=30.0, race=False)), "waiting")
    waiting.start()
    clock.sleep(0.01)
    follower._offered(new.version)
    site.start(new, old)
    assert until(lambda: follower.model is new)
    clock.sleep(1.0)
    assert not answers and "cut" not in repr(link), "it is not closed while a request is under way"
    link.release()
    waiting.join()
    assert answers[0].record.by == "edge" and close(answers[0], old)
    assert until(lambda: "cut" in repr(link))


def test_a_device_that_meets_another_version_at_once_answers_alone_and_moves(site, versions, clock, until):
    old, new, _ = versions
    site.start(new)  # after the model was fetched, before the device was connected
    with Follower(old, site.device, site.fetch, clock) as following:
        following.wait_ready(WITHIN)
        assert following.infer(INPUT).record.deadline_met
        assert until(lambda: following.model is new) and by_the_edge(following, until)


def test_closing_ends_it_whatever_it_is_doing(site, versions, clock):
    old, new, _ = versions
    begun = []

    def fetch():
        begun.append(True)
        clock.sleep(1000.0)
        raise EdgentError("too late")

    following = Follower(old, site.device, fetch, clock)
    assert following.wait_ready(WITHIN)
    site.restart(new)
    clock.sleep(2.0)
    closed_at = clock.now()
    following.close()
    assert begun and clock.now() - closed_at < 2.0


def test_it_is_used_as_a_device_is():
    def public(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Device) <= public(Follower)
    assert {"model", "deadline", "settings"} <= public(Follower), "what a device has as plain values"


def test_what_it_says_is_what_the_device_that_runs_says(site, follower, versions, until, clock):
    old, new, _ = versions
    assert (follower.connected, follower.deadline, follower.model) == (True, 0.1, old)
    assert follower.settings is follower.device.settings and follower.conditions is not None
    assert repr(follower) == f"<Follower: {follower.device!r}>" and old.version in repr(follower)
    site.restart(new)
    assert until(lambda: follower.model is new) and new.version in repr(follower)
