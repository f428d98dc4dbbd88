import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer

import glow
from glow.data import Digits
from glow.training import ImageFlowModule
from tests.paths import ROOT
from tests.small_models import affine, variational
from tests.training.distributed_training import keep_an_odd_number_of_test_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes recorded what they saw."""
    folder = tmp_path_factory.mktemp("distributed")
    subprocess.run(
        [sys.executable, str(ROOT / "tests" / "training" / "distributed_training.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


def test_two_processes_start_alike_train_on_different_images_and_end_alike(folder: Path) -> None:
    first, second = (torch.load(folder / f"rank_{rank}.pt") for rank in (0, 1))
    for moment in ("start", "end"):
        for name, value in first[moment].items():
            assert torch.equal(value, second[moment][name]), (moment, name)
    flags = [v for name, v in first["start"].items() if name.endswith("initialized")]
    assert flags
    assert all(flags)

    # One process alone would start from the same values, but for the noise of dequantization.
    torch.manual_seed(0)
    model = glow.Glow(
        (1, 8, 8),
        n_bits=5,
        n_levels=2,
        n_steps=1,
        coupling=affine,
        dequantizer=partial(variational, image_shape=(1, 8, 8)),
    )
    data = Digits(batch_size=32)
    data.setup("fit")
    model.initialize(*data.initialization_batch(256))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, first["start"][name], rtol=0, atol=0.05)

    # They share the epoch between them.
    batches = [images for rank in (first, second) for images in rank["images"]]
    assert len(first["images"]) == len(second["images"]) == 20
    ours = sorted(map(tuple, torch.cat(batches).flatten(1).tolist()))
    everything = sorted(map(tuple, data.datasets["train"].images.flatten(1).tolist()))
    assert len(ours) == 1280
    assert len(set(ours) & set(everything)) == len(set(ours)) > 1270


def test_two_processes_evaluate_like_one(folder: Path) -> None:
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
