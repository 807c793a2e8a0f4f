"""Segments, run by ONNX Runtime: the only file of the product that knows it. OpenVINO stands beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

# Or it keeps an identifier of this machine in the user's cache, and says so on stderr where it cannot.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnx
import onnxruntime

from edgent.engine.engine import branch_ends, one_line
from edgent.engine.feeds import Array, Feeds, in_native_order
from edgent.engine.kept_sessions import KeptSessions
from edgent.engine.onnxruntime_events import node_times
from edgent.engine.overtime import Overtime, OvertimeError
from edgent.errors import EdgentError, ModelError
from edgent.model import Branch, Model, Segment, Tensor
from edgent.model.optimised import named, node_layers

_OVERTIME = Overtime()

# The engine's names for types that numpy calls otherwise.
_DTYPES = {
    "float": "float32",
    "double": "float64",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
}

Level = Literal["none", "basic", "extended", "all"]
"""How far ONNX Runtime optimises a graph: `all` is its default, and what segments run with."""

_LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_FLOAT32 = "1"  # the accuracy level of products with 4-bit weights that computes in it
_FATAL = 4  # ONNX Runtime's log severity: its errors are raised, so they need not be printed as well


class OnnxRuntimeSession:
    """A segment that ONNX Runtime made ready; `run` may be called from several threads."""

    def __init__(self, segment: Segment, session: onnxruntime.InferenceSession) -> None:
        self.segment = segment
        self._session = session
        self._asked = [tensor.name for tensor in segment.asked]

    @property
    def given(self) -> tuple[Tensor, ...]:
        """See `Session.given`."""
        return self.segment.given

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """See `Session.run`; a run that lasts for more than a minute is ended."""
        native = {name: in_native_order(array) for name, array in feeds.items()}
        options = onnxruntime.RunOptions()  # a new one for each run: once terminated, it stays so
        _OVERTIME.begin(options)
        try:
            return dict(zip(self._asked, self._session.run(self._asked, native, options), strict=True))
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            if options.terminate:
                raise OvertimeError(f"{self.segment!r} ran for more than {_OVERTIME.limit:.0f} s; ended") from error
            raise EdgentError(f"{self.segment!r} failed in ONNX Runtime: {one_line(error)}") from error
        finally:
            _OVERTIME.end(options)

    def end_profiling(self) -> dict[str, list[float]]:
        """See `Session.end_profiling`."""
        file = Path(self._session.end_profiling())
        events = json.loads(file.read_text())
        file.unlink()
        return node_times(events)


class Original:
    """A model file as it stands: undivided, with nothing of it folded or bound by us. What it answers is right.

    Args:
        path: the file; the engine finds its external data itself.
        level: how far the engine optimises it.
        threads: compute threads.

    Raises:
        ModelError: the engine does not take the file.
    """

    def __init__(self, path: Path, *, level: Level = "all", threads: int = 1) -> None:
        self.path = path
        options = _options(threads)
        options.graph_optimization_level = _LEVELS[level]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise ModelError(f"{path}: ONNX Runtime does not take it: {one_line(error)}") from error
        self._given = {value.name for value in self._session.get_inputs()}
        self._asked = [value.name for value in self._session.get_outputs()]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """All that the file answers; what it does not take is left out.

        Raises:
            EdgentError: the engine failed.
        """
        # A bundle's inputs are those of all its files, and ONNX Runtime refuses what a file does not take.
        known = {name: array for name, array in feeds.items() if name in self._given}
        try:
            return dict(zip(self._asked, self._session.run(self._asked, known), strict=True))
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise EdgentError(f"{self.path} failed in ONNX Runtime: {one_line(error)}") from error


class OnnxRuntimeEngine:
    """Makes sessions of ONNX Runtime for the CPU.

    Args:
        threads: compute threads of each session.
        capacity: sessions kept; the least recently used goes first.
    """

    name = f"onnxruntime {onnxruntime.__version__}"

    def __init__(self, *, threads: int = 1, capacity: int = 64) -> None:
        self.threads = threads
        self._kept = KeptSessions(self.build, capacity)

    @property
    def options(self) -> dict[str, str]:
        """See `Engine.options`."""
        return {
            "intra_op_num_threads": str(self.threads),
            "inter_op_num_threads": "1",
            "graph_optimization_level": "all",
            "execution_provider": "CPUExecutionProvider",
        }

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> OnnxRuntimeSession:
        """See `Engine.session`."""
        return self._kept.of(model, given, asked)

    def spare(self) -> bool:
        """See `Engine.spare`."""
        return self._kept.spare()

    def build(
        self, segment: Segment, *, profile: Path | None = None, optimised: Path | None = None
    ) -> OnnxRuntimeSession:
        """See `Engine.build`; a profile's file is there as soon as the session is, and one interrupted leaves it."""
        options = _options(self.threads)
        # Of products with 4-bit weights it fuses some, depending on what stands behind them, and rounds their input to
        # int8 unless told otherwise: parts would answer otherwise than the whole.
        if _has_four_bits(segment):
            options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", _FLOAT32)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(segment.weights))
        if profile is not None:
            options.enable_profiling = True
            # A name of its own: several sessions profile into one folder, and the engine's name has only seconds in it.
            options.profile_file_prefix = str(profile / uuid4().hex)
        if optimised is not None:
            options.optimized_model_filepath = str(optimised)
        return OnnxRuntimeSession(segment, _opened(segment, options))

    def profiled(
        self, model: Model, branch: Branch, folder: Path
    ) -> tuple[OnnxRuntimeSession, Mapping[str, tuple[int, ...]]]:
        """See `Engine.profiled`."""
        optimised = folder / "optimised.onnx"
        session = self.build(named(model.segment(*branch_ends(branch))), profile=folder, optimised=optimised)
        return session, node_layers(optimised, branch)


