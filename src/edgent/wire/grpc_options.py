"""How gRPC is set up on both sides: what is said to a channel has its counterpart in what is said to a server."""

from __future__ import annotations

from edgent.wire.exchange.messages import ROOM

CHANNEL_OPTIONS = (
    # After an outage gRPC would wait up to two minutes between attempts, and 20 s for one that gets no answer.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 1000),
    # A renewed channel must not inherit a dead connection from the process-wide pool.
    ("grpc.use_local_subchannel_pool", 1),
    ("SingleThreadedUnaryStream", 1),  # the calling thread itself waits on the socket: a third less latency
    # The last resort against a connection that died in silence; `Watch` notices sooner. A slow link that is
    # busy with a large tensor answers no ping for seconds, and must not be taken for dead.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)
SERVER_OPTIONS = (
    # The counterparts of the channel's keepalive: who pings more often than a server allows gets strikes, and loses the
    # connection after some; 0 means that they are not counted.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)


def message_limits(max_message: int) -> tuple[tuple[str, int], ...]:
    """The options of either side for messages of so many bytes."""
    # gRPC by itself receives at most 4 MiB, which a camera's image or a boundary of a large model exceeds.
    most = max_message + ROOM
    return (("grpc.max_send_message_length", most), ("grpc.max_receive_message_length", most))
