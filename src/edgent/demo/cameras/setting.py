"""What the demo is run with: its options, the networks and pictures, and where those come from."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edgent.errors import InputError
from edgent.units import BitsPerSecond, Seconds

SHIPPED = "edgent_models"
_INSTALL = "pip install edgent-models"
_NETWORKS, _PICTURES = ("clothing", "clothing-big"), "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetOptions:
    """The options of the demo.

    Attributes:
        model: names or files of the bundle; None: that of the package edgent-models.
        data: labelled pictures; None: likewise.
        edge_only: whether only the edge holds the larger network; of the package's own it is so in any case.
        steps: how many cameras there are, one number after the other.
        seconds: for which each method is shown with so many.
        outage: for how long the link is unplugged, and how long before and after that is shown.
        rate: pictures a second of each camera.
        deadline: of each picture.
        round_trip: of the link.
        bandwidth: around which the link moves.
        seed: of link, arrivals and boards.
    """

    model: str | None = None
    data: Path | None = None
    edge_only: bool = False
    steps: tuple[int, ...] = (5, 10, 20, 30, 40, 60, 80)
    seconds: float = 8.0
    outage: tuple[float, float, float] = (4.0, 10.0, 6.0)
    rate: float = 2.0
    deadline: Seconds = Seconds(0.300)
    round_trip: Seconds = Seconds(0.005)
    bandwidth: BitsPerSecond = BitsPerSecond(20e6)
    seed: int = 0


def networks_and_pictures(options: StreetOptions) -> tuple[str, Path]:
    """What is shown: what was named, else what the package has.

    Raises:
        InputError: neither is there.
    """
    if options.model is not None and options.data is not None:
        return options.model, options.data
    if options.model is not None or options.data is not None:
        raise InputError("--model and --data belong together: name both, or neither")
    spec = find_spec(SHIPPED)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the demo's networks are in a package of their own: {_INSTALL} (or --model SMALL.onnx+BIG.onnx --data "
            "DIR; the paper's cells need nothing more: edgent demo --paper)"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    return "+".join(str(folder / f"{name}.onnx") for name in _NETWORKS), folder / _PICTURES
