"""A device with some files of a bundle, an edge with all: what only the edge has is answered there, or not at all."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest

from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import EdgeError, InputError, ModelError, RefusedError
from edgent.model import SHIPPED
from edgent.model.files.partial import manifest_of, partial
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from shared_fixtures import make_profile

SMALL, BIG = "b-alexnet-narrow", "b-alexnet"
IMAGE = np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)
WITHIN = 20.0  # seconds of the test's clock


@pytest.fixture(scope="module")
def bundle():
    return load(f"{SMALL}+{BIG}")


@pytest.fixture(scope="module")
def here(bundle):
    """As a device has it that has fetched it."""
    return partial(load(SMALL), manifest_of(bundle, [BIG]))


@pytest.fixture
def link(bundle, clock):
    edge = Edge(bundle, edge_only=[BIG], profiles=[make_profile(bundle, layer=1e-4)], clock=clock)
    return FakeLink(edge.service.methods(), clock=clock)


@pytest.fixture
def made(here, link, clock):
    devices = []

    def make(**settings):
        told = {"deadline": 0.5, "bandwidth": 1e8, "round_trip": 0.001, "channel": link, "clock": clock}
        told["device_profile"] = make_profile(here, layer=0.002)
        devices.append(Device(here, **(told | settings)))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


@pytest.fixture
def ready(made, until):
    """Devices that have planned for the edge, and are ready for arrays."""

    def make(**settings):
        device = made(**settings)
        assert device.wait_ready(WITHIN) and until(lambda: not device.infer(IMAGE).record.why)
        return device

    return make


def close(answer, bundle):
    """As the exit's own file answers, undivided in plain ONNX Runtime."""
    branch = bundle.branch(answer.record.exit)
    session = onnxruntime.InferenceSession(bundle.member_of(branch), providers=["CPUExecutionProvider"])
    (expected,) = session.run([branch.outputs[0].name.rpartition("/")[2]], {"image": IMAGE})
    (found,) = answer.outputs.values()
    return np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def whole(branch):
    return Configuration(exit=branch.exit, upload_cut=0, download_cut=len(branch.layers))


def test_with_the_edge_the_best_exit_answers_which_only_the_edge_has(here, bundle, ready):
    device = ready()
    answer = device.infer(IMAGE)
    best = max(bundle.branches, key=lambda branch: branch.accuracy)
    assert best.exit in {branch.exit for branch in here.remote}
    assert answer.record.by == "edge" and answer.record.plan.configuration == whole(best)
    assert close(answer, bundle)


def test_without_it_the_best_exit_that_is_here_answers(here, bundle, ready, link):
    device = ready()
    link.cut()
    for _ in range(3):
        answer = device.infer(IMAGE)
        assert answer.record.by == "device" and answer.record.deadline_met and close(answer, bundle)
        assert answer.record.exit == here.branches[-1].exit


def test_a_late_edge_is_overtaken_by_a_branch_that_is_here(here, bundle, ready, link):
    device = ready()
    link.hold(m.MODEL_INFER)
    answer = device.infer(IMAGE)
    assert (answer.record.by, answer.record.why) == ("device", "edge late")
    assert answer.record.deadline_met and answer.record.exit in {branch.exit for branch in here.branches}
    assert close(answer, bundle)


def test_every_exit_is_answered_rightly_where_it_can_be(here, bundle, made):
    device = made(deadline=10.0)
    assert device.wait_ready(WITHIN)
    for branch in (*here.branches, *here.remote):
        answer = device.infer(IMAGE, configuration=whole(branch), race=False)
        assert (answer.record.by, answer.record.exit) == ("edge", branch.exit) and close(answer, bundle)
    for branch in here.branches:
        n = len(branch.layers)
        for upload, download in ((n, n), (3, n), (0, n - 2)):
            wanted = Configuration(exit=branch.exit, upload_cut=upload, download_cut=download)
            assert close(device.infer(IMAGE, configuration=wanted, race=False), bundle)


@pytest.mark.parametrize(("upload", "download"), [(0, 1), (1, 22), (5, 7), (5, 5), (22, 22)])
def test_a_branch_of_the_edge_is_neither_divided_nor_run_here(here, made, upload, download):
    device = made()
    assert device.wait_ready(WITHIN) and len(here.remote[-1].layers) == 22
    wanted = Configuration(exit=here.remote[-1].exit, upload_cut=upload, download_cut=download)
    words = "is on the edge only" if upload == download else "cannot be used: tensor 'inside b-alexnet/"
    with pytest.raises(ModelError, match=words):
        device.infer(IMAGE, configuration=wanted)


