"""How large the files of pictures are that requests bring (pure)."""

from __future__ import annotations

from collections import deque

RECENT = 16
"""Files whose mean is taken: a camera's differ by some ten per cent, and another camera's are soon the most of them."""

ENOUGH = 8
"""Files before their mean is believed more than what was known."""

CHANGED = 0.25
"""Share by which the mean must differ from what plans were made with: pricing again takes tens of milliseconds."""


class SourceSizes:
    """The typical size of files as they come, of the last ones.

    Attributes:
        typical: bytes, as plans take it to be; None: nothing has come.
    """

    def __init__(self) -> None:
        self.typical: float | None = None
        self._recent: deque[int] = deque(maxlen=RECENT)

    def assume(self, size: float | None) -> None:
        """What was measured before any file came; the first file replaces nothing else."""
        if self.typical is None:
            self.typical = size

    def add(self, size: int) -> bool:
        """A file of that size has come.

        Returns:
            Whether the typical size is another one now.
        """
        self._recent.append(size)
        mean = sum(self._recent) / len(self._recent)
        few, near = len(self._recent) < ENOUGH, abs(mean - (self.typical or 0.0)) <= CHANGED * (self.typical or 0.0)
        if self.typical is not None and (few or near):
            return False
        self.typical = mean
        return True
