"""The endpoint over real sockets: always an answer in time, whoever asks and whatever becomes of the device."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import zmq

from edgent.clock import MonotonicClock
from edgent.errors import EdgentError, InputError, MissingExtraError
from edgent.frigate.endpoint import Answer, FrigateEndpoint
from edgent.frigate.messages import MOST_FRAME, DetectRequest, write_rows
from edgent.frigate.open_questions import MOST_OPEN
from edgent.units import Seconds
from frigate_client import FrigateClient
from ports import reserved_port
from real_time import until

PATIENCE = 0.5
PICTURE = np.full((1, 8, 8, 3), 7, np.uint8)
LONG = 60_000  # ms: waited for only where something is broken


def first_pixel(request: DetectRequest, _: Seconds) -> list[bytes]:
    """Answers with the picture's own numbers, so that an answer to another one is noticed."""
    rows = np.zeros((20, 6), np.float32)
    rows[0] = [request.pixels[0, 0, 0], 1, 0, 0, 1, 1]
    return write_rows(rows)


@contextmanager
def endpoint(answer: Answer = first_pixel, patience: float = 60.0) -> Iterator[FrigateEndpoint]:
    with FrigateEndpoint(answer, "tcp://127.0.0.1:*", patience=patience, clock=MonotonicClock()) as listening:
        yield listening


@contextmanager
def client(listening: FrigateEndpoint, **settings) -> Iterator[FrigateClient]:
    frigate = FrigateClient(listening.address, **({"timeout_ms": LONG} | settings))
    try:
        yield frigate
    finally:
        frigate.close()


@pytest.mark.parametrize("asks_for_model", [False, True])
def test_both_generations_of_frigate_are_answered(asks_for_model: bool) -> None:
    with endpoint() as listening, client(listening, asks_for_model=asks_for_model) as frigate:
        assert frigate.is_ready and frigate.sent_model is None
        seen = frigate.detect(PICTURE)
        assert seen.rows.shape == (20, 6) and seen.rows[0, 0] == 7 and not seen.error
    assert listening.counts.answered == 1 and listening.counts.models == asks_for_model


def test_each_of_several_cameras_is_given_the_answers_to_its_own_pictures() -> None:
    def ask(camera: int) -> list[int]:
        with client(listening) as frigate:
            pictures = [np.full((1, 8, 8, 3), camera * 40 + number, np.uint8) for number in range(40)]
            return [int(frigate.detect(picture).rows[0, 0]) for picture in pictures]

    with endpoint() as listening, ThreadPoolExecutor(6) as cameras:
        answers = list(cameras.map(ask, range(6)))
    assert answers == [[camera * 40 + number for number in range(40)] for camera in range(6)]
    assert listening.counts.answered == 240


def test_who_answers_is_told_how_long_a_question_has_waited() -> None:
    waits = []

    def noting(request: DetectRequest, waited: Seconds) -> list[bytes]:
        waits.append(waited)
        return first_pixel(request, waited)

    with endpoint(noting) as listening, client(listening) as frigate:
        took = [frigate.detect(PICTURE).seconds for _ in range(5)]
    assert all(0 < waited < seconds for waited, seconds in zip(waits, took, strict=True))


def test_a_device_that_answers_late_costs_an_empty_answer_and_nothing_else() -> None:
    may_go_on, first = threading.Event(), threading.Event()

    def hanging(request: DetectRequest, _: Seconds) -> list[bytes]:
        if not first.is_set():
            first.set()
            may_go_on.wait(60)
        return first_pixel(request, _)

    with endpoint(hanging, patience=PATIENCE) as listening, client(listening) as frigate:
        late = frigate.detect(PICTURE)
        assert not late.timed_out and not late.rows.any() and "in time" in late.error
        assert late.seconds >= PATIENCE
        may_go_on.set()
        lates = 1
        while (seen := frigate.detect(PICTURE + 1)).error:  # on a full machine
            lates += 1
        assert seen.rows[0, 0] == 8  # and not the answer to the first, which comes now
    assert (listening.counts.late, listening.counts.answered) == (lates, 1)


@pytest.mark.parametrize("error", [EdgentError("the engine failed\n\x1b[31m"), ZeroDivisionError("a fault of ours")])
def test_a_device_that_fails_costs_an_empty_answer_and_a_line(error: Exception, caplog) -> None:
    def failing(request: DetectRequest, _: Seconds) -> list[bytes]:
        if request.pixels[0, 0, 0] == 7:
            raise error
        return first_pixel(request, _)

    with endpoint(failing) as listening, client(listening) as frigate:
        failed = frigate.detect(PICTURE)
        assert not failed.rows.any() and failed.error and "\n" not in failed.error
        assert frigate.detect(PICTURE + 1).rows[0, 0] == 8
    (line,) = [entry.getMessage() for entry in caplog.records]
    assert "\n" not in line and "\x1b" not in line
    assert (listening.counts.failed, listening.counts.answered) == (1, 1)