def test_an_exit_of_the_edge_that_is_asked_for_without_an_edge_is_refused_in_words(here, made, link, clock):
    link.cut()
    device = made(device_profile=None)
    device.wait_ready(WITHIN)
    with pytest.raises(EdgeError, match=f"edge not there, and only the edge has exit {here.remote[0].exit}"):
        device.infer(IMAGE, configuration=whole(here.remote[0]))


def test_allowing_exits_of_the_edge_alone_is_refused_for_then_nobody_could_answer(here, made, ready):
    exits = [branch.exit for branch in here.remote]
    with pytest.raises(InputError, match="only the edge has the exits allowed; allow one of"):
        made(exits=exits)
    allowed = [exits[-1], here.branches[0].exit]
    assert ready(exits=allowed).infer(IMAGE).record.exit == exits[-1]


def test_a_device_with_all_the_files_may_divide_what_others_leave_to_the_edge(bundle, here, made, link, clock):
    told = {"deadline": 10.0, "bandwidth": 1e8, "round_trip": 0.001, "channel": link, "clock": clock}
    with Device(bundle, device_profile=make_profile(bundle, layer=0.002), **told) as device:
        assert device.wait_ready(WITHIN)
        wanted = Configuration(exit=here.remote[-1].exit, upload_cut=4, download_cut=22)
        answer = device.infer(IMAGE, configuration=wanted, race=False)
        assert answer.record.by == "edge" and close(answer, bundle)


@pytest.fixture
def nudged(tmp_path):
    """The same bundle with another weight in its second file, and with other accuracies there."""
    bundles = {}
    for change in ("weight", "accuracies"):
        folder = tmp_path / change
        folder.mkdir()
        files = [shutil.copy(SHIPPED / f"{name}.onnx", folder) for name in (SMALL, BIG)]
        proto = onnx.load(files[1])
        if change == "weight":
            array = onnx.numpy_helper.to_array(proto.graph.initializer[0]).copy()
            array.flat[0] += 1
            proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(array, proto.graph.initializer[0].name))
        else:
            (entry,) = (entry for entry in proto.metadata_props if entry.key == "edgent")
            document = json.loads(entry.value)
            for number, exit in enumerate(document["exits"]):
                exit["accuracy"] = 0.1 * number
            entry.value = json.dumps(document)
        onnx.save(proto, files[1])
        bundles[change] = load("+".join(files))
    return bundles


def test_a_bundle_in_which_one_file_differs_is_refused_everywhere_naming_both(bundle, made, nudged, clock):
    other = nudged["weight"]
    assert other.name == bundle.name and other.digests[SMALL] == bundle.digests[SMALL]
    link = FakeLink(Edge(other, clock=clock).service.methods(), clock=clock)
    remote = EdgeClient(link)
    segment = f"{bundle.name}.x0.u0.d1"
    for refused in (
        lambda: remote.prepare(segment, bundle.version, 1.0),
        lambda: remote.infer(segment, bundle.version, [], [], budget=1.0),
        lambda: list(remote.fetch("manifest", bundle.name, bundle.digest)),
        lambda: list(remote.fetch("model", bundle.name, bundle.digest, bundle.digests[SMALL])),
    ):
        with pytest.raises(RefusedError, match=f"in version {other.version}, asked for was {bundle.version}"):
            refused()
    both = rf"{BIG} is {other.digests[BIG][:12]} there and {bundle.digests[BIG][:12]} here"
    with pytest.raises(RefusedError, match=rf"in version {other.version}, here it is {bundle.version}.*\({both}\)"):
        made(channel=link).wait_ready(WITHIN)


def test_the_same_files_with_exits_numbered_otherwise_are_another_bundle(bundle, made, nudged, clock):
    other = nudged["accuracies"]
    assert other.digests == bundle.digests and other.digest != bundle.digest
    link = FakeLink(Edge(other, clock=clock).service.methods(), clock=clock)
    with pytest.raises(RefusedError, match=r"of the same files, but with other accuracies"):
        made(channel=link).wait_ready(WITHIN)
