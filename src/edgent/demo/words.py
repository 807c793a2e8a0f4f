"""Configurations in a few words."""

from __future__ import annotations

from edgent.planning.plan import RAW, Configuration


def chosen_in_words(configuration: Configuration) -> str:
    """As "exit 4 at the edge, webp-90" or "exit 2, cuts 3..19, uint8+zstd"."""
    if configuration.device_only:
        return f"exit {configuration.exit} on the device"
    codecs = configuration.codec
    if configuration.download_codec != RAW:
        codecs += f", back {configuration.download_codec}"
    return f"exit {configuration.exit}, cuts {configuration.upload_cut}..{configuration.download_cut}, {codecs}"
