"""`edgent demo`: an edge process, a shaped link and an emulated device answer real images, beside every rival."""

from edgent.demo.result import DemoResult
from edgent.demo.run import run_demo
from edgent.demo.values import METHODS, DemoOptions

__all__ = ["METHODS", "DemoOptions", "DemoResult", "run_demo"]
