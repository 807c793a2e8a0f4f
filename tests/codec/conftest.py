"""Property tests here fail on wrong answers only, never because the machine is busy."""

from hypothesis import settings

settings.register_profile("codec", deadline=None)
settings.load_profile("codec")
