"""What takes the place of images that are not here."""

from pathlib import Path

import pytest
import torch

from glow import Glow
from glow.analysis import batches
from glow.data import SPLITS, CelebA, mnist
from glow.runs.own_samples import OwnSamples
from glow.runs.trained_run import TrainedRun
from tests.data.pictures import paint, write_celeba
from tests.pretrained.folders import release_in
from tests.running import call, refusal
from tests.small_models import affine, digits_model, perturb


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, without data, with the released models faces and mnist."""
    release_in(tmp_path / "released", monkeypatch, {"faces": digits_model()})
    model = Glow((1, 28, 28), n_levels=2, n_steps=1, coupling=affine)
    model.initialize(torch.randint(256, (16, 1, 28, 28), dtype=torch.uint8))
    data = {"_target_": "glow.data.MNIST", "root": "data", "download": True, "n_val": 8}
    release_in(tmp_path / "released", monkeypatch, {"mnist": perturb(model)}, data=data)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_samples_are_those_of_the_model(model: Glow) -> None:
    data = OwnSamples(model=model, n_images=3)
    data.setup()
    assert (data.image_shape, data.n_bits, data.n_classes) == ((1, 8, 8), 8, 0)
    splits = [data.dataset(split).images for split in SPLITS]
    torch.testing.assert_close(splits[1], batches.sample(model, 3, 0.7, seed=2))
    assert not torch.equal(splits[0], splits[1])
    again = OwnSamples(model=model, n_images=3)
    again.setup()
    assert data.checksum() == again.checksum()
    assert data.image_name("test", 2) == "sample 2"


def test_samples_of_a_model_with_classes_have_them(by_class: Glow) -> None:
    data = OwnSamples(model=by_class, n_images=6)
    data.setup()
    assert data.dataset("test").labels.tolist() == [0, 1, 2, 3, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options", "written"),
    [
        ("sample", ["n_rows=1", "n_neighbors=1"], "figures/neighbors_*.png"),
        (
            "interpolate",
            ["n_frames=3", "animation_frames=0"],
            "figures/interpolation_sample0-*.png",
        ),
        ("interpolate", ["corners=[0,1,2,3]", "n_frames=3"], "figures/corners_*_sample3.png"),
        ("levels", ["n_draws=1", "images=[5]"], "figures/levels_decoded_sample5.png"),
        ("manipulate", ["attributes=[Male]"], "figures/attributes_Male_hand_sample0_*.png"),
        ("out_of_distribution", ["n_images=5"], "out_of_distribution_ownsamples_*.json"),
        ("evaluate", [], "evaluation_faces_ownsamples_test*.json"),
    ],
)
def test_every_program_needs_no_data(
    program: str,
    options: list[str],
    written: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    call(monkeypatch, program, "checkpoint=faces", *options)
    assert list((here / "runs" / "faces").glob(written))
    printed = capsys.readouterr().out
    assert printed.count("the images of CelebA are not here, so samples of the model itself") == 1


def test_nothing_is_downloaded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "download_once", lambda *_, **__: pytest.fail("download"))
    run = TrainedRun("mnist")
    assert isinstance(run.opened_data(), OwnSamples)


def test_data_that_is_here_is_used(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_celeba(here / "data", n=200)
    data = TrainedRun("faces").opened_data()
    assert isinstance(data, CelebA)
    assert data.origin("test").endswith("here/data/celeba/img_align_celeba")
    assert "not here" not in capsys.readouterr().out


def test_data_that_was_asked_for_must_be_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, "levels", "checkpoint=faces", "+data.root=nowhere")
    assert "CelebA can only be downloaded in a browser" in message


def test_files_need_no_samples(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paint(here / "mine.png", 128, (8, 8))
    call(monkeypatch, "levels", "checkpoint=mnist", "images=[mine.png]", "n_draws=1")
    assert "not here" not in capsys.readouterr().out


def test_directions_may_be_named(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("checkpoint=mnist", "directions=mnist", "attributes=[Smiling]", "images=[1]")
    call(monkeypatch, "manipulate", *arguments)
    assert list((here / "runs" / "mnist").glob("figures/attributes_Smiling_hand_sample1.png"))
    assert "by hand over 2 images" in capsys.readouterr().out
