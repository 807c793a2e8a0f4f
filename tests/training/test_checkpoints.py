"""A checkpoint is read again, or one line says why it is none (needs the extra `train`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgent.errors import InputError

torch = pytest.importorskip("torch", reason="needs the extra: pip install edgent[train]")

from edgent.training.checkpoints import resumed  # noqa: E402 - only where PyTorch is
from edgent.training.finetuning.network import SIZES, EfficientNetLite  # noqa: E402

FIRST = {"recipe": {"epochs": 2}, "seed": 0, "torch": "2"}
LOG = [FIRST, {"epoch": 0, "held_back_accuracy": 0.5}]


def parts(width: int = 3) -> dict[str, Any]:
    network = torch.nn.Linear(width, 2)
    return {"network": network, "optimizer": torch.optim.SGD(network.parameters(), lr=0.1)}


def states(of: dict[str, Any]) -> dict[str, Any]:
    return {name: part.state_dict() for name, part in of.items()}


def kept(path: Path, state: object) -> Path:
    torch.save(state, path / "checkpoint.pt")
    return path / "checkpoint.pt"


def test_what_was_kept_is_taken_over(tmp_path: Path) -> None:
    before, after = parts(), parts()
    assert resumed(kept(tmp_path, {**states(before), "log": LOG}), FIRST, after) == LOG
    assert torch.equal(before["network"].weight, after["network"].weight)


@pytest.mark.parametrize(
    "state",
    [
        {},
        [],
        torch.zeros(3),
        {"log": LOG},
        {**states(parts()), "log": []},
        {**states(parts()), "log": {}},
        {**states(parts()), "log": "a log"},
        {**states(parts()), "log": None},
        {**states(parts()), "log": [["recipe"]]},
        {**states(parts()), "log": [FIRST, {"loss": 1.0}]},
        {**states(parts()), "log": [FIRST, {"epoch": 0}]},
        {**states(parts()), "log": [FIRST, {"epoch": 0, "held_back_accuracy": torch.zeros(1)}]},
        {**states(parts()), "log": [FIRST, {"epoch": 1, "held_back_accuracy": 1.0}]},
        {**states(parts(width=4)), "log": LOG},
        {**states(parts()), "network": {}, "log": LOG},
        {**states(parts()), "network": 5, "log": LOG},
        {**states(parts()), "optimizer": {"state": {}}, "log": LOG},
        {**states(parts()), "optimizer": torch.zeros(1), "log": LOG},
    ],
)
def test_a_foreign_checkpoint_that_torch_can_read_is_one_line(tmp_path: Path, state: object) -> None:
    with pytest.raises(InputError, match=r"checkpoint\.pt is (not a checkpoint|of another)") as refusal:
        resumed(kept(tmp_path, state), FIRST, parts())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04" + bytes(100)])
def test_what_torch_cannot_read_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(InputError, match="not a checkpoint"):
        resumed(tmp_path / "checkpoint.pt", FIRST, parts())


@pytest.mark.parametrize(("name", "other"), [("recipe", {"epochs": 3}), ("seed", 1)])
def test_a_checkpoint_of_another_run_is_named_as_such_and_nothing_is_taken_over(
    tmp_path: Path, name: str, other: object
) -> None:
    before, after = parts(), parts()
    weight = after["network"].weight.clone()
    path = kept(tmp_path, {**states(before), "log": [FIRST | {name: other}]})
    with pytest.raises(InputError, match=f"another {name}"):
        resumed(path, FIRST, after)
    assert torch.equal(after["network"].weight, weight)


@pytest.mark.parametrize("state", [[], torch.zeros(3), {"a": 5}, {5: torch.zeros(1)}, {"a": torch.zeros(1)}])
def test_weights_that_torch_can_read_and_are_none_are_one_line(tmp_path: Path, state: object) -> None:
    network = EfficientNetLite(SIZES["lite0"], 3, frozen=0)
    with pytest.raises(InputError, match=r"holds (no weights|\d+ tensors)"):
        network.read(kept(tmp_path, state))


def test_weights_of_other_shapes_are_one_line(tmp_path: Path) -> None:
    network = EfficientNetLite(SIZES["lite0"], 3, frozen=0)
    count = 6 * len(list(network.convolutions()))
    path = kept(tmp_path, {str(number): torch.ones(7, 7) for number in range(count)})
    with pytest.raises(InputError, match="another network's weights") as refusal:
        network.read(path)
    assert "\n" not in str(refusal.value)
