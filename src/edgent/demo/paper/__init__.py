"""`edgent demo`: an edge process, a shaped link and an emulated device answer real images, beside every rival.

::

    values, cells    what is compared: methods, bandwidths, deadlines
    methods          what each method would run in each cell                           pure
    live             all of it run through the link; with `rivals`, `outage`, `beside`
    judge            what that comes to, by `figures` and `paired`                     pure
    result           as a value: `words` for people, `console` and `page` to look at

`run` does one after the other.
"""

from edgent.demo.paper.result import DemoResult
from edgent.demo.paper.run import run_demo
from edgent.demo.paper.values import METHODS, DemoOptions

__all__ = ["METHODS", "DemoOptions", "DemoResult", "run_demo"]
