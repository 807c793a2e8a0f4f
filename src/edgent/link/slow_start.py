"""TCP's slow start: what a message takes beyond its time on the wire because its sender may not yet send it all.

A sender may have no more than its *window* of bytes under way that nobody has acknowledged. It begins with ten segments
(RFC 6928) and adds every byte acknowledged, so it doubles in each round trip: the rounds carry w, 2 w, 4 w ... bytes.
Whenever a round is sent before its first acknowledgement can be back, the wire is idle for the rest of the round trip.
With R the round trip and c the seconds that a byte occupies the wire, a message of n bytes that needs k full rounds and
a part of one more, takes

    n c + sum over j < k of max(0, R - 2^j w c)  =  max over m <= k of  m R + (n - (2^m - 1) w) c           (1)

Rounds that fill the pipe wait for nothing, so the sum ends by itself. The right side shows that (1) falls in the
bandwidth and rises in the size, and how to read the bandwidth off a time (`unstalled`).

After idling for a retransmission timeout the window is halved, after another one again, down to where it began
(RFC 2861; Linux: `tcp_slow_start_after_idle`). Measured on the TUN link at 50 Mbit/s and 40 ms, after 1 s: 30, 60 and
100 kB took 85, 125 and 132 ms where rate and round trip alone give 45, 50 and 57; (1) gives 83, 123 and 129. What is
left depends on all that went before: the sender's kernel knows it (`edgent.wire.tcp_info`). The other end tells
with an answer what its window was when that began; from there on, and where nobody tells, it is followed from outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgent.units import Seconds

SEGMENT_BYTES = 1448  # of payload: Ethernet's 1500, less IPv4, TCP and its timestamps
INITIAL_WINDOW = 10 * SEGMENT_BYTES  # RFC 6928
UNLIMITED = math.inf

# Of a connection whose ends say nothing, the defaults of Linux are presumed; each is followed as soon as it is said.
_LEAST_PATIENCE = 0.2  # seconds: Linux' floor of the part of the retransmission timeout that is not the round trip
_KEPT = 7 / 8  # of the smoothed round trip, with each acknowledgement (RFC 6298)
_ROUNDS = 40  # doublings after which no window of this world is small
_FADING, _PRIOR = 0.8, 0.1  # of a rule's error, with each message; error of a rule other than the standard at first
_TELLING = 0.010  # seconds: rules whose times differ by less cannot be told apart
_ROUNDING = 0.1  # share by which a window may seem wider or narrower where a message ends near the end of a round
_KEEPS = 3  # the first rule without slow start after idling

Floats = NDArray[np.float64]
Sizes = TypeVar("Sizes", float, Floats)


def stall(size: Sizes, byte_time: Sizes | float, window: float, round_trip: float, ahead: float = 0.0) -> Sizes:
    """Seconds for which the wire waits for acknowledgements: the sum in (1).

    Args:
        size: Bytes of the message.
        byte_time: Seconds that one of them occupies the wire, headers included; fits the shape of `size`.
        window: Bytes that may be under way at the beginning; infinite: the wire never waits.
        round_trip: Of the empty link.
        ahead: Bytes of that window which are not the message's, and occupy no wire.
    """
    # Most messages fit into the first window, and each request asks some ten times: that needs no arrays.
    if isinstance(size, int | float) and size + ahead <= window:
        return 0.0
    waits = 0.0 * (size * byte_time)
    # Round j carries 2^j w bytes, all rounds up to it (2^(j+1) - 1) w: who has more to send waits for its end. What is
    # `ahead` fills a part of the first window and occupies no wire, so the first round is busy for less.
    for j in range(_ROUNDS):
        doubled = window * 2.0**j
        needs = size + ahead > 2 * doubled - window
        waits_here = round_trip - (doubled if j else window - ahead) * byte_time
        # Later rounds are longer and begin later, so whoever does not wait here will not wait again.
        if not np.any(needs & (waits_here > 0)):
            break
        waits = waits + needs * np.maximum(0.0, waits_here)
    return waits if isinstance(waits, np.ndarray) else float(waits)


def unstalled(size: float, seconds: float, window: float, round_trip: float, ahead: float = 0.0) -> tuple[float, float]:
    """The bytes and seconds of a message after its last wait: what tells the bandwidth.

    Args:
        size: Bytes of the message.
        seconds: That it took beyond the round trip.
        window: Bytes that could be under way at its beginning.
        round_trip: Of the empty link.
        ahead: As for `stall`.

    Returns:
        Bytes and seconds; those given where slow start would have taken longer than all of the time.
    """
    # The right side of (1) solved for c: for each m the time is m R + (n - (2^m - 1) w) c, and the true m is the one of
    # the largest. So of all c that explain the time with some m the smallest does so with the true one.
    rounds = 0
    while rounds < _ROUNDS and size + ahead > (2.0 ** (rounds + 1) - 1) * window:
        rounds += 1
    parts = [(size + ahead - (2.0**m - 1) * window if m else size, seconds - m * round_trip) for m in range(rounds + 1)]
    best = min(parts, key=lambda part: part[1] / part[0])
    return best if best[1] > 0 else (size, seconds)


def _last_round(size: float, window: float) -> float:
    """Bytes of a message that go out in its last round."""
    # Rounds of w, 2 w, 4 w, .. bytes; what the last of them sends at once is what queues in front of the wire.
    carried = 0.0
    while size - carried > window:
        carried, window = carried + window, 2 * window
    return size - carried


def _smoothed(queued: float, size: float, byte_time: float) -> float:
    """What of the sender's smoothed round trip is queueing, after this many bytes of which each waited for the last."""
    # Linux acknowledges every second segment. The k-th of these round trips is longer than the empty link's by
    # k byte times of two segments; the smoothed one keeps 7/8 of itself and takes in 1/8 of each, a geometric sum.
    acknowledgements = max(1.0, size / (2 * SEGMENT_BYTES))
    faded = math.pow(_KEPT, acknowledgements)
    longer = size * byte_time / acknowledgements  # each round trip than the one before
    return queued * faded + longer * (acknowledgements - (1 - faded) * _KEPT / (1 - _KEPT))


