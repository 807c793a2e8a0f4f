"""What the link does: how long bytes take on it, what is believed of that, and when it changes.

Theory of operation
===================

There are three ideas, and a value for each. What was *observed* is a `Transfer`: so many bytes in one direction took so
long, or were given up after so long. What is *believed* is the conditions (`edgent.planning.conditions`): the bandwidth
of either direction, certain or as a distribution (`Predictive`; of both together, `Bandwidths`), and numbers for the
rest. What that makes of a *candidate* is its expectation (`edgent.planning.expectation`): its chance of being in time,
the accuracy to expect of it, its latency::

    observed                  believed                                       of a candidate

                         +->  estimator: one number      ---+
                         |    (static)                      |
    reply -> Transfer  --+                                  +-> Conditions --> latency      planner
      its own times      |         outages                  |     uplink, downlink
      up, down,          |           | else                 |     round trip, call time
      in the queue       +->  forecast: a distribution  ----+     queue, factors
                              (dynamic)                           distribution --> chance    controller
                                persistence                                        expected accuracy
                                     | else
                                change points

The *static* environment takes the link to stay as it was last seen, so its belief is a number for each direction. The
*dynamic* one takes it to move. Its belief is a mixture: nothing gets through (`outages`); or else the level that was
last seen is held, the likelier the shorter ago that was (`persistence`); or else it is drawn anew, and anything that
its present run of samples allows, or the next run (`change_points`). The static belief is a distribution with a single
point: both are priced by the same value, and where the distribution is certain both lead to the same plan. Where what
messages take is mostly a wait, whatever their size, another law of their time is in force than bits by bandwidth
(`waits`). What a probe must be to change a belief that matters, and when it is affordable, is told in `probing`.

Three rules hold throughout.

*Bandwidths are compared by their ratio.* Links differ by factors, so levels, spreads and steps are of the logarithm.

*A transfer tells an interval.* It is timed within an error only, and so a small message on a fast link tells next to
nothing. One that was given up tells an upper bound. A bound weighs what is believed, and renews nothing.

*What is not the bandwidth's is taken off first.* Round trip, time of a call and waiting for acknowledgements are
subtracted before a transfer tells its bandwidth (`edgent.device.connection.link_follower`). How bytes and bandwidth
become seconds is told in `transfer`, and what TCP adds after a pause in `slow_start`.
"""

from __future__ import annotations

from edgent.link.bandwidths import Bandwidths
from edgent.link.estimator import BandwidthEstimator
from edgent.link.predictive import Predictive
from edgent.link.transfer import TransferModel

__all__ = ["BandwidthEstimator", "Bandwidths", "Predictive", "TransferModel"]
