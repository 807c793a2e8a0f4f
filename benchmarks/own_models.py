"""How many steps lead from a file that somebody has to an answer that is kept, and does each verb take the model?

    python benchmarks/own_models.py [--only NAME] [--models DIR] [--json]

For every model of `models.py` (those of `exactness.py`) the command line is driven in processes of its own, in an empty
folder with an empty cache: init, inspect, profile, plan, run alone; then serve there and run here, where the device
has nothing but the model's name. What is run on is a photograph where the model takes pictures, and else arrays in an
`.npz`. Both answers are kept and must be equal.

Counted is what is done by hand: files to fill in, keys filled in there, and commands from `pip install` to an answer
that is kept, on each machine. `RECIPES` holds what somebody who knows a model writes into the draft of `edgent init`; a
model without one needs no file. At most one file and four commands are wanted.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

import command
import tables
from edgent.cli.terminal import show
from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.lab.processes.server_process import ServerProcess
from edgent.model.configuration.beside import path_of, toml
from exactness import collected
from fastestdet_decode import decode
from models import Entry, by_name, default_folder, remove
from programs import output

MOST_FILES, MOST_COMMANDS = 1, 4
STEPS = ("init", "inspect", "profile", "plan", "alone", "edge")
DEADLINE = ("--deadline", "10s")
LINK = ("--bandwidth", "50Mbps", "--rtt", "5ms")
LOSSLESS = ("--codec", "source", "--codec", "float32")  # a coded picture may change an answer: that is no fault here
PATIENCE = 600.0  # seconds for a command
CLOSE = 1e-3  # of the largest number of an output: two ways to divide round otherwise
PICTURE = (640, 480)

# What is filled in. Of the classifiers the draft's guesses are what they were trained with, and names of the classes
# are left out; the others are as their authors say.
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "fastestdet": {"task": "detection", "post": "decode.onnx", "preprocessing.color": "BGR"},
    "efficientnet-lite0": {},
    "efficientnet-lite0-int8": {},
    "rapidocr-detector": {"preprocessing.size": [320, 320]},
    "rapidocr-recogniser": {"task": "raw", "preprocessing.size": [48, 320], "preprocessing.color": "BGR"},
    "silero-vad": {"dims.input:1": 576, "dims.state:1": 1, "inputs.sr.example": 16000},
    "silero-vad-ifless": {"dims.sequence": 576},
    "silero-vad-16k": {"dims.sequence": 576},
    "kv-cache-step": {"dims.past": 24},
}
GRAPHS: Mapping[str, Callable[[], onnx.ModelProto]] = {"fastestdet": decode}
"""Models whose outputs a graph of one's own reads: one command more, which writes it."""


@dataclass(kw_only=True)
class Row:
    """What became of one model.

    Attributes:
        takes: a picture, or arrays.
        files: to fill in.
        keys: that are filled in.
        commands_alone: from `pip install` to a kept answer, on a device without an edge.
        commands_edge: on the edge, from `pip install` to `edgent serve`.
        commands_device: on a device that has one.
        seconds: of each step.
        by: who answered where there was an edge.
        same: whether it is the answer of the device alone.
        why: what failed, in words.
    """

    takes: str = ""
    files: int
    keys: int
    commands_alone: int
    commands_edge: int
    commands_device: int = 2
    seconds: dict[str, float] = field(default_factory=dict)
    by: str = ""
    same: bool = False
    why: str = ""

    @property
    def passes(self) -> bool:
        """Whether all verbs took the model, in few enough steps."""
        commands = max(self.commands_alone, self.commands_edge, self.commands_device)
        return not self.why and self.same and self.files <= MOST_FILES and commands <= MOST_COMMANDS


