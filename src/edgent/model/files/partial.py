"""A bundle of which a device has some files and the edge has all.

What a device has not, it cannot divide: of such a branch it knows the ends only, and every inner cut would hand on
something that it has no name for. So there is one way to run the branch, an ordinary one: upload cut 0, download cut n.
The branch keeps its number and its n layers, so that either side calls the same plan by the same name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from edgent.errors import InputError, ModelError
from edgent.model.files.bounds import check_sizes
from edgent.model.files.manifest import BundleExit, BundleFile, BundleInput, Manifest
from edgent.model.files.named import BETWEEN
from edgent.model.metadata import InputInfo, Metadata
from edgent.model.model import Model
from edgent.model.values import Branch, Layer, Tensor


def manifest_of(bundle: Model, edge_only: Collection[str] = ()) -> Manifest:
    """What a device is told of a bundle.

    Args:
        bundle: all of it.
        edge_only: names of the files that are not for devices.

    Raises:
        InputError: the first file is not for devices (it stands for the bundle's inputs, and its tensors have no name
            before them), or the edge cannot compute an exit that only it holds.
    """
    files = tuple(
        BundleFile(name=name, digest=digest, edge_only=name in edge_only) for name, digest in bundle.digests.items()
    )
    if files[0].edge_only:
        raise InputError(
            f"{bundle.name}: its first file {files[0].name} is said to be for the edge only, but a device needs one to "
            "answer by; name the files for devices first"
        )
    paths = {path for name, path in zip(bundle.digests, bundle.members, strict=True) if name in edge_only}
    for branch in bundle.branches:
        if bundle.member_of(branch) in paths:
            _check_whole(bundle, branch)
    inputs = tuple(BundleInput(tensor=t, form=bundle.metadata.preprocessing_of(t.name)) for t in bundle.inputs)
    return Manifest(files=files, inputs=inputs, exits=tuple(map(_exit, bundle.branches)))


def partial(here: Model, manifest: Manifest) -> Model:
    """A bundle as a device has it.

    Args:
        here: the files for devices: a bundle, or a single one.
        manifest: of all.

    Raises:
        ModelError: the manifest is not of these files.
    """
    digests = {file.name: file.digest for file in manifest.files}
    # Every file that is here must be in the manifest, with the same content; the manifest may have more.
    if here.digests.items() - digests.items():
        raise ModelError(f"{here.name}: its files are not those that the bundle's manifest has")
    # Exits are told apart by the names of what they answer, which are part of the digest.
    own = {tuple(tensor.name for tensor in branch.outputs): branch for branch in here.branches}
    others = _other_inputs(here, manifest)
    inputs = (*here.inputs, *(entry.tensor for entry in others))
    branches = list(_numbered(own, inputs, manifest))
    # What is left over is an exit that the device could run and nobody could ask for.
    if own:
        raise ModelError(f"{here.name}: the bundle's manifest leaves out exit {next(iter(own.values())).name!r}")
    return replace(
        here,
        name=BETWEEN.join(digests),
        digest=manifest.digest,
        digests=digests,
        inputs=inputs,
        metadata=_with_forms(here.metadata, others),
        branches=tuple(branch for branch, is_here in branches if is_here),
        remote=tuple(branch for branch, is_here in branches if not is_here),
    )


def _other_inputs(here: Model, manifest: Manifest) -> list[BundleInput]:
    """Those that only the edge's files take; a device makes them of the same picture."""
    own = {tensor.name for tensor in here.inputs}
    others = [entry for entry in manifest.inputs if entry.tensor.name not in own]
    for entry in others:
        # Nothing else can be made of what a request brings; and a device must not be told to make gigabytes.
        if entry.form is None or entry.form.shape != entry.tensor.shape:
            raise ModelError(f"{here.name}: the bundle's input {entry.tensor.name!r} is no picture, expected one")
    check_sizes(entry.tensor for entry in others)
    return others


def _with_forms(metadata: Metadata, others: Sequence[BundleInput]) -> Metadata:
    added = {entry.tensor.name: InputInfo(preprocessing=entry.form) for entry in others}
    return replace(metadata, inputs={**metadata.inputs, **added})


def _numbered(
    own: dict[tuple[str, ...], Branch], inputs: tuple[Tensor, ...], manifest: Manifest
) -> Iterator[tuple[Branch, bool]]:
    """The branches by their places in the bundle, and whether each is here; takes them out of `own`."""
    for number, entry in enumerate(manifest.exits):
        branch = own.pop(tuple(tensor.name for tensor in entry.outputs), None)
        if branch is None:
            yield _elsewhere(number, entry, inputs), False
        else:
            yield replace(branch, exit=number, accuracy=entry.accuracy), True


def _check_whole(bundle: Model, branch: Branch) -> None:
    # Said when the edge starts: a device would find out with its first request.
    try:
        _, down = branch.sent(0, len(branch.layers))
    except ModelError as error:
        raise InputError(f"{bundle.name}: exit {branch.name!r} cannot be for the edge only: {error}") from error
    if set(down) != set(branch.outputs):
        raise InputError(
            f"{bundle.name}: exit {branch.name!r} cannot be for the edge only: it answers with what no layer makes"
        )


def _exit(branch: Branch) -> BundleExit:
    return BundleExit(
        name=branch.name,
        accuracy=branch.accuracy or 0.0,
        inputs=tuple(tensor.name for tensor in branch.boundary(0, len(branch.layers)).up),
        outputs=branch.outputs,
        layers=len(branch.layers),
    )


def _elsewhere(number: int, entry: BundleExit, inputs: tuple[Tensor, ...]) -> Branch:
    """A branch whose file is not here: layers without operators, and between them what cannot be handed on."""
    known: Mapping[str, Tensor] = {tensor.name: tensor for tensor in inputs if tensor.name in entry.inputs}
    if unknown := [name for name in entry.inputs if name not in known]:
        raise ModelError(f"exit {entry.name!r} reads {unknown[0]!r}, which is no input of the bundle")
    # A tensor without a type cannot travel, and so forbids every cut that it crosses: all but 0 and n. No other code
    # has to know of branches that are not here.
    inside = Tensor(name=f"inside {entry.name}", dtype=None, shape=None)
    answers = tuple(tensor.name for tensor in entry.outputs)
    return Branch(
        exit=number,
        name=entry.name,
        layers=_layers(entry.layers, entry.inputs, inside.name, answers),
        inputs=tuple(known.values()),
        outputs=entry.outputs,
        accuracy=entry.accuracy,
        tensors={**known, inside.name: inside} | {tensor.name: tensor for tensor in entry.outputs},
    )


def _layers(count: int, read: tuple[str, ...], inside: str, answers: tuple[str, ...]) -> tuple[Layer, ...]:
    # The layers between the first and the last read and make nothing: the tensor inside passes all of them.
    if count == 1:
        return (_layer(inside, read, answers),)
    between = _layer(inside, (), ())
    return (_layer(inside, read, (inside,)), *(between,) * (count - 2), _layer(inside, (inside,), answers))


def _layer(name: str, read: tuple[str, ...], outputs: tuple[str, ...]) -> Layer:
    return Layer(name=name, op="", nodes=(), inputs=read, outputs=outputs, own=outputs)
