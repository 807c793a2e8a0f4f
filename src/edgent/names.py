"""Names that come from outside, of which only so many are told apart: each costs memory here and in whoever scrapes."""

from __future__ import annotations

OTHERS = "others"


class Names:
    """Gives each name itself, and all that come after the first few one name in common.

    Args:
        most: names that are told apart.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """The name under which this one is counted."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHERS
        self._known.add(name)
        return name

    def __repr__(self) -> str:
        return f"<Names: {len(self._known)} of {self._most}>"
