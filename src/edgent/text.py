"""Text from outside, made harmless: labels, and names of files, models and tensors, come from anybody."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_LONGEST_WORD = 60  # characters; comparing longer ones takes long

# What would move the cursor, colour the terminal, turn the text around, or cannot be written at all.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """A text with its control characters spelled out, but for ends of lines and tabulators."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """A text that came from outside, as a part of a line."""
    return harmless(text.replace("\n", "\\n").replace("\t", "\\t"))


def brief(text: str, most: int = 1000) -> str:
    """A text of which parts came from outside, as a line that is short enough to be read: its beginning and its end."""
    # Cut before anything is done to it: the name of a model may have come with 16 MB. And again, for what cannot be
    # printed is spelled out.
    return _cut(one_line(_cut(text, most)), most)


def _cut(text: str, most: int) -> str:
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def escaped(text: str) -> str:
    """A text for a page: what would be markup there is spelled out, too."""
    from html import escape  # only who writes a page pays for its table of entities

    return escape(harmless(text))


def readable(path: str | os.PathLike[str]) -> str:
    """A path as text that can be written down; bytes in it that are no text are spelled as such."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def file_stem(path: str | os.PathLike[str], most: int) -> str:
    """The name of a file without its ending, as a part of other files' names: at most so many bytes of it."""
    # Bytes are what a file system counts, and a letter may have four.
    return readable(Path(path).stem).encode()[:most].decode("utf-8", "ignore")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, as a part of a message; nothing where none is near."""
    from difflib import get_close_matches  # what it needs, only a message pays for

    close = get_close_matches(word[:_LONGEST_WORD], [name for name in known if len(name) <= _LONGEST_WORD], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
