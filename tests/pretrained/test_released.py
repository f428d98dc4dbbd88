"""Models that come with Glow, by name."""

from pathlib import Path

import pytest
import torch

import glow
from glow import Glow, pretrained
from glow.analysis.attributes import Directions
from glow.checkpoint import fingerprint, save
from glow.pretrained.released import FOLDER
from glow.runs.run_folder import RunFolder
from tests.pretrained.folders import release_in
from tests.small_models import perturb


@pytest.fixture
def faces(model: Glow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Glow:
    """A model that is released as faces."""
    release_in(tmp_path / "released", monkeypatch, {"faces": model})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return model


def test_a_name_loads_its_model(faces: Glow) -> None:
    assert fingerprint(glow.load("faces")) == fingerprint(faces)
    assert fingerprint(glow.load(Path("faces"))) == fingerprint(faces)
    assert RunFolder.checkpoint_at("faces") == pretrained.Released("faces").checkpoint


def test_a_file_of_that_name_comes_first(faces: Glow) -> None:
    other = perturb(glow.load("faces"))
    save(other, "faces")
    assert fingerprint(glow.load("faces")) == fingerprint(other) != fingerprint(faces)
    assert RunFolder.checkpoint_at("faces") == Path("faces")


def test_a_run_of_that_name_comes_first_but_not_any_folder(faces: Glow) -> None:
    Path("faces").mkdir()  # of pictures, perhaps
    assert RunFolder.checkpoint_at("faces") == pretrained.Released("faces").checkpoint
    run = RunFolder(Path("faces"))
    run.checkpoints.mkdir()
    save(faces, run.best)
    assert RunFolder.checkpoint_at("faces") == run.best


@pytest.mark.parametrize("name", ["face", "Faces", "faces32"])
def test_another_name_raises_with_the_nearest(faces: Glow, name: str) -> None:
    message = (
        rf"no checkpoint at {name}: expected .* comes with Glow: faces; perhaps faces is meant"
    )
    with pytest.raises(FileNotFoundError, match=message):
        glow.load(name)
    with pytest.raises(FileNotFoundError, match=message):
        RunFolder.checkpoint_at(name)


def test_a_name_like_none_raises_with_all_of_them(faces: Glow) -> None:
    with pytest.raises(FileNotFoundError, match=r"comes with Glow: faces$"):
        glow.load("xyzzy.pt")


def test_figures_go_to_a_folder_of_runs(faces: Glow) -> None:
    """Not into the package."""
    folder = RunFolder.containing(RunFolder.checkpoint_at("faces"))
    assert folder.path == Path("runs/faces")
    assert folder.read_config().data._target_ == "glow.data.CelebA"


def test_directions_belong_to_their_model(faces: Glow) -> None:
    path = pretrained.directions_at("faces")
    assert Directions.load(path, faces).names == ["Smiling", "Male"]
    assert pretrained.directions_at("mine.npz") == Path("mine.npz")


def test_the_models_of_the_package_are_small_and_what_they_say() -> None:
    total = sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file())
    assert total < 10e6
    for name in pretrained.names():
        files = pretrained.Released(name)
        known, model = files.describe(), glow.load(name)
        assert known["fingerprint"] == fingerprint(model)
        assert known["parameters"] == sum(p.numel() for p in model.parameters())
        assert known["command"].startswith("python experiments/train.py ")
        assert known["test"]["bits_per_dim"] < known["n_bits"]
        assert known["seconds"] > 0
        samples = model.sample(2, 0.7, generator=torch.Generator().manual_seed(0))
        assert samples.float().std() > 20  # neither black nor flat
        if files.directions.is_file():
            found = Directions.load(files.directions, model)
            assert set(known.get("attributes", [])) <= set(found.names)
