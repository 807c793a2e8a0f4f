"""The emulated device and the rival, as the lab has them, for the demo's model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgent.lab.emulation import Emulated, emulated_profile, find_device
from edgent.lab.rival import Rival, encoding_seconds, preprocessing_of
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.model import Model


class DevicePace(Emulated):
    """The lab's pace; work that takes no time by the profile can overrun nothing, and is not counted."""

    def hold(self, started_at: Seconds, host_seconds: float) -> None:
        """See `Pace.hold`."""
        if host_seconds > 0:
            super().hold(started_at, host_seconds)


def profile_of(host: Profile, name: str) -> Profile:
    """The profile of an emulated device.

    Raises:
        InputError: there is none of that name.
    """
    return emulated_profile(host, find_device(name))


def pace_of(host: Profile, name: str) -> DevicePace:
    """Its pace on this machine.

    Raises:
        InputError: there is none of that name.
    """
    return DevicePace(find_device(name).factor_on(host), name)


def describe(host: Profile, name: str) -> str:
    """The device in words, with its factor here."""
    device = find_device(name)
    return f"{device}; here {device.factor_on(host):.3g} times slower than this machine's profile"


def rival(model: Model, address: str, codec: str, host: Profile, pace: DevicePace) -> Rival:
    """The rival's side on the device, with one codec; its encoding is slowed like everything on the device."""
    seconds = encoding_seconds(host, codec)
    return Rival(address, codec=codec, preprocessing=preprocessing_of(model), pace=pace, host_seconds=seconds)
