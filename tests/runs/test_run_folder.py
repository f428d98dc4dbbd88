"""What a run folder refuses and what it records when a run goes on."""

import os
from pathlib import Path

import pytest

from glow.runs.run_folder import RunFolder
from tests.running import compose_train


def started(path: Path, *overrides: str) -> RunFolder:
    """Return a folder as it is when a run has started."""
    config = compose_train(path, *overrides)
    config.plan.anchors_per_step, config.plan.images = 4.0, "0badc0de"
    folder = RunFolder(path)
    folder.write_config(config)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "model.n_steps=3",
        "model/permutation=reverse",
        "model.n_levels=1",
        "data.batch_size=32",
        "data.max_shift=0.3",
        "data.n_bits=4",
        "data.seed=3",
        "data=mnist",
        "seed=1",
        "images_per_step=128",
        "optimizer.lr=0.1",
        "optimizer=adam",
        "scheduler=constant",
        "scheduler=none",
        "callbacks=ema",
        "callbacks.init.n_images=8",
        "callbacks.best.monitor=train/bits_per_dim",
        "trainer.accumulate_grad_batches=2",
        "trainer.gradient_clip_val=1",
        "trainer.gradient_clip_algorithm=value",
        "trainer.precision=64-true",
        "trainer.limit_train_batches=3",
        "trainer.limit_val_batches=0.5",
        "trainer.check_val_every_n_epoch=2",
        "+trainer.overfit_batches=1",
    ],
)
def test_what_changes_the_mathematics_is_refused(override: str, tmp_path: Path) -> None:
    folder = started(tmp_path)
    with pytest.raises(ValueError, match="holds another run"):
        folder.refuse_another_run(compose_train(tmp_path, override))


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "trainer.max_epochs=7",
        "trainer.max_steps=7",
        "trainer.max_time='00:01:00:00'",
        "trainer.limit_test_batches=3",
        "trainer.accelerator=auto",
        "trainer=ddp",
        "trainer.num_nodes=2",
        "model.memory=recompute",
        "compiled=true",
        "threads=1",
        "data.num_workers=2",
        "data.eval_batch_size=7",
        "++optimizer.foreach=false",
        "name=other",
        "trusted=[mine]",
        "retry_failed=true",
        "logger=wandb",
        "logger=none",
        "trainer.log_every_n_steps=1",
        "callbacks.samples=null",
        "~callbacks.learning_rate",
        "callbacks.last.every_n_minutes=1",
    ],
)
def test_length_device_folders_and_logging_may_change(override: str, tmp_path: Path) -> None:
    started(tmp_path).refuse_another_run(compose_train(tmp_path, override))


def test_the_record_says_what_was_in_force_until_which_step(tmp_path: Path) -> None:
    folder = started(tmp_path, "trainer.max_epochs=1")
    assert "continued" not in folder.read_config()
    longer = ("trainer.max_epochs=3", "model.memory=recompute")
    folder.write_config(compose_train(tmp_path, *longer), steps_done=20)
    folder.write_config(compose_train(tmp_path, *longer), steps_done=25)  # as it was
    folder.write_config(compose_train(tmp_path, "trainer.max_epochs=9", *longer[1:]), 60)
    config = folder.read_config()
    assert config.trainer.max_epochs == 9
    assert config.continued == [
        {"until_step": 20, "values": {"model.memory": "keep", "trainer.max_epochs": 1}},
        {"until_step": 60, "values": {"trainer.max_epochs": 3}},
    ]


def test_other_images_or_other_steps_are_refused(tmp_path: Path) -> None:
    folder = started(tmp_path)
    config = folder.read_config()
    folder.refuse_another_plan(config)
    config.plan.images = "12345678"
    with pytest.raises(ValueError, match="was trained on other images or labels"):
        folder.refuse_another_plan(config)
    config = folder.read_config()
    config.plan.anchors_per_step = 8.0
    with pytest.raises(ValueError, match=r"the pixels of 4 images of 32x32, but here .* 8"):
        folder.refuse_another_plan(config)


def test_a_finished_run_of_other_data_is_not_finished(tmp_path: Path) -> None:
    data = ("data=folder", f"data.root={tmp_path}/red", "data.image_shape=[1,8,8]")
    folder = started(tmp_path, *data)
    folder.write_json("summary.json", {})
    assert folder.is_finished(compose_train(tmp_path, *data))
    assert not folder.is_finished(compose_train(tmp_path, *data, f"data.root={tmp_path}/blue"))
    assert not folder.is_finished(compose_train(tmp_path, *data, "trainer.max_epochs=200"))


def test_files_are_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = started(tmp_path)

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    before = folder.config.read_text()
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        folder.write_config(compose_train(tmp_path, "trainer.max_epochs=3"), steps_done=1)
    assert folder.config.read_text() == before


def test_names_of_any_characters_are_recorded(tmp_path: Path) -> None:
    name = os.fsdecode(b"b\xe9b\xe9")
    written = RunFolder(tmp_path).write_json("a", {"overrides": [f"data.root={name}"]})
    assert written.is_file()
