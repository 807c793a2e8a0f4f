"""The routes of one device: what it computes under each configuration, kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from edgent.device.division import Division, route
from edgent.planning.plan import Configuration

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.model import Model

Kind = Literal["image", "array"]
"""What a request brings: a coded image, or tensors."""


class Routing:
    """Takes configurations apart for one device; thread-safe.

    Args:
        model: what is run.
        device: the device's profile, for what its local branches take.
        host: the profile of the machine that computes.
    """

    def __init__(self, model: Model, device: Profile | None, host: Profile | None) -> None:
        self._model, self._device, self._host = model, device, host
        self.route = lru_cache(maxsize=256)(self._route)

    @property
    def usual(self) -> Kind:
        """What requests bring, if the model can take it."""
        return "array" if self._model.metadata.preprocessing is None else "image"

    def preparing(self, kind: Kind) -> float:
        """Seconds on the device from the input as it comes to the tensor."""
        if kind == "array" or self._device is None:
            return 0.0
        return self._device.decode_source.median + self._device.fit.median + self._device.normalise.median

    def __repr__(self) -> str:
        return f"<Routing of {self._model.name}>"

    def _route(self, configuration: Configuration, kind: Kind) -> Division:
        return route(self._model, configuration, device=self._device, host=self._host, preparing=self.preparing(kind))
