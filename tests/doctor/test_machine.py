from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgent.doctor.machine import Finding, Run, checkup, output_of


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text + "\n")


def says(answers: dict[str, str]) -> Run:
    """A machine on which only these commands are installed, by their first word."""

    def run(command: Sequence[str]) -> str | None:
        return answers.get(command[0])

    return run


def finding(root: Path, what: str, run: Run | None = None) -> Finding:
    (fact,) = [one for one in checkup(root, run or says({})) if one.what.startswith(what)]
    return fact


def test_on_a_machine_that_tells_nothing_everything_is_not_found_and_nothing_costs(tmp_path: Path) -> None:
    facts = checkup(tmp_path, says({}))
    assert [one.what for one in facts] == [
        "tcp_slow_start_after_idle",
        "Wi-Fi power save",
        "CPU governor",
        "throttling",
    ]
    assert all(one.found is None and not one.costs and not one.mend for one in facts)


@pytest.mark.parametrize(("value", "words", "costs"), [("1", "on", True), ("0", "off", False)])
def test_slow_start_after_idling_is_mended_by_sysctl(tmp_path: Path, value: str, words: str, costs: bool) -> None:
    put(tmp_path, "proc/sys/net/ipv4/tcp_slow_start_after_idle", value)
    one = finding(tmp_path, "tcp_slow")
    assert (one.found, bool(one.costs)) == (words, costs)
    assert ("sysctl -w net.ipv4.tcp_slow_start_after_idle=0" in one.mend) == costs


@pytest.mark.parametrize(("printed", "words", "costs"), [("on", "on", True), ("off", "off", False)])
def test_a_sleeping_radio_is_named_with_its_interface(tmp_path: Path, printed: str, words: str, costs: bool) -> None:
    (tmp_path / "sys/class/net/wlan7/wireless").mkdir(parents=True)
    (tmp_path / "sys/class/net/eth0").mkdir(parents=True)
    one = finding(tmp_path, "Wi-Fi power save (wlan7)", says({"iw": f"Power save: {printed}\n"}))
    assert (one.found, bool(one.costs)) == (words, costs)
    assert ("iw dev wlan7 set power_save off" in one.mend) == costs


def test_a_radio_that_cannot_be_asked_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net/wlan0/wireless").mkdir(parents=True)
    assert finding(tmp_path, "Wi-Fi power save (wlan0)").found is None


def test_any_processor_that_saves_power_costs(tmp_path: Path) -> None:
    for number, name in enumerate(("performance", "ondemand")):
        put(tmp_path, f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor", name)
    one = finding(tmp_path, "CPU governor")
    assert one.found == "ondemand, performance" and one.costs and "tee" in one.mend
    put(tmp_path, "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance")
    assert not finding(tmp_path, "CPU governor").costs


@pytest.mark.parametrize(
    ("bits", "words", "mend"),
    [
        ("0x0", "none", ""),
        ("0x50005", "under-voltage now, throttled now", "supply"),
        ("0x20000", "frequency capped before", "cool"),
    ],
)
def test_a_raspberry_pi_says_itself_whether_it_was_held_back(tmp_path: Path, bits: str, words: str, mend: str) -> None:
    one = finding(tmp_path, "throttling", says({"vcgencmd": f"throttled={bits}\n"}))
    assert one.found == words and mend in one.mend and bool(one.costs) == bool(mend)


@pytest.mark.parametrize(("count", "costs"), [("0", False), ("31", True)])
def test_elsewhere_the_kernels_counter_says_it(tmp_path: Path, count: str, costs: bool) -> None:
    put(tmp_path, "sys/devices/system/cpu/cpu3/thermal_throttle/core_throttle_count", count)
    one = finding(tmp_path, "throttling")
    assert one.found == f"{count} times since the start" and bool(one.costs) == costs == bool(one.mend)


def test_words_that_are_no_answer_are_not_found(tmp_path: Path) -> None:
    assert finding(tmp_path, "throttling", says({"vcgencmd": "VCHI initialization failed\n"})).found is None
    (tmp_path / "sys/class/net/wlan0/wireless").mkdir(parents=True)
    assert finding(tmp_path, "Wi-Fi", says({"iw": "\n"})).found is None


def test_a_command_that_is_missing_or_fails_prints_nothing() -> None:
    assert output_of(["edgent-has-no-such-command"]) is None
    assert output_of(["false"]) is None
    assert output_of(["echo", "yes"]) == "yes\n"
