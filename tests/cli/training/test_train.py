"""`edgent data` and `edgent train`: which data and networks there are, and what is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Ended
from evaluation.data.folders_on_disk import classes

Command = Callable[..., Ended]


def test_clothes_are_divided_into_three_parts(edgent: Command, tmp_path: Path) -> None:
    for name in ("train", "validation"):
        classes(tmp_path / "clone" / name, hat=40, shoes=40)
    ended = edgent("data", "clothing", tmp_path / "parts", "--archive", tmp_path / "clone")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {"train", "validation", "test"}


def test_clothes_are_not_fetched_but_it_is_said_where_they_are(edgent: Command, tmp_path: Path) -> None:
    ended = edgent("data", "clothing", tmp_path)
    assert ended.code == 2
    assert "git clone" in ended.err
    assert "--archive" in ended.err


def test_another_data_set_is_refused_with_those_there_are(edgent: Command, tmp_path: Path) -> None:
    ended = edgent("data", "imagenet", tmp_path)
    assert ended.code == 2
    assert "cifar10 or clothing" in ended.err


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra: pip install edgent[train]")
def test_another_network_is_refused_with_those_there_are(edgent: Command, tmp_path: Path) -> None:
    ended = edgent("train", "resnet", "--data", tmp_path, "-o", tmp_path)
    assert ended.code == 2
    assert "b-alexnet, b-alexnet-narrow, clothing, clothing-big" in ended.err


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="needs an environment without PyTorch")
def test_without_pytorch_the_extra_is_named(edgent: Command, tmp_path: Path) -> None:
    ended = edgent("train", "clothing", "--data", tmp_path, "-o", tmp_path)
    assert ended.code != 0
    assert "edgent[train]" in ended.err
