"""Some three hundred files that are broken or mean harm, written when they are asked for; the same at every run."""

from hostile.broken import broken
from hostile.costly import costly
from hostile.files import files
from hostile.protos import Hostile, honest

__all__ = ["Hostile", "corpus", "honest"]


def corpus() -> tuple[Hostile, ...]:
    """All of them."""
    return (*broken(), *costly(), *files())
