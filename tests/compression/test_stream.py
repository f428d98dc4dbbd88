"""Images come back byte for byte, or an error says that they do not."""

import functools
import io
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glow import Glow
from glow.analysis import batches
from glow.compression import (
    DamagedFileError,
    Lost,
    Restored,
    compress,
    decompress,
    read,
    write,
)
from glow.compression import chunk as chunks
from glow.compression.flow_codec import FlowCodec
from glow.compression.pictures import to_picture
from glow.data import Digits
from glow.models import ClassConditionalPrior, ImageFlow
from tests.small_models import affine, digits_model, perturb

SHAPE = (3, 4, 4)


def noise(n: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randint(256, (n, *shape), dtype=torch.uint8)


def small_model(images: Tensor, **options: Any) -> Glow:
    """Return a model that finds such images likely."""
    torch.manual_seed(0)
    shape = tuple(images.shape[1:])
    model = Glow(shape, **{"n_levels": 2, "n_steps": 1, "coupling": affine, **options})
    model.initialize(images, torch.zeros(len(images), dtype=torch.long))
    return perturb(model, 0.002)


def soft(n: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """Return images of low contrast."""
    return noise(n, shape) // 32 + 100


@pytest.fixture(scope="module")
def digits() -> tuple[Glow, Tensor]:
    data = Digits()
    data.setup()
    return digits_model(), data.dataset("train").images[:150]


def extremes() -> Iterator[Tensor]:
    """Yield images that nobody would call likely."""
    yield from (torch.full((1, 8, 8), value, dtype=torch.uint8) for value in (0, 7, 8, 128, 255))
    yield torch.arange(64).view(1, 8, 8).mul(4).to(torch.uint8)
    yield torch.tensor([0, 255]).repeat(32).view(1, 8, 8).to(torch.uint8)
    for at in (0, 63):
        changed = torch.zeros(64, dtype=torch.uint8)
        changed[at] = 255
        yield changed.view(1, 8, 8)


def test_images_at_the_extremes_come_back(digits: tuple[Glow, Tensor]) -> None:
    model, likely = digits
    unlikely = torch.stack([*extremes(), *noise(20, (1, 8, 8))])
    images = torch.cat([likely[:60], unlikely, likely[60:]])
    assert torch.equal(decompress(model, compress(model, images)), images)


@pytest.mark.parametrize("n", [0, 1, 2, 66, 67, 134])
def test_any_number_of_images_comes_back_in_any_batches(
    digits: tuple[Glow, Tensor], n: int
) -> None:
    model, images = digits
    stored = io.BytesIO()
    parts = [(part, None) for part in images[:n].split(37)] if n else []
    summary = write(model, parts, stored, chunk_size=66)
    assert summary.n_images == n
    assert summary.n_bytes == len(stored.getvalue())
    assert len(summary.chunks) == math.ceil(n / 66)
    assert torch.equal(decompress(model, stored.getvalue()), images[:n])


def test_a_file_is_as_long_as_the_model_says(digits: tuple[Glow, Tensor]) -> None:
    model, images = digits
    said = batches.bits_per_dim(model, images).mean()
    stored = io.BytesIO()
    summary = write(model, [(images, None)], stored)
    coded = [c for c in summary.chunks if c.kind == chunks.MODEL]
    assert len(coded) == len(summary.chunks) == 1
    rest = 8 * len(stored.getvalue()) - coded[0].initial_bits
    values = (len(images) - coded[0].n_initial) * 64
    assert rest / values < float(said) + 8 * 450 / values + 0.05  # with the header


def test_images_out_of_range_do_not_spoil_the_others() -> None:
    images = soft(90, (1, 8, 8)) // 2 + 50
    model = small_model(images)
    images[70], images[81] = 0, 255
    stored = io.BytesIO()
    summary = write(model, [(images, None)], stored)
    assert torch.equal(decompress(model, stored.getvalue()), images)
    assert summary.chunks[0].n_outliers == 2


def test_a_model_that_is_not_finite_stores_pictures() -> None:
    model = small_model(noise(32))
    with torch.no_grad():
        for parameter in model.flow.levels.parameters():
            if parameter.ndim == 4:
                parameter.fill_(math.nan)
    images = noise(80)
    stored = io.BytesIO()
    summary = write(model, [(images, None)], stored)
    assert torch.equal(decompress(model, stored.getvalue()), images)
    assert summary.chunks[0].n_outliers + summary.chunks[0].n_initial in (0, 80)


def test_a_code_that_does_not_come_back_is_replaced_by_a_picture(
    digits: tuple[Glow, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = digits
    decode = FlowCodec.decode
    monkeypatch.setattr(FlowCodec, "decode", lambda *args: decode(*args) + 1)
    stored = io.BytesIO()
    summary = write(model, [(images, None)], stored, chunk_size=70)
    assert [chunk.fell_back for chunk in summary.chunks] == [True] * 3
    monkeypatch.undo()
    assert torch.equal(decompress(model, stored.getvalue()), images)


def test_another_model_is_refused(digits: tuple[Glow, Tensor]) -> None:
    model, images = digits
    stored = compress(model, images[:3])
    with pytest.raises(ValueError, match=r"was written with the model [0-9a-f]{16} for images"):
        decompress(perturb(digits_model()), stored)


def test_numbers_that_differ_elsewhere_are_never_returned(
    digits: tuple[Glow, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like another build of torch, whose networks differ in their last bits."""
    model, images = digits
    stored = compress(model, images)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX1024")
    raw = FlowCodec.__init__

    def changed(self: Any, model: ImageFlow) -> None:
        raw(self, model)
        for stages in self.levels:
            for stage in stages:
                if hasattr(stage, "coupling"):
                    with torch.no_grad():
                        for parameter in stage.coupling.parameters():
                            parameter.mul_(1 + 1e-3)

    monkeypatch.setattr(FlowCodec, "__init__", changed)
    with pytest.raises(DamagedFileError, match=r"images 0 to 149: they do not come back.*AVX1024"):
        decompress(model, stored)


def test_200_mutated_files_never_return_wrong_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images = soft(140, (1, 4, 4))
    model = small_model(images, n_levels=1)
    stored = io.BytesIO()
    summary = write(model, [(images, None)], stored, chunk_size=70)
    assert {chunk.kind for chunk in summary.chunks} == {chunks.MODEL}
    # What is not mutated need not be decoded again.
    codec, decode = FlowCodec(model), functools.cache(chunks.decode_chunk)
    monkeypatch.setattr("glow.compression.stream.FlowCodec", lambda model: codec)
    monkeypatch.setattr("glow.compression.stream.decode_chunk", decode)
    whole, rng = stored.getvalue(), np.random.default_rng(0)
    refused = 0
    for number in range(200):
        data = bytearray(whole)
        at = int(rng.integers(len(data)))
        match number % 5:
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at:]
            case 2:
                del data[at : at + int(rng.integers(1, 40))]
            case 3:
                data[at:at] = rng.bytes(int(rng.integers(1, 40)))
            case 4:
                data[at : at + 8] = rng.bytes(8)
        try:
            assert torch.equal(decompress(model, bytes(data)), images)
        except ValueError as error:
            refused += bool(str(error))
    assert refused > 190


def test_a_damaged_chunk_loses_only_itself(digits: tuple[Glow, Tensor]) -> None:
    model, images = digits
    stored = io.BytesIO()
    write(model, [(images[:90], None)], stored, chunk_size=30)
    data = bytearray(stored.getvalue())
    _, second, third = (
        m for m in range(len(data)) if data[m : m + 4] == b"GLCK" and data[m + 4] != 255
    )
    for place in (second + 3, second + 20, second + 60, third - 2):
        broken = data.copy()
        broken[place] ^= 8
        found = list(read(model, io.BytesIO(broken)))
        kinds = [type(it) for it in found]
        assert kinds == [Restored, Lost, Restored]
        assert str(found[1]) == "images 30 to 59: the file is damaged there"
        for part in found:
            if isinstance(part, Restored):
                assert torch.equal(part.images, images[part.first : part.first + 30])


def test_wrong_images_and_labels_are_refused() -> None:
    model = small_model(noise(32), top=partial(ClassConditionalPrior, n_classes=3))
    with pytest.raises(ValueError, match=r"uint8 of the shape \(N, 3, 4, 4\), got torch.float32"):
        compress(model, torch.zeros(2, *SHAPE))
    with pytest.raises(ValueError, match=r"got torch.uint8 of the shape \(2, 1, 4, 4\)"):
        compress(model, noise(2, (1, 4, 4)))
    with pytest.raises(ValueError, match="labels must be 2 integers, one for each image"):
        compress(model, noise(2), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"labels must be from 0 to 2, or -1 .* got 1 to 3"):
        compress(model, noise(2), torch.tensor([1, 3]))
    with pytest.raises(ValueError, match="chunk_size must be from 1 to 65535, got 0"):
        write(model, [], io.BytesIO(), chunk_size=0)


def test_labels_that_are_not_given_are_guessed() -> None:
    images = soft(70)
    model = small_model(images, top=partial(ClassConditionalPrior, n_classes=3))
    perturb(model.flow.top, 0.1)
    guessed = compress(model, images)
    assert guessed == compress(model, images, torch.full((70,), -1))
    labels = batches.class_log_probs(model, images).argmax(1)
    assert guessed == compress(model, images, labels) != compress(model, images, (labels + 1) % 3)
    assert torch.equal(decompress(model, compress(model, images, (labels + 1) % 3)), images)


def test_the_summary_counts_the_bits_that_the_model_does_not_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(  # a format that is worse than any model
        "glow.compression.chunk.to_picture",
        lambda images: to_picture(images) + bytes(100 * len(images)),
    )
    images = noise(100) // 32 * 8 + 64
    model = small_model(images, n_bits=5)
    images += noise(100) % 8
    stored = io.BytesIO()
    summary = write(model, [(images, None)], stored)
    assert torch.equal(decompress(model, stored.getvalue()), images)
    unseen = summary.numbers()["bits/dim of the bits that the model does not see"]
    assert unseen == pytest.approx(3 * (1 - summary.chunks[0].n_initial / 100), rel=0.1)
