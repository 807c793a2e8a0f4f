"""Exchanges: what an inference or a probe goes by between two of ours, over a stream of HTTP/2 that both keep open.

::

    device  exchanges -> connection -> http2 ===== gRPC's server -> service  edge
                 messages: what either writes and reads, with a checksum

`exchanges` connects, and makes a call of what no stream takes; `connection` is a socket and those who wait on it;
`http2` turns messages into bytes and back, and touches no socket.
"""
