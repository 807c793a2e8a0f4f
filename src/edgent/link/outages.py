"""Outages: when they begin, and how long they last.

How often they begin is counted. How long one lasts is not known beforehand, not even roughly: seconds behind a lorry,
hours where the modem is broken. For such a duration (a Pareto law, its scale that of an instant) the chance that what
has lasted s goes on for another t is (s + c) / (s + c + t): half of all outages last as long again as they did.
"""

from __future__ import annotations

import math

_INSTANT = 0.5  # seconds: c
# Worth a single outage: the first ones that are seen outweigh it.
_USUAL, _USUAL_COUNT = 600.0, 1.0  # seconds between two outages, and how many of them that counts for


class Outages:
    """Follows the outages of one direction of a link; holds no clock."""

    def __init__(self) -> None:
        self._began = _USUAL_COUNT
        self._up = _USUAL * _USUAL_COUNT
        self._since: float | None = None
        self._seen_at: float | None = None

    @property
    def now(self) -> bool:
        """Whether nothing got through last."""
        return self._since is not None

    def passed(self, at: float) -> None:
        """Something got through; the time since the last look counts as up."""
        # After an outage the time since the last look is left out: nobody saw when in it the link came back.
        if self._since is None and self._seen_at is not None:
            self._up += max(0.0, at - self._seen_at)
        self._since, self._seen_at = None, at

    def failed(self, began_at: float, at: float) -> None:
        """Nothing of what was sent then had got through."""
        if self._since is None:
            self._since = began_at
            self._began += 1
        self._seen_at = at

    def chance(self, now: float) -> float:
        """The probability that nothing gets through now."""
        if self._seen_at is None:
            return 0.0
        age = max(0.0, now - self._seen_at)
        if self._since is None:
            # Outages begin as a Poisson process of the rate counted: at least one within the age.
            # `expm1` keeps small chances exact: 1 - exp(-x) would lose their digits for looks a moment ago.
            return -math.expm1(-age * self._began / self._up)
        # Pareto: P(longer than s + t | longer than s) = (s + c) / (s + c + t), with t the time since it was last seen.
        lasted = self._seen_at - self._since + _INSTANT
        return lasted / (lasted + age)

    def __repr__(self) -> str:
        return f"<Outages every {self._up / self._began:.0f} s{', one now' if self.now else ''}>"
