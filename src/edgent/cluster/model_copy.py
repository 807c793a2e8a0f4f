"""A model by value, to be opened on a machine that has none of its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgent import cache
from edgent.edge.model_files import member_files, model_files
from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.model import Model


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelCopy:
    """Files and numbers that make up a model.

    Attributes:
        name: of the model.
        digest: that it must have when it is opened.
        dims: numbers of its free dimensions.
        main: its files that are opened, each in a folder of its own; a bundle has several.
        files: what they hold and what lies beside them, by their paths.
    """

    name: str
    digest: str
    dims: Mapping[str, int]
    main: tuple[str, ...]
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, model: Model) -> ModelCopy:
        """Reads the files of an opened model.

        Raises:
            EdgentError: one of them is no longer there.
        """
        folders = dict(enumerate(_folders(model)))
        return cls(
            name=model.name,
            digest=model.digest,
            dims=dict(model.dims),
            main=tuple(f"{number}/{path.name}" for number, path in enumerate(_paths(model))),
            files={f"{number}/{name}": data for number, files in folders.items() for name, data in _read(files)},
        )

    def opened(self) -> tuple[Model, cache.Entry]:
        """The model, and the entry of this machine's cache that keeps its files for as long as it is held.

        Raises:
            ModelError: this machine's Edgent makes another model of the files: it is of another release.
            CacheError: they cannot be written.
        """
        entry = cache.entry("models", f"copy-{self.digest[:32]}", self._is_in, self._write)
        model = self._load(entry.path)
        if model.digest != self.digest:
            raise ModelError(
                f"{self.name} is version {self.digest[:12]} at the edge and {model.digest[:12]} here: install the same "
                "release of Edgent on all machines of the cluster"
            )
        return model, entry

    def __repr__(self) -> str:
        return f"<ModelCopy {self.name} {self.digest[:12]}: {sum(map(len, self.files.values())):,} bytes>"

    def _load(self, folder: Path) -> Model:
        paths = [folder / name for name in self.main]
        return load(paths if len(paths) > 1 else paths[0], dims=self.dims)

    def _is_in(self, folder: Path) -> bool:
        try:
            return all((folder / name).read_bytes() == data for name, data in self.files.items())
        except OSError:
            return False

    def _write(self, folder: Path) -> None:
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _paths(model: Model) -> tuple[Path, ...]:
    return model.members if len(model.members) > 1 else (model.path,)


def _folders(model: Model) -> Iterator[Iterable[tuple[str, BinaryIO]]]:
    """What belongs into the folder of each file: two files of a bundle may bring configurations of one name."""
    if len(model.members) > 1:
        yield from (member_files(model, path) for path in model.members)
    else:
        yield model_files(model)


def _read(files: Iterable[tuple[str, BinaryIO]]) -> Iterator[tuple[str, bytes]]:
    for name, stream in files:
        with stream:
            yield name, stream.read()
