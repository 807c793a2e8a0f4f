"""What holds of every request, whatever happens to link, edge and disk: judged from what its caller saw. Pure.

1. Where a branch of the device's own fits, the answer is there by the deadline and `SLACK` more.
2. There is one answer, and one record of it.
3. The answer is right: that of the undivided model.
4. What is no answer is an error of a kind that the library names.

A machine on which other programs run wakes its threads late, and gives them less than a core. That is measured beside
the requests, and what it explains is told apart: `excused`, not hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edgent.units import Seconds

SLACK = Seconds(0.010)
"""After the deadline, for handing the answer over."""

# Times what all outstanding requests need at the least: before a branch of its own a request may have prepared and
# encoded something for the edge, which the branches' times do not have in them.
_ROOM = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosDevice:
    """What the device needs by itself.

    Attributes:
        fastest: seconds of its fastest branch.
        slowest: seconds of its slowest one, which cannot be interrupted once it runs.
        margin: seconds that are kept free before a deadline.
    """

    fastest: Seconds
    slowest: Seconds
    margin: Seconds

    def fits(self, deadline: float, outstanding: int) -> bool:
        """Whether so many requests of one deadline, the newest among them, can all be answered without the edge."""
        return _ROOM * (self.slowest + outstanding * self.fastest) + self.margin <= deadline

    def least_deadline(self, outstanding: int) -> Seconds:
        """The shortest deadline within which they can."""
        return Seconds(_ROOM * (self.slowest + outstanding * self.fastest) + self.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOutcome:
    """One request as its caller saw it.

    Attributes:
        name: its own; no two have the same.
        at: when it was asked, on the clock that all processes of the machine share.
        total: seconds until `infer` returned or raised.
        deadline: seconds.
        fits: whether the device could have answered in time without the edge.
        by: who answered; empty where nobody did.
        why: what the record says of a plan that was not followed.
        during: the fault that was there when it was asked; empty where none was.
        right: whether the answer is that of the undivided model; None where there is none.
        error: kind and words of what was raised; empty where nothing was.
        typed: whether that is of a kind that the library names.
        records: how many records of it were told.
    """

    name: str
    at: float
    total: float
    deadline: float
    fits: bool
    by: str = ""
    why: str = ""
    during: str = ""
    right: bool | None = None
    error: str = ""
    typed: bool = True
    records: int = 1

    @property
    def late_by(self) -> float:
        """Seconds after the latest moment at which it was promised."""
        return self.total - self.deadline - SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What held of many requests.

    Attributes:
        requests: all.
        by_edge: answered by the edge.
        fitting: those that the device could have answered in time by itself.
        late: of these, answered later than promised, or not at all, for which the machine has no excuse.
        excused: of these, answered later than promised by no more than the machine itself was late meanwhile, and while
            those waited that were asked before.
        worst_ms: by how much the worst of the late was late.
        wrong: answers that are not the undivided model's.
        twice: requests with another number of records than one.
        untyped: errors of no kind of the library's.
        unanswered: requests that raised.
        examples: of what did not hold, a few in words.
    """

    requests: int
    by_edge: int
    fitting: int
    late: int
    excused: int
    worst_ms: float
    wrong: int
    twice: int
    untyped: int
    unanswered: int
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return not (self.late or self.wrong or self.twice or self.untyped)

    def figures(self) -> dict[str, float]:
        """The numbers, by name."""
        names = ("requests", "by_edge", "fitting", "late", "excused", "worst_ms", "wrong", "twice", "untyped")
        return {name: getattr(self, name) for name in (*names, "unanswered")}


Lateness = Callable[[float, float], float]
"""By how many seconds the machine itself was late between two moments."""


def punctual(_since: float, _until: float) -> float:
    """A machine that is never late: that of a simulation."""
    return 0.0


def judged(outcomes: Iterable[ChaosOutcome], lateness: Lateness = punctual, most_examples: int = 8) -> Verdict:
    """What held of these requests."""
    outcomes = list(outcomes)
    broken = {outcome.name: reasons for outcome in outcomes if (reasons := _broken(outcome, lateness))}
    late = [outcome for outcome in outcomes if "late" in broken.get(outcome.name, ())]
    excused = [outcome for outcome in outcomes if _missed(outcome)]
    examples = [f"{', '.join(broken[outcome.name])}: {outcome}" for outcome in outcomes if outcome.name in broken]
    return Verdict(
        requests=len(outcomes),
        by_edge=sum(outcome.by == "edge" for outcome in outcomes),
        fitting=sum(outcome.fits for outcome in outcomes),
        late=len(late),
        excused=len(excused) - len(late),
        worst_ms=round(1e3 * max((outcome.late_by for outcome in late), default=0.0), 3),
        wrong=_count(broken, "wrong"),
        twice=_count(broken, "twice"),
        untyped=_count(broken, "untyped"),
        unanswered=sum(bool(outcome.error) for outcome in outcomes),
        examples=tuple(examples[:most_examples]),
    )


def _broken(outcome: ChaosOutcome, lateness: Lateness) -> list[str]:
    """Which invariants do not hold of a request."""
    # It may have waited for those that were asked up to a deadline before it, and were held up by the machine then.
    since, until = outcome.at - outcome.deadline, outcome.at + outcome.total
    checks = {
        "late": _missed(outcome) and (bool(outcome.error) or outcome.late_by > lateness(since, until)),
        "wrong": outcome.right is False,
        # A request that raised has no record, and must have none: its caller may ask again.
        "twice": outcome.records != (0 if outcome.error else 1),
        "untyped": not outcome.typed,
    }
    return [name for name, fails in checks.items() if fails]


def _missed(outcome: ChaosOutcome) -> bool:
    return outcome.fits and (bool(outcome.error) or outcome.late_by > 0)


def _count(broken: Mapping[str, list[str]], name: str) -> int:
    return sum(name in reasons for reasons in broken.values())
