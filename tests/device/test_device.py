"""A device and an edge in one process over a link that can be cut and held; real engine, real model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgent.codec import decode_pixels, encode_image, normalise
from edgent.device.connection.upkeep import RETRY, STALE
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgeError, InputError, RefusedError
from edgent.lab.boards.emulation import Emulated
from edgent.link.slow_start import Window
from edgent.planning.plan import STAGES, Configuration
from edgent.planning.planner import MARGIN_SHARE
from edgent.testing import FakeEngine
from edgent.wire import messages as m

EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
ALONE = Configuration(exit=4, upload_cut=22, download_cut=22)
WITHIN = 20.0  # seconds of the test's clock: for what should take milliseconds


@pytest.fixture(scope="module")
def image():
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return encode_image("png", pixels)


@pytest.fixture
def made(made):
    """Devices that are told what the link is like."""
    return lambda **settings: made(**({"bandwidth": 1e8, "round_trip": 0.001} | settings))


def whole(model, image, exit=4):
    tensor = normalise(decode_pixels(image), model.metadata.preprocessing)
    name = model.branch(exit).outputs[0].name
    return Engine().session(model, ["image"], [name]).run({"image": tensor})[name]


def close(found, expected):
    return np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def sums_up(record):
    return sum(getattr(record.stages, stage) for stage in STAGES) == pytest.approx(record.total, abs=1e-9)


def at_once(clock, *targets):
    """Has threads do these things, and waits for them."""
    threads = [clock.thread(target, "test") for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_slow_device_lets_the_edge_answer(model, made, image):
    device = made()
    assert device.wait_ready(WITHIN)
    answer = device.infer(image, name="cat.png")
    assert answer.record.by == "edge"
    assert answer.record.why == ""
    assert answer.record.input == "cat.png"
    assert answer.record.deadline_met
    assert close(answer.scores, whole(model, image, answer.record.exit))
    assert answer.label == model.metadata.labels[int(np.argmax(answer.scores))]


def test_a_fast_device_answers_alone(model, made, fast, image):
    device = made(device_profile=fast, bandwidth=1e4)
    device.wait_ready(WITHIN)
    answer = device.infer(image)
    assert answer.record.by == "device"
    assert answer.record.why == ""
    assert close(answer.scores, whole(model, image, answer.record.exit))


@pytest.mark.parametrize(
    "configuration",
    [
        EDGE_ONLY,
        Configuration(exit=4, upload_cut=0, download_cut=22),
        Configuration(exit=4, upload_cut=4, download_cut=22),
        Configuration(exit=2, upload_cut=0, download_cut=9),
        Configuration(exit=3, upload_cut=3, download_cut=12, download_codec="float32+zstd"),
        Configuration(exit=1, upload_cut=16, download_cut=16),
        Configuration(exit=4, upload_cut=0, download_cut=22, codec="webp-lossless"),
        Configuration(exit=4, upload_cut=4, download_cut=22, codec="float32+zstd"),
    ],
)
def test_a_given_configuration_is_run_exactly_and_its_stages_sum_up(model, made, link, clock, image, configuration):
    link.bandwidth, link.round_trip = 1e6, 0.004
    device = made(deadline=10.0, pace=Emulated("slow", clock=clock))
    device.wait_ready(WITHIN)
    record = (answer := device.infer(image, configuration=configuration, race=False)).record
    assert close(answer.scores, whole(model, image, configuration.exit))
    assert record.exit == configuration.exit
    assert record.by == ("device" if configuration.device_only else "edge")
    assert sums_up(record)
    assert record.stages.head == pytest.approx(0.022 * configuration.upload_cut, abs=1e-5)


def test_tensors_are_answered_as_images_are(model, made, image):
    device = made(deadline=10.0)
    device.wait_ready(WITHIN)
    tensor = normalise(decode_pixels(image), model.metadata.preprocessing)
    configuration = Configuration(exit=4, upload_cut=0, download_cut=22)
    answer = device.infer({"image": tensor}, configuration=configuration)
    assert close(answer.scores, whole(model, image))


def test_a_late_edge_is_overtaken_by_the_device_within_the_deadline(model, made, fast, link, image):
    device = made(device_profile=fast, deadline=0.5)
    device.wait_ready(WITHIN)
    device.warm(EDGE_ONLY)
    link.hold(m.MODEL_INFER)
    record = (answer := device.infer(image, configuration=EDGE_ONLY)).record
    assert record.by == "device"
    assert record.why == "edge late"
    assert record.deadline_met
    assert record.total == pytest.approx(0.5 * (1 - MARGIN_SHARE))  # nobody waits longer for the edge
    assert sums_up(record)
    assert close(answer.scores, whole(model, image, record.exit))


def test_an_edge_lost_during_a_request_is_replaced_at_once_and_recorded(made, link, clock, image):
    device = made(deadline=10.0)
    device.wait_ready(WITHIN)
    link.hold(m.MODEL_INFER)
    clock.thread(lambda: (clock.sleep(0.05), link.cut()), "cutter").start()
    record = device.infer(image, configuration=EDGE_ONLY).record
    assert (record.by, record.why) == ("device", "edge lost")
    assert record.total == pytest.approx(0.05)
    assert sums_up(record)


def test_after_a_loss_the_device_answers_by_itself_and_is_back_when_the_edge_is(made, link, clock, until, image):
    device = made()
    device.wait_ready(WITHIN)
    link.cut()
    assert until(lambda: device.infer(image).record.why == "edge lost")
    clock.sleep(10.1)
    assert not device.connected
    assert device.infer(image).record.why == "edge lost"
    link.mend()
    mended_at = clock.now()
    assert until(lambda: device.infer(image).record.by == "edge")
    assert clock.now() <= mended_at + RETRY + 0.01


def test_a_link_that_went_silent_while_it_was_measured_is_measured_again_when_it_is_back(
    made, fast, link, clock, until, image
):
    link.bandwidth = 1e8
    device = made(device_profile=fast, bandwidth=None, round_trip=None)
    device.wait_ready(WITHIN)
    device.warm(EDGE_ONLY)
    link.hold(m.PROBE, m.MODEL_INFER)
    probes = link.calls.count(m.PROBE)
    assert until(lambda: link.calls.count(m.PROBE) > probes)
    assert device.infer(image, configuration=EDGE_ONLY).record.why == "edge late"
    assert until(lambda: device.conditions.uplink.bandwidth < 1e6)  # once no check has come back either
    link.release()
    released_at = clock.now()
    assert until(lambda: device.conditions.uplink.bandwidth > 1e6)
    assert clock.now() - released_at < STALE, "it waited until the next measurement was due"


def test_requests_are_planned_with_what_the_senders_tcp_may_have_under_way(made, link, monkeypatch):
    monkeypatch.setattr(link, "window", lambda: Window(size=43_440.0))
    device = made()
    assert device.wait_ready(WITHIN)
    assert device.conditions.uplink.window == 43_440.0
    assert device.conditions.downlink.window != 43_440.0


def test_a_switch_of_plans_is_never_paid_by_a_request(made, link, until, image):
    device = made()
    link.hold(m.PREPARE)
    assert until(lambda: device.connected)
    record = device.infer(image).record
    assert record.by == "device"
    assert record.plan.configuration.device_only
    link.release()
    assert until(lambda: device.infer(image).record.by == "edge")


def test_before_the_edge_is_connected_the_device_answers_and_says_so(model, made, link, image):
    link.hold(m.SERVER_METADATA)
    assert made().infer(image).record.why == "edge not connected yet"


def test_two_models_of_one_name_are_refused_by_digest_and_never_answered(model, made, link, clock, image, tmp_path):
    import onnx

    other = onnx.load(model.path)
    other.graph.node[-1].name += "-changed"
    weights = other.graph.initializer[0]
    weights.raw_data = bytes(len(weights.raw_data))
    onnx.save(other, tmp_path / model.path.name)
    another = load(tmp_path / model.path.name)
    assert another.name == model.name
    link.mend(Edge(another, clock=clock).service.methods())
    device = made()
    with pytest.raises(RefusedError, match=f"{another.version}.*{model.version}"):
        device.wait_ready(WITHIN)
    with pytest.raises(RefusedError):
        device.infer(image)
    assert m.MODEL_INFER not in link.calls


def test_an_edge_without_the_model_is_refused_naming_what_it_has(model, made, link, clock, tmp_path):
    (tmp_path / "other.onnx").write_bytes(model.path.read_bytes())
    link.mend(Edge(load(tmp_path / "other.onnx"), clock=clock).service.methods())
    with pytest.raises(RefusedError, match=r"no model 'b-alexnet'.*other"):
        made().wait_ready(WITHIN)


def test_an_edge_that_comes_back_with_another_model_does_not_answer_for_the_old_one(
    model, made, link, clock, until, image, tmp_path
):
    device = made()
    device.wait_ready(WITHIN)
    (tmp_path / "other.onnx").write_bytes(model.path.read_bytes())
    link.cut()
    link.mend(Edge(load(tmp_path / "other.onnx"), clock=clock).service.methods())
    assert until(lambda: device.infer(image).record.why.startswith("edge refused"))
    assert device.infer(image).record.by == "device"


def test_a_server_of_the_protocol_without_our_extension_and_segments_is_refused(model, made, link):
    methods = dict(link.methods)
    for path in (m.DESCRIBE, m.PREPARE, m.PROBE, m.FETCH):
        del methods[path]
    bare = m.ServerMetadataResponse(name="other").SerializeToString()
    not_ready = m.ModelReadyResponse(ready=False).SerializeToString()
    methods[m.SERVER_METADATA] = methods[m.SERVER_LIVE].__class__(answer=lambda message, call: bare)
    methods[m.MODEL_READY] = methods[m.SERVER_LIVE].__class__(answer=lambda message, call: not_ready)
    link.mend(methods)
    with pytest.raises(RefusedError, match="no edge of Edgent"):
        made().wait_ready(WITHIN)


def test_a_server_of_the_protocol_that_has_a_whole_branch_answers_raw_tensors(model, made, fast, link, image):
    methods = dict(link.methods)
    for path in (m.DESCRIBE, m.PREPARE, m.PROBE, m.FETCH):
        del methods[path]
    bare = m.ServerMetadataResponse(name="other").SerializeToString()
    methods[m.SERVER_METADATA] = methods[m.SERVER_LIVE].__class__(answer=lambda message, call: bare)
    link.mend(methods)
    device = made(deadline=0.25, edge_profile=fast)
    assert device.wait_ready(WITHIN)
    answer = device.infer(image)
    assert answer.record.by == "edge"
    assert answer.record.plan.configuration.codec == "float32"
    assert close(answer.scores, whole(model, image, answer.record.exit))


def test_a_required_edge_that_is_not_there_is_an_error(made, link, image):
    link.cut()
    device = made(require_edge=True)
    with pytest.raises(EdgeError, match="required"):
        device.wait_ready(WITHIN)
    with pytest.raises(EdgeError, match="required"):
        device.infer(image)


def test_a_required_edge_that_is_up_is_no_error_whatever_else_is_amiss(model, made, link, image):
    device = made(require_edge=True, deadline=10.0)
    assert device.wait_ready(WITHIN)
    tensor = normalise(decode_pixels(image), model.metadata.preprocessing)
    assert device.infer({"image": tensor}).record.why == "plans not ready yet"  # so far pictures were planned for
    link.hold(m.MODEL_INFER)
    assert device.infer(image, configuration=EDGE_ONLY, deadline=0.5).record.why == "edge late"
    assert device.infer(image, configuration=Configuration(exit=1, upload_cut=16, download_cut=16)).record.why == ""


def test_a_required_edge_that_was_lost_is_an_error_until_it_is_back(made, link, until, image):
    device = made(require_edge=True)
    assert device.wait_ready(WITHIN)
    link.cut()
    assert until(lambda: not device.connected)
    with pytest.raises(EdgeError, match="edge lost, and it is required"):
        device.infer(image)
    link.mend()
    assert until(lambda: device.connected)
    assert device.infer(image).record.by == "edge"


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.1, 0.2, 0.25])
def test_a_plan_leaves_the_devices_margin_free_with_and_without_an_edge(made, link, image, margin):
    """Of the exits alone, 22 ms a layer, and of what fits through a slow link."""
    link.bandwidth, totals = 4e5, []
    for settings in ({"bandwidth": 4e5}, {"channel": None, "bandwidth": None, "round_trip": None}):
        device = made(deadline=0.65, margin=margin, **settings)
        device.wait_ready(WITHIN)
        totals.append(device.infer(image).record.plan.stages.total)
    assert all(total <= 0.65 - margin + 1e-9 for total in totals)


def test_a_device_without_an_edge_answers(made, image):
    device = made(channel=None)
    record = device.infer(image).record
    assert (record.by, record.why) == ("device", "")
    assert not device.wait_ready(WITHIN)


def test_many_threads_may_ask_at_once(made, clock, image):
    device = made(deadline=10.0)
    device.wait_ready(WITHIN)
    answers = []
    at_once(clock, *[lambda: answers.append(device.infer(image))] * 8)
    assert len(answers) == 8
    assert all(np.array_equal(answer.scores, answers[0].scores) for answer in answers)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"no picture", "picture"),
        (np.zeros((1, 3, 32, 32)), "float64, expected float32"),
        (np.zeros((3, 32, 32), np.float32), r"\[3, 32, 32\], expected \[1, 3, 32, 32\]"),
        ({"x": np.zeros((1, 3, 32, 32), np.float32)}, "takes image"),
        ("nowhere.jpg", "nowhere.jpg: is no file"),
        (17, "not int"),
    ],
)
def test_what_is_no_input_of_the_model_is_said_to_be_none(made, given, words):
    with pytest.raises(InputError, match=words):
        made(channel=None, engine=FakeEngine()).infer(given)


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_that_is_none_is_refused(model, slow, deadline):
    with pytest.raises(InputError, match="deadline"):
        Device(model, deadline=deadline, device_profile=slow)


def test_a_profile_of_another_model_is_refused(model, slow):
    with pytest.raises(InputError, match="measure it again"):
        Device(model, deadline=1.0, device_profile=replace(slow, digest="0" * 64))


def test_everything_the_device_computes_is_held_to_its_pace(model, made, slow, image):
    held = []

    class Noted:
        def hold(self, started_at, seconds):
            held.append(seconds)

    device = made(deadline=10.0, pace=Noted())
    device.wait_ready(WITHIN)
    held.clear()
    device.infer(image, configuration=Configuration(exit=4, upload_cut=4, download_cut=10), race=False)
    assert sum(held) == pytest.approx(3e-4 + (4 + 12) * 0.022)


def test_local_branches_of_several_requests_run_one_after_another_on_an_emulated_device(made, clock, image):
    class Busy:
        computing, most = 0, 0

        def hold(self, started_at, host_seconds):
            self.computing += 1
            self.most = max(self.most, self.computing)
            clock.sleep(host_seconds)
            self.computing -= 1

    pace = Busy()
    device = made(channel=None, pace=pace, deadline=10.0)
    records = []
    at_once(clock, *[lambda: records.append(device.infer(image).record)] * 4)
    assert pace.most == 1
    whole = records[0].total
    assert whole > 0.1
    assert sorted(record.stages.queue for record in records) == pytest.approx([0.0, whole, 2 * whole, 3 * whole])
    assert all(sums_up(record) for record in records)


def test_the_next_request_is_planned_for_a_device_that_is_busy(made, clock, image):
    device = made(pace=Emulated("slow", clock=clock), deadline=60.0)
    device.wait_ready(WITHIN)
    (first := clock.thread(lambda: device.infer(image, configuration=ALONE), "first")).start()
    clock.sleep(0.1)
    assert device.conditions.backlog == pytest.approx(22 * 0.022 + 3e-4 - 0.1, abs=1e-5)
    first.join()
    assert device.conditions.backlog == 0


def test_a_named_configuration_answers_even_where_a_faster_branch_would_be_in_time(made, clock, image):
    device = made(channel=None, pace=Emulated("slow", clock=clock), deadline=0.8)
    records = []
    at_once(clock, *[lambda: records.append(device.infer(image, configuration=ALONE).record)] * 2)
    assert [(record.exit, record.deadline_met) for record in records] == [(4, True), (4, False)]
