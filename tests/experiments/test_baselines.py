"""NICE, RealNVP, Flow++, Jet and their parts go through the same programs as Glow."""

import json
import re
from pathlib import Path

import pytest
import torch

import glow
from glow.models import NICE, FlowPP, Jet, RealNVP
from glow.runs.train import train
from tests.running import call, compose_train, refusal

KINDS = {
    "nice": (NICE, ("model.n_steps=2", "model.coupling.net.width=8", "model.coupling.net.depth=1")),
    "real_nvp": (
        RealNVP,
        ("model.n_steps=1", "model.coupling.net.width=4", "model.coupling.net.n_blocks=1"),
    ),
    "flowpp": (
        FlowPP,
        (
            "model.n_steps=[[0,1],[1,0]]",
            "model.coupling.net.width=4",
            "model.coupling.net.n_blocks=1",
            "model.coupling.net.grid=[2,2]",
            "model.coupling.net.dropout=0.2",
            "model.coupling.net.n_classes=10",
            "model.coupling.transform.n_components=2",
            "model.dequantizer.n_steps=2",
            "model.dequantizer.features=4",
            "model.dequantizer.n_blocks=1",
            "model.dequantizer.coupling.net.width=4",
            "callbacks=ema",
        ),
    ),
    "jet": (
        Jet,
        (
            "model.n_steps=2",
            "model.patch_size=2",
            "model.spatial_every=2",
            "model.memory=reverse",
            "model.coupling.net.width=8",
            "model.coupling.net.depth=1",
            "model.coupling.net.n_heads=2",
            "model.coupling.net.grid=[4,4]",
        ),
    ),
}
SHORT = ("trainer.max_epochs=2", "trainer.limit_train_batches=4", "optimizer.lr=0.01")


def options(name: str, *more: str) -> tuple[str, ...]:
    return (f"model={name}", *KINDS[name][1], *SHORT, *more)


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two short epochs on the digits."""
    folder = tmp_path_factory.mktemp(name)
    train(compose_train(folder, *options(name)))
    return folder


@pytest.mark.slow
def test_a_run_leaves_a_model_that_can_be_loaded(name: str, run: Path) -> None:
    model = glow.load(run / "checkpoints" / "best.ckpt")
    assert isinstance(model, KINDS[name][0])
    summary = json.loads((run / "summary.json").read_text())
    assert 0 < summary["test"]["bits_per_dim"] < 10
    assert summary["steps"] == 8
    assert (summary["dequantization"], summary["bound"]) == (
        ("variational", "V") if name == "flowpp" else ("uniform", "U")
    )
    for figure in ("samples", "temperature_sweep", "interpolation", "training_curve"):
        assert (run / "figures" / f"{figure}.png").is_file()


@pytest.mark.slow
def test_a_resumed_run_ends_like_one_that_was_not_cut(name: str, run: Path, tmp_path: Path) -> None:
    train(compose_train(tmp_path, *options(name, "trainer.max_epochs=1")))
    train(compose_train(tmp_path, *options(name)))
    whole, resumed = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (run, tmp_path)
    )
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


@pytest.mark.slow
def test_evaluate_agrees_with_training(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, "evaluate", f"checkpoint={run}", "trainer.accelerator=cpu")
    result = json.loads((run / "evaluation_best_digits_test.json").read_text())
    summary = json.loads((run / "summary.json").read_text())
    kinds = result["weights"]
    assert kinds.get("averaged", kinds["raw"]) == pytest.approx(summary["test"])
    assert result["bound"] == summary["bound"]
    assert ("bits/dim (V)" in capsys.readouterr().out) == (summary["bound"] == "V")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "arguments", "pattern"),
    [
        ("sample", ("n_rows=2", "n_columns=2", "seed=3"), "figures/samples_T0.7_seed3.png"),
        ("interpolate", ("pairs=[[0,1]]", "n_frames=3"), "figures/interpolation_test0-test1.gif"),
        ("levels", ("n_draws=1",), "figures/levels_resampled_*.png"),
        ("out_of_distribution", ("n_images=8",), "out_of_distribution_*.json"),
        ("manipulate", ("attributes=[3]", "images=[0]"), "figures/attributes_3_*.png"),
    ],
)
def test_programs_that_draw(
    program: str,
    arguments: tuple[str, ...],
    pattern: str,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call(monkeypatch, program, f"checkpoint={run}", "batch_size=7", *arguments)
    assert list(run.glob(pattern))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model=nice", "data.image_shape=[1,7,7]"), "error: image_shape must be .*NICE"),
        (("model=nice", "+model.n_levels=2"), "error: there is no model.n_levels: .*NICE takes"),
        (("model=nice", *KINDS["nice"][1], "compiled=true"), "error: NICE has no steps of flow"),
        (("model=real_nvp", "model.n_levels=4"), "error: n_levels=4 needs .*largest valid .* is 3"),
        (("model=glow", "model/coupling/net=mlp"), "error: an MLP needs vectors"),
    ],
)
def test_what_does_not_fit_ends_with_a_sentence(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("~callbacks.progress", "callbacks.samples=null", "trainer.accelerator=cpu")
    found = refusal(monkeypatch, "train", f"run_dir={tmp_path}/run", *arguments, *small)
    assert re.match(message, found), found
