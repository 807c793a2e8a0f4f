"""How device and edge talk: messages, tensors, errors, and the transport that carries them.

The messages are the Open Inference Protocol's (`messages`, `protobuf`, `tensors`), with a small service of our own
beside it. `transport` says what either side needs of whatever carries them: bytes there, bytes back, and when.
`grpc_channel` and `grpc_server` are the only files that know gRPC; `edgent.testing.FakeLink` does the same inside one
process. Between two of ours inferences and probes go as *exchanges* (`edgent.wire.exchange`).
"""

import os

# Before gRPC is imported anywhere in this room: its own log goes to stderr, among our lines.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
