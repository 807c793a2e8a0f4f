"""The sweep: what it times, that an interruption loses nothing, and that its file plans models never run."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from edgent.cli.arguments.profiles import read_profile
from edgent.engine.engine import Session
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.latency.compare import compared
from edgent.latency.latency_model_file import MachineModel
from edgent.model import Segment
from edgent.model.kernels import RUN, kernels
from edgent.model.specimens import specimen
from edgent.profiling.machine_model import sweep_machine
from edgent.profiling.model_profiler import profile
from edgent.profiling.predicted_profile import load_profile, reach
from edgent.profiling.sweep import SpecimenTimer, SpecimenTimes, samples, sweep
from edgent.profiling.sweep_file import Checkpoint
from edgent.profiling.timing import stopwatch_for

SMALL = 1e7


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> SpecimenTimer:
    return SpecimenTimer(Engine(), tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("machine") / "machine.json"
    sweep_machine(Engine(), budget=4.0).save(path)  # beside other programs a second is a few specimens
    return path


def test_no_specimen_has_an_empty_tensor() -> None:
    for number in range(250):
        drawn = specimen(number, SMALL)
        assert all(size > 0 for shape in drawn.shapes.values() for size in shape), drawn.blocks


def test_a_number_always_gives_the_same_specimen() -> None:
    assert specimen(7).segment.proto == specimen(7).segment.proto
    assert specimen(7).segment.proto != specimen(8).segment.proto


@pytest.mark.parametrize("number", range(12))
def test_the_engine_makes_the_shapes_that_the_builder_counted(number: int, tmp_path: Path) -> None:
    drawn = specimen(number, SMALL)
    engine = Engine()
    session = engine.build(drawn.segment, optimised=tmp_path / "optimised.onnx")
    from edgent.engine.feeds import zeros

    made = session.run(zeros(drawn.segment.given))
    assert {name: array.shape for name, array in made.items()} == {
        tensor.name: tensor.shape for tensor in drawn.segment.asked
    }
    assert all(kernel.output for kernel in kernels(tmp_path / "optimised.onnx", drawn.shapes))


def test_the_kernels_of_a_specimen_add_up_to_its_run(bench: SpecimenTimer) -> None:
    timed = bench.time(3, SMALL)
    assert len(timed.kernels) == len(timed.times) == len(timed.references) > 0
    assert all(seconds > 0 for seconds in timed.times)


def test_what_a_run_takes_around_its_kernels_is_a_sample_of_its_own(bench: SpecimenTimer) -> None:
    timed = bench.time(3, SMALL)
    (around,) = (seconds for kernel, seconds in zip(timed.kernels, timed.times, strict=True) if kernel.family == RUN.op)
    assert 0 < around <= max(bench.around, 1e-7) < 1e-3


def test_a_bench_leaves_its_folder_empty(tmp_path: Path) -> None:
    SpecimenTimer(Engine(), tmp_path).time(3, SMALL)
    assert not any(tmp_path.iterdir())


def test_a_sweep_goes_on_where_it_was_interrupted(bench: SpecimenTimer, tmp_path: Path) -> None:
    checkpoint = Checkpoint(path=tmp_path / "unfinished", head="this machine")
    checkpoint.read()
    kept = itertools.count(1)

    def keep(timed: SpecimenTimes) -> None:
        checkpoint.keep(timed)
        if next(kept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(bench, budget=60.0, keep=keep)
    found = Checkpoint(path=tmp_path / "unfinished", head="this machine").read()
    assert [timed.number for timed in found] == [0, 1, 2]
    spent = sum(timed.seconds for timed in found)
    more = sweep(bench, budget=spent + 1e-9, done=found)
    assert more[:3] == found
    assert [timed.number for timed in more] == [0, 1, 2, 3]


def test_a_sweep_that_is_killed_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    """A real process, ended by SIGKILL. What it had timed is more than the next run's budget, and is all taken over."""
    output, unfinished = tmp_path / "machine.json", tmp_path / "machine.json.unfinished"
    verb = [sys.executable, "-m", "edgent", "profile", "-o", str(output), "--budget"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # what a killed process leaves goes with the test's folder
    with subprocess.Popen(
        [*verb, "60s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        while process.poll() is None and not (unfinished.exists() and unfinished.read_text().count("\n") > 20):
            time.sleep(0.02)
        process.kill()
    text = unfinished.read_text()
    kept = [json.loads(line)["seconds"] for line in text[: text.rindex("\n")].splitlines()[1:]]
    done = subprocess.run([*verb, "100ms"], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert not unfinished.exists()
    found = MachineModel.load(output)
    assert found.specimens == len(kept) >= 20
    assert found.seconds == pytest.approx(sum(kept))


def test_a_sweep_that_is_interrupted_says_so_in_a_line_and_leaves_what_it_timed_and_nothing_else(
    tmp_path: Path,
) -> None:
    output, unfinished = tmp_path / "machine.json", tmp_path / "machine.json.unfinished"
    heeded = ("env", "--default-signal=INT")  # what runs in the background of a script ignores it
    verb = [*heeded, sys.executable, "-m", "edgent", "profile", "-o", str(output), "--budget", "60s"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(verb, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        while process.poll() is None and not (unfinished.exists() and unfinished.read_text().count("\n") > 2):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said.decode()
    assert "Traceback" not in said.decode()
    assert unfinished.read_text().count("\n") > 2
    left = [path for path in tmp_path.iterdir() if path.name != ".ses"]  # ONNX Runtime's, of every process
    assert left == [unfinished]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "none/machine.json"], "does not exist"),
        (["-o", "."], "is a folder"),
        (["--budget", "soon"], "budget"),
        (["--budget", "-5s"], "budget"),
        (["--budget", "nan s"], "budget"),
        (["--engine", "abacus"], "expected onnxruntime or openvino"),
        (["--like", "none.json"], "cannot be read"),
        (["--compare", "none.json", "none.json"], "cannot be read"),
    ],
)
def test_what_a_sweep_cannot_do_is_told_in_one_line_before_it_begins(arguments: list[str], told: str) -> None:
    verb = [sys.executable, "-m", "edgent", "profile", *arguments]
    done = subprocess.run(verb, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_another_machines_model_is_carried_over_by_a_short_sweep(machine: Path, tmp_path: Path) -> None:
    other = MachineModel.load(machine)
    found = sweep_machine(Engine(), budget=1.0, like=other)
    assert found.fit.families.keys() == other.fit.families.keys()
    assert found.seconds < 2.0 + other.seconds


def test_a_line_that_breaks_off_costs_one_specimen_and_no_more(tmp_path: Path) -> None:
    checkpoint = Checkpoint(path=tmp_path / "unfinished", head="this machine")
    checkpoint.read()
    for number in range(3):
        checkpoint.keep(SpecimenTimes(number=number, seconds=1.0, kernels=(), times=(), references=()))
    text = checkpoint.path.read_text()
    checkpoint.path.write_text(text[:-9])
    assert [timed.number for timed in checkpoint.read()] == [0, 1]
    checkpoint.keep(SpecimenTimes(number=2, seconds=1.0, kernels=(), times=(), references=()))
    assert [timed.number for timed in checkpoint.read()] == [0, 1, 2]


@pytest.mark.parametrize(
    "text", ['{"schema": 3, "sweep": "another"}\n', '{"schema": 2, "sweep": "this machine"}\n', "\x00\x01\n", "[]\n"]
)
def test_what_is_no_sweep_of_this_machine_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "unfinished"
    path.write_text(text)
    with pytest.raises(InputError, match="remove it to begin anew"):
        Checkpoint(path=path, head="this machine").read()


def test_a_clock_that_jumps_leaves_no_sample_that_time_cannot_have(tmp_path: Path) -> None:
    """Readings that jump by an hour, both ways: such runs are left out, and the sweep ends."""
    jumps = itertools.cycle([0.0] * 40 + [3600.0] + [0.0] * 40 + [-3600.0])
    now = [0.0]

    def clock() -> float:
        now[0] += 1e-3 + next(jumps)
        return now[0]

    timed = sweep(SpecimenTimer(Engine(), tmp_path, clock), budget=0.5)
    found = [sample for one in samples(timed) for sample in one]
    assert all(0 < sample.seconds < 3600 and all(map(math.isfinite, sample.slowness)) for sample in found)


def test_a_latency_model_plans_a_model_that_was_never_run(machine: Path) -> None:
    model = load("b-alexnet")
    found, _ = load_profile(machine, model, Engine())
    assert found.predicted
    for branch in model.branches:
        assert len(found.branch(branch.exit).layers) == len(branch.layers)
        assert all(seconds >= 0 for seconds in found.branch(branch.exit).layers)
    assert json.loads(found.to_json())["predicted"] is True
    assert type(found).from_json(found.to_json()) == found


def test_kinds_of_work_never_timed_are_told_in_one_warning_and_widen_the_spread(
    machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load("b-alexnet")
    document = json.loads(machine.read_text())
    dropped = [name for name in document["families"] if "onv" in name]
    document["families"] = {k: v for k, v in document["families"].items() if k not in dropped}
    (tmp_path / "poor.json").write_text(json.dumps(document))
    known, poor = (read_profile(path, model) for path in (machine, tmp_path / "poor.json"))
    warnings = [line for line in capsys.readouterr().err.splitlines() if "poor.json" in line]
    assert len(warnings) == 1
    assert "never timed" in warnings[0]
    assert f"within a factor of {reach(poor):.2f}" in warnings[0]
    widths = [found.branch(4).whole.median * found.branch(4).whole.spread for found in (poor, known)]
    assert widths[0] > widths[1]


def test_both_kinds_of_file_are_taken(machine: Path, tmp_path: Path) -> None:
    model = load("b-alexnet")
    measured = profile(model, Engine(), budget=0.0)
    measured.save(tmp_path / "profile.json")
    assert load_profile(tmp_path / "profile.json", model, Engine()) == (measured, ())
    with pytest.raises(InputError, match="edgent profile"):
        load_profile(tmp_path / "none.json", model, Engine())


def test_a_machine_beside_itself_is_as_fast(machine: Path) -> None:
    found = compared(machine, machine)
    assert found.rows
    assert found.ratio == pytest.approx(1.0)


def test_a_machine_twice_as_slow_takes_twice_as_long(machine: Path, tmp_path: Path) -> None:
    document = json.loads(machine.read_text())
    for family in document["families"].values():
        family["rates"] = [2 * rate for rate in family["rates"]]
    (tmp_path / "slow.json").write_text(json.dumps(document))
    assert compared(machine, tmp_path / "slow.json").ratio == pytest.approx(2.0, rel=1e-3)


def test_a_profile_and_a_latency_model_are_not_compared(machine: Path, tmp_path: Path) -> None:
    profile(load("b-alexnet"), Engine(), budget=0.0).save(tmp_path / "profile.json")
    with pytest.raises(InputError, match="compare two of a kind"):
        compared(machine, tmp_path / "profile.json")


def test_the_file_says_with_which_options_it_was_timed(machine: Path) -> None:
    found = MachineModel.load(machine)
    assert found.options["intra_op_num_threads"] == "1"
    assert found.seconds >= 2.0


def test_the_stopwatch_of_one_thread_leaves_out_what_passes_while_it_does_not_compute() -> None:
    stopwatch, other = stopwatch_for(Engine()), stopwatch_for(Engine(threads=2))
    before = (stopwatch(), other(), time.perf_counter())
    threading.Event().wait(0.05)
    waited = [after - then for after, then in zip((stopwatch(), other(), time.perf_counter()), before, strict=True)]
    assert waited[1] >= 0.05  # several threads: only the time of the wall tells
    if time.get_clock_info("thread_time").resolution <= 1e-6:
        assert waited[0] < waited[2] / 2


class Interrupted(Engine):
    """Two thirds of its runs are interrupted for 20 ms in the longest kernel, as a profiler sees it, by the wall."""

    def build(self, segment: Segment, **options: Any) -> Session:
        """See `Engine.build`."""
        session = super().build(segment, **options)
        return InterruptedSession(session) if "profile" in options else session


class InterruptedSession:
    """See `Interrupted`."""

    def __init__(self, session: Session) -> None:
        self.segment, self.given, self.run, self._session = session.segment, session.given, session.run, session

    def end_profiling(self) -> dict[str, list[float]]:
        """See `Session.end_profiling`."""
        nodes = self._session.end_profiling()
        longest = max(nodes, key=lambda name: median(nodes[name]))
        busy = 2 * len(nodes[longest]) // 3
        nodes[longest] = [seconds + 0.02 * (k < busy) for k, seconds in enumerate(nodes[longest])]
        return nodes


def test_what_interrupts_one_kernel_makes_no_other_one_seem_faster(tmp_path: Path) -> None:
    def others(engine: Engine) -> float:
        timed = SpecimenTimer(engine, tmp_path, stopwatch=time.thread_time).time(3, SMALL)
        return 1 - max(timed.times) / sum(timed.times)

    # Believed by the wall, the longest kernel would take nearly all of every run; on a busy machine one run may differ.
    assert max(others(Interrupted()) for _ in range(3)) > min(others(Engine()) for _ in range(3)) / 2
