"""Stand-ins for what a test does not want to wait for or to have: a clock, an engine, a link.

They are part of the public interface, so that a program built on Edgent can be tested without a second machine, and
without waiting: on one `ManualClock` a device, its edge and the link between them need no real time at all.

    clock = ManualClock()
    edge = Edge(model, profiles=[profile], clock=clock)      # inside this process, never started
    link = FakeLink(edge.service.methods(), clock=clock)
    device = Device(model, channel=link, clock=clock, bandwidth=..., deadline=...)
    link.cut()                                               # from now on nobody is there
    clock.sleep(10.0)                                        # and the device has found out
"""

from edgent.testing.clock import ManualClock
from edgent.testing.engine import FakeEngine, FakeSession
from edgent.testing.link import FakeLink

__all__ = ["FakeEngine", "FakeLink", "FakeSession", "ManualClock"]
