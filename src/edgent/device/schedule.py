"""When the device starts the local branches of several requests, so that all are in time: pure.

A device computes few branches at a time, a weak one a single one: as many as it has *slots*. Each request would start
its own as late as it can, and they would collide. So a request reserves a *turn*: how long its branch takes, and when
that must be done. Turns lie as late as they may, those due last the latest, and where two would overlap the earlier one
moves forward::

    A alone                                    [ branch A ]| due
    A, and B a little later        [ branch A ][ branch B ]   | due

That is earliest deadline first, read backwards: on one slot no other order keeps turns that this one does not [1]. A
turn that is dropped, because the edge has answered, gives its time back.

A turn is *wanted* once its moment has come, or the edge has failed. It begins when a slot is free, unless it would hold
up one that is due before it. So who is due first waits for nothing but a slot. Where others wait too, the moment comes
as soon as the edge is *overdue*: a device that idles while turns pile up has no time left for those still to come. What
will be late anyway holds up nobody, nor who is *expected*: a frame that has begun has no turn before its head is done.

[1] J. R. Jackson, Scheduling a production line to minimize maximum tardiness, UCLA, 1955.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edgent.units import Seconds

_AGAIN = 1e-3  # seconds: between two looks at what takes longer than expected
_ROUNDING = 1e-9  # sums of the same times in another order differ by less


@dataclass(slots=True, kw_only=True, eq=False)
class Turn:
    """A request's turn on the device.

    Attributes:
        seconds: how long its branch takes.
        least: how long the fastest branch takes that would do.
        due: when that must be done; infinite where it will be late anyway.
        call: called when it must begin earlier than it was told, or may begin after all.
        overdue_at: from when on the edge is later than it was expected.
        begin_at: when it is to begin.
        wanted: whether it waits for nothing but the device.
        yields_until: until when it lets all that are due go first, where it will be late anyway.
        then: seconds that its request will want afterwards, as a turn of its own.
    """

    seconds: float
    least: float
    due: float
    call: Callable[[], None]
    overdue_at: float = math.inf
    begin_at: float = math.inf
    wanted: bool = False
    yields_until: float = math.inf
    then: float = 0.0


class Schedule:
    """The turns of one device.

    Args:
        slots: branches that it computes at once without slowing any down.
        handover: seconds by which a turn begins early where another one follows it: some take longer than expected.
        usual_deadline: seconds that requests have, unless they say otherwise.

    Attributes:
        idle: whether no turn runs or waits; it may be read without a lock.
        stands_in: whether the device has begun to answer in an edge's place, and since then no answer of the edge was
            in time, nor sooner than the device's own could be.
    """

    def __init__(self, slots: int = 1, handover: float = 0.0, usual_deadline: float = math.inf) -> None:
        self.slots, self.handover, self.usual_deadline = slots, handover, usual_deadline
        # Sorted, since feasibility by Jackson's rule is one pass over the turns in the order of their dues.
        self._waiting: list[Turn] = []  # by due
        self._running: dict[Turn, float] = {}  # until when
        self._coming = Turn(seconds=0.0, least=0.0, due=-math.inf, call=_nobody)
        self.idle, self.stands_in = True, False

    def reserve(
        self,
        at: float,
        choice: Sequence[float],
        due: float,
        call: Callable[[], None],
        overdue_at: float = math.inf,
    ) -> Turn | None:
        """A turn with which all are in time, or None.

        Args:
            at: the time now.
            choice: seconds of the branches that would do, the best first: the first that fits is reserved, or the
                shortest where others must hurry as well.
            due: when it must be done.
            call: see `Turn`.
            overdue_at: see `Turn`.
        """
        # A better branch is not worth another request's deadline; a shorter one of others may be worth ours, since all
        # of them would rather answer at an earlier exit than late.
        least, free = min(choice), self._free(at)
        for seconds in choice:
            turn = Turn(seconds=seconds, least=least, due=due, call=call, overdue_at=overdue_at)
            if self._feasible(self._with(turn), free, handover=self.handover):
                return self._book(turn)
        turn = Turn(seconds=least, least=least, due=due, call=call, overdue_at=overdue_at)
        return self._book(turn) if self._feasible(self._with(turn), free, hurried=True) else None

    def reserve_late(self, seconds: float, call: Callable[[], None], yields_until: float = math.inf) -> Turn:
        """A turn for what cannot be in time: it begins when that holds up nobody, or when it has waited too long."""
        return self._book(Turn(seconds=seconds, least=seconds, due=math.inf, call=call, yields_until=yields_until))

    def begin(self, turn: Turn, at: float, choice: Sequence[float], grace: float) -> float | None:
        """The first of these times that leaves all others in time, but for a grace; else the shortest.

        None: the turn must wait until it is called.
        """
        # Taken out of the others before they are tried: it would otherwise have to fit beside itself.
        free, place = self._free(at), self._waiting.index(turn)
        others = self._waiting[:place] + self._waiting[place + 1 :]
        # Room for a better branch is what is left when the others may take a little longer than expected: in a crowd
        # those add up, and it would be paid for with the deadlines of all that come behind.
        roomy = (
            needed
            for needed in choice
            if self._feasible(others, _after(free, at + needed), grace, handover=self.handover)
        )
        seconds = next(roomy, min(choice))
        # Only those due earlier can be held up: work once begun cannot be interrupted for them.
        # What is late anyway has no claim on the little that those take longer than expected, nor on the time of one
        # that has begun and has no turn yet.
        late = math.isinf(turn.due)
        kept = self.handover if late else 0.0
        coming = [self._coming] if late and at < self.expects_until else []
        # Where the device is never idle it would wait for ever: a late answer is worth more than none.
        before = sorted((*others[:place], *coming), key=_due) if at < turn.yields_until else []
        # Who is due first begins first: another one that is quicker to come would take the time that those are to have
        # who take longer than expected.
        places = self._idle_slots - sum(other.wanted for other in before)
        if places <= 0 or not self._feasible(before, _after(free, at + seconds), handover=kept):
            turn.wanted = True
            return None
        self._waiting = others
        self._running[turn] = at + seconds
        self._move()
        return seconds

    def drop(self, turn: Turn) -> None:
        """A turn is over, or needed no more."""
        # Whether it ran or only waited, its time is free now, and others may lie later than they were told.
        if self._running.pop(turn, None) is None:
            self._waiting.remove(turn)
        self._move()

    def expect(self, seconds: float, due: float) -> None:
        """Somebody begins who may reserve a turn soon: what will be late anyway does not begin in its place.

        Args:
            seconds: that it will want.
            due: when that must be done.
        """
        self._coming = Turn(seconds=seconds, least=seconds, due=due, call=_nobody)

    @property
    def expects_until(self) -> float:
        """When such a turn would have to begin; not later than now where none is expected any more."""
        return self._coming.due - self._coming.seconds

    def backlog(self, at: float) -> Seconds:
        """How long a turn wanted now would wait: for what runs and is wanted, and for all others if it held them up."""
        # Turns that will be late anyway wait for everybody, so nobody waits for them.
        ahead = [turn for turn in self._waiting if math.isfinite(turn.due)]
        # Who is not wanted yet may never be, for its edge may answer: it counts only if the new turn would make it
        # late.
        others = [turn for turn in ahead if not turn.wanted]
        free = _one_after_another([turn for turn in ahead if turn.wanted], self._free(at))
        if others and not self._feasible(others, _after(free, min(free) + min(turn.least for turn in others))):
            free = _one_after_another(others, free)
        return Seconds(min(free) - at)

    def opening(self, at: float, seconds: float, within: float) -> float:
        """From when on work could be promised to be done within some seconds from its beginning.

        Args:
            at: the time now.
            seconds: that the work takes.
            within: seconds from its beginning until it is due: no fewer than it takes.
        """
        # What takes longer than expected may go on for as long as it is late, and nothing is promised behind it.
        if (soonest := min([at, *self._running.values()])) < at and len(self._running) == self.slots:
            return at + max(at - soonest, _AGAIN)
        # Who begins last is due last, or nearly so: Jackson's rule has it wait for all that is promised.
        promised = [turn for turn in self._waiting if math.isfinite(turn.due)]
        free = _one_after_another(promised, self._free(at))
        thereafter = sum(turn.then for turn in (*self._running, *promised)) / self.slots
        return max(at, min(free) + thereafter + seconds - within)

    def __repr__(self) -> str:
        return f"<Schedule {len(self._running)}/{self.slots} running, {len(self._waiting)} waiting>"

    def _with(self, turn: Turn) -> list[Turn]:
        return sorted((*self._waiting, turn), key=_due)

    def _book(self, turn: Turn) -> Turn:
        self._waiting = self._with(turn)
        self._move()
        return turn

    def _move(self) -> None:
        """Each turn gets its moment; who was told a later one is called, and who waits for a slot that is free."""
        # Alone, a request waits for the edge as long as it may. In a crowd that wastes time which others need.
        turns, places = len(self._waiting) + len(self._running), self._idle_slots
        self.idle, crowded = not turns, turns > self.slots
        latest, _ = self._backwards([(turn.due, turn.seconds) for turn in self._waiting], self.handover)
        for turn, moment in zip(self._waiting, latest, strict=True):
            before, turn.begin_at = turn.begin_at, min(moment, turn.overdue_at) if crowded else moment
            # Only those whose turn it is: fifty that all wake for one slot take longer than some branches.
            called = turn.wanted and self._idle_slots and (places > 0 or math.isinf(turn.due))
            places -= turn.wanted
            if turn.begin_at < before < math.inf or called:
                turn.call()

    @property
    def _idle_slots(self) -> int:
        return self.slots - len(self._running)

    def _free(self, at: float) -> list[float]:
        """From when on each slot is free."""
        # A branch that takes longer than expected is taken to end now: there is no better guess.
        busy = [max(at, until) for until in self._running.values()]
        return busy + [at] * (self.slots - len(busy))

    def _feasible(
        self,
        turns: Iterable[Turn],
        free: Iterable[float],
        grace: float = 0.0,
        *,
        hurried: bool = False,
        handover: float = 0.0,
    ) -> bool:
        """Whether these turns, by due, can be in time on slots that are free from then on."""
        # The slots are alike, so the earliest that must begin goes on the one that is free first, and so on.
        work = [(turn.due + grace, turn.least if hurried else turn.seconds) for turn in turns]
        _, begins = self._backwards(work, handover)
        return all(begin >= at - _ROUNDING for begin, at in zip(sorted(begins), sorted(free), strict=True))

    def _backwards(self, work: Sequence[tuple[float, float]], handover: float = 0.0) -> tuple[list[float], list[float]]:
        """When each piece (due, seconds), given by due, must begin; and when each slot must."""
        # From the last due to the first, each on the slot that must begin the latest so far: EDF read backwards.
        begins = [math.inf] * self.slots
        latest = []
        for due, seconds in reversed(work):
            slot = begins.index(max(begins))
            begins[slot] = min(due, begins[slot] - handover) - seconds
            latest.append(begins[slot])
        return latest[::-1], begins


def _nobody() -> None:
    """Is called for a turn that nobody has reserved yet."""


def _due(turn: Turn) -> float:
    return turn.due


def _after(free: Sequence[float], until: float) -> list[float]:
    """The slots when the one that is free first is busy until then."""
    return [*sorted(free)[1:], until]


def _one_after_another(turns: Iterable[Turn], free: list[float]) -> list[float]:
    """The slots when these turns have been computed as well."""
    for turn in turns:
        free = _after(free, min(free) + turn.seconds)
    return free
