"""What a device is told: one value, or the same as keywords; what is no setting is refused."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, replace

import pytest

import edgent
from edgent.device.choosers.candidate_sets import Restriction
from edgent.device.device import Device
from edgent.device.settings import HANDED_OVER, LEAST_MARGIN, MOST_MARGIN, DeviceKeywords, DeviceSettings, settings_of
from edgent.errors import InputError
from edgent.planning.plan import Configuration
from edgent.testing import FakeEngine

SHORT = Configuration(exit=0, upload_cut=12, download_cut=12)


def answered(device, picture):
    with device:
        return device.infer(picture, configuration=SHORT).record


def test_the_keywords_that_type_checkers_know_are_the_settings_with_their_types() -> None:
    known = {name: getattr(kind, "__forward_arg__", kind) for name, kind in DeviceKeywords.__annotations__.items()}
    assert known == {field.name: field.type for field in fields(DeviceSettings)}


def test_each_setting_is_explained(monkeypatch) -> None:
    said = DeviceSettings.__doc__ or ""
    assert [field.name for field in fields(DeviceSettings) if f"\n        {field.name}: " not in said] == []


def test_a_value_and_keywords_build_the_same_device(model, picture, clock) -> None:
    spoken = {"deadline": 2.0, "race": False, "engine": FakeEngine(), "clock": clock}
    one = Device(model, None, DeviceSettings(**spoken))
    other = Device(model, **spoken)
    assert answered(one, picture) == answered(other, picture)
    names = [field.name for field in fields(DeviceSettings)]
    assert [getattr(one.settings, name) for name in names] == [getattr(other.settings, name) for name in names]


def test_keywords_take_the_place_of_what_the_value_says_and_of_nothing_else(model) -> None:
    usual = DeviceSettings(deadline=2.0, race=False, margin=0.5)
    changed = settings_of(usual, {"deadline": 3.0, "margin": None})
    assert (changed.deadline, changed.race, changed.margin) == (3.0, False, None)
    assert (usual.deadline, usual.margin) == (2.0, 0.5)


def test_settings_show_what_they_say_beyond_the_usual() -> None:
    assert repr(DeviceSettings(deadline=0.1, race=False)) == "DeviceSettings(deadline=0.1, race=False)"


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DeviceSettings(deadline=1.0).deadline = 2.0


@pytest.mark.parametrize(
    ("keyword", "meant"), [("dead_line", "deadline"), ("codec", "codecs"), ("band_width", "bandwidth")]
)
@pytest.mark.parametrize("door", ["Device", "connect"])
def test_a_keyword_that_is_no_setting_is_refused_and_the_nearest_is_named(door, keyword, meant, model) -> None:
    call = (lambda **k: Device(model, **k)) if door == "Device" else (lambda **k: edgent.connect("h:1", model, **k))
    with pytest.raises(TypeError, match=rf"no setting '{keyword}' \(did you mean '{meant}'\?\)") as caught:
        call(deadline=1.0, **{keyword: 1})
    assert "\n" not in str(caught.value)


def test_a_keyword_like_none_of_them_is_refused_as_well(model) -> None:
    with pytest.raises(TypeError, match="no setting 'zzz'; DeviceSettings lists them"):
        Device(model, deadline=1.0, zzz=1)


@pytest.mark.parametrize("door", ["Device", "connect"])
def test_without_a_deadline_it_is_said_how_to_give_one(door, model) -> None:
    with pytest.raises(TypeError, match="deadline=SECONDS"):
        Device(model) if door == "Device" else edgent.connect("h:1", model)


@pytest.mark.parametrize("wrong", [0.1, {"deadline": 1.0}, "settings"])
def test_what_is_no_settings_is_not_taken_for_them(model, wrong) -> None:
    with pytest.raises(TypeError, match="expected DeviceSettings"):
        Device(model, None, wrong)


NO_NUMBERS = [math.nan, math.inf, -1.0, "1ms"]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("margin", "bandwidth", "downlink", "round_trip") for value in NO_NUMBERS]
    + [("deadline", value) for value in (*NO_NUMBERS, 0.0, None)]
    + [("bandwidth", 0.0), ("downlink", 0.0), ("environment", "windy")],
)
def test_a_value_that_is_none_is_refused_when_the_settings_are_made(name, value) -> None:
    with pytest.raises(InputError, match=name):
        DeviceSettings(**({"deadline": 1.0} | {name: value}))


def test_a_margin_or_round_trip_of_nothing_is_one() -> None:
    settings = DeviceSettings(deadline=1.0, margin=0.0, round_trip=0.0)
    assert settings.margin_before(1.0) == 0.0


@pytest.mark.parametrize(("deadline", "margin"), [(0.01, LEAST_MARGIN), (0.2, 0.006), (10.0, MOST_MARGIN)])
def test_the_usual_margin_is_a_share_of_the_deadline_within_bounds(deadline, margin) -> None:
    assert DeviceSettings(deadline=1.0).margin_before(deadline) == pytest.approx(margin)
    assert DeviceSettings(deadline=1.0, margin=0.3).margin_before(deadline) == 0.3


def test_of_long_deadlines_more_is_kept_free_the_more_requests_are_in_hand() -> None:
    settings = DeviceSettings(deadline=1.0)
    assert settings.margin_before(10.0, others=50) == pytest.approx(MOST_MARGIN + 50 * HANDED_OVER)
    assert settings.margin_before(0.2, others=50) == settings.margin_before(0.2) == pytest.approx(0.006)
    assert settings.margin_before(1.0, others=50) == pytest.approx(0.03)


def test_the_machine_that_computes_is_the_device_unless_another_stands_in_for_it(slow, fast) -> None:
    assert DeviceSettings(deadline=1.0).host is None
    assert DeviceSettings(deadline=1.0, device_profile=slow).host is slow
    assert DeviceSettings(deadline=1.0, device_profile=slow, host_profile=fast).host is fast


def test_what_plans_are_chosen_from_is_told_in_any_collection() -> None:
    told = DeviceSettings(deadline=1.0, direction="edge-first", exits=[2, 1, 2], codecs={"source": 1}.keys())
    wanted = Restriction(direction="edge-first", exits=frozenset({1, 2}), codecs=("source",))
    assert told.restriction == wanted
    assert DeviceSettings(deadline=1.0).restriction == Restriction()
    assert DeviceSettings(deadline=1.0, exits=[]).restriction.exits == frozenset()


def test_a_chooser_of_ones_own_is_taken_as_it_is() -> None:
    def make(scope):
        raise AssertionError("nobody asked for a plan")

    assert DeviceSettings(deadline=1.0, environment=make).make_chooser is make


@pytest.mark.parametrize("surplus", [-1, 1])
def test_a_profile_of_other_layers_than_the_model_has_is_refused_in_one_line(model, slow, surplus):
    *others, last = slow.branches
    count = len(last.layers) + surplus
    other = replace(last, layers=(last.whole.median / count,) * count)
    with pytest.raises(InputError, match=f"found {count} layers of exit {last.exit}, expected .*: measure it again"):
        Device(model, deadline=1.0, device_profile=replace(slow, branches=(*others, other)))
