"""TensorFlow's checkpoints: read, written, and damaged."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glow.interop.crc32c import masked_crc32c, pack_crc32c
from glow.interop.sstable import read_table, write_table
from glow.interop.tensor_bundle import read_bundle, write_bundle
from glow.interop.wire import bytes_field, fixed32_field, varint_field
from glow.system.sealed_file import BrokenFileError
from tests.interop.checkpoints import PREFIX, edit_index, golden_variables

NAME = "model/0/0/f1/l_2/W"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A copy of a checkpoint that TensorFlow wrote."""
    for file in PREFIX.parent.glob(f"{PREFIX.name}.*"):
        shutil.copy(file, tmp_path)
    return tmp_path / PREFIX.name


def index(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def data(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.data-00000-of-00001")


def test_a_checkpoint_of_tensorflow_is_read(prefix: Path) -> None:
    stored = read_bundle(prefix)
    for name, expected in golden_variables().items():
        assert stored[name].dtype == str(expected.dtype)
        assert stored[name].shape == expected.shape
        assert np.array_equal(stored[name].read(), expected)
    assert f"{NAME}/ExponentialMovingAverage" in stored
    assert stored["Variable"].read() == 3


def test_the_same_bytes_of_data_are_written_again(prefix: Path, tmp_path: Path) -> None:
    tensors = {name: tensor.read() for name, tensor in read_bundle(prefix).items()}
    write_bundle(tensors, tmp_path / "again")
    assert data(tmp_path / "again").read_bytes() == data(prefix).read_bytes()
    ours, theirs = (dict(read_table(index(p).read_bytes())) for p in (tmp_path / "again", prefix))
    assert ours.keys() == theirs.keys()
    assert {k: v for k, v in ours.items() if k} == {k: v for k, v in theirs.items() if k}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
        arrays.arrays(
            st.sampled_from([np.float32, np.int32]), arrays.array_shapes(min_dims=0, min_side=0)
        ),
        max_size=30,
    )
)
def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path, tensors: Any) -> None:
    write_bundle(tensors, tmp_path / "written")
    stored = read_bundle(tmp_path / "written")
    assert stored.keys() == tensors.keys()
    for name, array in tensors.items():
        assert stored[name].dtype == str(array.dtype)
        assert stored[name].read().tobytes() == array.tobytes()
        assert stored[name].shape == array.shape


def test_a_table_of_many_blocks_is_read_as_it_was_written() -> None:
    entries = {f"{i:06}".encode(): bytes(i % 7) * 40 for i in range(9000)}
    table = write_table(entries)
    assert len(table) > 3 * 2**16
    assert dict(read_table(table)) == entries


def test_a_double_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x must be float32 or int32, got float64"):
        write_bundle({"x": np.zeros(2)}, tmp_path / "model")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("place", range(0, 3000, 131))
def test_a_changed_byte_of_the_index_raises_or_does_not_matter(prefix: Path, place: int) -> None:
    content = bytearray(index(prefix).read_bytes())
    content[place] ^= 0x10
    index(prefix).write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"ckpt\.index is damaged: .*checksum"):
        read_bundle(prefix)


@pytest.mark.parametrize("place", range(0, 26000, 1709))
def test_a_changed_byte_of_the_data_raises(prefix: Path, place: int) -> None:
    content = bytearray(data(prefix).read_bytes())
    content[place] ^= 0x01
    data(prefix).write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"the checksum of \S+ in .*data-00000.* is wrong"):
        read_bundle(prefix)


@pytest.mark.parametrize("size", [0, 1, 47, 100, 3000])
def test_an_index_that_is_cut_off_raises(prefix: Path, size: int) -> None:
    index(prefix).write_bytes(index(prefix).read_bytes()[:size])
    with pytest.raises(BrokenFileError, match=r"ckpt\.index is damaged: its end is missing"):
        read_bundle(prefix)


