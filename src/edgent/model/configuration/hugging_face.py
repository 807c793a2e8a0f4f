"""What Hugging Face keeps beside a model: `config.json`, and `preprocessor_config.json` for pictures.

Field names and defaults are those of the image processors of `transformers`; a file exported by `optimum` lies in the
same folder, or in `onnx/` inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgent.document import parse
from edgent.errors import InputError
from edgent.files import is_file, read_text

CONFIG, PICTURES = "config.json", "preprocessor_config.json"

_TASKS = {
    "ForImageClassification": "classification",
    "ForSequenceClassification": "classification",
    "ForAudioClassification": "classification",
    "ForObjectDetection": "detection",
    "ForSemanticSegmentation": "segmentation",
    "ForUniversalSegmentation": "raw",
}
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}  # Pillow's numbers
_CONVNEXT_WHOLE = 384  # from this size on its processor stretches and does not crop


def folder_of(model: Path) -> Path:
    """Where these files lie, if they are there."""
    parent = model.parent
    return parent.parent if parent.name == "onnx" and not is_file(parent / CONFIG) else parent


def hugging_face(folder: Path) -> dict[str, Any]:
    """The document that the files of a folder amount to; empty where they are not Hugging Face's.

    Raises:
        InputError: a damaged file, or values that its processors do not take.
    """
    config = _object(folder / CONFIG)
    if not {"model_type", "architectures"} & config.keys():
        return {}
    found = _answers(config)
    if pictures := _object(folder / PICTURES):
        found["preprocessing"] = _pictures(pictures)
    return found


def _object(path: Path) -> dict[str, Any]:
    if not is_file(path):
        return {}
    try:
        found = parse(read_text(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return found if isinstance(found, dict) else {}


def _answers(config: Mapping[str, Any]) -> dict[str, Any]:
    names = config.get("architectures") or []
    architecture = str(names[0]) if isinstance(names, list) and names else ""
    task = next((task for ending, task in _TASKS.items() if architecture.endswith(ending)), None)
    found: dict[str, Any] = {} if task is None else {"task": task}
    if task == "detection":
        found["head"] = "rt-detr" if architecture.startswith("RTDetr") else "detr"
    elif task in ("classification", "segmentation"):
        found["head"] = "logits"
    if task is not None and "id2label" in config:
        found["labels"] = _labels(config["id2label"])
    return found


def _labels(found: object) -> list[str]:
    if not isinstance(found, dict) or sorted(found) != sorted(map(str, range(len(found)))):
        raise InputError("id2label: expected the name of every class, numbered from 0")
    return [str(found[str(number)]) for number in range(len(found))]


def _pictures(given: Mapping[str, Any]) -> dict[str, Any]:
    found = _fitting(given) | _normalising(given)
    resample = given.get("resample", 2)
    if resample not in _FILTERS:
        raise InputError(f"{PICTURES}: resample is {resample!r}, expected one of {', '.join(map(str, _FILTERS))}")
    found["filter"] = _FILTERS[resample]
    if given.get("do_flip_channel_order"):
        found["color"] = "BGR"
    return found


def _fitting(given: Mapping[str, Any]) -> dict[str, Any]:
    """Size, and how a picture gets it. A short side alone is the size of a square; one that is cropped has a larger."""
    resized, cropped = _sides(given.get("size", {})), _sides(given.get("crop_size", {}))
    if given.get("do_center_crop") and cropped:
        short = min(resized or cropped) if given.get("do_resize", True) else min(cropped)
        return {"size": cropped, "resize": "crop", "crop": min(1.0, min(cropped) / short)}
    if not resized:
        return {}
    size = given["size"]
    shortest = isinstance(size, dict) and "shortest_edge" in size
    if "crop_pct" in given and shortest and min(resized) < _CONVNEXT_WHOLE:  # ConvNeXT's own way to write it
        return {"size": resized, "resize": "crop", "crop": given["crop_pct"]}
    if shortest and "longest_edge" in size:  # what is too small is padded in the corner (DETR)
        return {"resize": "corner", "padding": 0}
    return {"size": resized, "resize": "crop" if shortest and "crop_pct" not in given else "stretch"}


def _normalising(given: Mapping[str, Any]) -> dict[str, Any]:
    scale = given.get("rescale_factor", 1 / 255) if given.get("do_rescale", True) else 1.0
    found: dict[str, Any] = {"scale": scale}
    if given.get("do_normalize", True):
        found |= {key: given[name] for key, name in (("mean", "image_mean"), ("std", "image_std")) if name in given}
    return found


def _sides(found: object) -> list[int]:
    """Height and width, from any of the forms that there are."""
    if isinstance(found, int) and not isinstance(found, bool):
        return [found, found]
    if isinstance(found, dict):
        short = found.get("shortest_edge")
        sides = (found.get("height", short), found.get("width", short))
        return [side for side in sides if type(side) is int and side > 0] if None not in sides else []
    return []
