"""How device and edge talk: messages, tensors, errors, and the transport that carries them.

The messages are the Open Inference Protocol's (`messages`, `protobuf`, `tensors`), with a small service of our own
beside it. `transport` says what either side needs of whatever carries them: bytes there, bytes back, and when.
`grpc_channel` at the device and `serving/grpc_server` at the edge alone know gRPC; `edgent.testing.FakeLink` does the
same inside one process. Between two of ours inferences and probes go as *exchanges* (`edgent.wire.exchange`).
"""

import logging
import os

# gRPC has a line on stderr, and a traceback in the log, for each malformed header that anybody sends. What is worth
# telling of a call, or of an edge, we tell ourselves, in a line and sparingly. Read once, as gRPC is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# In TLS 1.2 a server of gRPC takes what the caller prefers. So there is one cipher for each kind of certificate, and
# nobody is led to a weaker one; in TLS 1.3 all are good.
os.environ.setdefault("GRPC_SSL_CIPHER_SUITES", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
logging.getLogger("grpc._cython.cygrpc").addFilter(lambda record: not str(record.msg).startswith("Invalid encoding"))
