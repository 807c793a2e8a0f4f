"""The messages on the wire: the Open Inference Protocol, gRPC's health check and our own small service.

Names and numbers of package `inference` are those of the protocol's `open_inference_grpc.proto` (KServe), those of
`grpc.health.v1` of gRPC's `health.proto`. `edgent.v1` is ours: what the standard has no message for.
"""

from __future__ import annotations

from edgent.wire.protobuf import build

_NAME_AND_VERSION = ("string name = 1", "string version = 2")

# A key with a dot is a message inside another one.
_INFERENCE = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": ("bool live = 1",),
    "ServerReadyRequest": (),
    "ServerReadyResponse": ("bool ready = 1",),
    "ModelReadyRequest": _NAME_AND_VERSION,
    "ModelReadyResponse": ("bool ready = 1",),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (*_NAME_AND_VERSION, "repeated string extensions = 3"),
    "ModelMetadataRequest": _NAME_AND_VERSION,
    "ModelMetadataResponse": (
        "string name = 1",
        "repeated string versions = 2",
        "string platform = 3",
        "repeated ModelMetadataResponse.TensorMetadata inputs = 4",
        "repeated ModelMetadataResponse.TensorMetadata outputs = 5",
    ),
    "ModelMetadataResponse.TensorMetadata": ("string name = 1", "string datatype = 2", "repeated int64 shape = 3"),
    # A parameter has exactly one of these.
    "InferParameter": (
        "choice bool bool_param = 1",
        "choice int64 int64_param = 2",
        "choice string string_param = 3",
        "choice double double_param = 4",
        "choice uint64 uint64_param = 5",
    ),
    "InferTensorContents": (
        "repeated bool bool_contents = 1",
        "repeated int32 int_contents = 2",
        "repeated int64 int64_contents = 3",
        "repeated uint32 uint_contents = 4",
        "repeated uint64 uint64_contents = 5",
        "repeated float fp32_contents = 6",
        "repeated double fp64_contents = 7",
        "repeated bytes bytes_contents = 8",
    ),
    # Raw contents stand apart from their tensors, in the same order: so a reader gets each as one run of bytes.
    "ModelInferRequest": (
        "string model_name = 1",
        "string model_version = 2",
        "string id = 3",
        "map<string, InferParameter> parameters = 4",
        "repeated ModelInferRequest.InferInputTensor inputs = 5",
        "repeated ModelInferRequest.InferRequestedOutputTensor outputs = 6",
        "repeated bytes raw_input_contents = 7",
    ),
    "ModelInferRequest.InferInputTensor": (
        "string name = 1",
        "string datatype = 2",
        "repeated int64 shape = 3",
        "map<string, InferParameter> parameters = 4",
        "InferTensorContents contents = 5",
    ),
    "ModelInferRequest.InferRequestedOutputTensor": (
        "string name = 1",
        "map<string, InferParameter> parameters = 2",
    ),
    "ModelInferResponse": (
        "string model_name = 1",
        "string model_version = 2",
        "string id = 3",
        "map<string, InferParameter> parameters = 4",
        "repeated ModelInferResponse.InferOutputTensor outputs = 5",
        "repeated bytes raw_output_contents = 6",
    ),
    "ModelInferResponse.InferOutputTensor": (
        "string name = 1",
        "string datatype = 2",
        "repeated int64 shape = 3",
        "map<string, InferParameter> parameters = 4",
        "InferTensorContents contents = 5",
    ),
}
_HEALTH = {
    "HealthCheckRequest": ("string service = 1",),
    "HealthCheckResponse": ("int32 status = 1",),  # an enum there; the same bytes
}
_EDGENT = {
    "DescribeRequest": (),
    "DescribeResponse": (
        "string version = 1",
        "repeated Served models = 2",  # of each name the newest version: all that old devices know
        "repeated Served older = 3",
    ),
    "Served": (
        "string name = 1",
        "string digest = 2",
        "string profile = 3",  # SHA-256 of its text; empty if the edge has none
        "string calibration = 4",
        "map<string, int64> dims = 5",  # the numbers of its free dimensions
        "map<string, string> members = 6",  # of a bundle the digest of each file by name; a single file has none
    ),
    "FetchRequest": (
        "string what = 1",
        "string name = 2",
        "string digest = 3",
        "string member = 4",  # digest of the file of a bundle that is wanted
    ),
    # The first one of a file states its size; as many bytes follow, and no more.
    "Chunk": ("string file = 1", "bytes data = 2", "uint64 size = 3"),
    "ProbeRequest": (
        "bytes load = 1",
        "int64 load_down = 2",
        "string name = 3",  # of the caller's model, where it follows that from version to version
        "string version = 4",
        "string segment = 5",  # to be run on zeros, so that the caller learns how fast the edge is
    ),
    "ProbeResponse": ("bytes load = 1",),
    # Sessions take up to seconds to make: a device asks for them before it sends the first request of a plan.
    "PrepareRequest": ("string name = 1", "string version = 2"),
    "PrepareResponse": ("double seconds = 1",),
    "ReportRequest": (),
    "ReportResponse": ("repeated Account accounts = 1",),
    "Account": (
        "string name = 1",
        "int64 answered = 2",
        "int64 turned_away = 3",
        "double queue = 4",  # seconds, of all that were answered
        "double middle = 5",
        "string version = 6",
    ),
    # A request in an exchange; see `edgent.wire.exchange.messages`.
    "ExchangeRequest": (
        "uint32 method = 1",
        "uint64 budget_us = 2",  # left of the caller's time; 0: no end
        "uint64 follows = 3",  # bytes of a body that comes as a message of its own
        "bytes body = 4",
    ),
    "ExchangeReply": (
        "uint32 status = 1",  # 0: answered; else a number of gRPC's
        "string details = 2",
        "uint64 queue_us = 3",
        "uint64 middle_us = 4",
        "repeated uint64 window = 5",  # as in the header of a call
        "string newest = 6",
        "uint64 follows = 7",
        "bytes body = 8",
        "uint64 load_us = 9",
    ),
}


