"""From the folder of a run to a model that comes with Glow."""

import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import glow
from glow import pretrained
from glow.analysis.attributes import Directions, estimate, ridge_regression
from glow.checkpoint import RAW_KEY, fingerprint
from glow.data import Digits
from glow.pretrained import released
from glow.runs.release import release
from glow.runs.run_folder import RunFolder
from glow.system.sealed_file import save_sealed
from tests.running import call, compose_train, refusal
from tests.small_models import digits_model, perturb

SUMMARY = {
    "overrides": ["experiment=digits", "data.root=/elsewhere"],
    "name": "digits",
    "test": {"bits_per_dim": 2.5, "standard_error": 0.1},
    "n_bits": 5,
    "parameters": 1,
    "steps": 3,
    "seconds": 60.0,
    "device": "cpu",
    "cpu_threads": 1,
    "seed": 0,
    "versions": {},
    "git_revision": "0",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, and an empty folder of released models."""
    (tmp_path / "released").mkdir()
    monkeypatch.setattr(released, "FOLDER", tmp_path / "released")
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(tmp_path / "run")
    config = compose_train(folder.path)
    OmegaConf.update(config, "plan.images", "abc", force_add=True)
    folder.write_config(config)
    folder.checkpoints.mkdir()
    glow.save(digits_model(), folder.best)
    folder.write_json("summary.json", SUMMARY)
    folder.metrics.write_text("epoch,step,val/bits_per_dim\n0,1,2.5\n")
    return folder.path


def test_a_released_model_is_loaded_by_its_name(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (f"run={run}", "name=tens", "about='ten digits'", "attributes=[3,7]")
    call(monkeypatch, "release", *arguments)
    model = glow.load("tens")
    assert fingerprint(model) == fingerprint(glow.load(RunFolder(run).best))
    known = pretrained.Released("tens").describe()
    assert known["about"] == "ten digits"
    assert known["command"] == "python experiments/train.py experiment=digits"
    assert (known["test"]["bits_per_dim"], known["images"]) == (2.5, "abc")
    assert known["attributes"] == ["3", "7"]
    data = Digits()
    data.setup()
    batches = data.evaluation_dataloader("train")
    expected = estimate(model, batches, data.label_names, ridge_regression)
    found = Directions.load(pretrained.directions_at("tens"), model)
    torch.testing.assert_close(found.vectors, expected.vectors, atol=1e-4, rtol=1e-4)
    assert capsys.readouterr().out.count("written: ") == 3
    call(monkeypatch, "levels", "checkpoint=tens", "images=[0]", "n_draws=1")
    assert list(Path("runs/tens/figures").glob("levels_decoded_test0.png"))


def test_averages_are_released(run: Path) -> None:
    """They are what a training with averages selects, tests and draws."""
    averaged = glow.load(RunFolder(run).best)
    best = torch.load(RunFolder(run).best, weights_only=True)
    raw = perturb(glow.load(RunFolder(run).best)).state_dict()
    best[RAW_KEY] = {f"model.{name}": value for name, value in raw.items()}
    save_sealed(best, RunFolder(run).best)
    release(run, "tens", "ten digits")
    assert fingerprint(glow.load("tens")) == fingerprint(averaged)
    assert not pretrained.Released("tens").directions.exists()
    json.dumps(pretrained.Released("tens").describe())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("name=a/b about=x", "error: name must be a word of letters, digits and underscores"),
        ("name=tens about=''", "error: about must say what the model was trained on"),
        ("name=tens about=x attributes=[nobody]", "error: there is no attribute nobody"),
        ("name=tens about=x n_images=0", "error: n_images must be at least 1, got 0"),
        ("name=tens about=x run=nowhere", "error: nowhere holds no summary.json"),
    ],
)
def test_bad_input_ends_with_a_sentence(
    arguments: str, message: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments.split()
    if "run=nowhere" not in given:
        given.append(f"run={run}")
    assert refusal(monkeypatch, "release", *given).startswith(message)
    assert pretrained.names() == []
