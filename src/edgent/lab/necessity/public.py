"""Candidates of 224 x 224 networks: timed on this machine, their exits, codecs and rivals as the grid assumes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgent.codec import Calibration
from edgent.codec.calibration import CodecAccuracy, EncodedSize
from edgent.lab.necessity.grid import Assumed, Given
from edgent.latency import Profile
from edgent.model import Branch, Model
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts, Crossing, Plane
from edgent.planning.knobs import Kinds
from edgent.planning.plan import RAW, SourceKind
from edgent.planning.pricing import price

_ONE = 1  # samples of what nobody measured


def priced(model: Model, host: Profile, assumed: Assumed, given: Given) -> BranchCosts:
    """A network on this machine, as device and as edge, at the cuts that no more than one tensor crosses."""
    (branch,) = model.branches
    source: SourceKind = "array" if given == "tensor" else "image"
    (costs,) = price(model, host, host, _calibration(model, branch, assumed), source=source)
    return at_cuts(costs, single_cuts(branch))


def single_cuts(branch: Branch) -> list[int]:
    """The cuts that no more than one tensor crosses, both ends among them."""
    n = len(branch.layers)
    return [cut for cut in range(n) if len(branch.boundary(cut, n).up) == 1] + [n]


def at_cuts(costs: BranchCosts, cuts: Sequence[int]) -> BranchCosts:
    """A branch divided at some of its cuts only, 0 among them: it ends at the last of them."""
    last = cuts[-1]
    # Layers between two chosen cuts are one layer; what crosses at the chosen cuts stays as it was.
    device, edge = (np.add.reduceat(seconds[:last], cuts[:-1]) for seconds in (costs.device, costs.edge))
    here = np.ix_(cuts, cuts)

    def at_cuts(one: Crossing) -> Crossing:
        parts: dict[str, Any] = {name: plane[here] for name, plane in one.planes.items()}
        return replace(one, **parts)

    divisible = None if costs.divisible is None else costs.divisible[here]
    up, down = (tuple(map(at_cuts, side)) for side in (costs.up, costs.down))
    return replace(costs, device=device, edge=edge, up=up, down=down, divisible=divisible)


def early_exit(costs: BranchCosts, exit: int, share: float, accuracy: float, answer: float) -> BranchCosts:
    """The first layers of a branch as a branch; the exit itself costs nothing.

    Args:
        costs: Of the whole.
        exit: Its number.
        share: Of the whole's work before it, at least.
        accuracy: As a share of the whole's.
        answer: Bytes.
    """
    # The first cut behind so much of the work: an exit can only stand behind whole layers.
    work = np.cumsum(costs.device) / costs.device.sum()
    layers = min(int(np.searchsorted(work, share)) + 1, costs.layers)
    first = at_cuts(costs, range(layers + 1))
    return replace(
        first,
        exit=exit,
        accuracy=None if costs.accuracy is None else costs.accuracy * accuracy,
        up=tuple(_rated(one, accuracy) for one in first.up),
        down=tuple(_answering(_rated(one, accuracy), answer) for one in first.down),
    )


def undivided(costs: BranchCosts, exit: int, *, loss: float = 0.0, device_time: float = 1.0) -> BranchCosts:
    """A branch that runs as a whole or not at all.

    Args:
        costs: Of the branch.
        exit: Its number.
        loss: Accuracy lost.
        device_time: Its time on the device, as a share of what `costs` says.
    """
    whole = at_cuts(costs, (0, costs.layers))
    return replace(
        whole,
        exit=exit,
        accuracy=None if costs.accuracy is None else costs.accuracy - loss,
        device=whole.device * device_time,
        up=tuple(_rated(one, 1.0, loss) for one in whole.up),
    )


def public_candidates(
    name: str, networks: Mapping[str, BranchCosts], assumed: Assumed, device: str, given: Given
) -> tuple[Candidates, Kinds]:
    """A network with everything that could be used in its place.

    Args:
        name: The network's.
        networks: Priced ones, by name: it, the smaller and the bigger one.
        assumed: What is assumed.
        device: The device's name.
        given: What the input is.

    Returns:
        Candidates whose device seconds are this machine's; and what their exits are.
    """
    main, bigger = networks[name], networks[assumed.bigger]
    # Exits are numbered in one row: early ones, the network itself, int8, the bigger one, the smaller one.
    early = [early_exit(main, k, *share, assumed.answer_bytes) for k, share in enumerate(assumed.exits)]
    last = len(early)
    int8 = undivided(main, last + 1, loss=assumed.int8_loss, device_time=assumed.int8_time[device])
    others = [undivided(bigger, last + 2)]
    if name != assumed.smaller:
        others.append(undivided(networks[assumed.smaller], last + 3))
    table = Candidates.of([*early, replace(main, exit=last), int8, *others])
    # The bigger network is only at the edge: its device-only candidates do not exist.
    only_the_edge = (table.exit == last + 2) & (table.upload_cut == table.layers)
    kinds = Kinds(
        last=frozenset(range(last, last + 4)),
        quantised=frozenset({last + 1}),
        others=frozenset(one.exit for one in others),
    )
    return without_input(table.keep(~only_the_edge), given), kinds


def without_input(table: Candidates, given: Given) -> Candidates:
    """The candidates that an input allows: where it is kept, it does not travel."""
    return table.keep(table.upload_cut > 0) if given == "kept" else table


def _calibration(model: Model, branch: Branch, assumed: Assumed) -> Calibration:
    """Sizes and accuracies as assumed."""
    whole, coded, (entry,) = branch.accuracy or 0.0, assumed.tensor_codec, branch.inputs
    crossing = [branch.boundary(cut, len(branch.layers)).up[0] for cut in single_cuts(branch)[:-1]]
    losses = {(tensor.name, coded): assumed.tensor_loss for tensor in crossing}
    losses |= {(entry.name, image.codec): image.loss for image in assumed.images if image.loss}
    sizes = {(tensor.name, f"{coded}+zstd"): (tensor.nbytes or 0) * assumed.zstd for tensor in crossing}
    sizes |= {(entry.name, image.codec): image.size for image in assumed.images}
    return Calibration(
        model=model.name,
        digest=model.digest,
        data="assumed",
        sizes=tuple(
            EncodedSize(tensors=(name,), codec=codec, mean_bytes=size, samples=_ONE)
            for (name, codec), size in sizes.items()
        ),
        accuracies=tuple(
            CodecAccuracy(exit=0, tensors=(name,), codec=codec, accuracy=whole - loss, samples=_ONE)
            for (name, codec), loss in losses.items()
        ),
    )


def _rated(one: Crossing, factor: float, loss: float = 0.0) -> Crossing:
    """The same crossing of a less accurate branch."""
    return one if one.accuracy is None else replace(one, accuracy=one.accuracy * factor - loss)


def _answering(one: Crossing, answer: float) -> Crossing:
    """The same crossings, whose last download cut sends down the branch's answer as it is."""
    size: Plane = one.size.copy()
    size[:, -1] = answer if one.codec == RAW else np.nan
    return replace(one, size=size)
