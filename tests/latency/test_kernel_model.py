"""The latency model of a machine: what it learns of a machine whose law is known, how sure it is, and its file."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.latency.family import References, Sample, fit_family
from edgent.latency.gaussian import GaussianProcess, Scales, learned
from edgent.latency.kernel_model import KernelModel, fit, predict_kernels
from edgent.latency.latency_model_file import STEPS, MachineModel, Preparing, is_machine_model
from edgent.latency.profile import CodecTime
from edgent.latency.regressions import fit_flops, fit_paper
from edgent.latency.traits import Traits


def law(kernel: Traits) -> float:
    """A machine whose efficiency rises with the channels."""
    channels = math.exp(kernel.form[0])
    return 3e-6 + kernel.work[1] / (6e10 * channels / (channels + 20)) + kernel.work[4] / 1e10


def drawn(random: np.random.Generator, family: str = "conv") -> Traits:
    channels, pixels = (float(np.exp(random.uniform(*np.log(span)))) for span in ((4, 512), (16, 4000)))
    work = (1.0, 18 * channels**2 * pixels, 4 * channels * pixels, 4 * channels * pixels, 36 * channels**2)
    return Traits(family=family, work=work, form=(math.log(channels), math.log(pixels), 0.0))


def timed(count: int, seed: int = 0, family: str = "conv") -> list[Sample]:
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        kernel, slowness = drawn(random, family), References(*random.choice([-0.2, 0.0, 0.3], size=2))
        found.append(
            Sample(
                kernel,
                law(kernel)
                * math.exp(0.5 * slowness.arithmetic + 0.2 * slowness.memory + 0.02 * random.standard_normal()),
                slowness,
            )
        )
    return found


@pytest.fixture(scope="module")
def learned_fit() -> KernelModel:
    specimens = [timed(6, seed=k) + timed(3, seed=100 + k, family="pool") for k in range(40)]
    return fit(specimens)


def test_a_family_predicts_kernels_it_never_saw() -> None:
    family = fit_family(timed(200), np.random.default_rng(0))
    unseen = [drawn(np.random.default_rng(seed)) for seed in range(1000, 1100)]
    errors = family.predict(unseen)[0] / [law(kernel) for kernel in unseen] - 1
    assert np.median(np.abs(errors)) < 0.03
    assert family.follows == pytest.approx([0.5, 0.2], abs=0.15)  # a slow machine is told from slow kernels


def test_no_time_is_ever_negative_however_small_the_kernel(learned_fit: KernelModel) -> None:
    tiny = Traits(family="conv", work=(1.0, 0.0, 0.0, 0.0, 0.0), form=(-9.0, -9.0, 0.0))
    assert predict_kernels(learned_fit.families, [tiny])[0] > 0


def test_intervals_hold_what_they_promise(learned_fit: KernelModel) -> None:
    found = learned_fit.validation
    unseen = [drawn(np.random.default_rng(seed)) for seed in range(5000, 5400)]
    seconds, covariance = predict_kernels(learned_fit.families, unseen)
    deviation = np.sqrt(np.diag(covariance) + 0.01**2) * found.alone
    measured = np.array([law(k) for k in unseen]) * np.exp(0.02 * np.random.default_rng(1).standard_normal(400))
    inside = np.abs(np.log(seconds / measured)) <= 1.645 * deviation
    assert 0.8 <= inside.mean() <= 0.98
    assert 0.8 <= found.kernel.coverage <= 0.98


def test_a_family_never_met_gets_a_wide_guess(learned_fit: KernelModel) -> None:
    stranger = Traits(family="Einsum", work=(1.0, 1e8, 4e5, 4e5, 0.0), form=(1.0,))
    seconds, covariance = predict_kernels(learned_fit.families, [stranger])
    assert seconds[0] > 0
    assert covariance[0, 0] >= 1.0


def test_the_process_agrees_with_the_conditional_of_a_joint_normal_distribution() -> None:
    random = np.random.default_rng(3)
    seen, new, values = random.standard_normal((12, 2)), random.standard_normal((4, 2)), random.standard_normal(12)
    scales = Scales(lengths=np.log(np.array([0.7, 1.9])), amplitude=math.log(1.3), noise=math.log(0.2))
    every = np.concatenate([seen, new])
    distance = np.sqrt((((every[:, None] - every[None]) / np.array([0.7, 1.9])) ** 2).sum(axis=2))
    joint = 1.3**2 * (1 + 5**0.5 * distance + 5 / 3 * distance**2) * np.exp(-(5**0.5) * distance)
    noisy = np.linalg.inv(joint[:12, :12] + 0.2**2 * np.eye(12))
    mean, covariance = GaussianProcess(seen, values, np.ones(12), scales).predict(new)
    assert mean == pytest.approx(joint[12:, :12] @ noisy @ values, rel=1e-4)
    assert covariance == pytest.approx(joint[12:, 12:] - joint[12:, :12] @ noisy @ joint[:12, 12:], abs=1e-4)


def test_learned_scales_tell_a_direction_that_matters_from_one_that_does_not() -> None:
    points = np.random.default_rng(4).standard_normal((120, 2))
    scales = learned(points, np.sin(2 * points[:, 0]), np.ones(120))
    assert scales.lengths[0] < scales.lengths[1]


def test_the_references_are_least_squares_and_are_clamped_at_zero() -> None:
    samples = timed(60)
    line = fit_flops(samples)
    rows = np.stack([np.ones(60), [sample.traits.work[1] for sample in samples]], axis=1)
    expected = np.linalg.lstsq(rows, np.array([sample.seconds for sample in samples]), rcond=None)[0]
    assert (line.per_call, line.per_flop) == pytest.approx(tuple(expected), rel=1e-6)
    smallest = Traits(family="conv", work=(1.0, 0.0, 0.0, 0.0, 0.0), form=(0.0, 0.0, 0.0))
    earlier = [sample._replace(seconds=sample.seconds - 1.0) for sample in samples]  # lines that begin a second below
    assert fit_paper(earlier).kernel(smallest) == fit_flops(earlier).kernel(smallest) == 0


def machine_model(found: KernelModel) -> MachineModel:
    codec = CodecTime(codec="float32", encode_base=1e-5, encode_per_byte=1e-10, decode_base=1e-5, decode_per_byte=1e-10)
    return MachineModel(
        machine="bench x86_64",
        engine="onnxruntime 1.32.0",
        threads=1,
        options={"graph_optimization_level": "all"},
        seconds=60.0,
        specimens=40,
        references=References(arithmetic=5e-4, memory=3e-5),
        fit=found,
        coding=Preparing(codecs=(codec,), steps=dict.fromkeys(STEPS, (1e-4, 1e-9))),
    )


def test_a_file_predicts_as_the_model_that_it_was_made_of(learned_fit: KernelModel) -> None:
    text = machine_model(learned_fit).to_json()
    again = MachineModel.from_json(text)
    unseen = [drawn(np.random.default_rng(seed)) for seed in range(50)]
    before, after = (predict_kernels(model.families, unseen)[0] for model in (learned_fit, again.fit))
    assert after == pytest.approx(before, rel=1e-3)
    assert again.fit.validation == learned_fit.validation
    assert is_machine_model(text)


BAD = {
    "NaN": lambda text: text.replace('"seconds": 60.0', '"seconds": NaN'),
    "another schema": lambda text: text.replace('"schema": 3', '"schema": 2', 1),
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "a negative price": lambda text: _changed(text, lambda d: d["families"]["conv"].update(rates=[-1.0] * 5)),
    "a family without prices": lambda text: _changed(text, lambda d: d["families"]["conv"].pop("rates")),
    "no families": lambda text: _changed(text, lambda d: d.update(families={})),
    "too few points": lambda text: _changed(text, lambda d: d["families"]["conv"]["process"]["values"].pop()),
    "a type of its own": lambda text: _changed(text, lambda d: d.update(flops=[1, 2])),
    "a negative variance": lambda text: _changed(
        text, lambda d: d["families"]["conv"]["process"].update(coarse=[-1.0])
    ),
    "points of words": lambda text: _changed(text, lambda d: d["families"]["conv"]["process"].update(points="none")),
    "an endless amplitude": lambda text: _changed(
        text, lambda d: d["families"]["conv"]["process"].update(amplitude=[1e9])
    ),
    "a list": lambda _: "[]",
}


@pytest.mark.parametrize("damage", BAD.values(), ids=BAD.keys())
def test_a_damaged_file_ends_in_one_line(learned_fit: KernelModel, damage: object) -> None:
    text = damage(machine_model(learned_fit).to_json())  # type: ignore[operator]
    with pytest.raises(InputError) as error:
        MachineModel.from_json(text, "machine.json")
    assert str(error.value).startswith("machine.json: ")
    assert "\n" not in str(error.value)
    assert "edgent profile -o FILE" in str(error.value)


def test_a_fit_on_other_properties_than_kernels_have_now_is_refused(learned_fit: KernelModel) -> None:
    stranger = Traits(family="conv", work=(1.0,) * 5, form=(1.0,) * 7)
    with pytest.raises(InputError, match="make the latency model again"):
        predict_kernels(learned_fit.families, [stranger])


def test_too_few_timings_are_refused() -> None:
    with pytest.raises(InputError, match="longer budget"):
        fit([timed(5)])


def _changed(text: str, change: object) -> str:
    document = json.loads(text)
    change(document)  # type: ignore[operator]
    return json.dumps(document)


def test_a_handful_of_specimens_does_not_make_intervals_of_sums_narrower_than_the_processes_say() -> None:
    # One specimen over and over: each is predicted nearly exactly by the others, though 5 and 40 prove it differently.
    few, many = (fit([timed(6, seed=1)] * count).validation.together for count in (5, 40))
    assert many < few == 1.0


@pytest.mark.parametrize("key", ["lengths", "values", "points"])
@pytest.mark.parametrize("absurd", [1e3, -1e3, 1e300])
def test_a_file_with_numbers_whose_exponentials_are_none_is_refused(
    learned_fit: KernelModel, key: str, absurd: float
) -> None:
    document = json.loads(machine_model(learned_fit).to_json())
    process = next(iter(document["families"].values()))["process"]
    place = process[key][0] if key == "points" else process[key]
    place[0] = absurd
    with pytest.raises(InputError, match="a logarithm beyond 100"):
        MachineModel.from_json(json.dumps(document))


def alike(count: int, family: str, flops: float, seed: int = 0) -> list[Sample]:
    """Kernels of nearly one size, whose time is operations and nothing else."""
    random = np.random.default_rng(seed)
    sizes = flops * np.exp(0.1 * random.standard_normal(count))
    return [Sample(of_size(family, size), size * 1e-10, References(0.0, 0.0)) for size in sizes]


def of_size(family: str, flops: float) -> Traits:
    return Traits(family=family, work=(1.0, flops, 1e4, 1e4, 1e4), form=(0.0, 0.0, 0.0))


def test_a_handful_of_like_sizes_is_extended_to_others_as_relatives_are() -> None:
    few = [Sample(of_size("Exp", 1e5), 2e-5, References(0.0, 0.0))] * 3
    kin = alike(20, "Log", 1e4) + alike(20, "Log", 1e8)
    larger = [of_size("Exp", 1e8)]
    random = np.random.default_rng(0)
    (by_itself,), _ = fit_family(few, random).predict(larger)
    (as_kin,), _ = fit_family(few, random, kin).predict(larger)
    # Twice as dear as the relative at the one size that was seen, and a thousand times as large now.
    assert as_kin == pytest.approx(2e-2, rel=0.3)
    assert abs(math.log(by_itself / 2e-2)) > 1.0


def test_a_family_that_was_timed_often_asks_no_relatives() -> None:
    own, kin = timed(80), alike(20, "Log", 1e4)
    alone, beside = (fit_family(own, np.random.default_rng(0), more) for more in ((), kin))
    assert alone.rates == pytest.approx(beside.rates)


def test_a_family_whose_kernels_agree_within_a_specimen_only_is_as_uncertain_as_specimens_differ() -> None:
    random = np.random.default_rng(5)

    def of_one_specimen(seed: int) -> list[Sample]:
        factor = math.exp(0.5 * random.standard_normal())
        return [one._replace(seconds=one.seconds * factor) for one in 2 * timed(2, seed=seed, family="pool")]

    model = fit([timed(6, seed=k) + of_one_specimen(100 + k) for k in range(20)])
    others = [one for seed in range(500, 560) for one in of_one_specimen(seed)]
    seconds, covariance = predict_kernels(model.families, [one.traits for one in others])
    truth = [model.families["pool"].even([one])[0] for one in others]
    assert np.mean(np.abs(np.log(seconds / truth)) <= 1.645 * np.sqrt(np.diag(covariance))) >= 0.85
