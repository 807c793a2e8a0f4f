"""How long a layer, a branch or a model takes on one machine: measured, or predicted.

::

    measured once:   profile          a model's own times; exact for that model, on that machine
    predicted:       latency_model    from a sweep of random kernels     traits -> family (roofline x Gaussian process)
                     whole            from whole models alone            a rate for each kind of layer
                     carried          a model of one machine, scaled to another by a few timings
    corrected:       adaptation       how many times slower than that the machine is just now

A profile is believed before a prediction. A prediction has a covariance over the layers, since what is unknown of one
kernel of a family is unknown of all: intervals of sums need it. What an engine really runs are kernels, fused from
several layers; `booking` gives their times back to the layers, which is what a cut divides.
"""

from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.latency.whole import Expected, Rates, WholeLatency, fit_whole

__all__ = ["BranchProfile", "CodecTime", "Expected", "Profile", "Rates", "Timing", "WholeLatency", "fit_whole"]
