"""Specimens: random networks made of the blocks that real ones are made of, to be timed in a sweep.

A layer's time depends on its neighbours: what is fused into it, which layout its input has, what is still in the
caches. So layers are timed among the neighbours that they have in real networks, with shapes drawn over the whole
range.
"""

from edgent.model.specimens.specimen import FIRST_GO, Specimen, first_block, specimen

__all__ = ["FIRST_GO", "Specimen", "first_block", "specimen"]
