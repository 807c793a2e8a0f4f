"""The edge's side of a stream, without one: messages in, messages out, on a clock that is turned by hand."""

from __future__ import annotations

import pytest

from edgent.errors import RefusedError
from edgent.wire import messages as m
from edgent.wire.errors import DATA_LOSS, FAILED_PRECONDITION, INTERNAL, status_of
from edgent.wire.exchange.messages import read_body, read_exchange_reply, write_exchange_request
from edgent.wire.exchange.service import ExchangeService
from edgent.wire.notes import Notes
from edgent.wire.transport import Unary

MAX = 50_000


class Carrier:
    gone = False

    def given_up(self):
        return self.gone

    def window(self):
        return None


@pytest.fixture
def carrier():
    return Carrier()


@pytest.fixture
def ask(clock, carrier):
    """Sends requests to a method, all over one stream; the heads of the replies."""

    def asked(answer, *requests, failed=lambda _path, error: status_of(error)):
        service = ExchangeService(methods={m.PROBE: Unary(answer=answer)}, clock=clock, max_message=MAX, failed=failed)
        return list(service.answers(iter(requests), carrier))

    return asked


def request(body=b"", budget=1.0, method=m.PROBE):
    return [b"".join(message) for message in write_exchange_request(method, body, budget)]


def test_one_request_after_the_other_is_answered_in_order(ask):
    replies = ask(lambda body, _call: body.upper(), *request(b"a"), *request(b"b"))
    assert [read_exchange_reply(reply).body for reply in replies] == [b"A", b"B"]


def test_what_a_method_notes_goes_with_its_own_answer_only(ask):
    def answer(body, call):
        if body:
            call.note(Notes(queue=0.5))
        return b""

    replies = [read_exchange_reply(reply) for reply in ask(answer, *request(b"x"), *request())]
    assert [reply.notes.queue for reply in replies] == [0.5, 0.0]


def test_the_budget_of_a_long_request_counts_from_its_announcement(clock, ask):
    """The caller's time runs while the body is on its way."""
    left = []

    def slow():
        first, body = request(bytes(40_000), budget=10.0)
        yield first
        clock.sleep(4.0)
        yield body

    def answer(body, call):
        left.append(call.time_remaining())
        clock.sleep(1.0)
        left.append(call.time_remaining())
        return bytes(len(body))

    service = ExchangeService(
        methods={m.PROBE: Unary(answer=answer)}, clock=clock, max_message=MAX, failed=lambda _path, error: (1, "")
    )
    first, body = service.answers(slow(), Carrier())
    assert len(read_body(body, read_exchange_reply(first).follows)) == 40_000
    assert left == pytest.approx([6.0, 5.0])


def test_over_tls_long_bodies_have_no_checksum_and_a_body_with_one_ends_the_stream(clock):
    service = ExchangeService(
        methods={m.PROBE: Unary(answer=lambda body, _call: body)},
        clock=clock,
        max_message=MAX,
        failed=lambda _path, error: status_of(error),
        bare=True,
    )
    body = bytes(range(256)) * 100
    long = [b"".join(pieces) for pieces in write_exchange_request(m.PROBE, body, 1.0, bare=True)]
    head, answer = service.answers(iter(long), Carrier())
    assert (read_exchange_reply(head).follows, answer) == (len(body), body)
    (refusal,) = service.answers(iter(request(body)), Carrier())
    assert read_exchange_reply(refusal).status == DATA_LOSS


def test_a_device_that_has_ended_its_stream_has_given_its_request_up(ask, carrier):
    seen = []
    carrier.gone = True
    ask(lambda _body, call: b"%d" % seen.append(call.given_up()) if seen else b"", *request())
    ask(lambda _body, call: seen.append(call.given_up()) or b"", *request())
    assert seen == [True]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(RefusedError("another one"), FAILED_PRECONDITION, "another one"), (KeyError("x"), INTERNAL, "KeyError: 'x'")],
)
def test_what_goes_wrong_with_one_request_is_told_and_the_next_one_is_served(ask, error, status, words):
    def answer(body, _call):
        if body == b"bad":
            raise error
        return b"good"

    bad, good = map(read_exchange_reply, ask(answer, *request(b"bad"), *request()))
    assert (bad.status, bad.details, bad.body) == (status, words, b"")
    assert (good.status, good.body) == (0, b"good")


def test_after_a_damaged_message_nothing_of_the_stream_is_believed(ask):
    told = []
    (message,) = request(b"body")
    damaged = message[:5] + bytes([message[5] ^ 1]) + message[6:]

    def failed(path, error):
        told.append((path, type(error).__name__))
        return status_of(error)

    (reply,) = ask(lambda *_: b"never", damaged, *request(), failed=failed)
    assert read_exchange_reply(reply).status == DATA_LOSS
    assert told == [(m.EXCHANGE, "Damaged")]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(request(bytes(MAX + 1)), id="a longer body than is agreed"),
        pytest.param(request(bytes(20_000))[:1], id="a body that never comes"),
        pytest.param([request(bytes(20_000))[0], request(bytes(20_001))[1]], id="another body than was announced"),
    ],
)
def test_a_body_that_is_not_as_announced_ends_the_stream(ask, messages):
    (reply,) = ask(lambda *_: b"never", *messages, *request())
    assert read_exchange_reply(reply).status == DATA_LOSS


def test_a_method_that_the_edge_lacks_is_a_failure_of_that_request_alone(ask):
    lacking, served = map(read_exchange_reply, ask(lambda *_: b"yes", *request(method=m.MODEL_INFER), *request()))
    assert lacking.status == INTERNAL
    assert served.body == b"yes"