BAD = [
    [b"{", b"x"],
    [b"\xff\xff\xff"],
    [b'{"shape": [1, 8, 8, 3], "dtype": "uint8"}', b"short"],
    [b'{"shape": [1, 8, 8, 3], "dtype": "object"}', bytes(192)],
    [b'{"shape": [1, 999999999, 9, 3], "dtype": "uint8"}', b""],
    [b"", b"", b"", b""],
    [b"null"],
]


@pytest.mark.parametrize("frames", BAD)
def test_what_is_no_request_is_answered_with_zeros_and_the_next_one_is_answered(frames: list[bytes]) -> None:
    with endpoint() as listening, client(listening) as frigate:
        refused = frigate.ask(frames)
        assert refused.rows.shape == (20, 6) and not refused.rows.any() and refused.error
        assert frigate.detect(PICTURE).rows[0, 0] == 7
    assert (listening.counts.refused, listening.counts.answered) == (1, 1)


def test_bad_requests_cannot_fill_a_log(caplog) -> None:
    with endpoint() as listening, client(listening) as frigate:
        for _ in range(200):
            frigate.ask([b"{", b"x"])
    assert listening.counts.refused == 200 and len(caplog.records) <= 40


def test_a_model_that_is_sent_is_refused_as_frigate_reads_it(caplog) -> None:
    caplog.set_level(logging.WARNING)
    with endpoint() as listening, client(listening) as frigate:
        said = frigate.manage([b'{"model_data": true, "model_name": "evil.onnx"}', os.urandom(1 << 20)])
        assert said["model_saved"] is said["model_loaded"] is False and said["error"]
        assert frigate.detect(PICTURE).rows[0, 0] == 7
    assert "evil.onnx" in caplog.text and "1.05 MB" in caplog.text


def test_a_frame_beyond_all_bounds_ends_that_connection_and_no_other_one() -> None:
    with endpoint() as listening, client(listening) as frigate, client(listening, timeout_ms=500) as hostile:
        hostile.asks_for_model = False
        assert hostile.ask([b"{}", bytes(MOST_FRAME + 1)]).timed_out
        assert frigate.detect(PICTURE).rows[0, 0] == 7


def test_of_too_many_questions_at_once_the_last_are_answered_at_once(caplog) -> None:
    may_go_on, open_ones = threading.Event(), threading.Semaphore(0)

    def hanging(request: DetectRequest, _: Seconds) -> list[bytes]:
        open_ones.release()
        may_go_on.wait(60)
        return first_pixel(request, _)

    context = zmq.Context.instance()
    header = b'{"shape": [1, 8, 8, 3], "dtype": "uint8"}'
    with endpoint(hanging, patience=60) as listening:
        sockets = [context.socket(zmq.REQ) for _ in range(MOST_OPEN)]
        for one in sockets:
            one.connect(listening.address)
            one.send_multipart([header, PICTURE.tobytes()])
        for _ in sockets:
            assert open_ones.acquire(timeout=60)
        with client(listening) as frigate:
            assert "too many" in frigate.detect(PICTURE).error
        may_go_on.set()
        for one in sockets:
            assert one.poll(LONG) and len(one.recv_multipart()) == 2
            one.close(linger=0)


def test_questions_that_were_given_up_take_no_more_threads_than_there_are_places() -> None:
    may_go_on, lock = threading.Event(), threading.Lock()
    running: list[int] = []

    def hanging(request: DetectRequest, _: Seconds) -> list[bytes]:
        with lock:
            running.append(threading.get_ident())
        may_go_on.wait(60)
        return first_pixel(request, _)

    with endpoint(hanging, patience=0.02) as listening, client(listening) as frigate:
        before = set(threading.enumerate())
        said = [frigate.detect(PICTURE).error for _ in range(3 * MOST_OPEN)]
        assert all("in time" in error for error in said[:MOST_OPEN])
        assert all("too many" in error for error in said[MOST_OPEN:])
        assert until(lambda: len(running) >= MOST_OPEN)  # a question may be given up before a thread has woken for it
        assert set(threading.enumerate()) <= before and len(set(running)) == len(running) == MOST_OPEN
        may_go_on.set()
        while "too many" in (seen := frigate.detect(PICTURE)).error:
            pass
        assert not seen.timed_out  # places are free again


def test_whatever_a_message_does_the_next_one_is_answered() -> None:
    failures = iter([ZeroDivisionError("a fault of ours")])

    def fail(record: logging.LogRecord) -> bool:
        for failure in failures:
            raise failure
        return True

    log = logging.getLogger("edgent.frigate")
    log.addFilter(fail)
    try:
        with endpoint() as listening, client(listening) as frigate, client(listening) as hostile:
            assert "a fault of ours" in hostile.ask([b"{", b"x"]).error
            assert frigate.detect(PICTURE).rows[0, 0] == 7
    finally:
        log.removeFilter(fail)


