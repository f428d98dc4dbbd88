import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer

import glow
from glow.data import Digits
from glow.noise import noise_per_step
from glow.training import ImageFlowModule
from tests.paths import ROOT
from tests.training.distributed_training import keep_an_odd_number_of_test_images, small_model

SCRIPT = ROOT / "tests" / "training" / "distributed_training.py"


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.faults)])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two or four processes recorded what they saw."""
    folder = tmp_path_factory.mktemp("distributed")
    subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(request.param)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


def records(folder: Path) -> list[dict[str, Any]]:
    """Return what each process saw."""
    return [torch.load(folder / f"rank_{i}.pt") for i in range(len(list(folder.glob("rank_*"))))]


@pytest.mark.slow
def test_processes_start_alike_train_on_different_images_and_end_alike(folder: Path) -> None:
    first, *others = records(folder)
    assert others
    for moment in ("start", "gradient", "end"):
        for other in others:
            torch.testing.assert_close(other[moment], first[moment], rtol=0, atol=0)
    flags = [v for name, v in first["start"].items() if name.endswith("initialized")]
    assert flags
    assert all(flags)

    # One process alone would start from the same values, but for the noise of dequantization.
    torch.manual_seed(0)
    model = small_model()
    data = Digits(batch_size=64)
    data.setup("fit")
    model.initialize(*data.initialization_batch(256))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, first["start"][name], rtol=0, atol=0.05)

    # They share the epoch between them.
    batches = [images for rank in (first, *others) for images in rank["images"]]
    assert len(batches) == 20 * (1 + len(others))
    ours = sorted(map(tuple, torch.cat(batches).flatten(1).tolist()))
    everything = sorted(map(tuple, data.datasets["train"].images.flatten(1).tolist()))
    assert len(ours) == 1280
    assert len(set(ours) & set(everything)) == len(set(ours)) > 1270


@pytest.mark.slow
def test_the_gradient_of_processes_is_that_of_one_with_all_their_images(folder: Path) -> None:
    ranks = records(folder)
    model = small_model()
    model.load_state_dict(ranks[0]["start"])
    first = [seen["images"][0] for seen in ranks]
    noise = [noise_per_step(images, 0, rank, 0) for rank, images in enumerate(first)]
    model.bits_per_dim(torch.cat(first), noise=torch.cat(noise)).mean().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            ranks[0]["gradient"][name], parameter.grad, rtol=1e-4, atol=1e-6, msg=name
        )


@pytest.mark.slow
def test_processes_evaluate_like_one(folder: Path) -> None:
    """299 images are no multiple of anything."""
    data = Digits(eval_batch_size=64)
    keep_an_odd_number_of_test_images(data)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    module = ImageFlowModule(glow.load(folder / "model.pt"))
    [alone] = trainer.test(module, datamodule=data, verbose=False)
    together = json.loads((folder / "test.json").read_text())
    assert alone["test/images"] == together["test/images"] == 299
    for name, value in alone.items():
        assert together[name] == pytest.approx(value, abs=1e-6), name
