"""Honest bytes, changed in ways that know their form: bytes, messages of protobuf, JSON, lines, archives, pictures.

A byte that is changed anywhere mostly breaks the form, and a reader says no at its first check. So each form is taken
apart, one or a few of its parts are changed, and it is put together again with lengths and checksums that are right.
All of them are pure: the same randomness gives the same bytes.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]
"""Changed bytes, from honest ones and other honest ones of the same kind."""

_MOST = 1 << 20  # bytes: what grows by its mutations is cut
_NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
_WORDS = ("", " ", "0", "-1", "1e308", "nan", "inf", "null", "../../etc/passwd", "\x00", "\u202e", "é" * 50, "x" * 5000)
_JSON: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    0.5,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    2**63,
    10**400,
    [],
    {},
    [[]],
    *_WORDS,
)
_PNG = b"\x89PNG\r\n\x1a\n"


def of_bytes(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Bits are flipped, pieces changed, doubled, left out, put in, or exchanged with another's."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        at, end = sorted((chance.randint(0, len(changed)), chance.randint(0, len(changed))))
        short = min(end, at + chance.choice((1, 2, 4, 8)))
        match chance.randrange(7):
            case 0 if changed:
                place = chance.randrange(len(changed))
                changed[place] ^= 1 << chance.randrange(8)
            case 1:
                width = chance.choice((1, 2, 4, 8))
                number = chance.choice(_NUMBERS) % (1 << 8 * width)
                changed[at : at + width] = number.to_bytes(width, chance.choice(("big", "little")))
            case 2:
                del changed[at:short]
            case 3:
                changed[at:at] = changed[at:short] * chance.choice((1, 2, 100))
            case 4:
                changed[at:at] = chance.randbytes(chance.choice((1, 4, 64)))
            case 5:
                del changed[chance.choice((at, end)) :]
            case _:
                other = chance.choice(others)
                changed[at:end] = other[at : chance.randint(at, max(at, len(other)))]
    return bytes(changed[:_MOST])


# A field of a message: its number, its type on the wire, and its value (fields again, where it reads as a message).
_Field = tuple[int, int, Any]


def of_protobuf(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Fields are left out, doubled, exchanged, nested, and given other numbers and values."""
    fields = _fields(data)
    if not fields or chance.random() < 0.1:
        return of_bytes(chance, data, others)
    for _ in range(chance.choice((1, 1, 2, 5))):
        _change_fields(chance, fields)
    return _joined(fields)[:_MOST]


def _change_fields(chance: Random, fields: list[_Field]) -> None:
    """Changes one of these fields, or one inside of one of them."""
    if not fields:
        fields.append((chance.randrange(1, 16), 0, chance.choice(_NUMBERS)))
        return
    place = chance.randrange(len(fields))
    number, kind, value = fields[place]
    if isinstance(value, list) and chance.random() < 0.75:
        _change_fields(chance, value)
        return
    match chance.randrange(6):
        case 0:
            del fields[place]
        case 1:
            fields[place:place] = [fields[place]] * chance.choice((1, 2, 300))
        case 2:
            fields[place] = (chance.randrange(1, 20), kind, value)
        case 3:
            fields[place] = (number, 2, [(number, 2, [fields[place]])])  # deeper than it was
        case 4:
            chance.shuffle(fields)
        case _:
            fields[place] = (number, *_other_value(chance, kind, value))


def _other_value(chance: Random, kind: int, value: Any) -> tuple[int, Any]:
    if kind == 2:
        plain = _joined(value) if isinstance(value, list) else value
        return 2, chance.choice((b"", chance.choice(_WORDS).encode(), of_bytes(chance, plain, [plain])))
    return chance.choice((kind, 0)), chance.choice(_NUMBERS)


def _fields(data: bytes, depth: int = 0) -> list[_Field]:
    """The fields of a message; none where it is none."""
    fields: list[_Field] = []
    value: Any
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if at < 0 or not number:
            return []
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at : at + width], "little"), at + width
        elif kind == 2:
            size, at = _varint(data, at)
            inside, at = data[at : at + size], at + size
            # Text may read as a message; a mutation of it as one is as good as any other.
            value = (depth < 8 and len(inside) < 65_536 and _fields(inside, depth + 1)) or inside
        else:
            return []
        if at < 0 or at > len(data):
            return []
        fields.append((number, kind, value))
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next one begins: before the beginning where it has no end."""
    value = 0
    for place in range(at, min(at + 10, len(data))):
        value |= (data[place] & 127) << 7 * (place - at)
        if data[place] < 128:
            return value, place + 1
    return 0, -1


def _joined(fields: Sequence[_Field]) -> bytes:
    return b"".join(_written(*field) for field in fields)


def _written(number: int, kind: int, value: Any) -> bytes:
    tag = _as_varint(number << 3 | kind)
    if kind == 0:
        return tag + _as_varint(value)
    if kind in (1, 5):
        width = 8 if kind == 1 else 4
        return tag + int(value % (1 << 8 * width)).to_bytes(width, "little")
    body: bytes = _joined(value) if isinstance(value, list) else value
    return tag + _as_varint(len(body)) + body


def _as_varint(value: int) -> bytes:
    value %= 1 << 64
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes((*digits, value))


def of_json(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Values are exchanged for others, left out, doubled and nested; keys likewise."""
    try:
        document = json.loads(data)
    except ValueError:
        return of_bytes(chance, data, others)
    if chance.random() < 0.1:
        return of_bytes(chance, data, others)
    for _ in range(chance.choice((1, 1, 2, 5))):
        document = _changed_json(chance, document)
    return json.dumps(document).encode()[:_MOST]


