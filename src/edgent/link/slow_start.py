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
left depends on all that went before: the sender's kernel knows it (`edgent.runtime.sendwindow`); for the direction in
which the other end sends it is followed from outside.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgent.units import Seconds

SEGMENT_BYTES = 1448  # of payload: Ethernet's 1500, less IPv4, TCP and its timestamps
INITIAL_WINDOW = 10 * SEGMENT_BYTES  # RFC 6928
UNLIMITED = math.inf

_LEAST_TIMEOUT = 0.2  # seconds: Linux' floor of the part of the retransmission timeout that is not the round trip
_ROUNDS = 40  # doublings after which no window of this world is small
_FADING, _PRIOR = 0.8, 0.1
_TELLING = 0.010  # seconds: rules whose times differ by less cannot be told apart
_KEEPS = 3  # the first rule without slow start after idling

Floats = NDArray[np.float64]
Sizes = TypeVar("Sizes", float, Floats)


def stall(size: Sizes, byte_time: Sizes | float, window: float, round_trip: float) -> Sizes:
    """Seconds for which the wire waits for acknowledgements: the sum in (1).

    Args:
        size: Bytes of the message.
        byte_time: Seconds that one of them occupies the wire, headers included; fits the shape of `size`.
        window: Bytes that may be under way at the beginning; infinite: the wire never waits.
        round_trip: Of the empty link.
    """
    waits = 0.0 * (size * byte_time)
    for j in range(_ROUNDS):
        doubled = window * 2.0**j
        needs = size > 2 * doubled - window
        waits_here = round_trip - doubled * byte_time
        if not np.any(needs & (waits_here > 0)):
            break
        waits = waits + needs * np.maximum(0.0, waits_here)
    return waits if isinstance(waits, np.ndarray) else float(waits)


def unstalled(size: float, seconds: float, window: float, round_trip: float) -> tuple[float, float]:
    """The bytes and seconds of a message after its last wait: what tells the bandwidth.

    Args:
        size: Bytes of the message.
        seconds: That it took beyond the round trip.
        window: Bytes that could be under way at its beginning.
        round_trip: Of the empty link.

    Returns:
        Bytes and seconds; those given where slow start would have taken longer than all of the time.
    """
    rounds = 0
    while rounds < _ROUNDS and size > (2.0 ** (rounds + 1) - 1) * window:
        rounds += 1
    parts = [(size - (2.0**m - 1) * window if m else size, seconds - m * round_trip) for m in range(rounds + 1)]
    best = min(parts, key=lambda part: part[1] / part[0])
    return best if best[1] > 0 else (size, seconds)


def left_by_idling(window: float, restart: float, idle: float, timeout: float) -> float:
    """Bytes that are left of a window: halved for each timeout (RFC 2861), as far as a fresh connection's.

    Args:
        window: Bytes, when something was last sent.
        restart: Bytes that a fresh connection begins with.
        idle: Seconds since something was last sent.
        timeout: Seconds of the sender's retransmission timeout.
    """
    halved: float = window / 2.0 ** min(idle // timeout, float(_ROUNDS))
    return max(min(window, restart), halved)


class CongestionWindow:
    """The window of one direction of a connection, followed from outside; holds no clock.

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

    def __init__(self) -> None:
        self._errors = [0.0, *[_PRIOR] * 4]
        self.renew()

    def renew(self) -> None:
        """The connection is a new one; the machines are the same."""
        self._grown = self._surely = float(INITIAL_WINDOW)
        self._last_at = math.inf

    @property
    def restarts(self) -> bool:
        """Whether slow start after idling explains the times best."""
        return self._rule < _KEEPS

    def at(self, now: Seconds, round_trip: Seconds) -> float:
        """Bytes that a message that begins now may have under way at once; infinite where nothing limits them."""
        return self._windows(now, round_trip)[self._rule]

    def bounds(self, now: Seconds, round_trip: Seconds) -> tuple[float, float]:
        """The least and the most bytes that a message that begins now may have under way at once.

        The same where nothing has rested since the connection was made; else what idling left is a guess, until
        messages have widened the window beyond doubt.
        """
        guess = self.at(now, round_trip)
        least = min(guess, INITIAL_WINDOW if self._rested(now, round_trip) else self._surely)
        return least, guess if least == guess and not self._rested(now, round_trip) else UNLIMITED

    def seen(self, window: float, at: Seconds) -> None:
        """The sender's own word: bytes that a message which begins at `at` may have under way at once."""
        self._grown = self._surely = window
        self._last_at = at

    def sent(self, size: float, began_at: Seconds, ended_at: Seconds, round_trip: Seconds) -> None:
        """A message has passed; the window grows only as long as it is less than twice what is under way."""
        least, _ = self.bounds(began_at, round_trip)
        window = min(self.at(began_at, round_trip), self._grown)
        self._surely, self._grown = (max(w, min(w + size, 2 * size)) for w in (min(least, window), window))
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
        windows = self._windows(began_at, round_trip)
        waits = [stall(size, byte_time, window, round_trip) for window in windows]
        shortest = size * byte_time + round_trip
        if max(waits) < max(_TELLING, 0.1 * shortest):
            return
        for rule, wait in enumerate(waits):
            error = abs(math.log((max(seconds, 0.0) + round_trip) / (shortest + wait)))
            self._errors[rule] += (1 - _FADING) * (error - self._errors[rule])

    @property
    def _rule(self) -> int:
        return self._errors.index(min(self._errors))

    def _rested(self, now: Seconds, round_trip: Seconds) -> bool:
        return now - self._last_at > _timeout(round_trip)

    def _windows(self, now: Seconds, round_trip: Seconds) -> tuple[float, ...]:
        """The window now by each rule."""
        idle = max(0.0, now - self._last_at)
        timeout = _timeout(round_trip)
        restarts = (INITIAL_WINDOW * factor for factor in (1.0, 2.0, 4.0))
        rested = (left_by_idling(self._grown, restart, idle, timeout) for restart in restarts)
        return (*rested, self._grown, UNLIMITED)

    def __repr__(self) -> str:
        return f"<CongestionWindow {self._grown:.0f} B, {'begins anew' if self.restarts else 'kept'} after idling>"


def _timeout(round_trip: float) -> float:
    """Seconds of the sender's retransmission timeout."""
    return _LEAST_TIMEOUT + round_trip
