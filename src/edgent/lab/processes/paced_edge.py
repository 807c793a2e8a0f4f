"""Our edge in a process of its own, with no more than it is given: a model, and perhaps a profile whose pace it keeps.

`python -m edgent.lab.processes.paced_edge HOST [MODEL [PROFILE]]` says {"address": ...}, then serves until its stdin
ends. With a profile it computes as fast as the machine of that profile: one that is emulated, and slower than this.
"""

from __future__ import annotations

import sys

from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.lab.boards.emulation import Emulated
from edgent.lab.processes.orders import Orders, answer
from edgent.latency import Profile


def serve(host: str, model: str = "b-alexnet", profile: str = "") -> None:
    """Serves until there are no more orders; see the module."""
    profiles = [Profile.load(profile)] if profile else []
    pace = Emulated(profiles[0].emulated or profiles[0].machine) if profiles else None
    with Edge(load(model), host=host, port=0, profiles=profiles, pace=pace) as edge:
        answer({"address": edge.address})
        Orders({}).obey_all()


if __name__ == "__main__":
    serve(*sys.argv[1:])
