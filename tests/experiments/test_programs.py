"""The programs of experiments/, from the command line to the files that they leave."""

import csv
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from PIL import Image

import glow
from glow import figures
from glow.runs.program import keep_freed_memory
from glow.runs.provenance import processor_name
from glow.runs.train import train
from glow.training import ImageFlowModule
from tests.data.pictures import write_celeba, write_cifar10_pictures
from tests.paths import ROOT
from tests.running import TINY, call, compose_train, refusal
from tests.training.loggers.wandb_records import records

OPTIONS = ("callbacks=ema", "optimizer.lr=0.01", "data.max_shift=0.2")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs."""
    folder = tmp_path_factory.mktemp("run")
    train(compose_train(folder, "trainer.max_epochs=2", *OPTIONS))
    return folder


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    content: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    return {**content["state_dict"], **content["current_model_state"]}


def test_a_run_leaves_what_it_promises(run: Path) -> None:
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert files == {
        "config.yaml",
        "metrics.csv",
        "summary.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/last.ckpt.previous",
        "checkpoints/best.ckpt.previous",
        "figures/training_curve.png",
        "figures/samples.png",
        "figures/temperature_sweep.png",
        "figures/interpolation.png",
    }
    summary = json.loads((run / "summary.json").read_text())
    assert summary["test"]["images"] == 300
    assert 0 < summary["test"]["standard_error"] < summary["test"]["bits_per_dim"] < 10
    assert summary["steps"] == 40
    assert summary["seconds"] > 0
    assert summary["versions"]["torch"] == torch.__version__.split("+")[0]
    model = glow.load(run / "checkpoints" / "best.ckpt")
    assert summary["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.slow
def test_training_on_all_images_selects_the_last_weights(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path / "data")
    options = (f"data.root={tmp_path}/data", f"data.cache_dir={tmp_path}/cache", "data.n_val=0")
    steps = ("data.batch_size=8", "images_per_step=16", "trainer.max_epochs=2")
    best = train(compose_train(tmp_path, "data=cifar10", *options, *steps))
    assert best is None
    assert [path.name for path in tmp_path.glob("checkpoints/*.ckpt")] == ["last.ckpt"]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["test"]["images"] == 10
    assert summary["steps"] == 6  # 2 epochs of 40 images, 16 a step; the last step of each takes 8
    with pytest.raises(
        ValueError, match=r"images_per_step=20 must be a multiple of data.batch_size=8"
    ):
        train(compose_train(tmp_path, "data=cifar10", *options, *steps, "images_per_step=20"))


def test_metrics_hold_bits_per_dim_and_its_parts(run: Path) -> None:
    rows = metrics(run)
    for stage in ("train", "val", "test"):
        filled = [row for row in rows if row[f"{stage}/bits_per_dim"]]
        assert filled
        for row in filled:
            parts = float(row[f"{stage}/latent_bits"]) + float(row[f"{stage}/log_det_bits"])
            assert float(row[f"{stage}/bits_per_dim"]) == pytest.approx(parts, abs=1e-4)
    assert any(row["train/grad_norm"] for row in rows)


def test_every_checkpoint_holds_tensors_and_plain_python(run: Path) -> None:
    for path in run.rglob("*.ckpt"):
        content = torch.load(path, weights_only=True)
        assert content["image_flow"]["_target_"] == "glow.models.glow.Glow"


def metrics(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_it_ends_like(run: Path, other: Path) -> None:
    whole, resumed = (weights(folder / "checkpoints" / "last.ckpt") for folder in (run, other))
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut", "rest"),
    [
        ("trainer.max_epochs=1", ["trainer.max_epochs=-1", "trainer.max_steps=40"]),
        ("trainer.max_steps=7", ["trainer.max_epochs=-1", "trainer.max_steps=40"]),
        ("trainer.max_steps=7", ["trainer.max_epochs=2"]),
    ],
)
def test_a_resumed_run_ends_like_one_that_was_not_cut(
    cut: str, rest: list[str], run: Path, tmp_path: Path
) -> None:
    train(compose_train(tmp_path, cut, *OPTIONS))
    train(compose_train(tmp_path, *rest, *OPTIONS))
    assert_it_ends_like(run, tmp_path)
    steps = [int(row["step"]) for row in metrics(tmp_path) if row["train/bits_per_dim"]]
    assert steps == [9, 19, 29, 39]


def train_with_a_power_cut(folder: Path, *options: str) -> None:
    often = "callbacks.last.every_n_minutes=1e-4"

    def cut(self: ImageFlowModule, *_: object) -> None:
        if self.global_step == 27:
            raise RuntimeError("power cut")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImageFlowModule, "on_train_batch_start", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(compose_train(folder, often, *options))
    train(compose_train(folder, often, *options))


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_run_that_broke_off_resumes_exactly(n_workers: int, run: Path, tmp_path: Path) -> None:
    options = ("trainer.max_epochs=2", f"data.num_workers={n_workers}", *OPTIONS)
    train_with_a_power_cut(tmp_path, *options)
    assert_it_ends_like(run, tmp_path)
    rows = metrics(tmp_path)
    assert [row["step"] for row in rows if row["val/bits_per_dim"]] == ["19", "39"]
    steps = [int(row["step"]) for row in rows if row["train/bits_per_dim"]]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_accumulated_gradients_survive_a_break(tmp_path: Path) -> None:
    options = ("trainer.max_epochs=5", "trainer.accumulate_grad_batches=3", *OPTIONS)
    train(compose_train(tmp_path / "whole", *options))
    train_with_a_power_cut(tmp_path / "broken", *options)
    assert_it_ends_like(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.slow
def test_a_run_that_was_moved_keeps_its_best(tmp_path: Path) -> None:
    train(compose_train(tmp_path / "old", "trainer.max_epochs=1", *OPTIONS))
    (tmp_path / "old").rename(tmp_path / "new")
    before = weights(tmp_path / "new" / "checkpoints" / "best.ckpt")
    # As if the best validation had been better than any to come.
    last = tmp_path / "new" / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    for name, state in content["callbacks"].items():
        if "RunCheckpoint" in name and state["best_model_score"] is not None:
            state["best_model_score"] = torch.tensor(0.0)
            state["kth_value"] = torch.tensor(0.0)
            state["best_k_models"] = dict.fromkeys(state["best_k_models"], torch.tensor(0.0))
    torch.save(content, last)
    train(compose_train(tmp_path / "new", "trainer.max_epochs=2", *OPTIONS))
    after = weights(tmp_path / "new" / "checkpoints" / "best.ckpt")
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_run_is_not_resumed_with_another_config(run: Path) -> None:
    before = (run / "config.yaml").read_text()
    config = compose_train(run, "trainer.max_epochs=3", *OPTIONS, "model.coupling.net.width=16")
    with pytest.raises(ValueError, match=r"model\.coupling\.net\.width is 8 there, not 16"):
        train(config)
    config = compose_train(run, "trainer.max_epochs=3", "callbacks=ema", "optimizer.lr=0.02")
    with pytest.raises(ValueError, match=r"optimizer\.lr is 0\.01 there, not 0\.02"):
        train(config)
    assert (run / "config.yaml").read_text() == before


@pytest.mark.slow
def test_a_run_stops_when_its_time_is_up(tmp_path: Path) -> None:
    train(compose_train(tmp_path, "trainer.max_epochs=1000", "trainer.max_time='00:00:00:01'"))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert 0 < summary["steps"] < 1000
    assert 1 <= summary["seconds"] < 20


@pytest.mark.slow
def test_another_seed_is_another_run(run: Path, tmp_path: Path) -> None:
    train(compose_train(tmp_path, "trainer.max_epochs=2", "seed=1", *OPTIONS))
    state, other = (weights(folder / "checkpoints" / "last.ckpt") for folder in (run, tmp_path))
    assert any(not torch.equal(state[name], other[name]) for name in state)


def test_evaluate_agrees_with_training(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, "evaluate", f"checkpoint={run}", "trainer.accelerator=cpu")
    result = json.loads((run / "evaluation_best_digits_test.json").read_text())
    summary = json.loads((run / "summary.json").read_text())
    assert result["weights"]["averaged"] == pytest.approx(summary["test"])
    assert result["weights"]["raw"] == pytest.approx(summary["test_of_raw_weights"])
    assert result["weights"]["averaged"] != result["weights"]["raw"]
    assert "raw weights, test images" in capsys.readouterr().out
    named = {key: result[key] for key in ("data", "split", "n_bits", "crop", "dequantization")}
    assert list(named.values()) == ["Digits", "test", 5, None, "uniform"]


def test_images_without_a_likelihood_stop_or_are_counted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["current_model_state"]["model.flow.top.bias"].fill_(torch.nan)
    torch.save(checkpoint, path)
    arguments = (f"checkpoint={path}", "trainer.accelerator=cpu")
    message = refusal(monkeypatch, "evaluate", *arguments, status=1)
    assert message.startswith("error: 300 of 300 test images have no finite likelihood")
    call(monkeypatch, "evaluate", *arguments, "allow_non_finite=true")
    result = json.loads((tmp_path / "run" / "evaluation_best_digits_test.json").read_text())
    assert result["weights"]["raw"]["non_finite"] == 300
    assert math.isnan(result["weights"]["raw"]["bits_per_dim"])
    assert "non_finite" not in result["weights"]["averaged"]
    assert 0 < result["weights"]["averaged"]["bits_per_dim"] < 10


@pytest.mark.slow
def test_two_processes_evaluate_every_image_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1297 training images are no multiple of two, nor of batches of 40."""

    def evaluated(n_processes: int) -> tuple[dict[str, Any], list[dict[str, str]]]:
        arguments = (
            f"checkpoint={run}",
            "split=train",
            "noise_samples=2",
            "+data.eval_batch_size=40",
            "trainer.accelerator=cpu",
            f"trainer.devices={n_processes}",
        )
        subprocess.run(
            [sys.executable, str(ROOT / "experiments" / "evaluate.py"), *arguments],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=tmp_path,
        )
        file = run / "evaluation_best_digits_train_2_draws.json"
        with file.with_suffix(".csv").open(newline="") as table:
            return json.loads(file.read_text()), list(csv.DictReader(table))

    (alone, rows), (together, same_rows) = evaluated(1), evaluated(2)
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert alone["weights"]["raw"]["images"] == len(rows) == 1297
    for weights_of, numbers in alone["weights"].items():
        assert together["weights"][weights_of] == pytest.approx(numbers, abs=1e-6)
    for row, same in zip(rows, same_rows, strict=True):
        assert row["index"] == same["index"]
        for name in ("bits_per_dim_averaged", "tighter_bits_per_dim_raw", "level_2_bits_raw"):
            assert float(row[name]) == pytest.approx(float(same[name]), abs=1e-5)


