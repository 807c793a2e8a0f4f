"""A bundle whose files see one picture in two sizes: each answers as it does alone, on either side."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.material import Material
from edgent.errors import InputError, ModelError
from edgent.model import Preprocessing, Tensor
from edgent.model.files.manifest import Manifest
from edgent.model.files.partial import manifest_of, partial
from edgent.planning.candidates import Candidates
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from networks.classifiers import classifier
from shared_fixtures import make_profile

WITHIN = 20.0  # seconds of the test's clock
SMALL, BIG = 24, 40


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes")
    return (
        classifier(folder / "small.onnx", SMALL, 0.6, filter="bicubic"),
        classifier(folder / "big.onnx", BIG, 0.8, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.2)),
    )


@pytest.fixture(scope="module")
def bundle(files):
    return load("+".join(map(str, files)))


@pytest.fixture(scope="module")
def here(bundle, files):
    return partial(load(files[0]), Manifest.from_json(manifest_of(bundle, ["big"]).to_json()))


@pytest.fixture(scope="module")
def photograph() -> bytes:
    pixels = np.random.default_rng(3).integers(0, 255, (9, 12, 3)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).resize((120, 90)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def made(bundle, clock):
    devices = []
    edge = Edge(bundle, edge_only=["big"], profiles=[make_profile(bundle, layer=1e-4)], clock=clock)
    link = FakeLink(edge.service.methods(), clock=clock)

    def make(model, **settings):
        usual = {"deadline": 0.5, "bandwidth": 1e8, "round_trip": 0.001, "channel": link, "clock": clock}
        usual["device_profile"] = make_profile(model, layer=0.002)
        devices.append(Device(model, **(usual | settings)))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


def right(files, exit: int, photograph: bytes) -> np.ndarray:
    """By Pillow and plain ONNX Runtime."""
    side, resample, mean, std = (
        (SMALL, Image.Resampling.BICUBIC, 0.0, 1.0),
        (BIG, Image.Resampling.BILINEAR, np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.3, 0.2])),
    )[exit]
    pixels = np.asarray(Image.open(io.BytesIO(photograph)).convert("RGB").resize((side, side), resample))
    tensor = ((pixels / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    (scores,) = onnxruntime.InferenceSession(str(files[exit])).run(None, {"input": tensor})
    return scores


def test_the_second_file_has_an_input_of_its_own(bundle):
    assert [(tensor.name, tensor.shape) for tensor in bundle.inputs] == [
        ("input", (1, 3, SMALL, SMALL)),
        ("big/input", (1, 3, BIG, BIG)),
    ]
    assert [[tensor.name for tensor in branch.inputs] for branch in bundle.branches] == [["input"], ["big/input"]]


def test_each_file_keeps_its_digest(bundle, files):
    assert list(bundle.digests.values()) == [load(file).digest for file in files]


def test_what_a_device_is_told_makes_it_the_same_bundle(bundle, here):
    assert here.digest == bundle.digest
    assert here.inputs == bundle.inputs
    assert here.metadata.preprocessing_of("big/input") == bundle.metadata.preprocessing_of("big/input")


@pytest.mark.parametrize("exit", [0, 1])
@pytest.mark.parametrize("codec", ["float32", "source", "png"])
def test_the_edge_answers_a_picture_at_either_exit(bundle, files, made, photograph, exit, codec):
    device = made(bundle)
    assert device.wait_ready(WITHIN)
    n = len(bundle.branch(exit).layers)
    wanted = Configuration(exit=exit, upload_cut=0, download_cut=n, codec=codec)
    answer = device.infer(photograph, configuration=wanted, race=False)
    assert answer.record.by == "edge"
    np.testing.assert_allclose(answer.first, right(files, exit, photograph), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("exit", "upload", "download"), [(0, 2, 6), (1, 2, 6), (1, 0, 3), (1, 6, 6)])
def test_either_branch_can_be_divided_or_run_here(bundle, files, made, photograph, exit, upload, download):
    device = made(bundle)
    assert device.wait_ready(WITHIN)
    wanted = Configuration(exit=exit, upload_cut=min(upload, 5), download_cut=min(download, 5))
    answer = device.infer(photograph, configuration=wanted, race=False)
    np.testing.assert_allclose(answer.first, right(files, exit, photograph), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("codec", ["source", "png", "float32"])
def test_a_device_makes_the_input_of_a_file_that_it_does_not_have(bundle, here, files, made, photograph, codec):
    device = made(here)
    assert device.wait_ready(WITHIN)
    n = len(here.remote[0].layers)
    wanted = Configuration(exit=1, upload_cut=0, download_cut=n, codec=codec)
    answer = device.infer(photograph, configuration=wanted, race=False)
    assert (answer.record.by, answer.record.exit) == ("edge", 1)
    np.testing.assert_allclose(answer.first, right(files, 1, photograph), rtol=1e-4, atol=1e-5)


def test_without_the_edge_its_own_file_answers(here, files, made, photograph):
    device = made(here)
    assert device.wait_ready(WITHIN)
    n = len(here.branches[0].layers)
    answer = device.infer(photograph, configuration=Configuration(exit=0, upload_cut=n, download_cut=n))
    np.testing.assert_allclose(answer.first, right(files, 0, photograph), rtol=1e-4, atol=1e-5)


def test_each_branch_is_priced_by_the_bytes_of_its_own_input(bundle):
    profile = make_profile(bundle, layer=1e-3)
    table = Candidates.build(bundle, profile, profile, None)
    raw = (table.codec == 0) & (table.upload_cut == 0) & (table.download_cut == 5)
    sizes = {int(exit): float(size) for exit, size in zip(table.exit[raw], table.bytes_up[raw], strict=True)}
    assert sizes == {0: 3 * SMALL * SMALL * 4, 1: 3 * BIG * BIG * 4}


def test_arrays_are_given_for_both_inputs(bundle):
    arrays = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in bundle.inputs}
    assert Material(arrays, bundle).tensors.keys() == arrays.keys()
    with pytest.raises(InputError, match="found the inputs input; small\\+big takes input, big/input"):
        Material({"input": arrays["input"]}, bundle)


def test_one_size_is_shared(tmp_path, files):
    same = classifier(tmp_path / "same.onnx", SMALL, 0.7, filter="bicubic")
    assert [tensor.name for tensor in load(f"{files[0]}+{same}").inputs] == ["input"]


def test_one_size_made_in_two_ways_is_not(tmp_path, files):
    other = classifier(tmp_path / "other.onnx", SMALL, 0.7, filter="nearest")
    assert [tensor.name for tensor in load(f"{files[0]}+{other}").inputs] == ["input", "other/input"]


def test_a_free_batch_is_bound_in_each(tmp_path, files):
    free = classifier(tmp_path / "free.onnx", BIG, 0.7, free=True)
    bundle = load(f"{files[0]}+{free}")
    assert bundle.inputs[1].shape == (1, 3, BIG, BIG)
    assert dict(bundle.dims) == {"batch": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"form": None}, "'big/input' is no picture"),
        ({"form": Preprocessing(size=(BIG, BIG + 1))}, "'big/input' is no picture"),
        (
            {
                "form": Preprocessing(size=(16_000, 16_000)),
                "tensor": Tensor(name="big/input", dtype="float32", shape=(1, 3, 16_000, 16_000)),
            },
            "takes 3.07 GB, more than",
        ),
    ],
)
def test_an_edge_cannot_have_a_device_make_what_is_no_picture_or_far_too_large(bundle, files, change, words):
    manifest = manifest_of(bundle, ["big"])
    liar = replace(manifest, inputs=(manifest.inputs[0], replace(manifest.inputs[1], **change)))
    with pytest.raises(ModelError, match=words):
        partial(load(files[0]), liar)
