"""The wire format of Protocol Buffers: a message is a sequence of numbered fields.

A field is a varint key, ``number << 3 | type``, and a value: a varint (type 0), 8 bytes (1), a
length and as many bytes (2), or 4 bytes (5). Whether bytes are text, packed numbers or another
message is not written down; the reader must know it.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10  # bytes, of which each holds 7 bits of 64


class WireError(ValueError):
    """Bytes that are not in the wire format, or values of another type than expected."""


def read_varint(buffer: memoryview, start: int) -> tuple[int, int]:
    """Read an unsigned number of at most 64 bits.

    Args:
        buffer: The bytes.
        start: Where the number starts.

    Returns:
        The number, and where it ends.

    Raises:
        WireError: If it is cut off, or longer than 64 bits.

    >>> read_varint(memoryview(bytes([0b10101100, 0b10])), 0)
    (300, 2)
    """
    value = 0
    for place, byte in enumerate(buffer[start : start + LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, start + place + 1
    cut_off = len(buffer) - start < LONGEST_VARINT
    raise WireError("a number is cut off" if cut_off else "a number is too long")


def write_varint(value: int) -> bytes:
    """Return an unsigned number as bytes.

    >>> write_varint(300).hex()
    'ac02'
    """
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


class Field:
    """A field of a message.

    Args:
        number: The number of the field.
        value: A number, or the bytes of a value that has a length.
    """

    __slots__ = ("_value", "number")

    def __init__(self, number: int, value: int | memoryview) -> None:
        self.number = number
        self._value = value

    @property
    def is_number(self) -> bool:
        """Whether the value is a number."""
        return isinstance(self._value, int)

    def as_bytes(self) -> memoryview:
        """Return the bytes of a message, of text, or of packed numbers."""
        if isinstance(self._value, int):
            raise WireError(f"field {self.number} holds a number where it should hold bytes")
        return self._value

    def as_text(self) -> str:
        """Return UTF-8 text."""
        try:
            return str(self.as_bytes(), "utf-8")
        except UnicodeDecodeError:
            raise WireError(f"field {self.number} should hold text, but is not UTF-8") from None

    def as_int(self) -> int:
        """Return a signed integer of 64 bits."""
        if not isinstance(self._value, int):
            raise WireError(f"field {self.number} holds bytes where it should hold a number")
        return self._value - 2**64 if self._value >= 2**63 else self._value

    def as_packed(self, size: int) -> bytes | memoryview:
        """Return the bytes of numbers of ``size`` bytes each; a single one may not be packed."""
        if isinstance(self._value, int):
            return (self._value % 2 ** (8 * size)).to_bytes(size, "little")
        if len(self._value) % size:
            raise WireError(f"field {self.number} ends within a number")
        return self._value

    def packed_ints(self) -> Iterator[int]:
        """Yield signed integers; a single one may not be packed."""
        if isinstance(self._value, int):
            yield self.as_int()
            return
        position = 0
        while position < len(self._value):
            value, position = read_varint(self._value, position)
            yield Field(self.number, value).as_int()


def read_fields(buffer: memoryview) -> Iterator[Field]:
    """Yield the fields of a message, without copying bytes.

    Args:
        buffer: The message.

    Raises:
        WireError: If the bytes are no message, or it is cut off.
    """
    position = 0
    while position < len(buffer):
        key, position = read_varint(buffer, position)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("there is no field 0")
        if kind == VARINT:
            value, position = read_varint(buffer, position)
            yield Field(number, value)
            continue
        if kind == BYTES:
            size, position = read_varint(buffer, position)
        elif kind in FIXED:
            size = FIXED[kind]
        else:
            raise WireError(f"field {number} has the type {kind}, which does not exist")
        if size > len(buffer) - position:
            raise WireError(f"field {number} is cut off")
        content = buffer[position : position + size]
        position += size
        yield Field(number, content if kind == BYTES else int.from_bytes(content, "little"))


def varint_field(number: int, value: int) -> bytes:
    """Return a field with a number; nothing for 0, which is what an absent field means.

    Args:
        number: The number of the field.
        value: Its value.
    """
    return write_varint(number << 3 | VARINT) + write_varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field with bytes.

    Args:
        number: The number of the field.
        value: Its value.
    """
    return write_varint(number << 3 | BYTES) + write_varint(len(value)) + value


def fixed32_field(number: int, value: int) -> bytes:
    """Return a field with a number of 4 bytes.

    Args:
        number: The number of the field.
        value: Its value.
    """
    return write_varint(number << 3 | FIXED32) + value.to_bytes(4, "little")
