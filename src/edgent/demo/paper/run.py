"""The demo itself: profile, plan, run live, judge.

Each distinct setup (a configuration in a link state) that any method chose is run live; methods that chose the same
one share its runs. Whether an answer is right is not asked of these few images: accuracies are those measured on the
data set of the calibration.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgent.demo.paper.beside import beside
from edgent.demo.paper.judge import Judge, transport
from edgent.demo.paper.live import FAST, Progress, Stage
from edgent.demo.paper.methods import Methods
from edgent.demo.paper.outage import Unplugged
from edgent.demo.paper.result import DemoResult, Host
from edgent.demo.paper.rivals import Rivals
from edgent.demo.paper.values import DemoOptions, Live
from edgent.engine.loading import load
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import EmulationReport, find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.device_process import DeviceProcess
from edgent.lab.processes.live_runs import WorkerSettings
from edgent.lab.processes.server_process import ServerProcess
from edgent.latency import Profile
from edgent.model import Model
from edgent.planning.candidates import Candidates
from edgent.planning.knobs import Kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PROFILE_SECONDS = 6.0


def run_demo(options: DemoOptions, *, progress: Progress) -> DemoResult:
    """Runs the demo.

    Args:
        options: what to do.
        progress: called with the name of each step, how much of it is done, and the whole.

    Raises:
        InputError: no such model or device.
        EdgentError: a process did not start, or died.
    """
    began = time.perf_counter()
    model, images = load(options.model), test_images()
    named = find_device(options.device), find_device(options.also)
    host, calibration = _profile(model, images[0], progress), calibration_for(model)
    board, also = (hidden_device(host, model, device, seed=options.hidden_seed) for device in named)
    # The planner gets the device's profile, never its hidden table: it must predict as it would on a real board.
    table = Candidates.build(model, board.profile, host, calibration, source="image")
    rivals = Rivals.of(model, calibration)
    settings = WorkerSettings(
        model=options.model,
        board=board,
        calibration=None if calibration is None else calibration.to_json(),
        inputs=images,
    )
    stage = Stage(options, Methods.of(table, Kinds.of(model)), rivals, progress)
    live, unplugged, account = _play(stage, options, host, settings)
    progress(f"the device {options.also}", 0, 1)
    conditions = {cell.bandwidth: cell.conditions for cell in live.cells}
    second = beside(also, model, host, calibration, conditions, options, settings)
    judge = Judge(live, rivals)
    points = judge.points()
    return DemoResult(
        options=options,
        model=model.name,
        digest=model.digest,
        data=calibration.data if calibration is not None else "unknown",
        host=_host(host, board, account, options),
        points=points,
        overall=judge.overall(points),
        compared=judge.compared(points),
        measured=live.measured,
        beside=second,
        unplugged=unplugged,
        transport=transport(live.measured),
        seconds=time.perf_counter() - began,
    )


def test_images() -> tuple[bytes, ...]:
    """The shipped test images, as PNG files."""
    from importlib.resources import as_file, files

    from edgent.codec import encode_image

    with as_file(files("edgent.model") / "shipped" / "cifar10-256.npz") as path, np.load(path) as shipped:
        pixels: NDArray[np.uint8] = shipped["pixels"]
    return tuple(encode_image("png", picture) for picture in pixels)


def _play(
    stage: Stage, options: DemoOptions, host: Profile, settings: WorkerSettings
) -> tuple[Live, Unplugged | None, EmulationReport]:
    """Runs everything live, once edge, rival, links and device have started."""
    # Entered in this order and left in the reverse one: the links before the servers behind them.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-demo-")))
        host.save(folder / "host.json")
        edge = stack.enter_context(ServerProcess.edge(options.model, folder / "host.json"))
        bare = stack.enter_context(ServerProcess.rival(options.model))
        stage.link = stack.enter_context(ShapedLink(edge.address, uplink=FAST, round_trip=options.round_trip))
        stage.bare = stack.enter_context(ShapedLink(bare.address, uplink=FAST, round_trip=options.round_trip))
        stage.device = stack.enter_context(DeviceProcess(settings))
        live = stage.run_all()
        unplugged = stage.unplug() if options.unplug else None
        return live, unplugged, stage.device.account()


def _profile(model: Model, image: bytes, progress: Progress) -> Profile:
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.profiling.model_profiler import profile

    def report(done: int, whole: int) -> None:
        progress("profiling this machine", done, whole)

    return profile(model, OnnxRuntimeEngine(threads=1), source=image, budget=_PROFILE_SECONDS, progress=report)


def _host(host: Profile, board: HiddenDevice, account: EmulationReport, options: DemoOptions) -> Host:
    seed = f" --hidden-seed {options.hidden_seed}"
    return Host(
        machine=host.machine,
        engine=f"{host.engine}, {host.threads} thread",
        device=str(board),
        account=account,
        commands=(
            f"edgent demo --paper{' --unplug' if options.unplug else ''}{seed} --output report.html",
            f"edgent profile {options.model} --emulate {options.device}{seed} -o device.json",
            f"edgent profile {options.model} -o host.json",
            f"edgent serve {options.model} --profile host.json",
        ),
    )