@pytest.mark.parametrize("size", [0, 1, 26000])
def test_data_that_is_cut_off_raises(prefix: Path, size: int) -> None:
    data(prefix).write_bytes(data(prefix).read_bytes()[:size])
    with pytest.raises(BrokenFileError, match=rf"of .*data-00000.*, which has {size} bytes"):
        read_bundle(prefix)


def test_missing_data_raises(prefix: Path) -> None:
    data(prefix).unlink()
    with pytest.raises(FileNotFoundError, match=r"data-00000-of-00001 is missing"):
        read_bundle(prefix)


def entry(**changes: Any) -> bytes:
    """Return the entry of 16 numbers at the start of the data, except for what is changed."""
    given: dict[str, Any] = {"dtype": 1, "shape": (4, 4), "shard": 0, "offset": 0, "size": 64}
    given |= changes
    content = data(PREFIX).read_bytes()[:64]
    dims = b"".join(bytes_field(2, varint_field(1, size % 2**64)) for size in given["shape"])
    numbers = [(1, given["dtype"]), (3, given["shard"]), (4, given["offset"]), (5, given["size"])]
    message = b"".join(varint_field(number, value % 2**64) for number, value in numbers)
    return message + bytes_field(2, dims) + fixed32_field(6, masked_crc32c(content))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offset": -8}, "should be at -8 to 56"),
        ({"size": -64}, "should be at 0 to -64"),
        ({"offset": 2**62}, "should be at 4611686018427387904"),
        ({"size": 2**40, "shape": (2**38,)}, "should be at 0 to 1099511627776"),
        ({"shape": (2**40, 2**40)}, r"\[1099511627776, 1099511627776\] is the shape of no tensor"),
        ({"shape": (1,) * 40 + (16,)}, r"\[1, .*\] is the shape of no tensor"),
        ({"shape": (-1, 4)}, r"\[-1, 4\] is the shape of no tensor"),
        ({"shape": (4, 5)}, r"has 64 bytes in .* which do not fit its shape \(4, 5\) of float32"),
        ({"dtype": 2}, r"which do not fit its shape \(4, 4\) of float64"),
        ({"shard": 3}, "there is no data file 3"),
        ({"offset": 4}, "the checksum of x in"),
    ],
)
def test_an_entry_that_cannot_be_raises(
    prefix: Path, changes: Mapping[str, Any], message: str
) -> None:
    edit_index(index(prefix), lambda table: {b"": table[b""], b"x": entry(**changes)})
    with pytest.raises(BrokenFileError, match=message):
        read_bundle(prefix)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: {b"x": entry()}, "it has no header"),
        (lambda table: table | {b"": varint_field(1, 1) + varint_field(2, 1)}, "big-endian"),
        (lambda table: table | {b"": b""}, "it has 0 data files"),
        (lambda table: table | {b"x": entry()}, "overlaps with another tensor"),
        (lambda table: table | {b"\xff\xfe": entry()}, "is not text"),
        (lambda table: table | {b"x": b"\x08"}, "an entry is invalid"),
        (lambda table: table | {b"x": entry() + bytes_field(7, b"")}, "in slices"),
    ],
)
def test_an_index_that_cannot_be_raises(
    prefix: Path, change: Callable[[dict[bytes, bytes]], dict[bytes, bytes]], message: str
) -> None:
    edit_index(index(prefix), change)
    with pytest.raises(ValueError, match=message):
        read_bundle(prefix)


def test_names_out_of_order_raise() -> None:
    """Such as names that were exchanged."""
    table = bytearray(write_table({b"a": b"1", b"b": b"2"}))
    start = table.index(b"a1") - 3
    table[start : start + 10] = table[start + 5 : start + 10] + table[start : start + 5]
    block = table[start : start + 10 + 8 + 1]  # two entries, the restarts, and the compression
    table[start + 19 : start + 23] = pack_crc32c(bytes(block))
    with pytest.raises(BrokenFileError, match="its keys are not in order"):
        dict(read_table(bytes(table)))
