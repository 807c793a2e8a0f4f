"""What everything takes: on the edge by this machine's profiles, on the cameras by emulated boards made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

from edgent.engine.engine import Engine
from edgent.lab.boards.emulation import EmulatedDevice
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.cameras.facts import Pair
from edgent.latency import Profile
from edgent.planning.candidates import Candidates
from edgent.profiling.model_profiler import profile
from edgent.profiling.timing import Progress


class DividedBig(NamedTuple):
    """The big network begun on the camera: seconds there from the file on, bytes up, and seconds on the edge."""

    device: float
    nbytes: float
    edge: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTimes:
    """Seconds on a camera.

    Attributes:
        decode: from the picture's file to its pixels.
        small: from pixels to the small network's answer.
        big: likewise.
        encode: from pixels to what is sent, by codec; `source` takes none, and needs no pixels.
        cuts: the ways to divide the big network between camera and edge that can be the best, none of them lossy.
    """

    decode: float
    small: float
    big: float
    encode: Mapping[str, float]
    cuts: tuple[DividedBig, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The street's machines.

    Attributes:
        boards: of the cameras, which have them in turn.
        edge: seconds of a picture there, by the codec that it came by.
        board: what the cameras stand for, in words.
        edge_only: whether cameras have the small network only, and cannot run or divide the big one.
    """

    boards: tuple[CameraTimes, ...]
    edge: Mapping[str, float]
    board: str
    edge_only: bool = False

    def document(self) -> dict[str, object]:
        """What it takes, as JSON has it: what depends on it depends on all of this."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """This machine's, of both networks by themselves."""

    small: Profile
    big: Profile


def measure_profiles(
    pair: Pair, engine: Engine, picture: bytes, budget: float, progress: Progress | None = None
) -> Profiles:
    """Profiles both networks.

    Args:
        pair: the networks.
        engine: runs them on one thread: an edge core is one.
        picture: a typical one, as its file.
        budget: seconds, about.
        progress: called with what is done of the second half.
    """
    small, big = (
        profile(model, engine, source=picture, budget=budget / 2, progress=progress)
        for model, _ in (pair.small, pair.big)
    )
    return Profiles(small=small, big=big)


def machines_of(
    pair: Pair, profiles: Profiles, codecs: tuple[str, ...], device: EmulatedDevice, boards: int
) -> Machines:
    """The machines of a street: boards that stand for a device, each with hidden factors of its own."""
    tables = [_tables(pair, profiles, device, seed) for seed in range(boards)]
    return Machines(
        boards=tuple(_times(pair, *table, profiles.big, codecs) for table in tables),
        edge={codec: _edge_seconds(pair, profiles.big, codec) for codec in codecs},
        board=f"{device}; {boards} boards, each with hidden factors of its own for every layer type, codec and step",
    )


def _tables(pair: Pair, profiles: Profiles, device: EmulatedDevice, seed: int) -> tuple[Profile, Profile]:
    # The hidden factors of one seed are the same for both networks, as those of one board are.
    return (
        hidden_device(profiles.small, pair.small[0], device, seed=seed).table,
        hidden_device(profiles.big, pair.big[0], device, seed=seed).table,
    )


def _times(pair: Pair, small: Profile, big: Profile, host: Profile, codecs: tuple[str, ...]) -> CameraTimes:
    return CameraTimes(
        decode=small.decode_source.median,
        small=_answer(small, pair.small[1]),
        big=_answer(big, pair.big[1]),
        encode={c: 0.0 if c == "source" else big.fit.median + big.codec(c).encode_base for c in codecs},
        cuts=_divided(pair, big, host),
    )


def _divided(pair: Pair, device: Profile, host: Profile) -> tuple[DividedBig, ...]:
    model, exit = pair.big
    table = Candidates.build(model, device, host, source="image").restricted(direction="device-first", exits=(exit,))
    table = table.keep((table.messages > 0) & (table.upload_cut > 0)).frontier()
    before = table.prepare + table.head + table.encode
    return tuple(map(DividedBig, before.tolist(), table.bytes_up.tolist(), table.middle.tolist()))


def _answer(profile: Profile, exit: int) -> float:
    """From pixels to the answer."""
    return profile.fit.median + profile.normalise.median + profile.branch(exit).whole.median


def _edge_seconds(pair: Pair, host: Profile, codec: str) -> float:
    # What comes coded has the network's size already; a file as it came is decoded and fitted there.
    came = host.decode_source.median + host.fit.median if codec == "source" else host.codec(codec).decode_base
    return came + host.normalise.median + host.branch(pair.big[1]).whole.median
