"""Protocol buffers read field by field, without a schema and without a library.

Source: https://protobuf.dev/programming-guides/encoding (tags, wire types, varints).
"""

from collections.abc import Iterator


class RecordError(Exception):
    """Bytes that are no such message, record or program."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field of a message: its number, and its value as an unsigned int or bytes."""
    place = 0
    while place < len(message):
        tag, place = read_varint(message, place)
        match tag & 7:
            case 0:
                number, place = read_varint(message, place)
                yield tag >> 3, number
                continue
            case 1:
                length = 8
            case 2:
                length, place = read_varint(message, place)
            case 5:
                length = 4
            case _:
                raise RecordError("it is no protocol buffer")
        if length > len(message) - place:
            raise RecordError("it ends in the middle of a message")
        yield tag >> 3, message[place : place + length]
        place += length


def messages(message: bytes, number: int) -> Iterator[bytes]:
    """Yield the messages, or texts, in the fields of that number."""
    for field, value in fields(message):
        if field == number:
            yield as_bytes(value)


def as_bytes(value: int | bytes) -> bytes:
    """Return a field's value that must be a message or a text."""
    if isinstance(value, int):
        raise RecordError("a field of it is a number where a message should be")
    return value


def as_text(value: int | bytes) -> str:
    """Return a field's value that must be a text."""
    try:
        return as_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError("a name in it is no text") from error


def as_integers(value: int | bytes) -> list[int]:
    """Return the signed integers of a repeated field, packed or not."""
    if isinstance(value, int):
        return [_signed(value)]
    found: list[int] = []
    place = 0
    while place < len(value):
        number, place = read_varint(value, place)
        found.append(_signed(number))
    return found


def _signed(number: int) -> int:
    """Negative numbers of 32 and of 64 bits are both written as 64 bits in two's complement."""
    return number - (1 << 64) if number >= 1 << 63 else number


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """Return the number that begins at ``place`` and the place behind it."""
    value = 0
    for index in range(10):
        if place + index >= len(data):
            raise RecordError("it ends in the middle of a number")
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise RecordError("a number in it never ends")
