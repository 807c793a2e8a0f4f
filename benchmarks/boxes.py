"""What two detectors see together: weighted boxes fusion, beside each of them alone, on the same pictures.

    python benchmarks/boxes.py FastestDet.onnx --data DIR [--codec NAME ...] [--json]

One network stands for both: on the device it sees the picture stretched to its input, on the edge framed by grey, as
the file or behind a codec. That is no bigger network, but two real views with real weights. The weight of the device's
boxes is taken by cross-fitting (`edgent.evaluation.gates.fusing`), and combining is off where the lower end of the
interval of what it adds, in pairs, is not above 0.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.data.examples import Examples, opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.evaluation.gates.fusing import boxes_of, gate_of_boxes
from edgent.model import Model
from fastestdet_decode import decode
from tables import aligned

SIDES = {"stretched": ("stretch", 0.1), "framed": ("letterbox", 0.2)}  # the accuracies only number the exits
FORM = """task = "detection"
post = "decode.onnx"
labels = "names.txt"
exits = [{{ name = "boxes", outputs = ["758"], accuracy = {accuracy}, samples = 1, data = "none" }}]

[preprocessing]
resize = "{resize}"
color = "BGR"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Mean average precisions (50:95); what fusing adds, in points, from and to; the weight of the device's boxes."""

    codec: str
    pictures: int
    device: float
    edge: float
    fused: float
    adds_low: float
    adds_high: float
    weight: float


def bundle(detector: Path, names: Sequence[str], folder: Path) -> Model:
    """The same detector twice, in two forms of picture."""
    onnx.save(decode(), folder / "decode.onnx")
    (folder / "names.txt").write_text("\n".join(names))
    for name, (resize, accuracy) in SIDES.items():
        shutil.copy(detector, folder / f"{name}.onnx")
        (folder / f"{name}.edgent.toml").write_text(FORM.format(resize=resize, accuracy=accuracy))
    return load("+".join(str(folder / f"{name}.onnx") for name in SIDES))


def seen(model: Model, examples: Examples, codecs: Sequence[str]) -> Iterator[Seen]:
    """A row for each codec."""
    opinions = boxes_of(model, examples, OnnxRuntimeEngine(), [codec for codec in codecs if codec != "source"])
    for codec in codecs:
        gate = gate_of_boxes(opinions, 0, codec)
        yield Seen(
            codec=codec,
            pictures=gate.samples,
            device=gate.standing,
            edge=gate.alone,
            fused=gate.ungated,
            adds_low=100 * gate.gain[0],
            adds_high=100 * gate.gain[1],
            weight=gate.weights[0],
        )


def main(arguments: list[str] | None = None) -> int:
    """Prints the table."""
    parser = command.options(__doc__)
    parser.add_argument("detector", type=Path, help="FastestDet.onnx")
    parser.add_argument("--data", type=Path, required=True, help="pictures with boxes")
    parser.add_argument("--codec", action="append", default=[], help="of pictures; source, jpeg-50 and jpeg-25 if none")
    options = parser.parse_args(arguments)
    examples = opened(read_listing(options.data, recognised(options.data)))
    with tempfile.TemporaryDirectory() as folder:
        model = bundle(options.detector, examples.class_names, Path(folder))
        rows = list(seen(model, examples, options.codec or ["source", "jpeg-50", "jpeg-25"]))
    found = {"data": examples.name, "boxes": [asdict(row) for row in rows]}
    command.show(options, found, lambda: print(aligned(found["boxes"])))
    return 0


if __name__ == "__main__":
    command.run(main)
