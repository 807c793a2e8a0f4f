"""How device and edge talk: messages, tensors, errors, and the transport that carries them.

The messages are the Open Inference Protocol's (`messages`, `protobuf`, `tensors`), with a small service of our own
beside it. `transport` says what either side needs of whatever carries them: bytes there, bytes back, and when.
`grpc_transport` at the device and `serving/grpc_server` at the edge alone know gRPC; `edgent.testing.FakeLink` does the
same inside one process.

Between two of ours inferences and probes are *exchanges*, over a stream that both keep open::

    device  exchanges -> exchange_connection -> http2 ===== gRPC's server -> exchange_service  edge
                 exchange_messages: what either writes and reads, with a checksum
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own log goes to stderr, among our lines
