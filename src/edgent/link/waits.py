"""Whether what a message takes is for its own bits, or mostly for a wait that messages of any size have alike.

Where a radio sleeps, a scheduler polls or others have the link by turns, a small message takes as long as a large one.
Who makes a bandwidth of that, bits by seconds, believes the smallest message to be the likeliest in time, where it is
the one that leaves the link the most of them; and takes a small probe that was given up for word of a slow link. So
there are two laws of the time of a message, and a forecast for each learns from all transfers::

    own       T = bits / B                 what is held, and what is drawn anew, is B in both
    waited    T = (bits + ahead) / B       as if as many bits as a picture has were sent ahead of each message

Both foretell each transfer before they see it. Where all are of one size they foretell alike, and need not be told
apart. Where sizes differ, Bayes' rule does: the same time for a probe and for a picture is likely under one law only.
The second one is in force once it is clearly the likelier; as links change, so may their law (a fixed share, as in
`persistence`). One law is chosen, not a mean of both: a plan in time under each of them is in time, but few are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgent.link.forecast import LinkForecast
from edgent.link.predictive import Predictive
from edgent.link.transfer import Transfer
from edgent.units import Seconds

# Bits of a small picture: beside them a probe is nothing, so that it takes the time of a wait alone.
_AHEAD = 100e3
_PRIOR = np.array([0.95, 0.05])  # that a link waits is the exception
_SHARED = 0.001  # of the weights, with each transfer: a law lasts for some thousand
_CLEARLY = 0.7  # a chance

MakeForecast = Callable[[float], LinkForecast]
"""Makes the forecast of a law from how many bits go ahead of each message."""


class LinkBelief:
    """Follows one direction of a link by the likelier law; holds no clock.

    Args:
        make: Makes the forecast of either law.

    >>> belief = LinkBelief(lambda ahead: LinkForecast(header_factor=1.0, message_bytes=0, ahead=ahead))
    >>> for k in range(20):  # 100 ms for 1 kB, and for 10 kB
    ...     _ = belief.learn(Transfer(direction="up", size=[1e3, 1e4][k % 2], seconds=0.1, at=Seconds(k)))
    >>> belief
    <LinkBelief: a wait, <LinkForecast 1.394 Mbit/s, from 20 samples>>
    """

    def __init__(self, make: MakeForecast) -> None:
        self._own, self._waited = make(0.0), make(_AHEAD)
        self._weights = _PRIOR

    @property
    def waits(self) -> bool:
        """Whether messages wait, clearly more likely than not."""
        return float(self._weights[1]) > _CLEARLY

    @property
    def forecast(self) -> LinkForecast:
        """That of the law in force."""
        return self._waited if self.waits else self._own

    def learn(self, event: Transfer) -> bool:
        """Takes in a transfer; whether it declares a change of the bandwidth.

        Raises:
            InputError: numbers that no transfer has.
        """
        changed = self._own.learn(event), self._waited.learn(event)
        # What is over before a clock can tell is a bound for one law and may be a sample for the other: their
        # likelihoods cannot be compared.
        if self._own.tells(event):
            likely = np.array([self._own.evidence, self._waited.evidence])
            weights = ((1 - _SHARED) * self._weights + _SHARED * _PRIOR) * likely
            self._weights = weights / np.add.reduce(weights)
        return changed[self.waits]

    def dead(self, now: Seconds) -> bool:
        """See `LinkForecast.dead`."""
        return self.forecast.dead(now)

    def predictive(self, now: Seconds, within: float = 0.0) -> Predictive | None:
        """See `LinkForecast.predictive`."""
        return self.forecast.predictive(now, within)

    def __repr__(self) -> str:
        return f"<LinkBelief: {'a wait, ' if self.waits else ''}{self.forecast!r}>"
