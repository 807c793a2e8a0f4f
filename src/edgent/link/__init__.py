"""What the link does: how long bytes take on it, how fast it seems to be, and when that changes.

::

    observed                      believed                               used for
    --------                      --------                               --------
    Transfer                      one number per direction               Conditions: the latency of a candidate
      size, seconds, direction,     estimator                              transfer, slow_start
      cut off or whole            a distribution per direction           expected accuracy in time of a candidate
                                    forecast = outages                     predictive
                                             + persistence
                                             + change_points

A transfer tells the bandwidth only within its timing error, so each is heard as an interval. Both beliefs take in the
same transfers. The first is a point: the last value, smoothed or not. The second is a mixture: nothing gets through; or
the link is as it was last seen, the likelier the shorter ago that was; or it is anything that its present run of
samples allows. Where the second is certain, both lead to the same plan. How bytes and bandwidth become seconds is told
in `transfer`, and what TCP adds after a pause in `slow_start`.
"""

from __future__ import annotations

from edgent.link.change_points import ChangePointDetector
from edgent.link.estimator import BandwidthEstimator
from edgent.link.predictive import Predictive
from edgent.link.transfer import TransferModel

__all__ = ["BandwidthEstimator", "ChangePointDetector", "Predictive", "TransferModel"]
