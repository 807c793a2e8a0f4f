"""Message classes from lines like those of a .proto file, without protoc.

They live in a *private* descriptor pool: a program may import tritonclient, which registers the same names in the
default one, beside us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}
# Only what the messages here use: a typing error in a line fails at import, and not on the wire.
_LINE = re.compile(r"(?:(repeated|choice) )?(?:map<string, (\w+)>|([\w.]+)) (\w+) = (\d+)")


def build(package: str, messages: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The classes of one package's messages.

    Args:
        package: its name.
        messages: the fields of each message, one line each: "repeated int64 shape = 3",
            "map<string, InferParameter> parameters = 4"; "choice" stands for the message's only oneof.
            A name with a dot is a message inside another one, which comes before it.
    """
    # The name of the file is ours and the package the standard's: only the latter stands on the wire.
    file = descriptor_pb2.FileDescriptorProto(name=f"edgent/{package}.proto", package=package, syntax="proto3")
    built: dict[str, Any] = {}
    for name, lines in messages.items():
        owner, _, own = name.rpartition(".")
        built[name] = built[owner].nested_type.add(name=own) if owner else file.message_type.add(name=own)
        for line in lines:
            _add_field(built[name], line, package=f".{package}", path=f".{package}.{name}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _add_field(message: Any, line: str, *, package: str, path: str) -> None:
    match = _LINE.fullmatch(line)
    assert match, f"not a field: {line!r}"
    prefix, map_value, kind, name, number = match.groups()
    # The number is what identifies a field on the wire, and may never change; its name may.
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if prefix == "repeated" or map_value:
        field.label = _Field.LABEL_REPEATED
    if prefix == "choice":
        # A oneof needs a name in the descriptor; it is not sent, so any will do.
        field.oneof_index = 0
        if not message.oneof_decl:
            message.oneof_decl.add(name=f"{message.name}_choice")
    if map_value:
        entry = _add_map_entry(message, name, map_value, package)
        field.type, field.type_name = _Field.TYPE_MESSAGE, f"{path}.{entry}"
    elif kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f"{package}.{kind}"


def _add_map_entry(message: Any, name: str, value: str, package: str) -> str:
    # A map is a repeated message of key and value by the specification of protobuf, named after its field, with this
    # option set: otherwise the classes have no mapping's methods, and the bytes are the same.
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    _add_field(entry, "string key = 1", package=package, path="")
    _add_field(entry, f"{value} value = 2", package=package, path="")
    return str(entry.name)
