"""JSON documents that are ours: strict to read, written whole or not at all; and the TOML that people write.

Strict means: exactly the known keys, each once; finite numbers only; whole numbers where counts are meant; no half of a
character.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

from edgent.errors import InputError
from edgent.files import read_text, write_whole
from edgent.text import nearest

_MOST_WHOLE = 1 << 63
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")  # what may be one: JSON spells characters as UTF-16 does


def parse(text: str) -> object:
    """Reads JSON, refusing what its standard lacks (NaN, Infinity), keys given twice and halves of characters.

    Raises:
        InputError: what was found and what was expected.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise InputError(f"found no complete JSON (line {error.lineno}: {error.msg})") from None
    except InputError:
        raise
    except (ValueError, RecursionError):  # a number of thousands of digits; brackets a thousand deep
        raise InputError("found JSON with brackets nested too deep, or a number of too many digits") from None
    # Only where the text has something like it: most documents are large and have none.
    if _HALF_CHARACTER.search(text):
        _check_characters(document)
    return document


def parse_toml(text: str) -> dict[str, Any]:
    """Reads TOML.

    Raises:
        InputError: what was found.
    """
    import tomllib  # most commands read none

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"found no TOML ({' '.join(str(error).split())[:80]})") from None
    except (RecursionError, ValueError):  # brackets a thousand deep; a number of thousands of digits
        raise InputError("found TOML with brackets nested too deep, or a number of too many digits") from None


def keys_of(cls: type) -> tuple[str, ...]:
    """The names of the fields that a value is made from: its keys in a document."""
    return tuple(f.name for f in fields(cls) if f.init)