Engine = OnnxRuntimeEngine
"""The name by which programs import it from this module."""


def compute(graph: bytes, feeds: Feeds) -> dict[str, Array]:
    """The outputs of a graph without optimisations: each node by its own kernel, on one thread.

    Raises:
        EdgentError: the engine does not take the graph, or fails.
    """
    session = _plain(graph)
    names = [output.name for output in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))
    except Exception as error:  # as above
        raise EdgentError(f"ONNX Runtime failed: {one_line(error)}") from error


def describe(graph: bytes) -> dict[str, Tensor]:
    """Type and shape of each output of a graph, as the engine infers them.

    Raises:
        EdgentError: the engine does not take the graph.
    """
    return {output.name: _tensor(output) for output in _plain(graph).get_outputs()}


def _plain(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = False  # it would keep what it gives back
    options.add_session_config_entry("session.disable_prepacking", "1")  # kernels that fold do not; it rounds otherwise
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise EdgentError(f"ONNX Runtime does not take the graph: {one_line(error)}") from error


def _opened(segment: Segment, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(segment.proto, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        if (free := segment.with_free_sizes()) is not None:
            with suppress(Exception):  # the first failure is the one to tell
                return onnxruntime.InferenceSession(free.proto, options, providers=["CPUExecutionProvider"])
        raise ModelError(f"{segment!r}: ONNX Runtime does not take it: {one_line(error)}") from error


def _tensor(output: Any) -> Tensor:
    """What the engine says of an output: "tensor(float)" and a shape in which a name or None is unknown.

    An empty shape is a number's, or nobody knows even how many dimensions there are: the engine does not tell which.
    """
    kind = output.type.removeprefix("tensor(").removesuffix(")")
    dtype = _DTYPES.get(kind, kind) if output.type.startswith("tensor(") else None
    known = dtype is not None and output.shape and all(isinstance(size, int) and size >= 0 for size in output.shape)
    return Tensor(name=output.name, dtype=dtype, shape=tuple(output.shape) if known else None)


def _has_four_bits(segment: Segment) -> bool:
    """Whether it stores weights of 4 bits. Products with weights of 8 bits keep what the whole does."""
    stored = onnx.ModelProto.FromString(segment.proto).graph.initializer
    return any(tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4) for tensor in stored)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Nodes run one after the other, as a profile's sum of layers takes them to.
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    return options
