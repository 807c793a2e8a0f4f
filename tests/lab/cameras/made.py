"""Made-up networks, machines and streets."""

from __future__ import annotations

import numpy as np

from edgent.evaluation.gates.gating import Opinions
from edgent.lab.cameras.facts import Facts
from edgent.lab.cameras.machines import CameraTimes, Machines
from edgent.lab.cameras.parameters import Traffic
from edgent.lab.cameras.street import Street
from edgent.link.trace import Trace
from edgent.model.tasks.class_probabilities import log_probabilities
from edgent.units import Seconds

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
        sure=dict.fromkeys(CODECS, late),
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
