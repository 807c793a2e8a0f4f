"""Made-up networks, machines and streets; and a shipped network as a bundle, with pictures of one colour each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgent.codec import encode_image
from edgent.engine.loading import load
from edgent.evaluation.gates.gating import Opinions
from edgent.lab.cameras.facts import Facts, pair_of
from edgent.lab.cameras.machines import CameraTimes, Machines, Profiles
from edgent.lab.cameras.measured import Basis
from edgent.lab.cameras.parameters import Traffic
from edgent.lab.cameras.street import Street
from edgent.latency.profile import CodecTime
from edgent.link.trace import Trace
from edgent.model.tasks.class_probabilities import log_probabilities
from edgent.planning.gates import Gate, Gates
from edgent.units import Seconds
from lab.figures.made import host as plain_host

CODECS = ("jpeg-25", "source")


def facts(pictures=40):
    """The device is right about 3 of 4, the edge about 9 of 10, and the device is sure of the second half."""
    row = np.arange(pictures)
    small, big, late = row % 4 != 0, row % 10 != 0, row >= pictures // 2
    marks = dict.fromkeys(CODECS, big)
    return Facts(
        truths=row % 3,
        half=row % 2,
        small=small,
        big=marks,
        both=marks,
        sure=dict.fromkeys(CODECS, late[None]),
        clear=late,
        nbytes={"jpeg-25": np.full(pictures, 5_000.0), "source": np.full(pictures, 40_000.0)},
    )


def machines(big=0.2, edge=0.02):
    times = CameraTimes(decode=0.02, small=0.05, big=big, encode={"jpeg-25": 0.01, "source": 0.0}, cuts=())
    return Machines(boards=(times,), edge={"jpeg-25": edge, "source": edge + 0.002}, board="made up")


def steady(bandwidth=20e6):
    return Trace(name="steady", starts=np.zeros(1), bandwidths=np.array([bandwidth]), duration=Seconds(1e4))


def street(cameras=1, bandwidth=20e6, seed=0, pictures=40, **traffic):
    given = {"seconds": 50.0 if cameras < 5 else 5.0} | traffic
    return Street(
        cameras=cameras, traffic=Traffic(**given), link=steady(bandwidth), pictures=pictures, seed=seed
    )  # fmt: skip


def opinions(pictures=600, classes=5, seed=0):
    """The device's network has less to go by than the edge's, and a codec takes something from that."""
    rng = np.random.default_rng(seed)
    truths = rng.integers(classes, size=pictures)

    def scores(strength):
        noise = rng.standard_normal((pictures, classes))
        return log_probabilities(noise + strength * np.eye(classes)[truths])

    return Opinions({0: scores(1.8), 1: scores(3.0)}, {"jpeg-25": scores(2.2)}, truths, "accuracy")


@dataclass(frozen=True)
class Squares:
    """Pictures of one colour each."""

    name: str = "squares"
    pictures: int = 40

    def __len__(self):
        return self.pictures

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
        facts=facts(),
        gates=gates(model),
        profiles=Profiles(small=profile, big=profile),
        machines=machines(),
        shown=tuple(range(40)),
    )
