from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import EdgeError, EdgentError, InputError
from edgent.report import Page, Section, paragraph, table
from edgent.text import brief, escaped, file_stem, harmless, one_line, readable
from edgent.wire.errors import BrokenError, NotServedError

ANY = st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"]))


@given(text=ANY)
def test_what_is_harmless_can_be_written_and_controls_nothing(text: str) -> None:
    found = harmless(text)
    found.encode("utf-8")
    assert not any(unicodedata.category(each) in ("Cc", "Cs") for each in found if each not in "\n\t")
    assert not any(unicodedata.bidirectional(each) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI") for each in found)
    assert one_line(text).splitlines() in ([], [one_line(text)])


@given(text=st.text(st.characters(categories=["L", "N", "So"]), min_size=1), most=st.integers(0, 40))
def test_a_part_of_a_files_name_has_no_more_bytes_than_it_may(text: str, most: int) -> None:
    part = file_stem(f"{text}.jpg", most)
    assert len(part.encode()) <= most
    assert text.startswith(part)
    assert part == text or len(text[: len(part) + 1].encode()) > most


@given(text=st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == one_line(text) == text


@pytest.mark.parametrize("name", [b"a\xffb", b"\xed\xa0\x80", b"\x80\x81", "h\u00e9 \u732b.png".encode()])
def test_every_name_of_a_file_can_be_written_down(name: bytes) -> None:
    path = Path(name.decode("utf-8", "surrogateescape"))
    assert readable(path).encode("utf-8").decode("utf-8") == name.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "a&b", "\"'><img src=x>", "\x1b[31m", "\u202e", "\ud800"]
)
def test_pages_embed_any_text_harmlessly(text: str) -> None:
    parts = (paragraph(text, code=[text]), table([text, "n"], [[text, "1"]]))
    page = Page(title=text, lead=text, sections=(Section(title=text, parts=parts),)).to_html()
    page.encode("utf-8")
    assert text not in page.replace("<style>", "") and page.count(escaped(text)) >= 7
    assert not any(each in page for each in ("<script", "<img", "\x1b", "\u202e"))


@pytest.mark.parametrize(
    "name", ["x" * 10_000_000, "\x1b[2J" * 1_000_000, "a\nb" * 9_999, "\u202e" * 9_999, "\ud800" * 9_999]
)
def test_whatever_stands_in_an_error_it_is_one_short_printable_line(name):
    for kind in (EdgentError, InputError, EdgeError, NotServedError, BrokenError):
        line = str(kind(f"no model {name} here"))
        assert line.startswith("no model ")
        assert len(line) <= 1_003
        assert line.encode().decode().isprintable()


def test_an_ordinary_error_says_what_it_was_given():
    assert str(InputError("found 3, expected 4: give one more")) == "found 3, expected 4: give one more"
    assert brief("Grüße, \u4f60\u597d") == "Grüße, \u4f60\u597d"
    assert brief("abcdefghijkl", 9) == "abc...jkl"
