"""Is what Edgent measures on somebody's own data what a plain script finds there?

    python benchmarks/own_data.py [--classifier FILE:SIZE ...] [--detector FILE] [--limit N] [--json]

A classifier's top-1 on labelled photographs and a detector's mean average precision, once by `own_data_reference.py`,
which knows nothing of Edgent, and then live, a device and an edge over loopback gRPC: alone, as the file to the edge,
and divided at three cuts. Each may differ by 0.1 points; and the edge must give every picture that was sent as its
file the label that the device gives it.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import command
import own_data_reference as plain
from edgent.cli.terminal import show
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.evaluation.paying import paying_cuts
from edgent.evaluation.placing import boxes_in_picture
from edgent.model import Model
from edgent.planning.plan import Configuration
from fastestdet_decode import decode

SHARED = Path(__file__).resolve().parents[2] / "shared"
TOLERANCE = 0.001
CUTS = 3

CLASSIFIER = """task = "classification"
[preprocessing]
size = [{size}, {size}]
resize = "crop"
crop = 0.875
filter = "bicubic"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""
DETECTOR = """task = "detection"
post = "decode.onnx"
[preprocessing]
size = [352, 352]
color = "BGR"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to answer.

    Attributes:
        model: the network.
        way: where it ran.
        pictures: how many.
        number: top-1, or mean average precision, 0..1.
        reference: what the plain script finds.
        same: pictures whose answer is the device's own, alone.
    """

    model: str
    way: str
    pictures: int
    number: float
    reference: float
    same: int

    @property
    def right(self) -> bool:
        """Whether it is close enough; a file sent as it came must give the very same labels."""
        return abs(self.number - self.reference) <= TOLERANCE and (self.way != "file" or self.same == self.pictures)


def ways(model: Model) -> dict[str, Configuration]:
    """Alone, as the file to the edge, and at cuts spread over those that can pay."""
    n = len(model.branches[-1].layers)
    cuts = [cut for cut in paying_cuts(model.branches[-1]) if 0 < cut < n]
    chosen = [cuts[at] for at in np.linspace(0, len(cuts) - 1, CUTS).round().astype(int)]
    return {
        "alone": Configuration(exit=0, upload_cut=n, download_cut=n),
        "file": Configuration(exit=0, upload_cut=0, download_cut=n, codec="source"),
        **{f"cut {cut}": Configuration(exit=0, upload_cut=cut, download_cut=n) for cut in chosen},
    }


def answers(model: Model, images: Sequence[Path]) -> Iterator[tuple[str, list[Any]]]:
    """The first output to each picture, way by way."""
    with Edge([model], port=0) as edge, Device(model, edge=edge.address, deadline=60.0, race=False) as device:
        device.wait_ready()
        for way, configuration in ways(model).items():
            told = [device.infer(image, configuration=configuration) for image in images]
            expected = "device" if way == "alone" else "edge"
            assert {answer.record.by for answer in told} == {expected}
            yield way, [next(iter(answer.outputs.values())) for answer in told]


def classified(path: Path, size: int, folder: Path, images: Sequence[Path], labels: Sequence[int]) -> Iterator[Row]:
    """Top-1 of a classifier."""
    file = Path(shutil.copy(path, folder))
    file.with_name(f"{file.stem}.edgent.toml").write_text(CLASSIFIER.format(size=size))
    session = plain.session(path)
    reference = [plain.label_of(session, image, size) for image in images]
    right = float(np.mean(np.array(reference) == labels))
    yield from _rows(load(file), images, right, lambda outputs: [int(each.argmax()) for each in outputs], labels)


def _rows(
    model: Model,
    images: Sequence[Path],
    reference: float,
    read: Callable[[Sequence[Any]], list[int]],
    labels: Sequence[int],
) -> Iterator[Row]:
    own: list[int] = []
    for way, outputs in answers(model, images):
        told = read(outputs)
        own = own or told
        number = float(np.mean(np.array(told) == labels))
        same = sum(mine == other for mine, other in zip(told, own, strict=True))
        yield Row(model=model.name, way=way, pictures=len(images), number=number, reference=reference, same=same)


def detected(path: Path, folder: Path, images: Sequence[Path], labels: Path) -> Iterator[Row]:
    """Mean average precision of FastestDet."""
    file = Path(shutil.copy(path, folder))
    onnx.save(decode(), folder / "decode.onnx")
    file.with_name(f"{file.stem}.edgent.toml").write_text(DETECTOR)
    session, truth = plain.session(path), plain.true_boxes(labels, images)
    found = {place: plain.boxes_of(session, image) for place, image in enumerate(images)}
    reference = plain.mean_average_precision(truth, found)
    model = load(file)
    own: list[Any] = []
    for way, outputs in answers(model, images):
        own = own or outputs
        boxes = {place: _placed(output, model, images[place]) for place, output in enumerate(outputs)}
        yield Row(
            model=model.name,
            way=way,
            pictures=len(images),
            number=plain.mean_average_precision(truth, boxes),
            reference=reference,
            same=sum(_alike(mine, other) for mine, other in zip(outputs, own, strict=True)),
        )


def _placed(output: Any, model: Model, image: Path) -> Any:
    """Boxes as x, y, width, height in the picture's pixels, score, class."""
    width, height = plain.picture(image).size
    boxes = boxes_in_picture(output.astype(np.float64), model.metadata.preprocessing, (height, width))
    return np.concatenate([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2], boxes[:, 4:]], axis=1)


def _alike(mine: Any, other: Any) -> bool:
    return mine.shape == other.shape and np.allclose(mine[:, 4:], other[:, 4:], atol=1e-3)


def run(options: argparse.Namespace) -> Iterator[Row]:
    """All that was asked for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (options.imagenet / "labels.csv").open() as file:
            listed = list(csv.DictReader(file))[: options.limit]
        images = [options.imagenet / each["file"] for each in listed]
        for told in options.classifier:
            path, _, size = told.rpartition(":")
            yield from classified(Path(path), int(size), folder, images, [int(each["label"]) for each in listed])
        if options.detector is not None:
            pictures = sorted((options.coco / "images").glob("*.jpg"))[: options.limit]
            yield from detected(options.detector, folder, pictures, options.coco / "labels")


def document(rows: Sequence[Row]) -> Mapping[str, Any]:
    """What was found, for a program."""
    return {"rows": [{**asdict(row), "right": row.right} for row in rows]}


def main(arguments: list[str] | None = None) -> int:
    """Prints a row for each way; 1 where one is wrong."""
    parser = command.options(__doc__)
    parser.add_argument("--classifier", action="append", default=[], help="an ONNX file and its size, FILE:SIZE")
    parser.add_argument("--detector", type=Path, help="FastestDet")
    parser.add_argument("--imagenet", type=Path, default=SHARED / "images" / "imagenet-500")
    parser.add_argument("--coco", type=Path, default=SHARED / "images" / "coco-128")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    options = parser.parse_args(arguments)
    rows = []
    for row in run(options):
        rows.append(row)
        if not options.json:
            print(f"{row.model} {row.way}: {row.number:.4f}, by the plain script {row.reference:.4f}, {row.same} same")
    if options.json:
        show.document(document(rows))
    return 0 if all(row.right for row in rows) else 1


if __name__ == "__main__":
    command.run(main)
