"""What a comparison is made of, part by part: facts and profiles by this machine, then every street."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.evaluation.data.examples import Examples, opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.evaluation.gates.files import gates_for
from edgent.evaluation.gates.gating import STEPS
from edgent.lab.boards.emulation import find_device
from edgent.lab.cameras.facts import Facts, Pair, measure_facts, pair_of, read_facts
from edgent.lab.cameras.machines import Machines, Profiles, machines_of, measure_profiles
from edgent.lab.cameras.parameters import BOARD, BOARDS, CASCADE_SHARE, CODECS, LEVEL, LINK_MEAN, MAX_DROP, Traffic
from edgent.lab.cameras.plans import ORACLE, OURS, CameraMethod, clairvoyant_choice
from edgent.lab.cameras.street import Street, StreetRun
from edgent.lab.reproduction.figure import Lab
from edgent.latency import Profile
from edgent.link.generator import generated
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces, trace_files
from edgent.model import Model
from edgent.planning.gates import Gates
from edgent.profiling.model_profiler import profile

_PROFILE_SECONDS = 12.0
_LINK_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What was measured before any street is simulated.

    Attributes:
        bundle: the networks.
        pair: which of them are compared.
        examples: the pictures.
        facts: what the networks answer to them.
        gates: fitted on other pictures, or on the first half of these.
        profiles: what they take here.
        machines: what they take on the street.
        shown: the pictures whose classes the gates have not seen.
    """

    bundle: Model
    pair: Pair
    examples: Examples
    facts: Facts
    gates: Gates
    profiles: Profiles
    machines: Machines
    shown: tuple[int, ...]

    @property
    def promise(self) -> str:
        """What the gates promise, in words."""
        drop, level = self.gates.max_drop, self.gates.confidence_level
        surely = "in the mean" if level is None else f"at {level:.0%}"
        return f"they lose at most {drop:.1%} of the pictures {surely}, fitted on {self.gates.data}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one method made of one street.

    Attributes:
        right: how often each picture was answered rightly and in time.
        came: how often it came.
        nbytes: sent, of a picture in the mean.
        edge_seconds: likewise.
        busy: share of the time in which the edge core computed.
        refused: share of what was sent that the edge refused or dropped.
    """

    right: tuple[int, ...]
    came: tuple[int, ...]
    nbytes: float
    edge_seconds: float
    busy: float
    refused: float


def examples_of(lab: Lab) -> Examples:
    """The labelled pictures that were given.

    Raises:
        InputError: none were, or they have no labels.
    """
    if lab.data is None:
        raise InputError("cameras: expected pictures, --data DIR; see docs/own-data.md")
    examples = opened(
        read_listing(lab.data, recognised(lab.data)),
        progress=lambda done, of: lab.progress("opening pictures", done, of),
    )
    if not all(isinstance(truth, int) for truth in examples.truths):
        raise InputError(f"{lab.data}: the pictures have no labels, expected a class for each; see docs/own-data.md")
    return examples


def measure_basis(lab: Lab, bundle: Model, examples: Examples) -> Basis:
    """Runs and times the networks; what was kept of an earlier time is not done again."""
    if lab.edge_only and len(bundle.members) != 2:
        raise InputError(f"{bundle.name}: expected two files, as SMALL.onnx+BIG.onnx, one of which only the edge holds")
    pair, engine = pair_of(bundle), OnnxRuntimeEngine(threads=1)
    depends = {"digest": bundle.digest, "data": examples.name, "pictures": len(examples), "codecs": list(CODECS)}
    given = gates_for(bundle)
    # Gates that have seen these very pictures would keep their promise on them for that alone.
    gates = None if given is None or given.data == examples.name else given
    promise: dict[str, object] = {"max_drop": MAX_DROP, "level": LEVEL, "cascade": CASCADE_SHARE, "steps": list(STEPS)}
    promise |= {} if gates is None else {"gates": gates.to_json()}

    def ask() -> dict[str, Any]:
        progress = _told(lab, "asking both networks about every picture")
        facts, used = measure_facts(bundle, examples, engine, CODECS, gates, progress)
        return {"facts": facts.to_json(), "gates": used.to_json()}

    def time() -> dict[str, str]:
        progress = _told(lab, "timing both networks")
        found = measure_profiles(pair, engine, examples.source(0), _PROFILE_SECONDS, progress)
        return {"small": found.small.to_json(), "big": found.big.to_json()}

    asked = lab.parts.part("facts", depends | promise, ask)
    facts = read_facts(asked["facts"])
    timed = lab.parts.part("profiles", depends, time)
    profiles = Profiles(**{name: Profile.from_json(text) for name, text in timed.items()})
    machines = machines_of(pair, profiles, CODECS, find_device(BOARD), BOARDS)
    machines = replace(machines, edge_only=lab.edge_only)
    return Basis(
        bundle=bundle,
        pair=pair,
        examples=examples,
        facts=facts,
        gates=Gates.from_json(asked["gates"]),
        profiles=profiles,
        machines=machines,
        shown=tuple(row for row in range(len(facts)) if gates is not None or facts.half[row] == 1),
    )


def measure_host(lab: Lab, basis: Basis) -> Profile:
    """This machine's profile of the bundle as a whole, by which real devices and their edge go."""

    def time() -> str:
        return profile(
            basis.bundle,
            OnnxRuntimeEngine(threads=1),
            source=basis.examples.source(0),
            budget=_PROFILE_SECONDS,
            progress=_told(lab, "timing the bundle"),
        ).to_json()

    return Profile.from_json(lab.parts.part("host", {"digest": basis.bundle.digest}, time))


