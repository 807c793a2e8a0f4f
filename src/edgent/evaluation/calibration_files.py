"""Calibrations as files: the one that ships with a model, and those kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edgent import cache
from edgent.codec import (
    Calibration,
    CodecAccuracy,
    EncodedSize,
    ExitAccuracy,
)
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.evaluation.scoring import Crossing
from edgent.model import Model
from edgent.model.files.bundle import prefix_of

_KIND = "calibrations"  # in the cache


def calibration_for(model: Model, file: Path | None = None) -> Calibration | None:
    """The calibration of a model: the file named, else the one beside the model, else the one kept by digest.

    A bundle without one has that of its members together, where each is here and has one.

    Raises:
        InputError: the named file is of another model, or is no calibration.
    """
    if file is not None:
        calibration = Calibration.load(file)
        if calibration.digest != model.digest:
            raise InputError(
                f"{file} is of {calibration.model} version {calibration.digest[:12]}, the model is {model.name} "
                f"version {model.version}: measure it again with edgent evaluate"
            )
        return calibration
    # A file beside the model is the user's and goes first; what is kept in the cache was measured here.
    for path in (model.path.parent / f"{model.name}.calibration.json", cache.file_of(_KIND, model.digest)):
        if path.is_file() and (calibration := Calibration.load(path)).digest == model.digest:
            return calibration
    return None if len(model.members) == 1 or model.remote else _of_members(model)


def keep(calibration: Calibration) -> Path:
    """Puts a calibration where `calibration_for` finds it by the model's digest.

    Returns:
        The file.

    Raises:
        CacheError: the cache cannot be written.
    """
    return cache.keep(_KIND, calibration.digest, calibration.to_json())


def _of_members(bundle: Model) -> Calibration | None:
    """What was measured of a bundle's files, under their exits' numbers and tensors' names in the bundle.

    Of files that were measured by different measures, or each beside itself, only the sizes: their numbers have nothing
    to do with each other.
    """
    sizes: dict[tuple[Crossing, str], EncodedSize] = {}
    accuracies: list[CodecAccuracy] = []
    exits: list[ExitAccuracy] = []
    parts: list[Calibration] = []
    for inside in members_of(bundle):
        part = calibration_for(inside.member)
        if part is None:
            return None
        parts.append(part)
        for size in part.sizes:
            tensors = inside.tensors(size.tensors)
            sizes.setdefault((tensors, size.codec), replace(size, tensors=tensors))  # the input is of them all
        accuracies += [replace(e, exit=inside.exit(e.exit), tensors=inside.tensors(e.tensors)) for e in part.accuracies]
        exits += [replace(e, exit=inside.exit(e.exit)) for e in part.exits]
    first, alike = parts[0], _are_comparable(parts)
    return Calibration(
        model=bundle.name,
        digest=bundle.digest,
        data=first.data,
        measure=first.measure if alike else "accuracy",
        metric=first.metric if alike else "",
        reference=first.reference if alike else "",
        exits=_side_by_side(exits) if alike and len(exits) == len(bundle.branches) else (),
        sizes=tuple(sizes.values()),
        accuracies=tuple(accuracies) if alike else (),
    )


def _are_comparable(parts: Sequence[Calibration]) -> bool:
    """Whether the numbers of several files are of one kind."""
    # Fidelity is to each model itself undivided: two of them have nothing in common.
    kinds = {(part.measure, part.metric, part.reference) for part in parts}
    return len(kinds) == 1 and parts[0].measure != "fidelity"


def _side_by_side(exits: Sequence[ExitAccuracy]) -> tuple[ExitAccuracy, ...]:
    """Exits of several files, which nobody measured in pairs: their difference is taken for what it seems."""
    best = max((entry.accuracy for entry in exits), default=0.0)
    return tuple(replace(entry, change=(entry.accuracy - best,) * 2) for entry in exits)


def members_of(model: Model) -> list[Inside]:
    """Each file of a bundle by itself; of a single file that one."""
    # Under its own digest, exits and names, for each is measured by itself.
    files = [model] if len(model.members) == 1 else [load(path) for path in model.members]
    return [Inside(model, file, "" if file.path == model.path else prefix_of(file.path)) for file in files]


class Inside(NamedTuple):
    """What a member's exits and tensors are called in its bundle."""

    bundle: Model
    member: Model
    prefix: str

    def exit(self, number: int) -> int:
        """The number in the bundle of one of the member's exits."""
        name = self.prefix + self.member.branch(number).name
        return next(branch.exit for branch in self.bundle.branches if branch.name == name)

    def tensors(self, names: Crossing) -> Crossing:
        """What the bundle calls some of the member's tensors, sorted."""
        inputs = {tensor.name for tensor in self.bundle.inputs}
        # An input of the member's own is called after it; one that it shares has the first file's name.
        own = {name: self.prefix + name for name in names}
        return tuple(sorted(name if own[name] not in inputs and name in inputs else own[name] for name in names))
