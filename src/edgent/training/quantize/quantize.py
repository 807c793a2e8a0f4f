"""A network's file in whole numbers, with what that costs and wins, measured and never assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from edgent.engine.engine import Engine
from edgent.engine.feeds import Feeds
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.evaluation.data.examples import Examples
from edgent.evaluation.reading import form_of
from edgent.files import write_whole
from edgent.model import ExitInfo, Model
from edgent.model.configuration.document import write_key
from edgent.model.configuration.embed import exits_with, own_exits
from edgent.model.configuration.sources import find
from edgent.model.files.read import parse_file
from edgent.profiling.timing import Progress
from edgent.training.pictures import PicturePart, Say, input_of, measuring_part, stamp_of, without_labels
from edgent.training.quantize import integers
from edgent.training.quantize.pairs import Accuracies, Times, accuracies_of, times_of
from edgent.training.split import Split, split
from edgent.training.subject import Subject, subject_of
from edgent.training.work_folder import WorkFolder

MOST_RANGED = 300
"""Pictures whose tensors give the ranges."""


def in_floats(model: Model) -> Subject:
    """Refuses a network that cannot be quantised.

    Raises:
        InputError: no classifier and no embedder, or one that is quantised.
    """
    subject = subject_of(model, "quantizing")
    if any(node.op_type in ("QuantizeLinear", "QLinearConv", "QLinearMatMul") for node in model.proto.graph.node):
        raise InputError(f"{model.name} is quantised already, expected a network in floating point")
    return subject


class Quantised(NamedTuple):
    """What came of it.

    Attributes:
        model: the file that was made, opened.
        plain_bytes: of the network's file.
        whole_bytes: of the new one.
        accuracies: of both.
        times: of both, on one thread.
        ranged: pictures that gave the ranges.
        data: what both were measured on.
        samples: pictures of it.
    """

    model: Model
    plain_bytes: int
    whole_bytes: int
    accuracies: Accuracies
    times: Times
    ranged: int
    data: str
    samples: int


@dataclass(frozen=True, kw_only=True)
class _Job:
    subject: Subject
    examples: Examples
    split: Split
    measuring: PicturePart
    engine: Engine
    work: WorkFolder
    say: Say

    def step(self, what: str) -> Progress:
        return lambda done, whole: self.say(what, done, whole)


def quantize(
    model: Model,
    examples: Examples,
    output: Path,
    *,
    engine: Engine,
    timing: Engine,
    test: Examples | None = None,
    seed: int = 0,
    say: Say,
) -> Quantised:
    """Makes a file in whole numbers, and holds it against the one that it was made of.

    Args:
        model: a classifier or an embedder.
        examples: pictures; the ranges of tensors are measured on some, and accuracy on a tenth that is held back.
        output: the file to write.
        engine: runs both for their answers.
        timing: runs both for their times: with one thread.
        test: other pictures to measure accuracy on.
        seed: of the draw of pictures.
        say: told of the progress.

    Raises:
        InputError: no classifier and no embedder, too few pictures, a network that is quantised, or another run's
            unfinished work beside the output.
        ModelError: ONNX Runtime cannot quantise it.
    """
    job = _job(model, examples, output, engine, test, seed, say)
    job.work.begin()
    plain, whole = job.work.path / "prepared.onnx", job.work.path / f"{output.stem}.onnx"
    rows = _ranged(job.split.learning, seed)
    if not plain.exists():
        integers.prepared(model.path, _later(plain))
        _later(plain).replace(plain)
    kept = job.work.path / "ranges.json"
    ranges = integers.ranges_of(plain, _inputs(job, rows), len(rows), kept, job.step("measuring ranges"))
    integers.quantised(plain, ranges, whole)
    _describe(model, whole, model.metadata.exits)
    say("comparing answers", 0, 1)
    accuracies = accuracies_of(model, load(whole, dims=model.dims), job.measuring, engine)
    times = times_of(model, load(whole, dims=model.dims), timing, job.step("comparing times"))
    _describe(model, whole, _exits(model, accuracies, job.measuring))
    write_whole(output, whole.read_bytes())
    opened = load(output, dims=model.dims)
    job.work.remove()
    return Quantised(
        model=opened,
        plain_bytes=model.file_bytes,
        whole_bytes=opened.file_bytes,
        accuracies=accuracies,
        times=times,
        ranged=len(rows),
        data=job.measuring.name,
        samples=len(job.measuring),
    )


def _job(
    model: Model, examples: Examples, output: Path, engine: Engine, test: Examples | None, seed: int, say: Say
) -> _Job:
    subject = in_floats(model)
    stamps = [stamp_of(part) for part in (examples, test) if part is not None]
    if subject.is_vector:  # a class says nothing about where a vector should point
        examples, test = without_labels(examples), None if test is None else without_labels(test)
    classes = subject.classes_of(examples)
    groups = np.zeros(len(examples), np.int64) if classes is None else classes
    parts = split(groups, seed=seed, measured_elsewhere=test is not None)
    return _Job(
        subject=subject,
        examples=examples,
        split=parts,
        measuring=measuring_part(examples, parts, test),
        engine=engine,
        work=WorkFolder(output, {"what": "quantize", "model": model.digest, "pictures": stamps, "seed": seed}),
        say=say,
    )


def _ranged(learning: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    drawn = np.random.default_rng(seed).permutation(learning)[:MOST_RANGED]
    return np.sort(drawn)


def _inputs(job: _Job, rows: NDArray[np.intp]) -> Iterator[Feeds]:
    form, name = form_of(job.subject.model), job.subject.model.inputs[0].name
    for row in rows:
        yield {name: input_of(job.examples.pixels(int(row)), form)}


def _later(path: Path) -> Path:
    return path.with_name(f"unfinished-{path.name}")


def _exits(model: Model, accuracies: Accuracies, pictures: PicturePart) -> Sequence[ExitInfo]:
    """With accuracies where there were labels; those of the network as it was are not the new one's."""
    if accuracies.name != "accuracy":
        return [replace(entry, accuracy=None, samples=None, data=None) for entry in own_exits(model)]
    return exits_with(model, [pair.whole.number for pair in accuracies.exits], len(pictures), pictures.name)


def _describe(model: Model, path: Path, exits: Sequence[ExitInfo]) -> None:
    """Puts the network's configuration into the quantised file."""
    stated, proto = find(model.path, parse_file(model.path)), onnx.load(path)
    del proto.metadata_props[:]
    write_key(proto, {**stated.document, "exits": [entry.document() for entry in exits]}, stated.post_graph)
    write_whole(path, proto.SerializeToString())
