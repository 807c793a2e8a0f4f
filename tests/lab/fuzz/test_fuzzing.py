"""What a reader does wrong is found: it crashes, hangs, takes memory, or answers with what nobody can read."""

from __future__ import annotations

import mmap
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fuzz
from edgent.errors import InputError
from edgent.lab.fuzz import fuzzing
from edgent.lab.fuzz.fuzzing import FuzzTarget, cost, fuzzed, input_of
from edgent.lab.fuzz.mutations import of_bytes

HONEST = b"0123456789"


def target(read) -> FuzzTarget:
    return FuzzTarget(name="a reader", modules=(), seeds=(HONEST,), mutate=of_bytes, read=read)


def refusing(data: bytes) -> object:
    if data != HONEST:
        raise InputError("found something else")
    return None


def found(read) -> str:
    return "; ".join(finding.what for finding in fuzzed(target(read), 1, range(60)).findings)


def test_a_reader_that_says_no_in_one_line_is_without_fault():
    result = fuzzed(target(refusing), 1, range(200))
    assert (result.inputs, result.findings) == (200, ())
    assert result.rejected > result.read
    assert result.rejected + result.read == 200


def test_what_is_no_error_of_ours_is_found_with_its_place():
    def crashes(data: bytes) -> object:
        return refusing(data) if len(data) != 11 else {}[1]

    assert "untyped KeyError at test_fuzzing.py" in found(crashes)


def test_a_warning_that_an_input_causes_is_found():
    def warns(data: bytes) -> object:
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        return refusing(data)

    with pytest.warns(RuntimeWarning):  # of the honest inputs, which are no findings
        assert "untyped RuntimeWarning" in found(warns)


def test_endless_recursion_is_found():
    def recurses(data: bytes) -> object:
        return refusing(data) if data == HONEST else recurses(data)

    assert "untyped RecursionError" in found(recurses)


@pytest.mark.parametrize("words", ["two\nlines", "x" * 3000, "a\x1b[2Jb", "a\u202eb"])
def test_an_error_that_nobody_can_print_is_found(words):
    """Of a reader that says no by an error which is not ours; ours are short and printable whatever is put in."""

    def shouts(data: bytes) -> object:
        if data != HONEST:
            raise ValueError(words)
        return None

    result = fuzzed(replace(target(shouts), rejects=(ValueError,)), 1, range(60))
    assert "an error of" in result.findings[0].what
    assert not found(lambda data: refusing(data) if data == HONEST else shouts_of_ours(words))


def shouts_of_ours(words: str) -> object:
    raise InputError(words)


def growing(by: int) -> mmap.mmap:
    """Memory that the process did not have: an array might lie where its heap has some free, and then costs nothing."""
    memory = mmap.mmap(-1, by)
    np.frombuffer(memory, np.uint8)[:] = 1
    return memory


def test_memory_that_an_input_costs_which_is_rejected_is_found():
    def takes(data: bytes) -> object:
        if data != HONEST:
            growing(8 << 20)
        return refusing(data)

    assert "MB for an input that is rejected" in found(takes)
    assert cost(target(takes), b"x") > 6 << 20
    assert cost(target(refusing), b"x") < 1 << 20


def test_what_an_input_takes_now_and_then_is_not_the_inputs_own(monkeypatch):
    """As a machine that stands still for a while, or another thread that takes memory."""
    times, comes = [0.0], iter(range(1_000_000))
    monkeypatch.setattr(fuzzing, "time", SimpleNamespace(perf_counter=lambda: times[0]))

    def disturbed(data: bytes) -> object:
        if next(comes) % 3:
            times[0] += 2 * fuzzing.MOST_SECONDS
            growing(8 << 20)
        return refusing(data)

    assert not found(disturbed)


def test_an_input_that_takes_too_long_each_time_is_found(monkeypatch):
    times = [0.0]
    monkeypatch.setattr(fuzzing, "time", SimpleNamespace(perf_counter=lambda: times[0]))

    def slow(data: bytes) -> object:
        times[0] += 2 * fuzzing.MOST_SECONDS * (data != HONEST)
        return refusing(data)

    assert "took 2.0 s" in found(slow)


def test_memory_is_found_in_a_process_that_has_become_smaller_meanwhile():
    held = [growing(40 << 20)]

    def takes(data: bytes) -> object:
        held.clear()
        if data != HONEST:
            growing(8 << 20)
        return refusing(data)

    assert "MB for an input that is rejected" in found(takes)


def test_a_reader_that_does_not_take_what_is_honest_is_no_target():
    def never(data: bytes) -> object:
        raise InputError("no")

    with pytest.raises(AssertionError, match="does not read what is honest"):
        fuzzed(target(never), 1, range(1))


def test_an_input_is_made_again_by_its_number_whatever_came_before():
    inputs = []
    fuzzed(target(inputs.append), 7, range(20))
    assert inputs[1:] == [input_of(target(refusing), 7, number) for number in range(20)]
    assert input_of(target(refusing), 8, 3) != input_of(target(refusing), 7, 3)


def test_each_target_gets_its_least_and_the_quick_ones_the_rest():
    targets = [target(refusing) for _ in range(3)]
    assert [result.inputs for result in fuzz.run(targets, 90, 1)] == [30, 30, 30]
    results = fuzz.run(targets, 30_300, 1)
    assert sum(result.inputs for result in results) == 30_300
    assert min(result.inputs for result in results) == fuzz.LEAST


def test_what_is_found_is_kept_and_told_with_its_command(tmp_path: Path):
    def crashes(data: bytes) -> object:
        return refusing(data) if data == HONEST else {}[1]

    result = fuzzed(target(crashes), 3, range(5))
    (finding,) = result.findings
    assert fuzz.again(finding).endswith(f"--target 'a reader' --seed 3 --input {finding.number}")
    fuzz.keep([result], tmp_path / "found")
    (file,) = (tmp_path / "found").iterdir()
    assert file.read_bytes() == input_of(target(crashes), 3, finding.number)


def test_an_input_of_a_target_is_given_once_more_by_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--target", "duration", "--input", "1"])
    with pytest.raises(InputError):
        while not fuzz.main():
            sys.argv[-1] = str(int(sys.argv[-1]) + 1)
