"""The machines of the figures: this one, measured, and those that it stands in for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.codec import Calibration, encode_image
from edgent.engine.loading import load
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import EmulatedDevice, emulated_profile, find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device
from edgent.lab.reproduction.figure import Lab
from edgent.latency import Profile
from edgent.model import SHIPPED, Model
from edgent.planning.candidates import Candidates
from edgent.planning.plan import SourceKind

if TYPE_CHECKING:
    from edgent.latency.latency_model_file import MachineModel
    from edgent.latency.prediction import BranchWork

_BUDGET = 6.0  # seconds of profiling
_SWEEP = 60.0  # and of sweeping
_INPUTS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """A model on a device and its edge.

    Attributes:
        name: What the figures call it.
        model: What is run.
        device: The emulated one.
        host: This machine's profile of the model.
        coded: Whether pictures come and all codecs may be used; else tensors come, and cross as float32.
    """

    name: str
    model: Model
    device: EmulatedDevice
    host: Profile
    coded: bool = False

    @property
    def profile(self) -> Profile:
        """The device's profile."""
        return emulated_profile(self.host, self.device)

    @property
    def board(self) -> HiddenDevice:
        """What runs: as steady as its profile, one factor for all its layers, as the paper's table has them."""
        return hidden_device(self.host, self.model, replace(self.device, spread=0.0), seed=0, jitter=0.0)

    @property
    def edge(self) -> Profile:
        """The edge's profile."""
        return self.device.edge_profile(self.host)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the codecs that may be used."""
        return calibration_for(self.model) if self.coded else None

    @property
    def candidates(self) -> Candidates:
        """All candidates of this setting: every pair of cuts, with the codecs that may be used."""
        source: SourceKind = "image" if self.coded else "array"
        table = Candidates.build(self.model, self.profile, self.edge, self.calibration, source=source)
        return table if self.coded else table.restricted(codecs=["float32"])

    @property
    def inputs(self) -> tuple[bytes | NDArray[np.float32], ...]:
        """The inputs of the requests: pictures as they come, or tensors made of them."""
        with np.load(SHIPPED / "cifar10-256.npz") as shipped:
            pixels = shipped["pixels"][:_INPUTS]
        if self.coded:
            return tuple(encode_image("png", picture) for picture in pixels)
        tensors = (pixels.transpose(0, 3, 1, 2)[:, None] / np.float32(128) - 1).astype(np.float32)
        return tuple(tensors)

    def document(self) -> dict[str, object]:
        """All that measurements in this setting depend on."""
        device = {"name": self.device.name, "factor": self.device.factor_on(self.host), "edge": self.device.edge}
        return {"digest": self.model.digest, "device": device, "coded": self.coded}


def host_profile(lab: Lab, model: Model) -> Profile:
    """This machine's profile of a model on one thread, measured once for a reproduction."""

    def measured() -> str:
        from edgent.engine.onnxruntime import OnnxRuntimeEngine
        from edgent.profiling.model_profiler import profile

        def report(done: int, whole: int) -> None:
            lab.progress(f"profiling {model.name}", done, whole)

        return profile(model, OnnxRuntimeEngine(threads=1), budget=_BUDGET, progress=report).to_json()

    return Profile.from_json(lab.parts.part(f"profile-{model.name}", {"digest": model.digest}, measured))


def swept_machine(lab: Lab) -> MachineModel:
    """This machine's latency model (ours, and the paper's regressions) from a short sweep, made once as well."""
    from edgent.latency.latency_model_file import MachineModel

    def measured() -> str:
        from edgent.engine.onnxruntime import OnnxRuntimeEngine
        from edgent.profiling.machine_model import sweep_machine

        def report(done: int, whole: int) -> None:
            lab.progress("sweeping, seconds", done, whole)

        return sweep_machine(OnnxRuntimeEngine(threads=1), budget=_SWEEP, progress=report).to_json()

    return MachineModel.from_json(lab.parts.part("sweep", {"budget": _SWEEP, "schema": MachineModel.SCHEMA}, measured))


def branch_works(model: Model) -> tuple[BranchWork, ...]:
    """What running each branch is made of, for latency models."""
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.profiling.predicted_profile import branch_work

    engine = OnnxRuntimeEngine(threads=1)
    return tuple(branch_work(model, branch, engine) for branch in model.branches)


def setting(lab: Lab, device: str, *, coded: bool = False) -> Setting:
    """B-AlexNet on an emulated device."""
    model = load("b-alexnet")
    codecs = "all codecs" if coded else "float32"
    return Setting(
        name=f"{device}, {codecs}", model=model, device=find_device(device), host=host_profile(lab, model), coded=coded
    )


def at_the_speed_of(known: Setting, lab: Lab, model: Model) -> Setting:
    """Another model on the same device, which is a machine of a certain speed: its factor stays."""
    factor = known.device.factor_on(known.host)
    description = f"{factor:.0f} times slower than this machine, as it is with {known.model.name}; the edge is this one"
    device = replace(known.device, whole=None, factor=factor, edge=None, description=description)
    name = f"{model.name} at the speed of {known.device.name}"
    return Setting(name=name, model=model, device=device, host=host_profile(lab, model))
