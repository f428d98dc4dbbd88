from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import glow
from glow import Glow, figures
from glow.analysis import batches
from glow.runs.run_folder import RunFolder
from glow.runs.trained_run import TrainedRun, as_list
from tests.data.pictures import paint
from tests.running import compose_train


def run_of(model: Glow, folder: Path, *overrides: str) -> TrainedRun:
    """Return a run on the digits that has this model."""
    run = RunFolder(folder)
    run.write_config(compose_train(folder, *overrides))
    run.checkpoints.mkdir()
    glow.save(model, run.best)
    return TrainedRun(folder)


def test_a_single_value_is_a_list_of_one() -> None:
    lists = OmegaConf.create({"none": None, "one": "me.png", "number": 7, "two": [1, "b"]})
    found = [as_list(lists[name]) for name in ("none", "one", "number", "two")]
    assert found == [[], ["me.png"], [7], [1, "b"]]


def test_a_file_gets_the_most_likely_class_and_an_image_its_label(
    by_class: Glow, tmp_path: Path
) -> None:
    run = run_of(by_class, tmp_path / "run")
    paint(tmp_path / "mine.png", 128, (8, 8))
    chosen, classes = run.select([5, str(tmp_path / "mine.png")], "test", 7)
    assert classes is not None
    assert classes[0] == run.opened_data().dataset("test").labels[5]
    [most_likely] = batches.class_log_probs(by_class, chosen.images[1:]).argmax(1)
    assert classes[1] == most_likely


def test_the_classes_of_other_data_are_not_those_of_the_model(
    by_class: Glow, tmp_path: Path
) -> None:
    run_of(by_class, tmp_path / "run")
    other = OmegaConf.create({"_target_": "glow.data.Digits"})
    run = TrainedRun(tmp_path / "run", data=other)
    assert run.class_names() == []
    chosen, classes = run.select([1, 2, 3], "test", 7)
    assert classes is not None
    assert torch.equal(classes, batches.class_log_probs(by_class, chosen.images).argmax(1))


def test_images_across_classes_are_chosen_by_default(model: Glow, tmp_path: Path) -> None:
    run = run_of(model, tmp_path / "run")
    chosen, classes = run.select([], "test", 7)
    assert classes is None
    assert len(chosen.images) == 4
    assert len(set(chosen.labels.tolist())) == 4


def test_data_of_another_shape_raises(model: Glow, tmp_path: Path) -> None:
    run_of(model, tmp_path / "run")
    other = OmegaConf.create({"_target_": "glow.data.MNIST"})
    with pytest.raises(
        ValueError, match=r"the model's images have the shape \(1, 8, 8\), but this"
    ):
        TrainedRun(tmp_path / "run", data=other).opened_data()


def test_classes_have_names_if_the_data_has_as_many(
    by_class: Glow, model: Glow, tmp_path: Path
) -> None:
    assert run_of(model, tmp_path / "none").class_names() == []
    assert run_of(by_class, tmp_path / "other").class_names() == []  # 4, and the digits have 10
    ten = run_of(by_class, tmp_path / "ten", "data.n_classes=4")
    assert ten.class_names() == ["0", "1", "2", "3"]
    absent = run_of(by_class, tmp_path / "absent", "data.n_bits=3")  # which the digits refuse
    assert absent.class_names() == []


def test_long_names_are_shortened_and_stay_different(model: Glow, tmp_path: Path) -> None:
    run = run_of(model, tmp_path / "run")
    names = ["x" * 300, "x" * 299 + "y"]
    paths = {run.figure_path(name) for name in names}
    assert len(paths) == 2
    assert all(len(path.name) < 140 for path in paths)
    run.publish({names[0]: figures.sample_grid(model, 1, 1)})
    assert len(list((tmp_path / "run" / "figures").iterdir())) == 1


def test_a_checkpoint_alone_needs_no_run_folder(model: Glow, tmp_path: Path) -> None:
    glow.save(model, tmp_path / "model.pt")
    run = TrainedRun(tmp_path / "model.pt")
    run.publish({"samples": figures.sample_grid(run.model, 2, 2)})
    assert (tmp_path / "figures" / "samples.png").is_file()
    with pytest.raises(FileNotFoundError, match="is not the folder of a training run"):
        run.select([1], "test", 7)
