"""The programs for the authors' files, and what other programs do with what they write."""

import re
from pathlib import Path

import numpy as np
import pytest

import glow
from glow.interop import openai
from tests.interop.checkpoints import GRAPH, PREFIX, reference_glow
from tests.running import call, refusal


def imported(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> None:
    given = (f"checkpoint={PREFIX}", "image_size=8", f"run_dir={folder}")
    call(monkeypatch, "import_openai", *given, *arguments)


def test_an_import_is_a_checkpoint_for_every_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(monkeypatch, tmp_path / "run", "n_bits=5", "weights=ema", "data=digits")
    output = capsys.readouterr().out
    assert "L 2, K 1, width 4, additive couplings, shuffled channels, a learned top" in output
    assert "ignored, because no model of openai/glow has them: model/0/0/f1/l_1/eps_b" in output
    model = glow.load(tmp_path / "run" / "checkpoints" / "best.ckpt")
    expected = openai.read(PREFIX, 8, 5, "ema").build()
    assert model.dequantizer.n_bits == 5
    for name, value in expected.state_dict().items():
        assert np.array_equal(model.state_dict()[name].numpy(), value.numpy())
    call(monkeypatch, "sample", f"checkpoint={tmp_path}/run", "n_rows=1", "n_columns=2")
    call(monkeypatch, "levels", f"checkpoint={tmp_path}/run", "n_draws=1")
    call(monkeypatch, "evaluate", f"checkpoint={tmp_path}/run", "threads=1")
    assert [*(tmp_path / "run").glob("evaluation_best_digits_test.json")]


def test_an_import_without_data_is_evaluated_on_data_that_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(monkeypatch, tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()
    call(monkeypatch, "evaluate", f"checkpoint={tmp_path}/run", "data=digits", "threads=1")
    assert [*(tmp_path / "run").glob("evaluation_best_digits_test.json")]


def test_a_model_leaves_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = reference_glow()
    glow.save(model, tmp_path / "best.ckpt")
    call(monkeypatch, "export_openai", f"checkpoint={tmp_path}/best.ckpt")
    found = tmp_path / "openai" / "model_best_loss.ckpt"
    imported(monkeypatch, tmp_path / "again", f"checkpoint={found}.index")
    again = glow.load(tmp_path / "again" / "checkpoints" / "best.ckpt")
    assert openai.describe(openai.read(found, 8).config).startswith("L 2, K 2, width 4, affine")
    assert again.latent_shapes == model.latent_shapes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["checkpoint=nothing"], "error: there is no nothing: expected a checkpoint such as"),
        (
            ["image_size=7"],
            r"error: .*\.index holds no model of .* with image_size=7 and n_bits=8: n_levels=2",
        ),
        (["image_size=big"], "error: image_size should be a valid integer"),
        (["weights=mean"], "error: weights should be 'raw' or 'ema', got 'mean'"),
        (["n_bits=9"], "error: .*n_bits must be from 1 to 8"),
        ([f"checkpoint={GRAPH}", "weights=ema"], "error: .*has no averages"),
    ],
)
def test_bad_input_ends_with_a_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"checkpoint": str(PREFIX), "image_size": "8", "run_dir": str(tmp_path / "run")}
    given |= dict(argument.split("=", 1) for argument in arguments)
    words = [f"{key}={value}" for key, value in given.items()]
    printed = refusal(monkeypatch, "import_openai", *words)
    assert re.match(message, printed), printed
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(monkeypatch, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoints" / "best.ckpt").read_bytes()
    given = (f"checkpoint={PREFIX}", "image_size=8", f"run_dir={tmp_path}/run")
    message = refusal(monkeypatch, "import_openai", *given)
    assert message.endswith("run holds a run already: choose another run_dir")
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").read_bytes() == before
