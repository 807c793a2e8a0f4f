"""What stands around a plan source in a test: a warmer that does nothing by itself, and a planner that takes notes."""

from __future__ import annotations

from edgent.device.choosers.chooser import Static
from edgent.device.warm_sessions import Warmed
from edgent.planning import Configuration


class Background:
    """A warmer that does nothing by itself: `wanted` and `jobs` are what it was asked for."""

    def __init__(self) -> None:
        self.warmed = Warmed()
        self.wanted: list[Configuration] = []
        self.given_up: list[Configuration] = []
        self.jobs = []
        self.forgotten = 0

    def want(self, configuration) -> None:
        self.wanted.append(configuration)

    def do(self, job) -> None:
        self.jobs.append(job)

    def give_up(self, configuration) -> None:
        self.given_up.append(configuration)

    def forget(self):
        self.forgotten += 1
        return self.wanted[-1] if self.warmed.ready else None

    def work(self) -> None:
        """Does what was asked for; configurations become ready."""
        while self.jobs:
            self.jobs.pop(0)()
        self.warmed = Warmed(ready=frozenset(self.wanted) - self.warmed.failed, failed=self.warmed.failed)

    def fail(self, *configurations) -> None:
        self.warmed = Warmed(ready=self.warmed.ready - {*configurations}, failed=frozenset(configurations))


class Noting(Static):
    """The planner, which notes what it is made for and shown."""

    def __init__(self, scope) -> None:
        super().__init__(scope)
        self.scope, self.seen, self.asked = scope, [], []
        self.bandwidth = 1e6

    def observe(self, events) -> None:
        self.seen += events

    def decisive(self, now, conditions, deadline, *, unlikely=False):
        self.asked.append(deadline)
        return self.bandwidth


def spoil(link, method, error):
    """From now on a reply to this method throws what nobody expects; the function that is returned ends that."""
    plain = link.call

    def call(called, message, timeout):
        if called == method:
            raise error
        return plain(called, message, timeout)

    link.call = call
    return lambda: setattr(link, "call", plain)
