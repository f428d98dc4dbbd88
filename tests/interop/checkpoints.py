"""Small checkpoints of the authors' kind, and ways to damage them."""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glow import Glow
from glow.bijections import AdditiveCoupling, AffineCoupling
from glow.interop.sstable import read_table, write_table
from glow.interop.wire import bytes_field, varint_field, write_varint
from glow.nets import CouplingNet
from tests.small_models import perturb

FOLDER = Path(__file__).parents[1] / "golden" / "checkpoint"
PREFIX = FOLDER / "model_best_loss.ckpt"
GRAPH = FOLDER / "graph_unoptimized.pb"
IMAGE_SIZE = 8


def golden_variables() -> dict[str, NDArray[Any]]:
    """Return the variables of the golden files."""
    return dict(np.load(FOLDER / "variables.npz"))


def reference_glow(*, affine: bool = True, **options: Any) -> Glow:
    """Return a small Glow of the reference's kind."""
    torch.manual_seed(0)
    coupling = AffineCoupling if affine else AdditiveCoupling
    model = Glow(
        (3, 8, 8),
        n_levels=2,
        n_steps=2,
        coupling=partial(coupling, net=partial(CouplingNet, width=4)),
        **options,
    )
    labels = torch.arange(8) % max(model.n_classes, 1)
    model.initialize(torch.randint(256, (8, 3, 8, 8), dtype=torch.uint8), labels)
    return perturb(model, 0.02).eval()


def edit_index(index: Path, change: Callable[[dict[bytes, bytes]], Mapping[bytes, bytes]]) -> None:
    """Change the entries of an index, with right checksums."""
    index.write_bytes(write_table(change(dict(read_table(index.read_bytes())))))


def float_list_graph(
    variables: Mapping[str, NDArray[Any]], shapes: Mapping[str, Sequence[int]] | None = None
) -> bytes:
    """Return a frozen graph whose tensors are lists of numbers, perhaps of another shape."""
    nodes = []
    for name, array in variables.items():
        shape = (shapes or {}).get(name, array.shape)
        dims = b"".join(bytes_field(2, varint_field(1, size)) for size in shape)
        if array.dtype == np.float32:
            values = bytes_field(5, struct.pack(f"<{array.size}f", *array.flatten()))
        else:
            values = bytes_field(7, b"".join(write_varint(int(v)) for v in array.flatten()))
        kind = varint_field(1, 1 if array.dtype == np.float32 else 3)
        tensor = bytes_field(8, kind + bytes_field(2, dims) + values)
        attribute = bytes_field(5, bytes_field(1, b"value") + bytes_field(2, tensor))
        nodes.append(
            bytes_field(1, bytes_field(1, name.encode()) + bytes_field(2, b"Const") + attribute)
        )
    return b"".join(nodes)
