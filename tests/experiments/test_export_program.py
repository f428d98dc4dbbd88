"""The program that exports trained models."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch

import glow
from glow.bijections import AdditiveCoupling
from glow.interop.export import onnx_format
from glow.nets import CouplingNet
from tests.running import call, refusal
from tests.small_models import perturb


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    coupling = partial(AdditiveCoupling, net=partial(CouplingNet, width=4))
    model = glow.Glow((1, 4, 4), n_levels=1, n_steps=1, coupling=coupling)
    model.initialize(torch.randint(256, (8, 1, 4, 4), dtype=torch.uint8))
    glow.save(perturb(model, 0.02), tmp_path / "best.ckpt")
    return tmp_path / "best.ckpt"


def test_a_checkpoint_is_exported_and_compared(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("what=log_prob", "format=torch_export")
    call(monkeypatch, "export", f"checkpoint={checkpoint}", *given)
    output = capsys.readouterr().out
    assert re.search(r"largest difference from the model: \d\.\de[+-]\d\d", output)
    path = checkpoint.parent / "export" / "log_prob.pt2"
    assert f"written: {path}" in output
    images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    noise = torch.rand(images.shape)
    found = torch.export.load(path).module()(images, noise)
    expected = glow.load(checkpoint).log_prob(images, noise=noise)
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["what=sample"], "error: what should be 'encode', 'decode' or 'log_prob', got 'sample'"),
        (["format=tflite"], "error: format should be 'onnx' or 'torch_export', got 'tflite'"),
        (["checkpoint=nothing"], "error: no checkpoint at nothing"),
        ([], r"error: format=onnx needs nobody: pip install -e '\.\[export\]'"),
    ],
)
def test_bad_input_ends_with_a_sentence(
    arguments: list[str], message: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_format, "PACKAGES", ("nobody",))
    printed = refusal(monkeypatch, "export", f"checkpoint={checkpoint}", *arguments)
    assert re.match(message, printed), printed
    assert [path.name for path in checkpoint.parent.iterdir()] == ["best.ckpt"]