class Walk:
    """One model taken through the verbs, on an edge and on a device that are two folders.

    Args:
        entry: the model.
        file: of it.
        folder: an empty one.
    """

    def __init__(self, entry: Entry, file: Path, folder: Path) -> None:
        self.entry, self.recipe = entry, RECIPES.get(entry.name)
        self.there, self.here = folder / "edge", folder / "device"
        self.there.mkdir()
        self.here.mkdir()
        self.model = self.there / f"{entry.name}.onnx"
        for part in file.parent.glob(f"{file.name}*"):  # with its external data
            # Copied, as links out of a model's folder are refused: they may lead anywhere.
            shutil.copyfile(part, self.there / part.name.replace(file.name, self.model.name))
        by_hand = int(self.recipe is not None)
        before = 1 + (entry.name in GRAPHS) + by_hand  # pip install, the graph, init
        self.row = Row(files=by_hand, keys=len(self.recipe or ()), commands_alone=before + 1, commands_edge=before + 1)

    def walk(self) -> Row:
        """Every step, up to the first that fails."""
        for step in STEPS:
            began = time.perf_counter()
            try:
                getattr(self, f"_{step}")()
            except (EdgentError, ValueError) as error:
                self.row.why = f"{step}: {error}"
                break
            finally:
                self.row.seconds[step] = time.perf_counter() - began
        return self.row

    def _init(self) -> None:
        self._edgent("init", self.model.name)
        draft = path_of(self.model)
        if self.recipe is None:
            draft.unlink()
            return
        draft.write_text(filled(draft.read_text(), self.recipe))
        if self.entry.name in GRAPHS:
            onnx.save(GRAPHS[self.entry.name](), self.there / "decode.onnx")

    def _inspect(self) -> None:
        told = json.loads(self._edgent("inspect", self.model.name, "--json"))
        pictures = told["configuration"]["preprocessing"] is not None
        self.row.takes = "picture" if pictures else "arrays"
        self.input = self.there / ("photo.jpg" if pictures else "arrays.npz")
        if pictures:
            photograph(self.input)
        else:
            feeds = self.entry.draw(load(self.model).inputs, np.random.default_rng(0))
            np.savez(self.input, **{name: as_text(array) for name, array in feeds.items()})  # type: ignore[arg-type]
        (self.here / self.input.name).write_bytes(self.input.read_bytes())

    def _profile(self) -> None:
        self._edgent("profile", self.model.name, "-o", "profile.json")

    def _plan(self) -> None:
        both = ("--device", "profile.json", "--edge", "profile.json")
        self._edgent("plan", self.model.name, *both, *LINK, *DEADLINE, "--source", "100kB")

    def _alone(self) -> None:
        self._edgent("run", self.model.name, self.input.name, *DEADLINE, "--output", "answers")

    def _edge(self) -> None:
        apart = ("env", f"XDG_CACHE_HOME={self.there / 'cache'}")
        with ServerProcess.edge(str(self.model), self.there / "profile.json", prefix=apart) as edge:
            wanted = ("--edge", edge.address, "--require-edge", "--emulate", "pi-4", *LOSSLESS, "--output", "answers")
            self._edgent("run", self.entry.name, self.input.name, *DEADLINE, *wanted, folder=self.here)
        self.row.by = json.loads((self.here / "answers" / f"{self.input.stem}.json").read_text())["by"]
        kept = (folder / "answers" / f"{self.input.stem}.npz" for folder in (self.there, self.here))
        self.row.same = alike(*(dict(np.load(file)) for file in kept))

    def _edgent(self, *words: str, folder: Path | None = None) -> str:
        where = folder or self.there
        own_cache = {"XDG_CACHE_HOME": str(where / "cache")}
        return output(sys.executable, "-m", "edgent", *words, folder=where, environment=own_cache, patience=PATIENCE)


def filled(draft: str, recipe: Mapping[str, Any]) -> str:
    """The draft with these keys filled in.

    Raises:
        ValueError: the draft does not mention a key.
    """
    for key, value in recipe.items():
        name = key.rpartition(".")[2] if key.startswith("inputs.") else key.partition(".")[2] or key
        written = f"(?:{re.escape(name)}|{re.escape(toml(name))})"
        line = re.compile(rf"^(?:# )?({written}) = .*$", re.MULTILINE)
        if not line.search(draft):
            raise ValueError(f"the draft says nothing of {key}")
        draft = line.sub(lambda match, value=value: f"{match[1]} = {toml(value)}", draft, count=1)
    return draft


def photograph(path: Path) -> None:
    """Writes coloured patches: something to compress, and for detectors to see."""
    patches = np.random.default_rng(7).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(patches).resize(PICTURE, Image.Resampling.BICUBIC).save(path, quality=92)


def as_text(array: Any) -> Any:
    """Text as `.npz` files hold it without pickling."""
    return array.astype(str) if array.dtype == object else array


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two kept answers have the same outputs, within what rounding does."""
    return one.keys() == other.keys() and all(_close(one[name], other[name]) for name in one)


def _close(one: Any, other: Any) -> bool:
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    largest = float(np.abs(one).max(initial=0.0))
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=CLOSE, atol=CLOSE * largest))


def measured(entries: Sequence[Entry], folder: Path) -> dict[str, Any]:
    """Every model, one after another, with a bar on stderr."""
    paths, unavailable = collected(entries, folder)
    rows: dict[str, Row] = {}
    with show.live_progress() as progress:
        for entry in (entry for entry in entries if entry.name in paths):
            progress(entry.name, len(rows), len(paths))
            elsewhere = Path(tempfile.mkdtemp(dir=folder, prefix=".walk-"))
            try:
                rows[entry.name] = Walk(entry, paths[entry.name].absolute(), elsewhere).walk()
            finally:
                shutil.rmtree(elsewhere, ignore_errors=True)
                if entry.large:
                    remove(entry, folder)
            show.err.print(f"{entry.name}: {rows[entry.name].why or 'done'}", soft_wrap=True)
    models = {name: asdict(row) | {"passes": row.passes} for name, row in rows.items()}
    return {"models": models, "unavailable": unavailable}


def _print(found: Mapping[str, Any]) -> None:
    print(tables.aligned({"": name, **row} for name, row in found["models"].items()))
    for name, why in found["unavailable"].items():
        print(f"{name} could not be had: {why}")


def main() -> int:
    """Prints a row for each model; fails where a verb does, or where there are too many steps."""
    parser = command.options(__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="of the list (repeatable)")
    parser.add_argument("--models", type=Path, default=default_folder(), metavar="DIR", help="where models are kept")
    options = parser.parse_args()
    try:
        entries = by_name(options.only)
    except ValueError as error:
        parser.error(str(error))
    folder = options.models.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    found = measured(entries, folder)
    command.show(options, found, lambda: _print(found))
    return 0 if all(row["passes"] for row in found["models"].values()) else 1


if __name__ == "__main__":
    command.run(main)