_inference = build("inference", _INFERENCE)
ServerLiveRequest, ServerLiveResponse = _inference["ServerLiveRequest"], _inference["ServerLiveResponse"]
ServerReadyRequest, ServerReadyResponse = _inference["ServerReadyRequest"], _inference["ServerReadyResponse"]
ModelReadyRequest, ModelReadyResponse = _inference["ModelReadyRequest"], _inference["ModelReadyResponse"]
ServerMetadataRequest = _inference["ServerMetadataRequest"]
ServerMetadataResponse = _inference["ServerMetadataResponse"]
ModelMetadataRequest, ModelMetadataResponse = _inference["ModelMetadataRequest"], _inference["ModelMetadataResponse"]
ModelInferRequest, ModelInferResponse = _inference["ModelInferRequest"], _inference["ModelInferResponse"]
_health = build("grpc.health.v1", _HEALTH)
HealthCheckRequest, HealthCheckResponse = _health["HealthCheckRequest"], _health["HealthCheckResponse"]
SERVING = 1
_edgent = build("edgent.v1", _EDGENT)
DescribeRequest, DescribeResponse = _edgent["DescribeRequest"], _edgent["DescribeResponse"]
FetchRequest, Chunk = _edgent["FetchRequest"], _edgent["Chunk"]
ProbeRequest, ProbeResponse = _edgent["ProbeRequest"], _edgent["ProbeResponse"]
PrepareRequest, PrepareResponse = _edgent["PrepareRequest"], _edgent["PrepareResponse"]
ReportRequest, ReportResponse = _edgent["ReportRequest"], _edgent["ReportResponse"]
ExchangeRequest, ExchangeReply = _edgent["ExchangeRequest"], _edgent["ExchangeReply"]

# Paths stand on the wire as well: those of the standard are fixed, ours are only added to.
SERVER_LIVE = "/inference.GRPCInferenceService/ServerLive"
SERVER_READY = "/inference.GRPCInferenceService/ServerReady"
MODEL_READY = "/inference.GRPCInferenceService/ModelReady"
SERVER_METADATA = "/inference.GRPCInferenceService/ServerMetadata"
MODEL_METADATA = "/inference.GRPCInferenceService/ModelMetadata"
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
HEALTH = "/grpc.health.v1.Health/Check"
DESCRIBE = "/edgent.v1.Edge/Describe"
FETCH = "/edgent.v1.Edge/Fetch"
PROBE = "/edgent.v1.Edge/Probe"
PREPARE = "/edgent.v1.Edge/Prepare"
REPORT = "/edgent.v1.Edge/Report"
EXCHANGE = "/edgent.v1.Edge/Exchange"

# A device that finds this word knows that it may measure, prepare and fetch; without it, it uses the standard alone.
EXTENSION = "edgent"
# Who finds this one as well may send inferences and probes over streams that are kept open.
EXCHANGES = "edgent-exchange"
CODEC = "edgent_codec"  # the parameter of a tensor that does not travel raw
# The parameter of a request that would take other segments as well, if the one that it names cannot be in time: their
# names, the best first, with spaces between them. The answer names the one that was computed.
INSTEAD = "edgent_instead"
# And within how many microseconds from its arrival, where the caller would wait for longer rather than for nothing.
WITHIN = "edgent_within_us"
# The parameter of a request that is traced: its context, as W3C's header of that name has it.
TRACE = "traceparent"
TIMES_US = "edgent-us"  # header of an answer: microseconds in the queue, and of the middle
LOAD_US = "edgent-load-us"  # header of an answer: microseconds that a request which came now would wait; absent: none
# Header of an answer of more than a packet, what the edge's TCP makes of it: bytes under way at once, bytes up to which
# that doubles (0: no end), microseconds of a pause beyond the round trip that halve it (0: none does), and bytes that
# pauses leave.
WINDOW = "edgent-window"
# Header of a call in plain text and of its answer: see `edgent.wire.checksum`.
SUM = "edgent-sum"
# Header of an answer to who has another version of a model than its name stands for: the version that it stands for.
NEWEST = "edgent-newest"
