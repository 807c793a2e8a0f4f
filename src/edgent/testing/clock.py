"""A clock for tests with threads: time passes only where all of them wait."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from edgent.units import Seconds

_TICK = 1e-6  # seconds that a sleep takes at least, so that who only looks at the clock again and again gets on


class ManualClock:
    """A clock that moves when it is told to, and where all threads wait: then to the first moment that one waits for.

    The thread that made it takes part, and those that it makes, and no other. They take turns: another one runs when
    one waits on a condition of this clock, sleeps, joins a thread or ends. So a test takes the same course each time,
    whatever the machine is doing, and hours pass in no time. What is computed takes none; `sleep` stands for that.

    >>> clock = ManualClock()
    >>> clock.advance(0.5)
    >>> clock.sleep(3600.0)
    >>> clock.now()
    3600.5
    """

    def __init__(self, at: float = 0.0) -> None:
        self._at = at
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, _Wait]] = []
        self._ready: deque[_Wait] = deque()
        self._maker = threading.get_ident()
        self._parties = {self._maker}
        self._makers_wait: _Wait | None = None

    def now(self) -> Seconds:
        """The time it has come to."""
        return Seconds(self._at)

    def advance(self, seconds: float) -> None:
        """Moves it on, and lets nobody else run: whoever waited for a moment before wakes late."""
        assert seconds >= 0, "a clock never goes back"
        self._at += seconds

    def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`; takes a microsecond at least."""
        self._wait(_Wait(), max(seconds, _TICK))

    def sleep_until(self, at: float) -> None:
        """See `Clock.sleep_until`."""
        if at > self._at:
            self.sleep(at - self._at)

    def condition(self, lock: threading.Lock | None = None) -> threading.Condition:
        """See `Clock.condition`."""
        return _Condition(self, lock)

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        """See `Clock.thread`."""
        return _Thread(self, target, name)

    def pool(self, threads: int | None, name: str) -> Executor:
        """See `Clock.pool`; as many threads as are needed."""
        del threads
        return _Pool(self, name)

    def _enter(self) -> None:
        """The present thread takes part from now on; it has the turn."""
        self._parties.add(threading.get_ident())

    def _leave(self) -> None:
        """The present thread takes part no longer, and gives the turn away."""
        self._parties.remove(threading.get_ident())
        self._hand_on()

    def _wait(self, wait: _Wait, timeout: float | None) -> bool:
        """Lets others run until the wait is ended; whether by something else than the time.

        Raises:
            AssertionError: in the thread that made the clock, where all wait and nobody for a moment.
        """
        assert threading.get_ident() in self._parties, "a thread that this clock did not make waits by it"
        if timeout is not None and timeout < math.inf:
            heapq.heappush(self._timers, (self._at + max(timeout, 0.0), next(self._numbers), wait))
        if threading.get_ident() == self._maker:
            self._makers_wait = wait
        self._hand_on()
        wait.turn.acquire()
        assert not wait.stuck, "all threads wait, for something that no thread is left to do"
        return wait.notified

    def _end(self, wait: _Wait, *, notified: bool) -> None:
        """Ends a wait: its thread has a turn after those that are ready already."""
        if not wait.over:
            wait.over, wait.notified = True, notified
            self._ready.append(wait)

    def _hand_on(self) -> None:
        while not self._ready:
            self._pass_time()
        self._ready.popleft().turn.release()

    def _pass_time(self) -> None:
        if not self._timers:
            assert self._makers_wait is not None, "who made the clock waits, or nobody would be stuck"
            self._makers_wait.stuck = True
            self._end(self._makers_wait, notified=False)
            return
        at, _, wait = heapq.heappop(self._timers)
        if not wait.over:
            self._at = max(self._at, at)
            self._end(wait, notified=False)

    def __repr__(self) -> str:
        return f"<ManualClock at {self._at:g} s>"


class _Wait:
    """One wait of one thread: `turn` is released when it may go on."""

    def __init__(self) -> None:
        self.turn = threading.Semaphore(0)
        self.over = self.notified = self.stuck = False


class _Condition(threading.Condition):
    def __init__(self, clock: ManualClock, lock: threading.Lock | None) -> None:
        super().__init__(lock)
        self._clock = clock
        self._waits: list[_Wait] = []

    def wait(self, timeout: float | None = None) -> bool:
        wait = _Wait()
        self._waits.append(wait)
        self.release()
        try:
            return self._clock._wait(wait, timeout)
        finally:
            self.acquire()
            self._waits = [other for other in self._waits if other is not wait]

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        until = math.inf if timeout is None else self._clock.now() + timeout
        while not (result := predicate()) and (left := until - self._clock.now()) > 0:
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        for wait in [wait for wait in self._waits if not wait.over][:n]:
            self._clock._end(wait, notified=True)

    def notify_all(self) -> None:
        self.notify(len(self._waits))


class _Thread(threading.Thread):
    def __init__(self, clock: ManualClock, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self._clock, self._beginning = clock, _Wait()
        self._changed, self._ended = clock.condition(), False

    def start(self) -> None:
        super().start()
        self._clock._end(self._beginning, notified=True)

    def run(self) -> None:
        self._beginning.turn.acquire()
        self._clock._enter()
        try:
            super().run()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._clock._leave()

    def join(self, timeout: float | None = None) -> None:
        with self._changed:
            ended = self._changed.wait_for(lambda: self._ended, timeout)
        if ended:
            super().join()


class _Pool(Executor):
    """A thread for each piece of work."""

    def __init__(self, clock: ManualClock, name: str) -> None:
        self._clock, self._name = clock, name
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._threads.append(self._clock.thread(work, self._name))
        self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        del cancel_futures  # what was submitted has begun
        for thread in self._threads if wait else ():
            thread.join()