class NoTime(MonotonicClock):
    """A clock that breaks: a fault between two messages, which nothing of the endpoint expects."""

    is_broken = False

    def now(self) -> Seconds:
        if self.is_broken:
            raise OSError("no time")
        return MonotonicClock.now()


def test_an_endpoint_that_breaks_ends_and_is_not_deaf(caplog) -> None:
    clock, over = NoTime(), threading.Event()
    with (
        pytest.raises(EdgentError, match="broke") as end,
        FrigateEndpoint(first_pixel, "tcp://127.0.0.1:*", patience=60, clock=clock, on_end=over.set) as listening,
        client(listening, timeout_ms=200, asks_for_model=False) as frigate,
    ):
        clock.is_broken = True

        def asked_in_vain() -> bool:
            frigate.detect(PICTURE)
            return over.is_set()  # on a full machine a question may be given up before it is there

        assert until(asked_in_vain)
    assert end.value.exit_code == 1 and "no time" in caplog.text


class FewThreads(MonotonicClock):
    """A machine that has only so many threads left."""

    def __init__(self, left: int) -> None:
        self.left = left

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        self.left -= 1
        return super().thread(target, name) if self.left >= 0 else NeverStarts(target=target)


class NeverStarts(threading.Thread):
    def start(self) -> None:
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("threads", [0, 3, MOST_OPEN])
def test_without_room_for_its_threads_it_does_not_begin_and_leaves_its_address(threads: int, tmp_path: Path) -> None:
    bind = f"ipc://{tmp_path}/s"
    with pytest.raises(EdgentError, match="threads") as refusal:
        FrigateEndpoint(first_pixel, bind, patience=9, clock=FewThreads(threads)).__enter__()
    assert refusal.value.exit_code == 1
    listening = FrigateEndpoint(first_pixel, bind, patience=60, clock=MonotonicClock())
    with listening, client(listening) as frigate:
        assert frigate.detect(PICTURE).rows[0, 0] == 7


def test_strangers_at_the_port_are_left_alone() -> None:
    with endpoint() as listening:
        port = int(listening.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
            dealer = zmq.Context.instance().socket(zmq.DEALER)
            dealer.connect(listening.address)
            dealer.send_multipart([b"no empty frame", b"x"])
            with client(listening) as frigate:
                assert frigate.detect(PICTURE).rows[0, 0] == 7
            dealer.close(linger=0)


def test_an_endpoint_that_comes_back_finds_frigate_waiting() -> None:
    with ExitStack() as stack:
        bind = f"tcp://127.0.0.1:{stack.enter_context(reserved_port())}"

        def listening() -> FrigateEndpoint:
            return FrigateEndpoint(first_pixel, bind, patience=60, clock=MonotonicClock())

        with listening() as before, client(before) as frigate:
            assert frigate.detect(PICTURE).rows[0, 0] == 7

        def again() -> None:
            with listening():
                assert over.wait(60)

        over = threading.Event()
        thread = threading.Thread(target=again)
        thread.start()
        frigate = FrigateClient(bind, timeout_ms=LONG)  # it asks for its model, and waits for whoever comes
        assert frigate.is_ready and frigate.detect(PICTURE).rows[0, 0] == 7
        frigate.close()
        over.set()
        thread.join()


@pytest.mark.parametrize("bind", ["", "nonsense", "tcp://", "tcp://256.1.1.1:1", "udp://127.0.0.1:5", "tcp://*:99999"])
def test_where_nobody_can_listen_is_bad_input_in_one_line(bind: str) -> None:
    with pytest.raises(InputError, match="--bind") as refusal:
        FrigateEndpoint(first_pixel, bind, patience=1, clock=MonotonicClock())
    assert "\n" not in str(refusal.value)


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(MissingExtraError, match=r"edgent\[frigate\]"):
        FrigateEndpoint(first_pixel, "tcp://127.0.0.1:*", patience=1, clock=MonotonicClock())


def test_a_port_that_is_taken_is_bad_input() -> None:
    with endpoint() as listening, pytest.raises(InputError, match="in use"):
        FrigateEndpoint(first_pixel, listening.address, patience=1, clock=MonotonicClock())


def test_a_file_serves_as_well_as_a_port(tmp_path: Path) -> None:
    with FrigateEndpoint(first_pixel, f"ipc://{tmp_path}/s", patience=60, clock=MonotonicClock()) as listening:
        with client(listening) as frigate:
            assert frigate.detect(PICTURE).rows[0, 0] == 7
        assert json.dumps(listening.address) and "0 open" in repr(listening)
