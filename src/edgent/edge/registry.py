"""The models that an edge serves: each is known by its digest, and names point at them.

A name may have several versions, the newest first. Whoever says no version gets the newest one; whoever says one gets
that one or a refusal, so that devices of an older version go on while others move over to the newer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from edgent.errors import InputError, RefusedError
from edgent.model import Model, parse_segment_name
from edgent.model.files.manifest import Manifest
from edgent.model.files.partial import manifest_of
from edgent.wire.errors import NotServedError


class Registry:
    """What is served under which name.

    Args:
        models: of several with one name, the first is the newest version.
        edge_only: names of files of bundles that are not for devices.

    Raises:
        InputError: no model, one of them twice, or one named like a segment of another; a name in `edge_only` that no
            bundle has, or that of a file which devices cannot do without (see `manifest_of`).
    """

    def __init__(self, models: Iterable[Model], edge_only: Collection[str] = ()) -> None:
        # In the order in which they are given: the first of a name is what that name stands for.
        self._versions: dict[str, tuple[Model, ...]] = {}
        for model in models:
            self._versions[model.name] = (*self._versions.get(model.name, ()), model)
        if not self._versions:
            raise InputError("an edge serves one model or more; found none")
        for versions in self._versions.values():
            _check_versions(versions)
        for name in self._versions:
            self._check_name(name)
        bundles = [model for model in self if len(model.members) > 1]
        _check_files(bundles, edge_only)
        self._manifests = {bundle.digest: manifest_of(bundle, edge_only) for bundle in bundles}

    def __contains__(self, name: str) -> bool:
        return name in self._versions

    def __iter__(self) -> Iterator[Model]:
        return (model for versions in self._versions.values() for model in versions)

    @property
    def newest(self) -> tuple[Model, ...]:
        """The newest version of each name."""
        return tuple(versions[0] for versions in self._versions.values())

    @property
    def older(self) -> tuple[Model, ...]:
        """All others."""
        return tuple(model for versions in self._versions.values() for model in versions[1:])

    def find(self, name: str, version: str) -> Model:
        """The model of a name.

        Args:
            name: its whole name; not that of a segment.
            version: what the caller takes it for: its version, its whole digest, or nothing: then the newest.

        Raises:
            NotServedError: no model of this name.
            RefusedError: it is served in other versions only: from another file, or with other dimensions.
        """
        versions = self._versions.get(name)
        if versions is None:
            raise NotServedError(
                f"no model {name!r} here; served: {', '.join(self._versions)}, and their segments MODEL.xE.uU.dD"
            )
        # Never a version that was not asked for: two models of one name may answer differently without any error.
        for model in versions:
            if version in ("", model.version, model.digest):
                return model
        raise RefusedError(
            f"{name} is served in version {' and '.join(model.version for model in versions)}, asked for was "
            f"{version[:12]}: these are different models; give both sides the same file and the same dimensions"
        )

    def manifest(self, model: Model) -> Manifest | None:
        """What a device is told of a bundle; None for a single file."""
        return self._manifests.get(model.digest)

    def __repr__(self) -> str:
        return f"<Registry of {', '.join(f'{model.name} {model.version}' for model in self)}>"

    def _check_name(self, name: str) -> None:
        part = parse_segment_name(name)
        if part is not None and part.model in self:
            raise InputError(
                f"the model {name!r} has the name of a segment of {part.model!r}, which is served, too: rename its file"
            )


def _check_versions(versions: tuple[Model, ...]) -> None:
    digests = [model.version for model in versions]
    if twice := [digest for digest in digests if digests.count(digest) > 1]:
        raise InputError(
            f"the model {versions[0].name!r} is there twice in version {twice[0]}: an edge serves each version once"
        )


def _check_files(bundles: Collection[Model], edge_only: Collection[str]) -> None:
    known = [name for bundle in bundles for name in bundle.digests]
    if unknown := [name for name in edge_only if name not in known]:
        raise InputError(
            f"found no file {unknown[0]!r} for the edge only, expected one of {', '.join(known)}"
            if known
            else f"found {unknown[0]!r} for the edge only, but no model here is a bundle: leave out --edge-only"
        )
