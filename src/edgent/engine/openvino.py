"""The second engine: OpenVINO (extra `openvino`), behind the interface of the first. The only file that knows it.

Its profiler names its kernels after the original nodes that they stand for, so their times are booked to layers as
those of ONNX Runtime are. But it tells the mean over all runs only, in whole microseconds. And it shows no graph of
what it runs with shapes and constants: a latency model, which is fitted on those, is for ONNX Runtime alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from edgent.engine.engine import branch_ends, one_line
from edgent.engine.feeds import Array, Feeds, checked
from edgent.engine.kept_sessions import KeptSessions
from edgent.errors import EdgentError, InputError, MissingExtraError, ModelError
from edgent.model import Branch, Model, Segment, Tensor
from edgent.model.optimised import named

_COLD_RUNS = 3  # they warm up, and do not count in a profile


class OpenVinoSession:
    """A segment that OpenVINO made ready."""

    def __init__(self, segment: Segment, compiled: Any) -> None:
        self.segment = segment
        self._compiled = compiled
        self._asked = [tensor.name for tensor in segment.asked]
        self._idle: SimpleQueue[Any] = SimpleQueue()  # a request serves one thread at a time

    @property
    def given(self) -> tuple[Tensor, ...]:
        """See `Session.given`."""
        return self.segment.given

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """As the other engine's; OpenVINO would take zeros for what is missing, and convert types."""
        self._check(feeds)
        request = self._request()
        try:
            # By place: OpenVINO forgets the names of tensors that it takes for others (around a dropout).
            request.infer([feeds[tensor.name] for tensor in self.segment.given], share_inputs=True)
            return {name: request.get_output_tensor(k).data.copy() for k, name in enumerate(self._asked)}
        except Exception as error:  # OpenVINO raises RuntimeError, and whatever its binding meets
            raise EdgentError(f"{self.segment!r} failed in OpenVINO: {one_line(error)}") from error
        finally:
            self._idle.put(request)

    def end_profiling(self) -> dict[str, list[float]]:
        """OpenVINO keeps no events of single runs."""
        raise EdgentError(f"{self.segment!r} was not made to be profiled")

    def _check(self, feeds: Feeds) -> None:
        wanted = {tensor.name: tensor for tensor in self.segment.given}
        if feeds.keys() != wanted.keys():
            raise EdgentError(f"{self.segment!r}: found the tensors {sorted(feeds)}, expected {sorted(wanted)}")
        for name, tensor in wanted.items():
            checked(tensor, feeds[name])

    def _request(self) -> Any:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._compiled.create_infer_request()


class ProfiledSession(OpenVinoSession):
    """A session whose kernels are timed; for one thread."""

    def __init__(self, segment: Segment, compiled: Any) -> None:
        super().__init__(segment, compiled)
        self._runs = self._cold_runs = 0
        self._cold: dict[str, float] = {}

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Runs, and counts the runs."""
        answers = super().run(feeds)
        # The profiler tells means over all runs, so the total of the first few is noted, to be taken off in the end.
        self._runs += 1
        if self._runs == _COLD_RUNS:
            self._cold_runs, self._cold = self._runs, self._totals()
        return answers

    def end_profiling(self) -> dict[str, list[float]]:
        """Seconds of each node: the mean over all runs but the first few, which stands for every one of them."""
        warm = max(1, self._runs - self._cold_runs)
        totals = self._totals() if self._runs else {}
        means = {name: max(0.0, total - self._cold.get(name, 0.0)) / warm for name, total in totals.items()}
        # As many numbers as runs, as the other engine gives: whoever books them need not know which engine it was.
        return {name: [mean] * self._runs for name, mean in means.items()}

    def kernels(self) -> list[Ran]:
        """The kernels that OpenVINO runs, in its order."""
        nodes = self._compiled.get_runtime_model().get_ordered_ops()
        return [
            Ran(
                name=node.get_friendly_name(),
                stands_for=tuple(str(node.get_rt_info()["originalLayersNames"].value).split(",")),
                reads=tuple(side.get_source_output().get_node().get_friendly_name() for side in node.inputs()),
            )
            for node in nodes
        ]

    def _totals(self) -> dict[str, float]:
        request = self._request()
        self._idle.put(request)
        means = [(info.node_name, info.real_time.total_seconds()) for info in request.profiling_info]
        return {name: mean * self._runs for name, mean in means if mean > 0}


class OpenVinoEngine:
    """Makes sessions of OpenVINO for the CPU, with numbers as exact as the model's.

    Args:
        threads: compute threads of each session.
        capacity: sessions kept; the least recently used goes first.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, *, threads: int = 1, capacity: int = 64) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("the engine OpenVINO", "openvino") from error
        self.threads = threads
        self._kept = KeptSessions(self.build, capacity)
        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        # One core for all sessions: it keeps OpenVINO's plugins, which take long to load.
        self._core = openvino.Core()

    @property
    def options(self) -> dict[str, str]:
        """See `Engine.options`."""
        return {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": str(self.threads),
            "NUM_STREAMS": "1",
            "ENABLE_CPU_PINNING": "NO",  # two processes would be pinned to the same core
        }

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> OpenVinoSession:
        """See `Engine.session`."""
        return self._kept.of(model, given, asked)

    def spare(self) -> bool:
        """See `Engine.spare`."""
        return self._kept.spare()

    def build(self, segment: Segment, *, profile: Path | None = None, optimised: Path | None = None) -> OpenVinoSession:
        """See `Engine.build`; OpenVINO's profiler needs no file, and the graph that it really runs it does not show."""
        if optimised is not None:
            raise InputError("OpenVINO shows no graph of what it runs, which a latency model needs: use onnxruntime")
        profiled = profile is not None
        try:
            compiled = self._core.compile_model(self._read(segment), "CPU", {**self.options, "PERF_COUNT": profiled})
        except Exception as error:  # as above
            raise ModelError(f"{segment!r}: OpenVINO does not take it: {one_line(error)}") from error
        return (ProfiledSession if profiled else OpenVinoSession)(segment, compiled)

    def profiled(
        self, model: Model, branch: Branch, folder: Path
    ) -> tuple[OpenVinoSession, Mapping[str, tuple[int, ...]]]:
        """See `Engine.profiled`."""
        session = self.build(named(model.segment(*branch_ends(branch))), profile=folder)
        assert isinstance(session, ProfiledSession)
        return session, ran_layers(session.kernels(), branch)

    def _read(self, segment: Segment) -> Any:
        if segment.weights == Path():  # it has them inside
            return self._core.read_model(segment.proto)
        # OpenVINO wants weights in the folder of the graph's file, and follows no links out of it.
        with tempfile.NamedTemporaryFile(dir=segment.weights, prefix=".segment-", suffix=".onnx") as file:
            file.write(segment.proto)
            file.flush()
            return self._core.read_model(file.name)


