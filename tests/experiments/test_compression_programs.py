"""The programs that compress and restore images."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

import glow
from glow.benchmark.picture_codecs import (
    available_formats,
    bits_per_dim_of_files,
    bits_per_dim_of_mosaic,
)
from glow.runs.building import build
from glow.runs.run_folder import RunFolder
from tests.running import call, compose_train, refusal
from tests.small_models import digits_model, perturb


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose model is initialized and not trained."""
    folder = RunFolder(tmp_path_factory.mktemp("digits"))
    folder.write_config(compose_train(folder.path, "experiment=digits"))
    folder.checkpoints.mkdir()
    glow.save(digits_model(), folder.best)
    return folder.path


@pytest.fixture(scope="module")
def tested(run: Path) -> Tensor:
    data = build(RunFolder(run).data_config(None), "data")
    data.prepare_data()
    data.setup()
    images: Tensor = data.dataset("test").images
    return images


def restored(folder: Path) -> Tensor:
    paths = sorted(folder.iterdir())
    assert [path.name for path in paths] == [f"{i:06d}.png" for i in range(len(paths))]
    return torch.stack([pil_to_tensor(Image.open(path)) for path in paths])


def test_a_split_comes_back(
    run: Path,
    tested: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, output = tmp_path / "new" / "test.glow", tmp_path / "out"
    call(
        monkeypatch,
        "compress",
        f"checkpoint={run}",
        "n_images=130",
        f"output={file}",
        "chunk_size=70",
    )
    printed = capsys.readouterr().out
    assert "fell back" in printed
    assert "that the model does not see" not in printed  # the digits have 17 levels
    call(monkeypatch, "decompress", f"input={file}", f"output={output}")
    assert torch.equal(restored(output), tested[:130])
    call(monkeypatch, "compress", f"checkpoint={run}", "n_images=0", f"output={file}")
    call(monkeypatch, "decompress", f"input={file}", f"output={tmp_path / 'none'}")
    assert list((tmp_path / "none").iterdir()) == []


@pytest.mark.slow
def test_pictures_come_back_with_the_bits_that_the_model_does_not_see(
    run: Path,
    tested: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures, file = tmp_path / "pictures", tmp_path / "test.glow"
    images = tested[:130] // 8 * 8 + torch.randint(8, (130, 1, 8, 8), dtype=torch.uint8)
    (pictures / "deeper").mkdir(parents=True)
    for i, image in enumerate(images):
        to_pil_image(image).save(pictures / "deeper" / f"{i:03d}.png")
    (pictures / "notes.txt").write_text("no picture")
    call(monkeypatch, "compress", f"checkpoint={run}", f"images={pictures}", f"output={file}")
    call(monkeypatch, "decompress", f"input={file}", f"output={tmp_path / 'a'}")
    assert torch.equal(restored(tmp_path / "a"), images)
    call(
        monkeypatch,
        "compress",
        f"checkpoint={run}",
        f"images={pictures}",
        f"output={file}",
        "quantized=true",
    )
    call(
        monkeypatch, "decompress", f"input={file}", f"output={tmp_path / 'b'}", f"checkpoint={run}"
    )
    assert torch.equal(restored(tmp_path / "b"), images // 8 * 8)
    one = pictures / "deeper" / "003.png"
    call(monkeypatch, "compress", f"checkpoint={run}", f"images=[{one},{one}]", f"output={file}")
    call(monkeypatch, "decompress", f"input={file}", f"output={tmp_path / 'c'}")
    assert torch.equal(restored(tmp_path / "c"), images[[3, 3]])


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [
        ("L", (8, 9), "is 8x9, and images are stored without any conversion"),
        ("RGB", (8, 8), "has pixels of Pillow's mode RGB"),
        ("LA", (8, 8), "has transparent pixels and has pixels of Pillow's mode LA"),
        ("I;16", (8, 8), "has pixels of Pillow's mode I;16"),
    ],
)
def test_a_picture_that_would_be_converted_is_refused(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    size: tuple[int, int],
    message: str,
) -> None:
    path = tmp_path / "some.png"
    Image.new(mode, size).save(path)
    arguments = (f"checkpoint={run}", f"images={path}", f"output={tmp_path / 'x.glow'}")
    assert message in refusal(monkeypatch, "compress", *arguments)
    assert [it.name for it in tmp_path.iterdir()] == ["some.png"]


@pytest.mark.slow
def test_wrong_arguments_are_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = f"output={tmp_path / 'x.glow'}"
    arguments = (f"checkpoint={run}", output)
    assert "there is no nowhere" in refusal(monkeypatch, "compress", *arguments, "images=nowhere")
    assert "got nothing" in refusal(monkeypatch, "compress", *arguments, "images=[]")
    assert "got -1" in refusal(monkeypatch, "compress", *arguments, "n_images=-1")
    assert "from 1 to 65535, got 0" in refusal(monkeypatch, "compress", *arguments, "chunk_size=0")
    assert "there is no file" in refusal(monkeypatch, "decompress", "input=nothing", output)
    call(monkeypatch, "compress", *arguments, "n_images=2")
    source = f"input={tmp_path / 'x.glow'}"
    assert "must be a new or an empty folder" in refusal(
        monkeypatch, "decompress", source, f"output={tmp_path}"
    )
    other = tmp_path / "other.ckpt"
    glow.save(perturb(digits_model()), other)
    refused = refusal(
        monkeypatch, "decompress", source, f"output={tmp_path / 'y'}", f"checkpoint={other}"
    )
    assert "x.glow: the file was written with the model" in refused
    (tmp_path / "x.glow").write_text("hello")
    assert "is not a file that" in refusal(
        monkeypatch, "decompress", source, f"output={tmp_path / 'y'}"
    )


def test_a_model_that_is_elsewhere_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = glow.compression.compress(digits_model(), torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    (tmp_path / "x.glow").write_bytes(stored)
    arguments = (f"input={tmp_path / 'x.glow'}", f"output={tmp_path / 'y'}")
    fingerprint = glow.checkpoint.fingerprint(digits_model())
    assert f"set checkpoint to the model {fingerprint}" in refusal(
        monkeypatch, "decompress", *arguments
    )


def test_what_is_not_damaged_is_written(
    run: Path, tested: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, output = tmp_path / "test.glow", tmp_path / "out"
    call(
        monkeypatch,
        "compress",
        f"checkpoint={run}",
        "n_images=90",
        f"output={file}",
        "chunk_size=30",
    )
    data = bytearray(file.read_bytes())
    data[data.find(b"GLCK", data.find(b"GLCK") + 1) + 60] ^= 1
    file.write_bytes(data)
    refused = refusal(monkeypatch, "decompress", f"input={file}", f"output={output}")
    assert "images 30 to 59: the file is damaged there. The others are in" in refused
    names = sorted(path.stem for path in output.iterdir())
    assert names == [f"{i:06d}" for i in (*range(30), *range(60, 90))]
    assert torch.equal(pil_to_tensor(Image.open(output / "000060.png")), tested[60])


def test_sizes_are_compared(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, figure = tmp_path / "records" / "digits.json", tmp_path / "all.png"
    arguments = (f"checkpoint={run}", "n_images=20", f"output={output}", f"figure={figure}")
    call(monkeypatch, "compare_compression", *arguments)
    record = json.loads(output.read_text())
    assert record["title"] == "Digits 1x8x8, 5 bits"
    assert record["n_images"] == 20
    assert 0 <= record["initial"] < record["file"]
    assert record["per_image"]["PNG"] > record["mosaic"]["PNG"] > 0
    assert set(record["per_image"]) == set(available_formats())
    assert Image.open(figure).size[0] > 300


def test_the_formats_are_measured_in_bits_per_dim() -> None:
    noise = torch.from_numpy(
        np.random.default_rng(0).integers(256, size=(6, 3, 16, 16), dtype=np.uint8)
    )
    for name in available_formats():
        assert 8 < bits_per_dim_of_mosaic(noise, name) < bits_per_dim_of_files(noise, name) < 10
