from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _fonts(_cache: None) -> None:
    """Matplotlib looks for the machine's fonts once in a cache folder, by a process: before any test."""
    import matplotlib.font_manager  # noqa: F401
