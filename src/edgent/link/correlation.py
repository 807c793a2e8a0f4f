"""How much of a sample's deviation from its level the next sample shares.

For deviations e_t = rho e_{t-1} + u_t the differences d_t of successive samples have, whatever the level,

    E d_t^2 = 2 (1 - rho) var e,    E d_t d_{t-1} = -(1 - rho)^2 var e,    so rho = 1 + 2 E d_t d_{t-1} / E d_t^2

Deviations from an estimated level would tell rho more exactly, but a change not yet found would look like correlation,
and then hardly be found at all. In differences a change shows once, and that is left out.
"""

from __future__ import annotations

# As if they had been independent: correlation must be shown before it makes the detector slower.
_COUNT = 50.0  # independent samples that are believed before the first
_FADING = 0.9995
# Beyond it a level that creeps would be taken for correlated noise, and no change would ever be found.
_MOST = 0.8  # what is more alike than this is no noise


class Correlation:
    """Follows one stream of samples.

    Args:
        spread: Standard deviation that is usual, to weigh what is believed before the first sample.
    """

    def __init__(self, spread: float) -> None:
        self._squares, self._products = 2 * _COUNT * spread**2, -_COUNT * spread**2
        self._difference: float | None = None

    @property
    def coefficient(self) -> float:
        """Lag one, 0 .. 0.8."""
        # rho = 1 + 2 E d_t d_{t-1} / E d_t^2, see above. Below 0 it would be noise that alternates, as no link's does.
        return min(max(0.0, 1 + 2 * self._products / self._squares), _MOST)

    def observe(self, difference: float, steady: float) -> None:
        """Takes in by how much a sample differs from the one before.

        Args:
            difference: Of the two.
            steady: The probability that there was no change in this or the last difference.
        """
        # Both sums fade alike and take in the same pairs, so that their ratio is one of the same samples.
        before, self._difference = self._difference, difference
        if before is not None:
            self._squares = _FADING * self._squares + steady * (difference**2 + before**2) / 2
            self._products = _FADING * self._products + steady * difference * before

    def interrupt(self) -> None:
        """The next difference is one over a gap, and tells nothing."""
        self._difference = None

    def __repr__(self) -> str:
        return f"<Correlation {self.coefficient:.2f}>"
