from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.document import Node, parse
from edgent.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=VALUES)
def test_what_json_can_say_is_read_as_it_is(value: object) -> None:
    try:
        text = json.dumps(value)
        text.encode()
        expected = json.loads(text)
        json.dumps(expected, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no complete JSON"),
        ('{"a": 1', "no complete JSON"),
        ("[NaN]", "found NaN"),
        ("[-Infinity]", "found -Infinity"),
        ("[" * 100_000, "too deep"),
        ('{"a":' * 100_000, "too deep"),
        ("[" * 5000 + "]" * 5000, "too deep"),
        ("9" * 10_000, "too deep"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ('{"c": {"a": 1, "a": 1}}', "the key 'a' twice"),
        ('{"' + "k" * 9999 + '": 1, "' + "k" * 9999 + '": 2}', "twice"),
        (r'["\ud800"]', "half of a character"),
        (r'{"\udfff": 1}', "half of a character"),
        (r'["\udc80\ud83d"]', "half of a character"),
    ],
)
def test_json_that_is_none_or_beyond_reason_is_refused_in_a_short_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(text)
    assert len(str(caught.value)) < 200


def test_whole_characters_may_be_spelled_in_two_halves() -> None:
    assert parse(r'["\ud83d\ude00", "\\ud800"]') == ["\U0001f600", r"\ud800"]


def test_a_key_given_twice_among_very_many_is_found_as_fast_as_the_keys_are_read() -> None:
    many = ",".join(f'"{number}":0' for number in range(200_000))  # comparing each with each would take minutes
    once, twice = "{" + many + "}", "{" + many + ',"199999":0}'
    began_at = time.thread_time()
    parse(once)
    reading = time.thread_time() - began_at
    began_at = time.thread_time()
    with pytest.raises(InputError, match="'199999' twice"):
        parse(twice)
    assert time.thread_time() - began_at < 50 * reading


HUGE = 10**400


@pytest.mark.parametrize("value", [True, "0.9", None, HUGE, -1, [1], {}])
def test_what_is_no_number_is_refused(value: object) -> None:
    node = Node({"a": value, "b": [value]}, "place", ("a", "b"))
    for read in (node.number, node.numbers):
        with pytest.raises(InputError, match=r"place\.[ab]"):
            read("a" if read == node.number else "b")


@pytest.mark.parametrize("value", [True, "0.9", None, HUGE, -HUGE, [1]])
def test_what_is_no_number_of_either_sign_is_refused(value: object) -> None:
    node = Node({"a": value, "b": [value]}, "place", ("a", "b"))
    for read, key in ((node.real, "a"), (node.reals, "b")):
        with pytest.raises(InputError, match="finite number"):
            read(key)
    assert Node({"a": -2}, "place", ("a",)).real("a") == -2.0


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 1 << 63, -HUGE])
def test_what_is_no_whole_number_of_64_bits_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="whole number"):
        Node({"a": value}, "place", ("a",)).whole("a")


def test_a_value_too_deep_to_print_is_still_named() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InputError, match=r"place\.a: found .*, expected a finite number"):
        Node({"a": deep}, "place", ("a",)).number("a")
    while deep:  # or its end would recurse as deep
        deep = deep.pop()  # type: ignore[assignment]