def test_samples_have_a_temperature_for_each_level(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(monkeypatch, "sample", f"checkpoint={run}", "n_rows=2", "temperature=[0.5,0.7]", "seed=3")
    assert (run / "figures" / "samples_T[0.5,0.7]_seed3.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "argument", "message"),
    [
        ("sample", "temperature=-1", "error: temperature must be at least 0"),
        ("sample", "checkpoint=nowhere.ckpt", "error: no checkpoint at nowhere.ckpt"),
        ("interpolate", "pairs=[[0,300]]", "error: there is no image 300 in the test split"),
        ("interpolate", "pairs=[3,4]", "error: pairs must be pairs of indices"),
        ("interpolate", "split=validation", "error: there is no split validation; choose from"),
        ("evaluate", "split=validation", "error: split should be 'train', 'val' or"),
        ("train", "model.n_steps=abc", "error: model.n_steps should be a valid integer"),
        ("train", "optimizer.lr=abc", "error: optimizer.lr should be a valid number"),
        ("train", "trainer.limit_val_batches=x", "error: trainer.limit_val_batches should be"),
        ("train", "seed=abc", "error: seed should be a valid integer"),
        ("train", "threads=0", "error: threads must be at least 1"),
        ("train", "images_per_step=0", "error: images_per_step=0 must be a multiple"),
        ("train", "trainer.max_epochs=0", "error: trainer.max_epochs must not be 0"),
        ("train", "+trainer.fast_dev_run=true", "error: trainer.fast_dev_run saves no checkpoint"),
        ("train", "trainer.limit_test_batches=0", "error: trainer.limit_test_batches must not be"),
        ("train", "trainer.limit_val_batches=0.1", "error: You requested to check 0.1 of"),
        ("train", "trainer.accumulate_grad_batches=0", "error: .*_grad_batches must be at least 1"),
        (
            "train",
            "callbacks.last.every_n_minutes=x",
            "error: callbacks.last.every_n_minutes should be a valid number",
        ),
        ("train", "run_dir=README", "error: .*README is a file, where a folder is needed"),
        (
            "train",
            "model=null",
            "error: model must be one of flowpp, glow, jet, nice, real_nvp, tiny, got null",
        ),
        ("evaluate", "threads=many", "error: threads should be a valid integer"),
        ("sample", "n_columns=many", "error: n_columns should be a valid integer"),
        ("sample", "device=gpu", "error: this machine has no device gpu"),
        ("sample", "n_rows=0", "error: a table needs at least one row"),
        ("sample", "temperatures=[-1]", "error: temperature must be at least 0"),
        ("evaluate", "noise_samples=0", "error: noise_samples must be at least 1"),
        ("train", "model.permutation._target_=mine.Layer", "error: .*mine"),
        ("interpolate", "n_frames=1", "error: an interpolation needs at least its 2 ends"),
        ("evaluate", "data=mnist", "error: MNIST is not in"),
        ("train", "model.n_levels=4", "error: n_levels=4 needs at least one level and a height"),
        ("train", "data.n_bits=9", "error: .*n_bits must be from 1 to 8"),
        (
            "train",
            "data.batch_size=2000",
            "error: Digits, train split: data\\.batch_size must be at most 1297, .* got 2000",
        ),
    ],
)
def test_bad_input_ends_with_a_sentence(
    program: str,
    argument: str,
    message: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = [argument]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README").touch()
    if program != "train" and not argument.startswith("checkpoint"):
        arguments.append(f"checkpoint={run}")
    if program == "train" and not argument.startswith("run_dir"):
        arguments.append(f"run_dir={tmp_path}/run")
    if argument == "data=mnist":
        arguments += [f"data.root={tmp_path}", "data.download=false"]
    assert re.match(message, refusal(monkeypatch, program, *arguments))


@pytest.mark.parametrize("program", ["train", "evaluate"])
def test_ctrl_c_ends_a_program_in_one_line(
    program: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if program == "train":
        where = f"run_dir={tmp_path}/run"
        stop = "+callbacks.stop._target_=tests.spies.CtrlC"
        often = "callbacks.last.every_n_minutes=1e-4"
        arguments = [where, stop, often, "~callbacks.progress", *TINY]
    else:
        where = "SIGINT"
        arguments = [f"checkpoint={run}", "+trainer.callbacks=[{_target_: tests.spies.CtrlC}]"]
    with pytest.raises(SystemExit) as stopped:
        call(monkeypatch, program, *arguments)
    assert stopped.value.code == 130
    printed = capsys.readouterr().err.strip().splitlines()[-1]
    assert printed.startswith("stopped by SIGINT")
    assert where in printed


def test_a_defect_is_called_one(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(figures, "sample_grid", broken)
    message = refusal(monkeypatch, "sample", f"checkpoint={run}", status=1)
    assert message.startswith("error: this is a defect of the program (KeyError)")
    assert len(message.splitlines()) == 1
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(KeyError, match="lost"):
        call(monkeypatch, "sample", f"checkpoint={run}")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["modern", "paper", "null"])
@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"])
def test_every_precision_works_with_every_recipe_or_is_refused(
    precision: str, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (f"run_dir={tmp_path}", f"recipe={recipe}", f"trainer.precision={precision}")
    small = (*TINY, "trainer.max_steps=2", "callbacks.samples=null", "~callbacks.progress")
    if precision in ("16-true", "bf16-true"):
        assert "bf16-mixed" in refusal(monkeypatch, "train", *options, *small)
        return
    call(monkeypatch, "train", *options, *small)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert math.isfinite(summary["test"]["bits_per_dim"])
    assert summary["steps"] == 2


@pytest.mark.slow
def test_processes_without_a_common_folder_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # which is then set to 1 for good
    several = ("trainer=ddp", "trainer.devices=2", *TINY)
    with pytest.raises(SystemExit):
        call(monkeypatch, "train", "-m", "seed=0,1", f"hydra.sweep.dir={tmp_path}", *several)
    assert (
        "a sweep (-m) cannot start several processes per job by itself" in capsys.readouterr().out
    )
    for name, value in {"TORCHELASTIC_RUN_ID": "0", "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_RANK", "1")
    message = refusal(monkeypatch, "train", *several)
    assert re.search("need a common folder.*add run_dir=runs/", message)


@pytest.mark.slow
def test_a_sweep_with_wandb_offline_is_one_record_per_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [
        sys.executable,
        str(ROOT / "experiments" / "train.py"),
        "-m",
        "seed=0,1",
        "logger=wandb",
        f"hydra.sweep.dir={tmp_path}",
        "callbacks.samples.every_n_epochs=1",
        *TINY,
    ]
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert b"GPU available" not in done.stderr  # what Lightning says at every start
    jobs = sorted(path.parent for path in tmp_path.glob("*/summary.json"))
    assert len(jobs) == 2
    for seed, job in enumerate(jobs):
        summary = json.loads((job / "summary.json").read_text())
        assert summary["seed"] == seed
        assert f"seed={seed}" in summary["overrides"]
        [file] = job.glob("wandb/offline-run-*/*.wandb")
        found = list(records(file))
        history: dict[str, list[str]] = {}
        for record in found:
            for item in record.history.item:
                key = item.key or "/".join(item.nested_key)
                history.setdefault(key, []).append(item.value_json)
        assert any("train/bits_per_dim" in key for key in history)
        assert any("val/bits_per_dim" in key for key in history)
        assert {"samples", "interpolation"} <= {key.split("/")[0] for key in history}
        config = {item.key: item.value_json for r in found for item in r.run.config.update}
        config |= {item.key: item.value_json for r in found for item in r.config.update}
        assert json.loads(config["seed"]) == seed
        assert json.loads(config["model"])["coupling"]["net"]["width"] == 8
        assert any(record.HasField("exit") for record in found)  # finished, not abandoned
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    call(monkeypatch, "interpolate", f"checkpoint={job}", "pairs=[[0,1]]", "animation_frames=3")
    [later] = {*job.glob("wandb/offline-run-*/*.wandb")} - {file}
    assert later.name == file.name  # the record of the same run
    keys = [
        item.key or "/".join(item.nested_key)
        for record in records(later)
        for item in record.history.item
    ]
    for name in ("interpolation_test0-test1", "interpolation_test0-test1_animated"):
        assert any(key.startswith(name) for key in keys)


def test_prepare_data_summarizes_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_celeba(tmp_path / "data")
    source = ("data=celeba", "data.batch_size=4", "data.flip=true")
    call(monkeypatch, "prepare_data", *source)
    output = capsys.readouterr().out
    assert re.search(r"train \+ val │ +24 │ 0\.0529  0\.0529  0\.0529 │", output)
    assert re.search(r"Smiling +│ +9 │ +3 │ +3 │", output)
    assert f"decoded images in {tmp_path}/data/cache" in output
    sheet = Image.open("data/contact_sheets/celeba_64x64.png")
    assert sheet.width > 500


def test_bench_data_measures_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call(monkeypatch, "bench_data", "n_images=800", "image_shape=[1,8,8]", "n_rounds=2")
    result = json.loads(Path("build/bench_data.json").read_text())
    assert {len(rates) for rates in result["images_per_second"].values()} == {2}
    assert len(result["images_per_second"]) == 3


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("subjects=[tensorflow]", "subjects must be some of .*got tensorflow"),
        ("width=8", r"width must be a list, such as width=\[8\], got 8"),
        ("n_steps=[]", r"n_steps must be a list, such as n_steps=\[8\], got \[\]"),
        ("further_sizes=[small]", "further_sizes must hold what differs .*, got small"),
        ("further_sizes=[{wide:3}]", "further_sizes must hold what differs .*, got {'wide': 3}"),
    ],
)
def test_bench_refuses_other_sizes(
    monkeypatch: pytest.MonkeyPatch, option: str, message: str
) -> None:
    assert re.search(message, refusal(monkeypatch, "bench", option))


@pytest.mark.slow
def test_bench_measures_time_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = ("image_shape=[1,8,8]", "n_levels=2", "batch_size=[2]", "n_samples=3", "n_rounds=2")
    further = "further_sizes=[{image_shape:[1,4,4],n_levels:1}]"
    call(monkeypatch, "bench", "subjects=[glow]", "n_steps=[1,2]", "width=[8]", *small, further)
    [written] = Path("build").glob("bench_*.json")
    result = json.loads(written.read_text())
    row, deeper, smaller = result["rows"]
    assert [row["n_steps"], deeper["n_steps"]] == [1, 2]
    assert [row["image_shape"], smaller["image_shape"]] == [[1, 8, 8], [1, 4, 4]]
    assert {row["device"] for row in result["rows"]} == {processor_name()}
    assert set(result["matrix_gflops"]["float32"]) == {"mm", "conv2d", "linear"}
    assert {choice["level"] for choice in result["choices"]} == {1, 2}
    assert all(choice["chosen_seconds"] > 0 for choice in result["choices"])
    assert {name: len(taken) for name, taken in row["seconds"].items()} == {
        "train": 2,
        "evaluate": 2,
        "encode": 2,
        "sample": 2,
    }
    best = max(result["matrix_gflops"]["float32"].values())
    assert row["part_of_matrix_rate"] == pytest.approx(row["gflops"] / best)
    assert row["activation_megabytes"] >= 0
    assert Image.open(written.with_suffix(".png")).width > 500


def test_freed_memory_is_retained_if_the_c_library_can() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
