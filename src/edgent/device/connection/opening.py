"""What a device opens towards an address: the channel, and the keeping of its certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgent.clock import Clock
from edgent.wire.transport import Channel

if TYPE_CHECKING:
    from edgent.identity.renewal import CertificateRenewal


def grpc_channel(edge: str, max_message: int, clock: Clock, insecure: bool) -> Channel:
    """The channel to an edge, with what the device is to show there."""
    from edgent.identity.joined import credentials_towards
    from edgent.wire.grpc_channel import GrpcChannel  # gRPC, only when there is an edge

    credentials = credentials_towards(edge, insecure=insecure)
    return GrpcChannel(edge, max_message=max_message, clock=clock, credentials=credentials)


def certificate_renewal(edge: str) -> CertificateRenewal | None:
    """Keeps the certificate good that is shown to an edge; None where the device has joined none there."""
    from edgent.identity.joined import JOINED, joined_folder

    folder = joined_folder(edge)
    if not (folder / JOINED).exists():
        return None
    from edgent.identity.renewal import CertificateRenewal

    return CertificateRenewal(folder)