class Ran(NamedTuple):
    """A kernel: its name, those of the nodes that it stands for, and those of the kernels that it reads."""

    name: str
    stands_for: tuple[str, ...]
    reads: tuple[str, ...]


def ran_layers(kernels: Sequence[Ran], branch: Branch) -> dict[str, tuple[int, ...]]:
    """The layers of a branch that each kernel stands for, by its name.

    A kernel without a name of ours (a change of layout) belongs to whoever reads it, or else to what it reads. A layer
    that no kernel names was merged into the layer that reads it.
    """
    # From kernels to layers in four steps, each for what the one before left open: by name; merged layers; then kernels
    # without a name of ours by who reads them, and at last by whom they read.
    made_by = {name: position for position, layer in enumerate(branch.layers) for name in layer.outputs}
    layers = {kernel.name: _named_in(kernel, made_by) for kernel in kernels}
    _take_in_merged(layers, branch, made_by)
    readers: dict[str, list[str]] = {}
    for kernel in kernels:
        for name in kernel.reads:
            readers.setdefault(name, []).append(kernel.name)
    # Backwards, so that a chain of unnamed kernels takes its layer from the reader at its end, each from the next.
    for kernel in reversed(kernels):
        near = (layers[name] for name in readers.get(kernel.name, ()))
        layers[kernel.name] = layers[kernel.name] or next(filter(None, near), set())
    for kernel in kernels:
        near = (layers[name] for name in kernel.reads if name in layers)
        layers[kernel.name] = layers[kernel.name] or next(filter(None, near), set())
    return {name: tuple(sorted(positions)) for name, positions in layers.items()}


def _named_in(kernel: Ran, made_by: Mapping[str, int]) -> set[int]:
    """OpenVINO appends to the name of a node that it divides: `conv1/WithoutBiases`."""
    positions = set()
    for name in kernel.stands_for:
        # The longest beginning that is a node's name: names of nodes have slashes of their own.
        node = name
        while node not in made_by and "/" in node:
            node = node.rpartition("/")[0]
        if node in made_by:
            positions.add(made_by[node])
    return positions


def _take_in_merged(layers_of: Mapping[str, set[int]], branch: Branch, made_by: Mapping[str, int]) -> None:
    # Fused into a neighbour: its time is in that kernel's, and it must be booked somewhere or the sum would lack it.
    owner = {position: name for name, positions in layers_of.items() for position in positions}
    # Last layers first: a chain that was merged ends in the layer that has a kernel.
    for position in reversed(range(len(branch.layers))):
        if position in owner:
            continue
        outputs = set(branch.layers[position].outputs)
        readers = [k for k, layer in enumerate(branch.layers) if outputs.intersection(layer.inputs)]
        makers = [made_by[name] for name in branch.layers[position].inputs if name in made_by]
        if near := [owner[k] for k in (*readers, *makers) if k in owner]:
            owner[position] = near[0]
            layers_of[near[0]].add(position)
