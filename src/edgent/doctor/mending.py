"""Mends what costs time on a machine, one finding after the other, each only where its owner agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgent.doctor.machine import Finding, Repair, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """What came of one repair.

    Attributes:
        before: The finding.
        after: What is found of the same now; None: nothing any more.
        repair: What was run.
        ran: Whether it ended without a failure.
    """

    before: Finding
    after: Finding | None
    repair: Repair
    ran: bool

    @property
    def worked(self) -> bool:
        """Whether it costs nothing now, by what the machine says and not by what the command did."""
        return self.after is not None and not self.after.costs


def mend(
    findings: Sequence[Finding],
    agrees: Callable[[Finding, Repair], bool],
    look: Callable[[], Sequence[Finding]],
    run: Run,
) -> Iterator[Mending]:
    """Runs the repairs that are agreed to.

    Args:
        findings: Of this machine.
        agrees: Asked before each.
        look: Finds all of it again.
        run: Runs a command, as root; None where it is missing or fails.
    """
    for finding in findings:
        if (repair := finding.repair) is not None and agrees(finding, repair):
            ran = run(repair.command) is not None
            after = next((one for one in look() if one.what == finding.what), None)
            yield Mending(before=finding, after=after, repair=repair, ran=ran)
