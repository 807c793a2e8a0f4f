"""Policies: candidates that look at the picture. The device answers first, and the edge is asked where it is not sure.

A policy is a candidate of an edge's exit with a gate before it (`edgent.planning.gates`). For a picture of which the
device is not sure it takes what the candidate takes and the first answer's time as well, and *that* picture must be in
time: such pictures come. In the mean over pictures it takes of edge and link only their share.

Whether it is right is measured along the path that each picture takes, for hard pictures are the ones that go the long
way. With s the share of pictures that are deferred, and among those a the share that the edge gets right and b that
which the device does, it gives

    accuracy - s (a - b) (1 - chance)         (accuracy in time)

where the chance is that of a deferred picture to be in time: where it is late, the first answer stands. This is the
line of `edgent.planning.expectation` with the first answers in the local branch's place.

The gate's numbers are of its own pictures. So what a policy has beyond its candidate is taken as a change, measured in
pairs on those, and is added to what is known of the candidate. It *counts as* the candidate with what combining both
answers adds. The pictures that the gate loses do not count against it: how many may be lost, whoever set it has said.
What a step gives up beyond that counts (`Gates.forgone`): it is in play only where the edge has no room for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec.names import is_image_codec
from edgent.planning.candidates import COLUMNS, Candidates

if TYPE_CHECKING:
    from edgent.model import Model
    from edgent.planning.gates import Gate, Gates


def with_policies(candidates: Candidates, gates: Gates, model: Model | None = None) -> Candidates:
    """The candidates, and behind them each that a gate can be put before, with that gate.

    Args:
        candidates: of requests that bring a picture; the exit that answers first must be among those of the device.
        gates: of the model.
        model: the model, whose exits may share layers; None: those that the edge goes on from are left out.
    """
    blocks = [_gated(candidates, gates, place, model) for place in range(len(gates.gates))]
    tables = [candidates, *(block for block in blocks if block is not None)]
    # Without a policy the table stays as it is, and the fastest of equally good plans is the best.
    if len(tables) == 1:
        return candidates
    columns: dict[str, Any] = {name: np.concatenate([getattr(table, name) for table in tables]) for name in COLUMNS}
    return replace(candidates, gates=gates, **columns)


def _gated(candidates: Candidates, gates: Gates, place: int, model: Model | None) -> Candidates | None:
    """Those that a gate can be put before, with it; None: there are none, or the device may not answer first."""
    gate = gates.gates[place]
    first = np.flatnonzero((candidates.exit == gate.exit) & (candidates.messages == 0))
    later = _asked(candidates, gate, _shared_cuts(model, gate))
    if not (first.size and later.any()):
        return None
    own = candidates.keep(first[:1])
    table = candidates.keep(later)
    # Behind a picture the later exit begins anew. Behind a cut it goes on from what the first answer has made already.
    anew = np.where(table.upload_cut == 0, table.prepare, 0.0)
    return replace(
        table,
        # Two networks may see the picture in two sizes; for the later one it is prepared only if it is to be sent.
        prepare=np.full(len(table), own.prepare[0]),
        head=np.full(len(table), own.head[0]),
        encode=anew + table.encode,
        accuracy=np.clip(table.accuracy + (gate.accuracy - gate.alone), 0.0, 1.0),
        counts_as=np.clip(table.counts_as + (gate.ungated - gate.alone - gates.forgone[place]), 0.0, 1.0),
        gate=np.full(len(table), place, np.int32),
    )


def _asked(candidates: Candidates, gate: Gate, shared: Sequence[int]) -> NDArray[np.bool_]:
    """Those whose later exit is given what it was when the gate was measured, without further layers of the device."""
    serving = [place for place, codec in enumerate(candidates.codecs) if gate.serves(codec)]
    pictures = [place for place in serving if is_image_codec(candidates.codecs[place])]
    begins = np.isin(candidates.codec, pictures) | np.isin(candidates.upload_cut, shared)
    ends = (candidates.download_cut == candidates.layers) & (candidates.messages > 0)
    asked: NDArray[np.bool_] = (candidates.exit == gate.later) & np.isin(candidates.codec, serving) & begins & ends
    return asked


def _shared_cuts(model: Model | None, gate: Gate) -> list[int]:
    """The cuts of the later exit's branch that send nothing but what the first exit's branch makes on its way."""
    branches = () if model is None else model.branches  # of one that only the edge has no layer is known
    own = next((branch for branch in branches if branch.exit == gate.exit), None)
    later = next((branch for branch in branches if branch.exit == gate.later), None)
    if own is None or later is None:
        return []
    made = {name for layer in own.layers for name in layer.outputs}
    sent = ((cut, later.boundary(cut, len(later.layers)).up) for cut in range(1, len(later.layers)))
    return [cut for cut, tensors in sent if made.issuperset(tensor.name for tensor in tensors)]
