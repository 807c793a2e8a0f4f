"""What a run has finished, beside its output: killed and started again, it goes on; finished, it leaves nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgent.document import Node, parse
from edgent.errors import InputError
from edgent.files import is_file, read_text, write_whole


class WorkFolder:
    """A folder for one run.

    Args:
        output: the file that the run is to make.
        order: all that decides what comes of the run, as JSON has it.

    Raises:
        InputError: another run is unfinished there.
    """

    def __init__(self, output: Path, order: Mapping[str, Any]) -> None:
        self.path = output.with_name(f"{output.name}.work")
        self._order = order
        if self.has("order") and self._read("order") != json.loads(json.dumps(order)):
            raise InputError(
                f"{self.path}: holds an unfinished run with another model, other pictures or other options; "
                "remove it to begin anew, or name another output (-o)"
            )

    def begin(self) -> None:
        """Makes the folder, unless it is there."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.once("order", lambda: self._order)

    def once(self, name: str, decide: Callable[[], Any]) -> Any:
        """A decision, a value of JSON: made once, and the same from then on."""
        if not self.has(name):
            self._write(name, decide())
        return self._read(name)

    def has(self, name: str) -> bool:
        """Whether a decision was made."""
        return is_file(self._file(name))

    def remove(self) -> None:
        """Called when the output is written."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.json"

    def _write(self, name: str, value: Any) -> None:
        write_whole(self._file(name), json.dumps({name: value}))

    def _read(self, name: str) -> Any:
        try:
            return Node(parse(read_text(self._file(name))), name, (name,)).values[name]
        except InputError as error:
            raise InputError(f"{self._file(name)}: {error}; remove {self.path} to begin anew") from None
