"""Every method over every odd link: where a simpler one is ahead of ours, and by how much.

A link is a few traces of one law; the best fixed plan is the best in hindsight on that link alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from edgent.errors import InputError
from edgent.link.odd_links import ODD_LINKS, OddLink
from edgent.replay.report import ReplaySettings, Report, replay

BEHIND = 0.01
"""Accuracy in time by which ours may be behind the best baseline: a point."""

REASONS = {
    "bursts": "picture and answer each wait for a burst, and where the edge takes longer than is left of the first one "
    "the answer waits for the next: of two plans alike in bytes and in the time they leave to the link, one is in time "
    "in half of all cases and one in a quarter, and no belief of the link by itself tells which",
    "radio-sleep": "a request lasts longer than the probe that has just passed, and the radio falls asleep meanwhile",
    "rate-flapping": "it changes while a transfer lasts; and in the default setting the best plan needs all of the "
    "lower rate, which a forecast never trusts that far (with --scale 1.3 it is 2 points behind)",
}
"""Of links on which ours is known to be further behind: why, by name."""

# Six hundred requests on a link, one each 2 s: then a point is six of them, and four phases are met.
_TRACES, _SECONDS = 4, 300.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OddReport:
    """What came out on one link.

    Attributes:
        link: Which.
        report: All methods on its traces.
    """

    link: OddLink
    report: Report

    @property
    def behind(self) -> float:
        """Accuracy in time by which ours is behind the best baseline; negative where it is ahead."""
        report = self.report
        return report.mean(report.best_baseline, "accuracy") - report.mean("edgent", "accuracy")

    @property
    def reason(self) -> str | None:
        """Why it is too far behind, where that is known; None also where it is not behind."""
        return REASONS.get(self.link.name) if self.worse else None

    @property
    def worse(self) -> bool:
        """Whether it is further behind than it may be."""
        return self.behind > BEHIND

    @property
    def unexplained(self) -> bool:
        """Whether it is so without a reason that is known."""
        return self.worse and self.reason is None

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "link": self.link.name,
            "words": self.link.words,
            "best_baseline": self.report.best_baseline,
            "fixed": self.report.fixed,
            "behind": self.behind,
            "worse": self.worse,
            "reason": self.reason,
            **self.report.document(),
        }


def odd_links(names: Sequence[str] = ()) -> tuple[OddLink, ...]:
    """Those of some names, in the order of all; without a name, all.

    Raises:
        InputError: a name that none has.
    """
    known = [link.name for link in ODD_LINKS]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"link {unknown[0][:40]!r}: expected one of {', '.join(known)}")
    return tuple(link for link in ODD_LINKS if not names or link.name in names)


def replay_odd(
    request: ReplaySettings,
    links: Sequence[OddLink] = ODD_LINKS,
    *,
    scale: float = 1.0,
    pool: Executor | None = None,
    done: Callable[[int], None] | None = None,
) -> tuple[OddReport, ...]:
    """Runs all methods over odd links; the same request gives the same reports.

    Args:
        request: What is asked.
        links: Which.
        scale: On their bandwidths, for models that need more or less.
        pool: Processes to run in; None: in this one.
        done: Told how many links are done, after each.

    Raises:
        InputError: a scale that is none.
    """
    reports = []
    for link in links:
        # Each seed of a run has traces that no other has.
        seeds = range(request.seed * _TRACES, (request.seed + 1) * _TRACES)
        traces = [link.trace(seed, _SECONDS).scaled(scale) for seed in seeds]
        reports.append(OddReport(link=link, report=replay(request, traces, pool=pool)))
        if done is not None:
            done(len(reports))
    return tuple(reports)
