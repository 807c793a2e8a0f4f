"""How good are the networks of edgent-models? Scored on the test part of the clothing pictures, which none has seen.

    python benchmarks/clothing.py SMALL.onnx [SMALL-INT8.onnx ...] BIG.onnx --data DIR [--into FOLDER] [--json]

Of each exit the accuracy with its 95 % interval, and what the network adds to the first one's last exit on the same
pictures, in points. With --into the files are put there, each with the accuracies of its exits inside, and some of the
pictures with them: the content of packages/edgent-models.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.evaluation.data.clothing import read_clothing
from edgent.evaluation.data.examples import Examples, Listing, opened
from edgent.evaluation.data.parts import part
from edgent.evaluation.gates.gating import answers_of
from edgent.evaluation.measures.likeness import SameLabel
from edgent.model.configuration.document import KEY, document_of
from tables import aligned

PICTURES = 150
FOLDER = "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """An exit on the test part; gains in points.

    Attributes:
        network: the file's name.
        exit: its name.
        pictures: scored.
        accuracy: share that it answers rightly.
        low: of its 95 % interval.
        high: the interval's other end.
        over_first: points over the first network's last exit.
        over_first_low: 95 % interval of that, in pairs.
        over_first_high: the interval's other end.
    """

    network: str
    exit: str
    pictures: int
    accuracy: float
    low: float
    high: float
    over_first: float
    over_first_low: float
    over_first_high: float


Rights = Mapping[str, NDArray[np.bool_]]
"""Whether an exit, by its name, is right about each picture."""


def rights_of(path: Path, pictures: Examples) -> Rights:
    """Asks every exit of a file about every picture."""
    model = load(path)
    opinions = answers_of(model, pictures, OnnxRuntimeEngine(threads=1), [])
    return {branch.name: opinions.by_exit[branch.exit].argmax(axis=1) == opinions.truths for branch in model.branches}


def scores(networks: Mapping[str, Rights]) -> Iterator[Score]:
    """A row for each exit of each network; the first network comes first."""
    measure = SameLabel([], "top-1")
    first = list(next(iter(networks.values())).values())[-1].astype(float).tolist()
    for network, exits in networks.items():
        for exit, right in exits.items():
            verdicts = right.astype(float).tolist()
            share, gain = measure.interval(verdicts), measure.change(first, verdicts)
            yield Score(
                network=network,
                exit=exit,
                pictures=len(right),
                accuracy=float(right.mean()),
                low=share.low,
                high=share.high,
                over_first=100 * (float(right.mean()) - float(np.mean(first))),
                over_first_low=100 * gain.low,
                over_first_high=100 * gain.high,
            )


def put(path: Path, rows: Sequence[Score], data: str, folder: Path) -> None:
    """A copy of a file that says of each exit how good it is on the test part."""
    proto = onnx.load(path)
    document = document_of(proto)
    accuracies = {row.exit: row for row in rows if row.network == path.stem}
    for entry in document["exits"]:
        row = accuracies[entry["name"]]
        entry |= {"accuracy": round(row.accuracy, 4), "samples": row.pictures, "data": data}
    others = [entry for entry in proto.metadata_props if entry.key != KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(others)
    proto.metadata_props.add(key=KEY, value=json.dumps(document))
    onnx.save(proto, folder / path.name)


def put_pictures(test: Listing, folder: Path) -> None:
    """Copies the pictures whose digests are the lowest: a draw that depends on nothing else."""
    by_digest = sorted(test.files, key=lambda file: hashlib.sha256(file.path.read_bytes()).digest())
    for file in by_digest[:PICTURES]:
        kind = folder / FOLDER / file.path.parent.name
        kind.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, kind / file.path.name)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; 1 where the last network is not ahead of the first."""
    parser = command.options(__doc__)
    parser.add_argument("networks", nargs="+", type=Path, help="the first is what the others are held against")
    parser.add_argument("--data", type=Path, required=True, help="the clothing pictures: folders train and validation")
    parser.add_argument("--into", type=Path, help="put the networks and pictures there")
    options = parser.parse_args(arguments)
    if options.into and not options.into.is_dir():
        raise InputError(f"{options.into}: no such folder; make it first")
    test = part(read_clothing(options.data), "test")
    pictures = opened(test)
    rows = list(scores({path.stem: rights_of(path, pictures) for path in options.networks}))
    if options.into:
        for path in options.networks:
            put(path, rows, test.name, options.into)
        put_pictures(test, options.into)
    command.show(options, [asdict(row) for row in rows], lambda: print(aligned(map(asdict, rows))))
    return int(rows[-1].over_first_low <= 0)


if __name__ == "__main__":
    command.run(main)