def _changed_json(chance: Random, value: Any) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.85:
        return _changed_object(chance, value)
    if isinstance(value, list) and value and chance.random() < 0.85:
        return _changed_list(chance, value)
    if isinstance(value, int | float) and not isinstance(value, bool) and chance.random() < 0.3:
        return chance.choice((-value, value + 1, value * 10**9, chance.choice(_NUMBERS)))
    return chance.choice((chance.choice(_JSON), [value], {"": value}))


def _changed_object(chance: Random, value: dict[str, Any]) -> dict[str, Any]:
    key = chance.choice(list(value))
    match chance.randrange(8):
        case 0:
            return {name: inner for name, inner in value.items() if name != key}
        case 1:
            return value | {chance.choice(_WORDS): value[key]}
        case _:
            return value | {key: _changed_json(chance, value[key])}


def _changed_list(chance: Random, value: list[Any]) -> list[Any]:
    place = chance.randrange(len(value))
    match chance.randrange(8):
        case 0:
            return [*value[:place], *value[place + 1 :]]
        case 1:
            return [*value[:place], *[value[place]] * chance.choice((2, 50)), *value[place:]]
        case _:
            return [*value[:place], _changed_json(chance, value[place]), *value[place + 1 :]]


def of_lines(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Lines and the words in them are exchanged, left out, doubled."""
    if chance.random() < 0.15:
        return of_bytes(chance, data, others)
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(lines))
        words = lines[place].replace(b",", b" , ").split(b" ")
        inside = chance.randrange(len(words))
        match chance.randrange(6):
            case 0:
                lines[place : place + 1] = []
            case 1:
                lines[place:place] = [lines[place]] * chance.choice((1, 2, 200))
            case 2:
                lines[place] = chance.choice(chance.choice(others).split(b"\n"))
            case 3:
                words[inside] = str(chance.choice(_NUMBERS)).encode()
            case 4:
                words[inside] = chance.choice(_WORDS).encode()
            case _:
                words[inside] = of_bytes(chance, words[inside], words)
        if place < len(lines) and len(words) > 0 and chance.random() < 0.9:
            lines[place] = b" ".join(words)
        lines = lines or [b""]
    return b"\n".join(lines)[:_MOST]


def of_zip(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """What is in an archive is changed, and packed again with checksums that are right."""
    if chance.random() < 0.3:
        return of_bytes(chance, data, others)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            body = old.read(entry)
            new.writestr(entry.filename, of_npy(chance, body, [body]) if chance.random() < 0.7 else body)
    return packed.getvalue()


def of_npy(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The header's text is changed, and its length made right again."""
    end = 10 + int.from_bytes(data[8:10], "little")
    if len(data) < end or chance.random() < 0.2:
        return of_bytes(chance, data, others)
    header = of_lines(chance, data[10:end], [data[10:end]])[:60_000]
    return data[:8] + len(header).to_bytes(2, "little") + header + data[end:]


def of_picture(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Of a PNG a chunk is changed, and its checksum made right again; of others bytes."""
    if not data.startswith(_PNG) or chance.random() < 0.2:
        return of_bytes(chance, data, others)
    chunks = _chunks(data)
    for _ in range(chance.choice((1, 1, 2))):
        if not chunks:
            break
        place = chance.randrange(len(chunks))
        kind, body = chunks[place]
        match chance.randrange(4):
            case 0:
                del chunks[place]
            case 1:
                chunks[place:place] = [chunks[place]] * chance.choice((1, 3))
            case _:
                chunks[place] = (kind, of_bytes(chance, body, [body]))
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], len(_PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def of_pem(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """What stands between the lines of a PEM is changed, and written as text again."""
    first, *lines, last = data.strip().split(b"\n") if data.count(b"\n") > 2 else (b"", b"", b"")
    if chance.random() < 0.1:
        return of_bytes(chance, data, others)
    inside = base64.b64decode(b"".join(lines))
    return b"\n".join((first, base64.b64encode(of_bytes(chance, inside, [inside])), last, b""))


def with_checksum(mutation: Mutation, tail: bytes) -> Mutation:
    """A message of an exchange is changed before its checksum, which is made right again most of the times."""
    size = len(tail) + 4

    def mutated(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
        if chance.random() < 0.2:
            return of_bytes(chance, data, others)
        body = mutation(chance, data[:-size], [other[:-size] for other in others]) + tail
        # The tag is under no checksum, and its four bytes are of what is before it.
        return body + zlib.crc32(body[: len(body) - len(tail)]).to_bytes(4, "little")

    return mutated
