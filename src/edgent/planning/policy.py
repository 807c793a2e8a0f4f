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

What it *counts as* is what the candidate counts as, and what combining both answers adds. The pictures that the gate
loses do not count against it: how many may be lost, whoever set the gate has said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec.names import is_image_codec
from edgent.planning.candidates import COLUMNS, Candidates

if TYPE_CHECKING:
    from edgent.planning.gates import Gate, Gates


def with_policies(candidates: Candidates, gates: Gates) -> Candidates:
    """The candidates, and behind them each that a gate can be put before, with that gate.

    Args:
        candidates: of requests that bring a picture; the exit that answers first must be among those of the device.
        gates: of the model.
    """
    blocks = [_gated(candidates, gate, place) for place, gate in enumerate(gates.gates)]
    tables = [candidates, *(block for block in blocks if block is not None)]
    # Without a policy the table stays as it is, and the fastest of equally good plans is the best.
    if len(tables) == 1:
        return candidates
    columns: dict[str, Any] = {name: np.concatenate([getattr(table, name) for table in tables]) for name in COLUMNS}
    return replace(candidates, gates=gates, **columns)


def _gated(candidates: Candidates, gate: Gate, place: int) -> Candidates | None:
    """Those that a gate can be put before, with it; None: there are none, or the device may not answer first."""
    first = np.flatnonzero((candidates.exit == gate.exit) & (candidates.messages == 0))
    later = _asked(candidates, gate)
    if not (first.size and later.any()):
        return None
    own = candidates.keep(first[:1])
    table = candidates.keep(later)
    return replace(
        table,
        # The picture is prepared for both networks, which may see it in different sizes: for the later one only when it
        # is to be sent.
        prepare=np.full(len(table), own.prepare[0]),
        head=np.full(len(table), own.head[0]),
        encode=table.prepare + table.head + table.encode,
        accuracy=np.clip(table.accuracy + (gate.accuracy - gate.alone), 0.0, 1.0),
        counts_as=np.clip(table.counts_as + (gate.ungated - gate.alone), 0.0, 1.0),
        gate=np.full(len(table), place, np.int32),
    )


def _asked(candidates: Candidates, gate: Gate) -> NDArray[np.bool_]:
    """Those at whose edge the later exit is given the picture, as it was when the gate was measured."""
    # A head of the later network would come on top of the first answer, and no gate was measured behind tensors.
    codecs = [place for place, codec in enumerate(candidates.codecs) if is_image_codec(codec) and gate.serves(codec)]
    asked: NDArray[np.bool_] = (
        (candidates.exit == gate.later) & (candidates.messages > 0) & np.isin(candidates.codec, codecs)
    )
    return asked