class Document(ABC):
    """A value that has a file of its own, with the number of its schema in it.

    Attributes:
        SCHEMA: the only one that is read.
        KIND: what it is called in messages.
        AGAIN: what to do where a file is no good.
    """

    __slots__ = ()
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str]
    AGAIN: ClassVar[str]

    @abstractmethod
    def to_json(self) -> str:
        """The file's text; the same value always gives the same text."""

    @classmethod
    @abstractmethod
    def _read(cls, document: object) -> Self:
        """The value, from a document of the right schema."""

    @classmethod
    def from_json(cls, text: str, source: str = "") -> Self:
        """Reads what `to_json` wrote; `source` names its origin in messages.

        Raises:
            InputError: one line with what was found, what was expected and what to do.
        """
        try:
            document = parse(text)
            schema = document.get("schema") if isinstance(document, dict) else None
            # To Python, True is 1: a document of schema true would pass for one of schema 1.
            if isinstance(schema, bool) or schema != cls.SCHEMA:
                raise InputError(f"found schema {str(schema)[:20]}, expected a {cls.KIND} of schema {cls.SCHEMA}")
            return cls._read(document)
        except InputError as error:
            raise InputError(f"{source or cls.KIND}: {error}; {cls.AGAIN}") from None

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Reads a file.

        Raises:
            InputError: it is missing, unreadable, damaged or of another schema.
        """
        try:
            text = read_text(Path(path))
        except InputError as error:
            raise InputError(f"{path}: {error}, expected a {cls.KIND}; {cls.AGAIN}") from None
        return cls.from_json(text, str(path))

    def save(self, path: Path | str) -> None:
        """Writes a file, whole or not at all.

        Raises:
            InputError: the folder is missing, or cannot be written to.
        """
        write_whole(Path(path), self.to_json())


class Node:
    """One object of a document, with its place in it.

    Args:
        value: what the document holds there.
        place: its place, for messages: "calibration.sizes[2]".
        keys: the keys that it has, no more and no fewer.

    Raises:
        InputError: it is no object, or has other keys.
    """

    def __init__(self, value: object, place: str, keys: tuple[str, ...]) -> None:
        if not isinstance(value, dict):
            _reject(place, value, "an object")
        # No more keys and no fewer: a misspelt one would else be ignored, and its default taken in silence.
        unknown, missing = sorted(value.keys() - set(keys)), sorted(set(keys) - value.keys())
        if unknown:
            meant = nearest(str(unknown[0]), keys)
            raise InputError(
                f"{place}: found the unknown key {_short(unknown[0])}{meant}, expected only {', '.join(keys)}"
            )
        if missing:
            raise InputError(f"{place}: found no key {missing[0]!r}, expected {', '.join(keys)}")
        self.values: dict[str, object] = value
        self.place = place

    def number(self, key: str) -> float:
        """A finite number, 0 or more."""
        value = self.values[key]
        # Nearly all of the many are: for these no words are made of where they stand.
        if type(value) is float and 0 <= value < math.inf:
            return value
        return _number(value, self._at(key))

    def real(self, key: str) -> float:
        """A finite number of either sign."""
        return _real(self.values[key], self._at(key))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers, 0 or more."""
        return tuple(_number(item, f"{self._at(key)}[{k}]") for k, item in enumerate(self.items(key)))

    def reals(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers of either sign."""
        return tuple(_real(item, f"{self._at(key)}[{k}]") for k, item in enumerate(self.items(key)))

    def whole(self, key: str) -> int:
        """A whole number of at most 64 bits."""
        value = self.values[key]
        # A number of more bits would be read, and then break some array far from the file that is at fault.
        if isinstance(value, bool) or not isinstance(value, int) or not -_MOST_WHOLE <= value < _MOST_WHOLE:
            _reject(self._at(key), value, "a whole number")
        return value

    def truth(self, key: str) -> bool:
        """True or false."""
        value = self.values[key]
        if not isinstance(value, bool):
            _reject(self._at(key), value, "true or false")
        return value

    def text(self, key: str, *, empty: bool = False) -> str:
        """Some text; none at all only where it may be `empty`."""
        value = self.values[key]
        if not isinstance(value, str) or not (value or empty):
            _reject(self._at(key), value, "some text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = [text for text in self.items(key) if isinstance(text, str)]
        if len(value) < len(self.items(key)):
            _reject(self._at(key), self.values[key], "a list of texts")
        return tuple(value)

    def absent(self, key: str) -> bool:
        """Whether the value is null: not known, or not there."""
        return self.values[key] is None

    def node(self, key: str, keys: tuple[str, ...]) -> Node:
        """The object under a key."""
        return Node(self.values[key], self._at(key), keys)

    def nodes(self, key: str, keys: tuple[str, ...]) -> list[Node]:
        """The list of objects under a key."""
        return [Node(item, f"{self._at(key)}[{k}]", keys) for k, item in enumerate(self.items(key))]

    def items(self, key: str) -> list[object]:
        """A list of anything."""
        value = self.values[key]
        if not isinstance(value, list):
            _reject(self._at(key), value, "a list")
        return value

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}"


def _number(value: object, place: str) -> float:
    number = _finite(value)
    if number is None or number < 0:
        _reject(place, value, "a finite number, 0 or more")
    return number


def _real(value: object, place: str) -> float:
    number = _finite(value)
    if number is None:
        _reject(place, value, "a finite number")
    return number


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond all floats
        return None


def _reject(place: str, value: object, expected: str) -> NoReturn:
    raise InputError(f"{place}: found {'null' if value is None else _short(value)}, expected {expected}")


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of more digits than Python prints
        text = "a huge number"
    except RecursionError:
        text = "brackets in brackets"
    # Whatever stands in a file, the message about it is one line that one can read.
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(f"found {name}, expected finite numbers only")


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON leaves open which of two equal keys counts, and readers differ: so neither does.
    keys = dict(pairs)
    if len(keys) < len(pairs):
        raise InputError(f"found the key {_short(_first_twice(key for key, _ in pairs))} twice, expected it once")
    return keys


def _first_twice(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _check_characters(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("found half of a character (\\ud800 to \\udfff alone), expected whole ones") from None
