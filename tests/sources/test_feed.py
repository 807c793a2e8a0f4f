"""One source from opening to end, in virtual time: breaks, silence, decimation, and what is said of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from edgent.codec import decode_pixels, encode_image
from edgent.errors import EdgentError, InputError
from edgent.sources.crop import Crop
from edgent.sources.feed import MOST, Feed, Wanted
from edgent.sources.feeds import Feeds
from edgent.sources.retry import FIRST, RARELY, Retry
from edgent.sources.source import PictureFile
from edgent.units import Seconds


class Scripted:
    """A source that does one thing after the other: a number waits so long, bytes are a picture, an error is raised.

    Each opening takes the next list; there are no pictures after the last one.
    """

    def __init__(self, clock, *openings, comes_back=True, silence=5.0) -> None:
        self.clock, self.openings, self.comes_back = clock, list(openings), comes_back
        self.silence, self.opened_at = Seconds(silence), []

    def pictures(self):
        self.opened_at.append(self.clock.now())
        for step in self.openings.pop(0) if self.openings else [3600.0]:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, PictureFile):
                yield step
                continue
            if isinstance(step, float):
                self.clock.sleep(step)
            else:
                yield lambda step=step: step


class Taken:
    def __init__(self, clock) -> None:
        self.clock, self.frames, self.said = clock, [], []
        self.put_at, self.takes = [], math.inf  # when files were taken, and how many are

    def put(self, frame) -> bool:
        """Takes a file, a second after it was given."""
        self.clock.sleep(1.0)
        self.put_at.append((frame, self.clock.now()))
        return len(self.put_at) <= self.takes

    def feed(self, source, name="door", **wanted) -> Feed:
        settings = Wanted(**wanted)
        return Feed(
            name,
            source,
            offer=self.frames.append,
            put=self.put,
            say=self.said.append,
            clock=self.clock,
            wanted=settings,
        )

    def run(self, feeds, seconds) -> bool:
        """Reads for so long; whether all have ended by themselves."""
        ended = []
        with Feeds(feeds, self.clock, lambda: ended.append(True)):
            self.clock.sleep(seconds)
        return bool(ended)


@pytest.fixture
def taken(clock):
    return Taken(clock)


def test_frames_have_the_moment_of_their_coming_and_are_counted(taken, clock):
    source = Scripted(clock, [b"a", 0.5, b"b", 0.25, b"c"], comes_back=False)
    assert taken.run([taken.feed(source)], 5.0)
    assert [(frame.number, frame.at, frame.read()) for frame in taken.frames] == [
        (0, 0.0, b"a"),
        (1, pytest.approx(0.5), b"b"),
        (2, pytest.approx(0.75), b"c"),
    ]
    assert not taken.said


@pytest.mark.parametrize("problem", [EdgentError("broke off"), InputError("there is none"), OSError("cable"), None])
def test_a_source_that_breaks_is_said_once_opened_again_and_its_frames_go_on(taken, clock, problem):
    first = [b"a", *([] if problem is None else [problem])]
    source = Scripted(clock, first, [b"b", 100.0], silence=math.inf)
    taken.run([taken.feed(source)], 60.0)
    assert source.opened_at == [0.0, pytest.approx(FIRST)]
    assert [frame.number for frame in taken.frames] == [0, 1]
    assert [line.startswith("door: ") for line in taken.said] == [True, True]
    assert str(problem or "has ended") in taken.said[0] and taken.said[1] == "door: is back"


@pytest.mark.parametrize("problem", [EdgentError("ends within a picture"), None])
def test_what_does_not_come_back_ends_and_says_why_if_it_broke(taken, clock, problem):
    source = Scripted(clock, [b"a", *([] if problem is None else [problem])], comes_back=False)
    feed = taken.feed(source)
    assert taken.run([feed], 60.0)
    assert source.opened_at == [0.0] and feed.failed is (problem is not None)
    assert taken.said == ([] if problem is None else ["door: ends within a picture"])


def test_it_is_tried_ever_more_rarely_and_the_same_problem_is_no_news(taken, clock):
    source = Scripted(clock, *[[EdgentError("no route")]] * 100)
    taken.run([taken.feed(source)], 600.0)
    waits = [later - earlier for earlier, later in zip(source.opened_at, source.opened_at[1:], strict=False)]
    assert waits[:7] == pytest.approx([1, 2, 4, 8, 16, 32, 60])
    assert max(waits) == pytest.approx(RARELY)
    assert len(taken.said) == 1


def test_one_that_came_back_is_tried_soon_again():
    retry = Retry()
    assert [retry.broke(), retry.broke()] == [FIRST, 2 * FIRST]
    retry.worked()
    assert retry.broke() == FIRST


def test_a_stream_that_stalls_is_said_once_and_again_when_it_goes_on(taken, clock):
    source = Scripted(clock, [b"a", 30.0, b"b", 3.0, b"c", 100.0])
    taken.run([taken.feed(source)], 34.0)
    assert len(taken.said) == 2
    assert "no picture for" in taken.said[0] and taken.said[1] == "door: is back"
    assert len(taken.frames) == 3


def test_a_source_that_may_be_silent_is(taken, clock):
    taken.run([taken.feed(Scripted(clock, [b"a", 3000.0, b"b", 9.0], silence=math.inf))], 3000.5)
    assert not taken.said and len(taken.frames) == 2


def test_one_source_that_breaks_or_hangs_holds_up_no_other(taken, clock):
    broken = Scripted(clock, *[[EdgentError("gone")]] * 50)
    hangs = Scripted(clock, [1e6])
    well = Scripted(clock, [0.1, b"x"] * 100, comes_back=False)
    assert not taken.run([taken.feed(broken, "a"), taken.feed(hangs, "b"), taken.feed(well, "c")], 15.0)
    assert len(taken.frames) == 100 and {frame.source for frame in taken.frames} == {"c"}
    assert {line[0] for line in taken.said} == {"a", "b"}


@pytest.mark.parametrize(("filmed", "rate", "expected"), [(30, 10, 50), (30, 20, 100), (10, 30, 50), (25, 10, 50)])
def test_no_more_frames_are_taken_a_second_than_wanted(taken, clock, filmed, rate, expected):
    source = Scripted(clock, [b"x", 1 / filmed] * (5 * filmed), comes_back=False)
    taken.run([taken.feed(source, rate=float(rate))], 10.0)
    assert len(taken.frames) == pytest.approx(expected, abs=1 + 0.05 * expected)
    assert [frame.number for frame in taken.frames] == list(range(len(taken.frames)))


@pytest.mark.parametrize("filmed", [200, 1000, 20_000])
def test_a_source_that_is_too_fast_is_taken_at_a_bound_and_the_rest_is_counted(taken, clock, filmed):
    feed = taken.feed(Scripted(clock, [b"x", 1 / filmed] * (3 * filmed), comes_back=False))
    assert taken.run([feed], 10.0)
    assert len(taken.frames) == pytest.approx(3 * MOST + MOST, abs=3)
    assert len(taken.frames) + feed.left_out == 3 * filmed
    assert [frame.number for frame in taken.frames] == list(range(len(taken.frames)))


def test_what_a_network_has_held_back_comes_whole_and_ends_with_the_newest(taken, clock):
    held_back = [b"old"] * 29 + [b"new"]
    feed = taken.feed(Scripted(clock, ([1.0, *held_back]) * 5, comes_back=False))
    assert taken.run([feed], 10.0)
    assert len(taken.frames) == 150 and taken.frames[-1].read() == b"new" and not feed.left_out


def test_a_rate_that_is_wanted_is_taken_also_beyond_that_bound(taken, clock):
    feed = taken.feed(Scripted(clock, [b"x", 1 / 400] * 400, comes_back=False), rate=200.0)
    assert taken.run([feed], 3.0)
    assert len(taken.frames) == pytest.approx(200, abs=2) and feed.left_out == pytest.approx(200, abs=2)


def test_no_frame_is_offered_once_a_source_has_been_stopped(taken, clock):
    def say(line):
        if line == "door: is back":  # between a picture's coming and its frame
            feed.stop()

    source = Scripted(clock, [b"a"], [b"b", b"c"])
    feed = Feed("door", source, offer=taken.frames.append, put=taken.put, say=say, clock=clock)
    taken.run([feed], 5.0)
    assert [frame.read() for frame in taken.frames] == [b"a"]


def test_a_rest_is_not_caught_up(taken, clock):
    source = Scripted(clock, [b"x", 10.0, *[b"x", 0.01] * 100], comes_back=False)
    taken.run([taken.feed(source, rate=10.0)], 20.0)
    assert len(taken.frames) <= 13


def test_a_part_of_each_picture_is_taken_and_frames_may_change_their_size(taken, clock, picture_of):
    sizes = [(100, 80), (60, 40), (30, 20)]
    source = Scripted(clock, [picture_of(*size) for size in sizes], comes_back=False)
    taken.run([taken.feed(source, crop=Crop.parse("50x30+30+10"))], 5.0)
    shapes = []
    for frame in taken.frames[:2]:
        shapes.append(decode_pixels(frame.read()).shape)
    assert shapes == [(30, 50, 3), (30, 30, 3)]
    with pytest.raises(InputError, match="lies outside of a picture of 30 x 20"):
        taken.frames[2].read()


@pytest.fixture
def picture_of():
    import numpy as np

    return lambda width, height: encode_image("png", np.zeros((height, width, 3), np.uint8))


@pytest.mark.parametrize("text", ["", "640x480", "0x10+0+0", "10x10-5+0", "1e9x1+0+0", "640x480+1+2 ", "a"])
def test_a_part_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(InputError, match=r"640x480\+100\+50"):
        Crop.parse(text)


def test_a_part_is_what_it_is_written_as():
    assert str(Crop.parse("640x480+100+50")) == "640x480+100+50"


FILES = [PictureFile(Path(f"pictures/{name}.jpg")) for name in "abc"]


def test_files_are_given_one_by_one_with_their_names_and_none_is_left_out(taken, clock):
    feed = taken.feed(Scripted(clock, FILES, comes_back=False), name="yard")
    assert taken.run([feed], 10.0)
    assert [(frame.name, frame.keeps) for frame, _ in taken.put_at] == [(f"yard/{n}.jpg", True) for n in "abc"]
    assert [frame.number for frame, _ in taken.put_at] == [0, 1, 2]
    assert (taken.frames, feed.left_out, taken.said) == ([], 0, [])


def test_a_rate_has_files_wait_where_it_leaves_pictures_of_a_camera_out(taken, clock):
    began = clock.now()
    feed = taken.feed(Scripted(clock, FILES, comes_back=False), rate=0.1)
    assert taken.run([feed], 60.0)
    moments = [at - began for _, at in taken.put_at]
    assert len(moments) == 3 and feed.left_out == 0
    assert moments[2] >= 10.0 - 2.5  # the first two may come together, as a camera's may


def test_files_that_are_not_taken_any_more_are_said(taken, clock):
    taken.takes = 1
    taken.run([taken.feed(Scripted(clock, FILES, comes_back=False), name="yard")], 10.0)
    assert taken.said == ["yard/b.jpg and the files behind it were not asked about any more"]


def test_the_files_behind_one_that_was_taken_as_the_feed_was_stopped_are_said(taken, clock):
    taken.run([taken.feed(Scripted(clock, FILES, comes_back=False), name="yard")], 1.5)
    clock.sleep(5.0)
    assert [frame.file for frame, _ in taken.put_at] == ["a.jpg", "b.jpg"]
    assert taken.said == ["yard/c.jpg and the files behind it were not asked about any more"]


def test_a_feed_that_is_stopped_while_a_file_waits_for_its_rate_gives_it_to_nobody(taken, clock):
    taken.run([taken.feed(Scripted(clock, FILES, comes_back=False), rate=0.1)], 5.0)
    clock.sleep(30.0)
    assert [frame.file for frame, _ in taken.put_at] == ["a.jpg", "b.jpg"]


def test_a_file_is_cropped_like_any_picture(taken, clock, tmp_path):
    (tmp_path / "a.png").write_bytes(encode_image("png", np.zeros((40, 60, 3), np.uint8)))
    taken.run([taken.feed(Scripted(clock, [PictureFile(tmp_path / "a.png")]), crop=Crop.parse("20x10+5+5"))], 3.0)
    assert decode_pixels(taken.put_at[0][0].read()).shape == (10, 20, 3)
