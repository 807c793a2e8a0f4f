"""Outages: when they begin, and how long they last.

How often they begin is counted. How long one lasts is not known beforehand, not even roughly: seconds behind a lorry,
hours where the modem is broken. For such a duration (a Pareto law, its scale that of an instant) the chance that what
has lasted s goes on for another t is (s + c) / (s + c + t): half of all outages last as long again as they did.
"""

from __future__ import annotations

import math

_INSTANT = 0.5  # seconds: c
_LIKELY = 0.5
# Worth a single outage: the first ones that are seen outweigh it.
_USUAL, _USUAL_COUNT = 600.0, 1.0  # seconds between two outages, and how many of them that counts for


class Outages:
    """Follows the outages of one direction of a link; holds no clock."""

    def __init__(self) -> None:
        self._began = _USUAL_COUNT
        self._up = _USUAL * _USUAL_COUNT
        self._down = 0.0  # the chance that nothing got through when something was last sent
        self._since = self._seen_at = -math.inf  # of the first try that failed since one passed; of the last try

    @property
    def now(self) -> bool:
        """Whether nothing got through last, more likely than not."""
        return self._down > _LIKELY

    def passed(self, at: float) -> None:
        """Something got through; the time since the last look counts as up."""
        # After an outage the time since the last look is left out: nobody saw when in it the link came back.
        if not self.now and self._seen_at > -math.inf:
            self._up += max(0.0, at - self._seen_at)
        self._down, self._since, self._seen_at = 0.0, -math.inf, at

    def failed(self, began_at: float, at: float, *, otherwise: float) -> None:
        """What was sent then had not got through.

        Args:
            began_at: When it was sent, seconds.
            at: When it was given up.
            otherwise: How likely that was of a link that carries something.
        """
        # Bayes' rule: in an outage it was certain. Who only ever saw failures knows of no time without one.
        before = self.chance(at) if self._seen_at > -math.inf else _LIKELY
        down = before / (before + (1 - before) * otherwise)
        if down > _LIKELY and not self.now:
            self._began += 1
        if self._since == -math.inf:
            self._since = began_at
        self._down, self._seen_at = down, at

    def chance(self, now: float) -> float:
        """The probability that nothing gets through now."""
        if self._seen_at == -math.inf:
            return 0.0
        goes_on, begun = self._changes(now)
        return self._down * goes_on + (1 - self._down) * begun

    def ended(self, now: float) -> float:
        """The probability that an outage has ended since something was last sent, if something gets through now."""
        if not self._down:
            return 0.0
        goes_on, begun = self._changes(now)
        back = self._down * (1 - goes_on)
        return back / (back + (1 - self._down) * (1 - begun)) if back else 0.0

    def _changes(self, now: float) -> tuple[float, float]:
        """The probabilities that an outage of then goes on, and that one has begun, if there was none."""
        age = max(0.0, now - self._seen_at)
        # Pareto: P(longer than s + t | longer than s) = (s + c) / (s + c + t), with t the time since it was last seen.
        lasted = (self._seen_at - self._since if self._down else 0.0) + _INSTANT
        # Outages begin as a Poisson process of the rate counted: at least one within the age.
        # `expm1` keeps small chances exact: 1 - exp(-x) would lose their digits for looks a moment ago.
        return lasted / (lasted + age), -math.expm1(-age * self._began / self._up)

    def __repr__(self) -> str:
        return f"<Outages every {self._up / self._began:.0f} s{', one now' if self.now else ''}>"
