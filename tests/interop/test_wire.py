"""The wire format of Protocol Buffers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glow.interop.wire import (
    WireError,
    bytes_field,
    fixed32_field,
    read_fields,
    read_varint,
    varint_field,
    write_varint,
)


@given(st.integers(0, 2**64 - 1))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    written = write_varint(value)
    assert read_varint(memoryview(written + b"rest"), 0) == (value, len(written))


@pytest.mark.parametrize(
    "written", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10, b"\xff" * 9 + b"\x7f"]
)
def test_a_number_that_is_cut_off_or_too_long_raises(written: bytes) -> None:
    with pytest.raises(WireError, match="a number is"):
        read_varint(memoryview(written), 0)


def test_a_message_is_read_as_it_was_written() -> None:
    message = bytes_field(1, b"text") + varint_field(2, 2**64 - 3) + fixed32_field(20, 7)
    first, second, third = read_fields(memoryview(message))
    assert (first.number, first.as_text()) == (1, "text")
    assert (second.number, second.as_int()) == (2, -3)
    assert (third.number, third.as_int()) == (20, 7)
    with pytest.raises(WireError, match="field 1 holds bytes"):
        first.as_int()
    with pytest.raises(WireError, match="field 2 holds a number"):
        second.as_bytes()


def test_packed_numbers_are_read() -> None:
    packed = bytes_field(7, write_varint(300) + write_varint(2**64 - 1)) + varint_field(7, 5)
    assert [n for field in read_fields(memoryview(packed)) for n in field.packed_ints()] == [
        300,
        -1,
        5,
    ]


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_raise(message: bytes) -> None:
    try:
        size = sum(
            1 if field.is_number else len(field.as_bytes())
            for field in read_fields(memoryview(message))
        )
    except WireError:
        return
    assert size <= len(message)
