from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link.generator import CHARACTERS, Character, generated, steps, varied
from edgent.link.trace import Trace
from edgent.units import Seconds


def test_the_same_seed_gives_the_same_stream() -> None:
    assert steps(4, changes=5).samples.tolist() == steps(4, changes=5).samples.tolist()
    assert steps(4, changes=5).samples.tolist() != steps(5, changes=5).samples.tolist()


@pytest.mark.parametrize("factor", [1.3, 2.0, 10.0])
def test_levels_change_by_the_factor_exactly_where_it_says(factor: float) -> None:
    stream = steps(1, changes=30, factor=factor)
    moved = np.flatnonzero(np.diff(stream.levels)) + 1
    assert tuple(moved) == stream.changes
    ratios = stream.levels[moved] / stream.levels[moved - 1]
    assert np.abs(np.log(ratios)) == pytest.approx(math.log(factor))
    assert stream.levels.min() >= 50e3 and stream.levels.max() <= 50e6


@pytest.mark.parametrize("noise", ["independent", "correlated", "heavy-tailed"])
def test_the_noise_has_the_stated_spread(noise: str) -> None:
    stream = steps(2, changes=150, noise=noise)  # type: ignore[arg-type]
    errors = np.log(stream.samples / stream.levels)
    assert errors.std() == pytest.approx(stream.deviation, rel=0.12)
    lag = float(np.corrcoef(errors[:-1], errors[1:])[0, 1])
    assert lag == pytest.approx(0.5 if noise == "correlated" else 0.0, abs=0.05)


def test_steps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="changes by"):
        steps(1, changes=3, factor=1000.0)


@pytest.mark.parametrize("character", CHARACTERS)
def test_every_character_is_seeded_and_has_its_length_and_level(character: Character) -> None:
    several = [generated(seed, seconds=100, mean=2e6, character=character) for seed in range(60)]
    again = generated(7, seconds=100, mean=2e6, character=character)
    assert again.bandwidths.tolist() == several[7].bandwidths.tolist() != several[8].bandwidths.tolist()
    assert {trace.duration for trace in several} == {100.0} and len({trace.name for trace in several}) == 60
    assert all(trace.starts[1] % 0.5 for trace in several)
    middles = [math.sqrt(max(trace.bandwidths) * min(trace.bandwidths[trace.bandwidths > 0])) for trace in several]
    expected = 20e6 if character == "bursts" else 2e6
    if character in ("bursts", "alternating", "steps"):
        assert np.median(middles) == pytest.approx(expected, rel=0.35)


def test_characters_differ_in_what_their_names_say() -> None:
    def drawn(character: Character) -> list[Trace]:
        return [generated(seed, seconds=300, character=character) for seed in range(20)]

    usual, long = (np.median([trace.outage for trace in drawn(name)]) for name in ("usual", "long-outages"))
    assert long > 25 > usual
    for trace in drawn("bursts"):
        on = np.diff(trace.starts, append=300.0) * (trace.bandwidths > 0)
        assert on.sum() == pytest.approx(30.0, abs=0.02) and trace.outage == pytest.approx(0.09, rel=0.11)
        assert trace.mean == pytest.approx(trace.bandwidths.max() / 10, rel=1e-3)
    for trace in drawn("alternating"):
        assert np.diff(trace.starts[1:]) == pytest.approx(1.0, rel=0.101)
        assert np.abs(np.diff(np.log(trace.bandwidths))) == pytest.approx(math.log(30))
    for trace in drawn("steps"):
        holds = np.diff(trace.starts[1:])
        assert holds.min() >= 10 and holds.max() <= 60
        assert np.abs(np.diff(np.log(trace.bandwidths))) == pytest.approx(math.log(100))
    assert {trace.downlink for trace in drawn("apart")} == {20.0, 1 / 20}
    assert {trace.downlink for trace in drawn("usual")} == {1.0}


def test_a_character_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="expected one of usual, long-outages, bursts, alternating, steps, apart"):
        generated(0, character="calm")  # type: ignore[arg-type]


@pytest.mark.parametrize(("character", "share"), [("bursts", 0.1), ("alternating", 0.5)])
def test_requests_at_equal_intervals_meet_every_phase_of_a_period(character: Character, share: float) -> None:
    trace = generated(3, seconds=2000, character=character)
    met = [trace.at(0.3 + 2.0 * k) == trace.bandwidths.max() for k in range(1000)]
    assert np.mean(met) == pytest.approx(share, abs=0.25)
    assert 0.02 < np.mean(met[:250]) < 0.98


def test_generated_traces_are_seeded_and_have_outages_fades_and_regimes() -> None:
    assert generated(3).bandwidths.tolist() == generated(3).bandwidths.tolist()
    several = [generated(seed, seconds=600) for seed in range(20)]
    assert sum(found.outage > 0 for found in several) > 5
    assert np.median([found.mean for found in several]) == pytest.approx(3e6, rel=0.4)
    assert all(found.bandwidths.max() > 3 * np.quantile(found.bandwidths, 0.05) for found in several)


def test_the_variation_has_its_coefficient_and_keeps_the_mean() -> None:
    flat = Trace(name="flat", starts=np.arange(2000.0), bandwidths=np.full(2000, 2e6), duration=Seconds(2000.0))
    found = varied(flat, 7)
    assert found.bandwidths.std() / found.bandwidths.mean() == pytest.approx(0.2, abs=0.01)
    assert found.mean == pytest.approx(2e6, rel=0.01)
    assert varied(flat, 7).bandwidths.tolist() == found.bandwidths.tolist()
    assert varied(flat, 8).bandwidths.tolist() != found.bandwidths.tolist()
    assert varied(flat, 7, variation=0.0) is flat