def left_by_idling(window: float, restart: float, idle: float, timeout: float) -> float:
    """Bytes that are left of a window: halved for each timeout (RFC 2861), as far as a fresh connection's.

    Args:
        window: Bytes, when something was last sent.
        restart: Bytes that a fresh connection begins with.
        idle: Seconds since something was last sent.
        timeout: Seconds of the sender's retransmission timeout.
    """
    if idle < timeout:
        return window
    # Never below what a fresh connection may send (the restart window), nor above what it was.
    halved: float = window / 2.0 ** min(idle // timeout, float(_ROUNDS))
    return max(min(window, restart), halved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A sender's own word, about a message that it would begin now.

    Attributes:
        size: Bytes that it may have under way at once.
        threshold: Bytes up to which every byte acknowledged adds itself to that; beyond, it hardly grows.
        patience: Seconds of idling beyond the smoothed round trip that halve it, as the retransmission timeout has
            them; infinite: idling leaves it as it is.
        least: Bytes below which idling does not bring it.
        silence: Seconds since the sender itself was last sent something.
    """

    size: float
    threshold: float = UNLIMITED
    patience: float = _LEAST_PATIENCE
    least: float = INITIAL_WINDOW
    silence: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waiting for acknowledgements has to do with the time that a message took.

    Attributes:
        size: Bytes of it after its last wait.
        seconds: That these took.
        longest: Seconds for which it waited at the most, on a link as believed.
        shortest: Likewise at the least.
        certain: Whether the sender's window is no guess.
    """

    size: float
    seconds: float
    longest: float
    shortest: float
    certain: bool


class CongestionWindow:
    """The window of one direction of a connection, followed from outside; holds no clock.

    Args:
        ahead: Bytes of headers that each message has before it, in a segment of their own.

    What idling does to it is learned: of some rules that one which explains the times best. It is halved down to ten
    segments (the standard), to twice or four times as many, it is kept (`tcp_slow_start_after_idle` is 0), or it never
    was in the way (something between ends TCP, near by).

    >>> window = CongestionWindow()
    >>> window.at(Seconds(0.0), Seconds(0.04))
    14480.0
    >>> window.sent(100_000, Seconds(0.0), Seconds(0.13), Seconds(0.04))
    >>> window.at(Seconds(0.2), Seconds(0.04))
    114480.0
    >>> window.at(Seconds(2.0), Seconds(0.04))
    14480.0
    """

    def __init__(self, ahead: int = 0) -> None:
        self._ahead = ahead
        self._errors = [0.0, *[_PRIOR] * 4]
        self.renew()

    def renew(self) -> None:
        """The connection is a new one; the machines are the same."""
        # What is taken for the window, and what it surely is at least, where what idling did to it is a guess.
        self._grown = self._surely = float(INITIAL_WINDOW)
        self._threshold = UNLIMITED
        self._stated_patience: float | None = None
        self._least = float(INITIAL_WINDOW)
        self._queued = 0.0
        self._last_at = math.inf
        self._rule = self._best_rule()

    @property
    def restarts(self) -> bool:
        """Whether slow start after idling explains the times best."""
        return self._rule < _KEEPS

    def at(self, now: Seconds, round_trip: Seconds) -> float:
        """Bytes that a message that begins now may have under way at once; infinite where nothing limits them."""
        return self._window(self._rule, now, round_trip)

    def bounds(self, now: Seconds, round_trip: Seconds) -> tuple[float, float]:
        """The least and the most bytes that a message that begins now may have under way at once.

        The same where nothing has rested since the connection was made; else what idling left is a guess, until
        messages have widened the window beyond doubt.
        """
        # After a rest it may be anything between a fresh connection's and unlimited; before one it is what has grown.
        guess, rested = self.at(now, round_trip), self._rested(now, round_trip)
        least = min(guess, self._least if rested else self._surely)
        return least, guess if least == guess and not rested else UNLIMITED

    def waits(self, size: float, byte_time: float, began_at: Seconds, round_trip: Seconds) -> float | None:
        """Seconds that a message waits for acknowledgements; None where that is a guess."""
        least, most = self.bounds(began_at, round_trip)
        return None if least < min(size, most) else stall(size, byte_time, least, round_trip, self._ahead)

    def waited(
        self, size: float, seconds: float, byte_time: float | None, began_at: Seconds, round_trip: Seconds
    ) -> Waiting:
        """What of a message's time was waiting; learns from it what idling does to the window.

        Args:
            size: Bytes of the message.
            seconds: That it took beyond the round trip.
            byte_time: Seconds that a byte occupies the wire, as it is known otherwise; None: it is not.
            began_at: When it was sent.
            round_trip: Of the empty link.
        """
        # First with the best guess of the window; then, where the bandwidth is known otherwise, how far any guess could
        # be from that: the caller believes a new bandwidth only if none of them explains the time.
        after, rest = unstalled(size, seconds, self.at(began_at, round_trip), round_trip, self._ahead)
        if byte_time is None:
            return Waiting(size=after, seconds=rest, longest=0.0, shortest=0.0, certain=False)
        self.learn(size, seconds, byte_time, began_at=began_at, round_trip=round_trip)
        least, most = self.bounds(began_at, round_trip)
        # Whether a message ends in this round or the next is decided by a byte: a tenth of leeway on both sides.
        longest, shortest = (
            stall(size, byte_time, bound, round_trip, self._ahead)
            for bound in (least * (1 - _ROUNDING), most * (1 + _ROUNDING))
        )
        return Waiting(size=after, seconds=rest, longest=longest, shortest=shortest, certain=least == most)

    def seen(self, window: Window, at: Seconds) -> None:
        """The sender's own word about a message that begins at `at`."""
        # The kernel knows, so nothing is a guess any more, until the next rest.
        self._grown = self._surely = window.size
        if self._stated_patience is None:
            self._stated_patience = window.patience
            self._rule = self._best_rule()
        self._threshold, self._stated_patience, self._least = window.threshold, window.patience, window.least
        self._last_at = at

    def heard(self, at: Seconds, round_trip: Seconds) -> None:
        """Something came from the sender, be it no message: what resting took until then is gone, and a rest begins."""
        # Every packet that the sender sends, whatever it belongs to, ends its rest: so the halvings of the time until
        # then are taken off now, and a new rest begins.
        if self._stated_patience is not None and at > self._last_at:
            left = left_by_idling(self._grown, self._least, at - self._last_at, self._timeout(round_trip))
            self._grown, self._surely, self._last_at = left, min(left, self._surely), at

    def sent(
        self, size: float, began_at: Seconds, ended_at: Seconds, round_trip: Seconds, byte_time: float = 0.0
    ) -> None:
        """A message has passed; the window grows only as long as it is less than twice what is under way.

        What went out at once and had to queue, `byte_time` seconds a byte, the sender takes for a longer round trip.
        """
        # In the order of the sender's kernel: first the queueing, which it takes for a longer round trip, and so for a
        # longer timeout; then the growth, a byte for each byte acknowledged, but not beyond the threshold, nor beyond
        # twice what is under way (Linux: `tcp_is_cwnd_limited`; a window that nobody used proves nothing).
        self._queued = _smoothed(self._queued, _last_round(size, self.at(began_at, round_trip)), byte_time)
        # Both once more, for the timeout is another one now.
        least, _ = self.bounds(began_at, round_trip)
        window, most = min(self.at(began_at, round_trip), self._grown), min(2 * size, self._threshold)
        surely = min(least, window)
        self._surely, self._grown = max(surely, min(surely + size, most)), max(window, min(window + size, most))
        self._last_at = ended_at

    def learn(self, size: float, seconds: float, byte_time: float, *, began_at: Seconds, round_trip: Seconds) -> None:
        """Compares what each rule would have made of a message with what it took; before it is told to `sent`.

        Args:
            size: Bytes of the message.
            seconds: That it took beyond the round trip.
            byte_time: Seconds that a byte occupies the wire, as it is known otherwise.
            began_at: When it was sent.
            round_trip: Of the empty link.
        """
        # Each rule predicts a time; its error is the logarithm of the ratio, faded. Where all predict about the same,
        # the message says nothing of which of them holds.
        # The first rule leaves least: what fits into that waits by no rule, and that is most messages.
        if size <= self._window(0, began_at, round_trip):
            return
        windows = [self._window(rule, began_at, round_trip) for rule in range(len(self._errors))]
        waits = [stall(size, byte_time, window, round_trip) for window in windows]
        shortest = size * byte_time + round_trip
        if max(waits) < max(_TELLING, 0.1 * shortest):
            return
        for rule, wait in enumerate(waits):
            error = abs(math.log((max(seconds, 0.0) + round_trip) / (shortest + wait)))
            self._errors[rule] += (1 - _FADING) * (error - self._errors[rule])
        self._rule = self._best_rule()

    def _best_rule(self) -> int:
        """The rule of the least error, the standard one first where they tie."""
        stated = self._stated_patience is not None  # then only whether the window is in the way at all is left to learn
        return min((0, len(self._errors) - 1) if stated else range(len(self._errors)), key=self._errors.__getitem__)

    def _rested(self, now: Seconds, round_trip: Seconds) -> bool:
        return now - self._last_at > self._timeout(round_trip)

    def _timeout(self, round_trip: Seconds) -> float:
        """Seconds of the sender's retransmission timeout."""
        patience = _LEAST_PATIENCE if self._stated_patience is None else self._stated_patience
        return patience + round_trip + self._queued

    def _window(self, rule: int, now: Seconds, round_trip: Seconds) -> float:
        """The window now by a rule: halved down to 1, 2 or 4 times what a fresh connection has; kept; unlimited."""
        if rule < _KEEPS:
            idle, timeout = now - self._last_at, self._timeout(round_trip)
            return left_by_idling(self._grown, self._least * 2.0**rule, idle, timeout)
        return self._grown if rule == _KEEPS else UNLIMITED

    def __repr__(self) -> str:
        return f"<CongestionWindow {self._grown:.0f} B, {'begins anew' if self.restarts else 'kept'} after idling>"


class BothWindows:
    """The windows of both directions of a connection, upwards and downwards, by the word of whoever says something.

    Times of the downward window are those of arrivals here, so an answer to what is sent now would begin a round trip
    from now.

    Args:
        ahead: Bytes of headers before each answer, in a segment of their own.
    """

    def __init__(self, ahead: int = 0) -> None:
        self.up, self.down = CongestionWindow(), CongestionWindow(ahead)

    def renew(self) -> None:
        """The connection is a new one."""
        self.up.renew()
        self.down.renew()

    def begun(self, at: Seconds, round_trip: Seconds, here: Window | None, there: Window | None = None) -> None:
        """An exchange begins `at`: what TCP says of that here, and there of the answer; None: nothing."""
        if here is not None:
            self.up.seen(here, at)
            self.down.heard(Seconds(at - here.silence), round_trip)
        if there is not None:
            self.down.seen(there, Seconds(at + round_trip))

    def beginning(self, at: Seconds, round_trip: Seconds, here: Window | None) -> tuple[float, float]:
        """Bytes that a message and its answer may have under way at once if it begins now; see `begun`."""
        self.begun(at, round_trip, here)
        return self.up.at(at, round_trip), self.down.at(Seconds(at + round_trip), round_trip)

    def waits(
        self, sizes: tuple[float, float], byte_times: tuple[float, float], began_at: Seconds, round_trip: Seconds
    ) -> float | None:
        """Seconds that a message and its answer wait for acknowledgements; None where that is a guess."""
        up = self.up.waits(sizes[0], byte_times[0], began_at, round_trip)
        down = self.down.waits(sizes[1], byte_times[1], Seconds(began_at + round_trip), round_trip)
        return None if up is None or down is None else up + down

    def __repr__(self) -> str:
        return f"<BothWindows up {self.up!r}, down {self.down!r}>"
