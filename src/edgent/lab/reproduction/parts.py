"""Parts of a reproduction, kept on disk when they are done, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgent.document import parse
from edgent.errors import InputError
from edgent.files import read_text, write_whole


class Parts:
    """A folder of finished parts, each a JSON document under its name and what it depends on.

    Args:
        folder: Made when the first part is kept.
        depends: What all parts depend on.
    """

    def __init__(self, folder: Path, depends: Mapping[str, object]) -> None:
        self._folder = folder
        self._depends = dict(depends)
        self._kept: set[Path] = set()
        self._computed: set[Path] = set()

    @property
    def kept(self) -> int:
        """Parts that an earlier reproduction had finished."""
        return len(self._kept)

    @property
    def computed(self) -> int:
        """Parts that were computed now."""
        return len(self._computed)

    def part(self, name: str, depends: Mapping[str, object], make: Callable[[], Any]) -> Any:
        """A part's document: the one kept, or a new one, which is kept.

        Args:
            name: Of the part; the beginning of its file's name.
            depends: All that would change it, as JSON can have it.
            make: Makes it: JSON, so no infinite number and no tuple comes back as one.

        Raises:
            InputError: the folder cannot be written to.
        """
        wanted = json.loads(json.dumps(self._depends | dict(depends), sort_keys=True))
        path = self._folder / f"{name}-{_digest(wanted)}.json"
        kept = _read(path)
        if kept is not None and kept.get("depends") == wanted:
            if path not in self._computed:
                self._kept.add(path)
            return kept["part"]
        content = {"depends": wanted, "part": make()}
        text = json.dumps(content, allow_nan=False)
        self._keep(path, text)
        self._computed.add(path)
        return json.loads(text)["part"]

    def _keep(self, path: Path, text: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self._folder}: cannot be made ({error.strerror}); name another folder") from None
        write_whole(path, text + "\n")


def _digest(wanted: object) -> str:
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]


def _read(path: Path) -> dict[str, Any] | None:
    """What is kept there; None where nothing is, or what is there is damaged."""
    try:
        document = parse(read_text(path))
    except InputError:
        return None
    return document if isinstance(document, dict) and "part" in document else None
