"""What other programs took while a profiled network ran, taken out of the times of its kernels.

A profiler goes by the time of the wall, and knows nothing of the moments in which its thread had no processor. On a
machine with ten programs for two cores these are most of a long kernel's time. The processor's time of the whole run
tells how much was lost, but not where; that the same kernels ran several times does.
"""

from __future__ import annotations

import numpy as np

from edgent.latency.gaussian import Array

# Seconds: shorter kernels run to their end undisturbed in one of several runs. A system gives a thread a few
# milliseconds at a time, so that only what lasts about as long is interrupted in every run.
_SHORT = 1e-3


def without_interruptions(times: Array, taken: Array) -> Array:
    """Seconds of each kernel, shape (kernels,): the median over the rounds of what is left.

    Args:
        times: seconds of each kernel in each round, by the wall; shape (rounds, kernels).
        taken: seconds of the processor for each round's run, shape (rounds,).
    """
    # First from what was slower than in its fastest round, for a kernel's own time hardly differs between rounds. What
    # is lost beyond that hit kernels that no round spared: the long ones, the more the longer they are.
    left = _reduced(times, taken, floor=times.min(axis=0))
    left = _reduced(left, taken, floor=np.minimum(left, _SHORT))
    middle: Array = np.median(left, axis=0)
    return middle


def _reduced(times: Array, taken: Array, floor: Array) -> Array:
    """The times, each nearer to its floor by the same share, until a round's sum is no more than it took."""
    # Where nothing was lost the share is 0: on a machine with nothing else to do the times stay as they are.
    lost, above = times.sum(axis=1) - taken, (times - floor).sum(axis=1)
    share = np.clip(lost / np.maximum(above, 1e-12), 0.0, 1.0)
    reduced: Array = times - (times - floor) * share[:, None]
    return reduced
