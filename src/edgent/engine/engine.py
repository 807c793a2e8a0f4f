"""What the other rooms know of an engine: ONNX Runtime, OpenVINO and the fake of `edgent.testing` are all this much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgent.engine.feeds import Array, Feeds

if TYPE_CHECKING:
    from edgent.model import Branch, Model, Segment, Tensor


class Session(Protocol):
    """A segment made ready; `run` may be called from several threads."""

    @property
    def given(self) -> Sequence[Tensor]:
        """The tensors that it takes."""
        ...

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """The tensors that were asked for, by name.

        Args:
            feeds: exactly the given tensors, by name.

        Raises:
            InputError: a tensor is missing, or its type or shape is not what the segment takes.
            EdgentError: the engine failed.
        """
        ...

    def end_profiling(self) -> dict[str, list[float]]:
        """Seconds of each node, one for each run, of a session that was built to be profiled."""
        ...


class Engine(Protocol):
    """Makes sessions; thread-safe."""

    @property
    def name(self) -> str:
        """What it is and in which version, as "onnxruntime 1.20.1": profiles hold for one engine."""
        ...

    @property
    def threads(self) -> int:
        """Compute threads of each session."""
        ...

    @property
    def options(self) -> dict[str, str]:
        """What sessions are made with: times hold for these options and no others."""
        ...

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> Session:
        """The session for the part of `model` that makes `asked` out of `given`, warmed and kept.

        Raises:
            ModelError: the part cannot be made, or the engine does not take it.
        """
        ...

    def spare(self) -> bool:
        """Forgets the session that was used longest ago, for its memory; whether there was one that could be spared."""
        ...

    def build(self, segment: Segment, *, profile: Path | None = None, optimised: Path | None = None) -> Session:
        """A new session that the engine does not keep.

        Args:
            segment: what to run.
            profile: a folder; the session records an event per node there, for `Session.end_profiling`.
            optimised: where to write the graph that the engine really runs.

        Raises:
            InputError: the graph was asked for, and the engine shows none.
            ModelError: the engine does not take the segment.
        """
        ...

    def profiled(self, model: Model, branch: Branch, folder: Path) -> tuple[Session, Mapping[str, tuple[int, ...]]]:
        """A session of a whole branch built with `profile`, and the layers that each of its nodes stands for."""
        ...


def branch_ends(branch: Branch) -> tuple[list[str], list[str]]:
    """What a whole branch is given, and what is asked of it."""
    return [tensor.name for tensor in branch.inputs], [tensor.name for tensor in branch.outputs]


def one_line(error: Exception) -> str:
    """What an engine says of its failure, shortened."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
