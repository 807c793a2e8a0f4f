"""From the environment that a device is told to what makes its choosers: each is loaded only where it is asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edgent.device.choosers.chooser import Environment, MakeChooser, Static
from edgent.errors import InputError

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.planning.configuration_map import ConfigurationMap
    from edgent.units import Seconds


def chooser_of(environment: Environment | ConfigurationMap | MakeChooser) -> MakeChooser:
    """What makes the chooser of an environment or for a map, or what was given.

    Raises:
        InputError: there is no such environment.
    """
    if environment == "static":
        return Static
    if environment == "dynamic":
        # The controller and the forecast: nothing of theirs is used where the link is taken to stay as it is.
        from edgent.device.choosers.dynamic import Dynamic

        return Dynamic
    if isinstance(environment, str):
        raise InputError(f"environment {environment!r}: expected static or dynamic")
    from edgent.planning.configuration_map import ConfigurationMap

    if not isinstance(environment, ConfigurationMap):
        return environment
    from edgent.device.choosers.mapped import Mapped

    return partial(Mapped, environment)


def check_environment(
    environment: Environment | ConfigurationMap | MakeChooser, deadline: Seconds, device: Profile | None
) -> None:
    """Refuses what a device cannot plan in.

    Args:
        environment: What it is told.
        deadline: That its requests have.
        device: Its profile; None: it has none, and a map cannot be held against it.

    Raises:
        InputError: there is no such environment, or it is a map for another deadline or device.
    """
    chooser_of(environment)
    if isinstance(environment, str) or device is None:
        return
    from edgent.planning.configuration_map import ConfigurationMap

    if isinstance(environment, ConfigurationMap):
        environment.check(deadline, device)
