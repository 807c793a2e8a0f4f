"""A shipped network in the place of a bundle, some of its pictures, made-up facts about them; meters by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgent.codec import encode_image
from edgent.demo.cameras.stage import Meter, Outage, Show
from edgent.engine.loading import load
from edgent.lab.cameras.facts import pair_of
from edgent.lab.cameras.live import LiveAnswer
from edgent.lab.cameras.machines import Profiles
from edgent.lab.cameras.measured import Basis
from edgent.lab.cameras.plans import OURS, RACED
from edgent.latency.profile import CodecTime
from edgent.planning.gates import Gate, Gates
from lab.cameras import made
from lab.figures.made import host as plain_host


@dataclass(frozen=True)
class Squares:
    """Pictures of one colour each."""

    name: str = "squares"

    def source(self, row):
        return encode_image("png", np.full((32, 32, 3), 6 * row, np.uint8))


def host(model):
    jpeg = CodecTime(codec="jpeg-25", encode_base=1e-4, encode_per_byte=0.0, decode_base=1e-4, decode_per_byte=0.0)
    return replace(plain_host(model), codecs=(jpeg,))


def gates(model):
    gate = Gate(
        exit=3, later=4, codec="source", confidence=0.99, accepted=0.5, lost=0.0, accuracy=0.9, ungated=0.9,
        alone=0.88, standing=0.5, asked=0.8, weights=(0.3, 0.7), gain=(0.01, 0.03), samples=100,
    )  # fmt: skip
    return Gates(
        model=model.name, digest=model.digest, data="others", measure="accuracy", max_drop=0.01,
        confidence_level=0.9, gates=(gate,),
    )  # fmt: skip


def basis():
    model = load("b-alexnet")
    profile = host(model)
    return Basis(
        bundle=model,
        pair=pair_of(model),
        examples=Squares(),
        facts=made.facts(),
        gates=gates(model),
        profiles=Profiles(small=profile, big=profile),
        machines=made.machines(),
        shown=tuple(range(40)),
    )


def answer(at, *, right=True, in_time=True, by="edge", camera=0, total=0.1):
    return LiveAnswer(
        at=at, camera=camera, picture=int(at), right=right, in_time=in_time, by=by, asked=by == "edge", total=total
    )  # fmt: skip


def meter(method, cameras, rights, edge=0.5, carrier=0.3, seconds=8.0):
    answers = tuple(answer(float(number), right=right) for number, right in enumerate(rights))
    return Meter(
        method=method, cameras=cameras, seconds=seconds, answers=answers, nbytes=1000 * len(answers), edge=edge,
        carrier=carrier, overran=0.01,
    )  # fmt: skip


def show(ours=(1, 1, 1, 0), theirs=(1, 1, 0, 0)):
    meters = [
        meter(method, cameras, list(map(bool, rights)) * 10)
        for cameras in (5, 10)
        for method, rights in ((OURS, ours), (RACED, theirs))
    ]
    outages = tuple(
        Outage(meter=meter(method, 5, [True] * 20, seconds=20.0), cut_at=4.0, restored_at=14.0)
        for method in (OURS, RACED)
    )
    return Show(meters=tuple(meters), outages=outages, link=made.steady(), ended="the edge core is full")