def links_of(lab: Lab, count: int) -> tuple[tuple[Trace, ...], str]:
    """A link for each seed, and what they are in words: recorded ones, drawn by the seed, or generated ones."""
    seeds = range(lab.seed, lab.seed + count)
    if lab.traces is None:
        made = tuple(generated(seed, seconds=_LINK_SECONDS, mean=LINK_MEAN) for seed in seeds)
        return made, f"{count} links generated from seed {lab.seed} on around {LINK_MEAN / 1e6:g} Mbit/s (--traces DIR)"
    files = trace_files([lab.traces]).files
    drawn = np.random.default_rng(lab.seed).permutation(len(files))[:count]
    recorded = load_traces([files[row] for row in sorted(drawn)])
    return recorded, f"{len(recorded)} of {len(files)} recorded links, as they are"


def tallies_of(lab: Lab, basis: Basis, methods: Mapping[str, CameraMethod], street: Street) -> dict[str, Tally]:
    """What every method makes of one street, the clairvoyant one too."""
    depends = {
        "street": [street.cameras, street.seed, street.link.name, asdict(street.traffic)],
        "link": hashlib.sha256(street.link.bandwidths.tobytes()).hexdigest()[:12],
        "basis": _digest([basis.facts.to_json(), basis.machines.document()]),
        "methods": [*methods],
    }

    def run() -> dict[str, Any]:
        tallies = {name: _tally(StreetRun(street, method), street) for name, method in methods.items()}
        ours = methods[OURS]
        seer = StreetRun(street, ours, lambda camera, picture, _: clairvoyant_choice(ours.of(camera), picture))
        return {name: asdict(tally) for name, tally in (tallies | {ORACLE: _tally(seer, street)}).items()}

    part = lab.parts.part(f"street-{street.cameras}-{street.seed}", depends, run)
    return {name: Tally(**tally) for name, tally in part.items()}


def _tally(run: StreetRun, street: Street) -> Tally:
    outcome = run.run()
    requests, (right, came) = len(outcome.right), outcome.by_picture(street.pictures)
    return Tally(
        right=tuple(right.tolist()),
        came=tuple(came.tolist()),
        nbytes=outcome.nbytes / requests,
        edge_seconds=outcome.edge_seconds / requests,
        busy=outcome.edge_seconds / outcome.seconds,
        refused=outcome.refused / max(outcome.asked, 1),
    )


def street_of(basis: Basis, cameras: int, link: Trace, seed: int, traffic: Traffic) -> Street:
    """A street with the pictures that were given."""
    return Street(cameras=cameras, traffic=traffic, link=link, pictures=len(basis.facts), seed=seed)


def _told(lab: Lab, what: str) -> Callable[[int, int], None]:
    return lambda done, of: lab.progress(what, done, of)


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
