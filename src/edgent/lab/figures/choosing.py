"""The choices of the paper's algorithm and of our planner, as pure functions of profiles and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgent.device.choosers.candidate_sets import CandidateSet
from edgent.lab.figures.machines import Setting
from edgent.latency import Profile
from edgent.latency.prediction import BranchWork, LatencyModel
from edgent.latency.profile import BranchProfile, Timing
from edgent.model import Branch, Model
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.paper.algorithm1 import ChainBranch, Partition, algorithm1
from edgent.planning.plan import Configuration
from edgent.planning.planner import Planner
from edgent.units import BitsPerSecond, Seconds

ALGORITHM_1 = {"edge-first": False, "device-first": True}
"""The paper's algorithm in its own direction and in Neurosurgeon's, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodChoice:
    """The choice of one method.

    Attributes:
        configuration: None where nothing is in time.
        predicted: Its latency as the method predicts it, in seconds; None where nothing is in time.
        layers: Number of layers of its branch.
    """

    configuration: Configuration | None
    predicted: float | None
    layers: int

    @property
    def exit(self) -> int | None:
        """The exit that answers."""
        return None if self.configuration is None else self.configuration.exit

    @property
    def on_edge(self) -> int | None:
        """Layers that the edge runs."""
        plan = self.configuration
        return None if plan is None else plan.download_cut - plan.upload_cut


NOTHING = MethodChoice(configuration=None, predicted=None, layers=0)


def predicted_host(setting: Setting, model: LatencyModel, works: Sequence[BranchWork]) -> Profile:
    """This machine's profile as a latency model predicts it."""
    branches = []
    for work in works:
        layers = tuple(float(seconds) for seconds in model.predict(work).layers)
        whole = Timing(median=sum(layers), spread=0.0, samples=1)
        branches.append(BranchProfile(exit=work.exit, whole=whole, layers=layers, unassigned=0.0))
    return replace(setting.host, branches=tuple(branches))


def both_machines(setting: Setting, host: Profile) -> tuple[Profile, Profile]:
    """The profiles of device and edge of a setting, if this machine had the profile `host`."""
    device, edge = setting.device.factor_on(setting.host), setting.edge.branches[-1].whole.median
    faster = edge / setting.host.branches[-1].whole.median
    return host.scaled(device, setting.device.name), host.scaled(faster, f"the edge of {setting.device.name}")


def chains(model: Model, device: Profile, edge: Profile) -> tuple[ChainBranch, ...]:
    """The branches as the paper sees them."""
    return tuple(_chain(branch, device, edge) for branch in model.branches)


def paper_choice(
    branches: Sequence[ChainBranch], bandwidth: float, deadline: float, *, device_first: bool
) -> MethodChoice:
    """The choice of Algorithm 1 at a bandwidth."""
    partition = algorithm1(branches, BitsPerSecond(bandwidth), Seconds(deadline), device_first=device_first)
    if partition is None:
        return NOTHING
    layers = next(len(branch.device) for branch in branches if branch.exit == partition.exit)
    configuration = configuration_of(partition, layers, device_first=device_first)
    return MethodChoice(configuration=configuration, predicted=partition.latency, layers=layers)


def our_choice(planner: Planner, conditions: Conditions, deadline: float) -> MethodChoice:
    """The choice of our planner under some conditions."""
    plan = planner.plan(conditions, Seconds(deadline))
    if not plan.meets_deadline:
        return NOTHING
    return MethodChoice(configuration=plan.configuration, predicted=plan.stages.total, layers=plan.layers or 0)


def configuration_of(partition: Partition, layers: int, *, device_first: bool) -> Configuration:
    """A partition point as two cuts; see `edgent.planning.paper.algorithm1` for what it means in either direction."""
    n, first = layers, partition.point - 1  # layers that run on who begins
    upload, download = (first, n) if device_first else (0, first)
    if upload == download:  # the device does everything
        upload = download = n
    return Configuration(exit=partition.exit, upload_cut=upload, download_cut=download)


def price(candidates: Candidates, configuration: Configuration, conditions: Conditions) -> float:
    """Seconds that a configuration is predicted to take."""
    plan = CandidateSet(everything=candidates, allowed=candidates).price(
        configuration, conditions, Seconds(float("inf"))
    )
    assert plan is not None, "what was chosen among candidates has a price"
    return plan.stages.total


def _chain(branch: Branch, device: Profile, edge: Profile) -> ChainBranch:
    up, _ = branch.boundary_bytes()
    answer = sum(float(tensor.nbytes or 0) for tensor in branch.outputs)
    return ChainBranch(
        exit=branch.exit,
        device=device.branch(branch.exit).layers,
        edge=edge.branch(branch.exit).layers,
        input_size=float(up[0, -1]),
        output_sizes=[*(float(size) for size in up[1:-1, -1]), answer],
    )
