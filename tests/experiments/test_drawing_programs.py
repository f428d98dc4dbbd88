"""The programs that draw what a model has learned, on all kinds of checkpoints."""

import csv
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
from omegaconf import OmegaConf
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

import glow
from glow import figures
from glow.analysis import batches
from glow.analysis.attributes import Directions, estimate
from glow.analysis.interpolation import interpolate_images
from glow.analysis.out_of_distribution import score
from glow.data import SPLITS, FashionMNIST, Folder, fit_images, random_indices
from glow.runs.building import build
from glow.runs.run_folder import RunFolder
from glow.runs.trained_run import TrainedRun
from tests.data.pictures import paint, write_celeba, write_cifar10_pictures, write_mnist
from tests.feature_network import MeanColors
from tests.running import call, compose_train, refusal
from tests.small_models import perturb

WRITERS = {"mnist": write_mnist, "cifar10": write_cifar10_pictures, "celeba": write_celeba}
OPTIONS = {
    "mnist": ("model/top=class_conditional", "data.n_val=8", "data.batch_size=16"),
    "cifar10": ("data.n_val=8", "data.batch_size=16"),
    "celeba": ("data.image_shape=[3,16,16]", "data.n_bits=5", "data.batch_size=8"),
}


@pytest.fixture(scope="module", params=WRITERS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose model is initialized and hardly trained."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp(request.param)
    WRITERS[request.param](root)
    config = compose_train(root / "run", f"data={request.param}", *OPTIONS[request.param])
    config.data.root = str(root)
    if "cache_dir" in config.data:
        config.data.cache_dir = str(root / "cache")
    data = build(config.data, "data")
    data.prepare_data()
    data.setup()
    model = build(config.model, "model")
    # The pictures are constant, and ActNorms need some variance.
    images, labels = data.initialization_batch(16)
    noise = torch.randint(64, images.shape, dtype=torch.uint8)
    model.initialize(images // 2 + noise, labels)
    folder = RunFolder(root / "run")
    folder.write_config(config)
    folder.checkpoints.mkdir()
    if model.n_classes:
        perturb(model.flow.top, 0.3)  # so that classes differ
    glow.save(perturb(model, 0.002), folder.best)
    return root / "run"


@pytest.fixture
def args(run: Path) -> tuple[str, ...]:
    return (f"checkpoint={run}", "batch_size=7")


def spy_on(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[Any]:
    """Return a list to which the arguments of every call of a function are added."""
    seen: list[Any] = []
    function = getattr(module, name)

    def spy(*arguments: Any, **options: Any) -> Any:
        seen.append(arguments)
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, spy)
    return seen


def written(run: Path, pattern: str) -> Path:
    """Return the single file that matches; a picture must open."""
    [path] = run.glob(pattern)
    if path.suffix == ".png":
        with Image.open(path) as picture:
            picture.verify()
    return path


def test_samples(
    run: Path,
    args: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = spy_on(monkeypatch, figures, "neighbors")
    call(monkeypatch, "sample", *args, "n_rows=2", "n_columns=3", "n_neighbors=2", "seed=7")
    table = batches.sample_table(TrainedRun(run).model, 3, 2, 0.7, 7, 7)
    assert torch.equal(shown[0][0], table.flatten(0, 1)[:2])
    for name in ("samples_T0.7_seed7", "temperature_sweep_seed7", "neighbors_T0.7_seed7"):
        written(run, f"figures/{name}.png")
    output = capsys.readouterr().out
    assert re.search(r"gray levels of 256: [\d.]+ for samples, [\d.]+ for test images", output)


@pytest.mark.slow
def test_interpolations(
    run: Path, args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.linear_gradient("L").resize((40, 30)).save(tmp_path / "mine.png")
    pairs = f"pairs=[[0,3],[1,{tmp_path}/mine.png]]"
    shown = spy_on(monkeypatch, figures, "moving_interpolation")
    call(monkeypatch, "interpolate", *args, pairs, "n_frames=3", "animation_frames=4")
    trained = TrainedRun(run)
    chosen, labels = trained.select([0, 3, 1, f"{tmp_path}/mine.png"], "test", 7)
    start_labels, end_labels = (None, None) if labels is None else (labels[0::2], labels[1::2])
    expected = interpolate_images(
        trained.model,
        chosen.images[0::2],
        chosen.images[1::2],
        4,
        start_labels=start_labels,
        end_labels=end_labels,
        batch_size=7,
    )
    assert torch.equal(shown[0][0]["linear"], expected)
    written(run, "figures/interpolation_test0-test3_test1-mine.png")
    with Image.open(written(run, "figures/interpolation_test0-test3_test1-mine.gif")) as gif:
        assert gif.n_frames == 6  # type: ignore[attr-defined]
    call(monkeypatch, "interpolate", *args, "corners=[0,1,2,3]", "n_frames=3")
    written(run, "figures/corners_linear_test0_test1_test2_test3.png")


@pytest.mark.slow
def test_attributes(
    run: Path,
    args: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = _attribute(run)
    call(monkeypatch, "manipulate", *args, f"attributes=[{name}]", "images=[0,2]")
    written(run, f"figures/attributes_{name}_mean_difference_test0_test2.png")
    path = written(run, "directions_*_train_mean_difference.npz")
    output = capsys.readouterr().out
    assert re.search(rf"{name} +│ +\d+ +│ \d", output)
    assert f"over {24 - 6 if name == 'Smiling' else 32} images" in output
    before = path.stat().st_mtime_ns
    call(monkeypatch, "manipulate", *args, f"attributes=[{name}]", f"directions={path}")
    assert path.stat().st_mtime_ns == before
    ridge = "direction=ridge_regression"
    call(monkeypatch, "manipulate", *args, f"attributes=[{name}]", ridge)
    written(run, f"figures/attributes_{name}_ridge_regression_*.png")


@pytest.mark.parametrize("run", ["mnist"], indirect=True)
def test_the_classes_of_other_data_are_only_attributes(
    run: Path, args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model does not encode by them."""
    write_mnist(tmp_path, "FashionMNIST")
    other = ("data=fashion_mnist", f"data.root={tmp_path}", "data.n_val=8", "data.batch_size=16")
    call(monkeypatch, "manipulate", *args, *other, "attributes=[Coat]", "images=[0]")
    trained = TrainedRun(run)
    path = written(run, "directions_fashionmnist_train_mean_difference.npz")
    found = Directions.load(path, trained.model)
    data = FashionMNIST(root=str(tmp_path), n_val=8, batch_size=16)
    data.setup()
    estimates = [
        estimate(
            trained.model,
            data.evaluation_dataloader("train"),
            data.label_names,
            labels_are_classes=are_classes,
        )["Coat"].flatten()
        for are_classes in (False, True)
    ]
    torch.testing.assert_close(found["Coat"].flatten(), estimates[0], rtol=1e-4, atol=1e-4)
    assert (estimates[0] - estimates[1]).abs().max() > 0.01


def _attribute(run: Path) -> str:
    data = OmegaConf.load(run / "config.yaml").data._target_.rpartition(".")[2]
    return {"MNIST": "3", "CIFAR10": "cat", "CelebA": "Smiling"}[data]


def test_levels(run: Path, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, "levels", *args, "n_draws=1")
    for name in ("levels_resampled_*_T0.7_seed0", "levels_decoded_*"):
        written(run, f"figures/{name}.png")


@pytest.mark.slow
def test_out_of_distribution(
    run: Path,
    args: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for i in range(9):
        paint(tmp_path / "pictures" / f"{i}.png", 20 * i, (20, 10), "RGB")
    mine = [
        "+data@outside.mine=folder",
        f"outside.mine.root={tmp_path}/pictures",
        f"outside.mine.cache_dir={tmp_path}/cache",
    ]
    call(monkeypatch, "out_of_distribution", *args, *mine, "n_images=8")
    output = capsys.readouterr().out
    shape = OmegaConf.load(run / "config.yaml").data.image_shape
    assert ("the images of mine, (3, 32, 32), are fitted" in output) == (shape != [3, 32, 32])
    assert "Raw likelihood misleads" in output
    written(run, "figures/out_of_distribution_*_test_mine_constant_noise_seed0.png")
    result = json.loads(written(run, "out_of_distribution_*.json").read_text())
    assert "Raw likelihood misleads" in result["caution"]
    own, *outside = result["sets"]
    assert outside == ["mine", "constant", "noise"]
    trained = TrainedRun(run)
    data = trained.opened_data()
    training = data.dataset("train").images
    training = training[random_indices(len(training), 8)]
    assert result["entropy"] == pytest.approx(float(score(trained.model, training).raw().mean()))
    with written(run, "out_of_distribution_*.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, numbers in result["sets"].items():
        bits = [float(row["bits_per_dim"]) for row in rows if row["set"] == name]
        assert len(bits) == numbers["images"]
        assert np.mean(bits) == pytest.approx(numbers["bits_per_dim"])
    first = [float(row["bits_per_dim"]) for row in rows if row["set"] == own]
    indices = [int(row["index"]) for row in rows if row["set"] == own]
    again = score(trained.model, data.dataset("test").images[indices]).raw()
    assert first == pytest.approx(again.tolist())
    noise = [float(row["bits_per_dim"]) for row in rows if row["set"] == "noise"]
    source = Folder(
        root=f"{tmp_path}/pictures", cache_dir=f"{tmp_path}/cache", image_shape=(3, 32, 32)
    )
    pooled = torch.cat([source.read(split)[0] for split in SPLITS])
    places = [int(row["index"]) for row in rows if row["set"] == "mine"]
    mine_again = pooled[places]
    if tuple(shape) != (3, 32, 32):
        mine_again = fit_images(mine_again, shape)
    mine_bits = [float(row["bits_per_dim"]) for row in rows if row["set"] == "mine"]
    assert mine_bits == pytest.approx(score(trained.model, mine_again).raw().tolist(), rel=1e-4)
    wins = np.mean([n > o for n in noise for o in first])
    assert result["sets"]["noise"]["auroc_raw"] == pytest.approx(wins)


@pytest.mark.slow
def test_sample_quality(run: Path, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = torch_fidelity.registry.FEATURE_EXTRACTORS_REGISTRY
    monkeypatch.setitem(registry, "mean_colors", MeanColors)
    call(monkeypatch, "sample_quality", *args, "n_images=9", "features=mean_colors")
    result = json.loads(
        written(run, "sample_quality_T1.0_n9_seed0_mean_colors_train.json").read_text()
    )
    assert result["fid"] >= 0
    assert 0 <= result["precision"] <= 1
    per_level = f"temperature=[{','.join(['0.5'] * len(TrainedRun(run).model.latent_shapes))}]"
    call(monkeypatch, "sample_quality", *args, "n_images=9", "features=mean_colors", per_level)
    protocol = result["protocol"]
    assert (protocol["seed"], protocol["temperature"], protocol["generated_images"]) == (0, 1, 9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "argument", "message"),
    [
        ("sample", "batch_size=0", "error: batch_size must be at least 1"),
        ("sample", "n_neighbors=100000", "error: there are .* images to find neighbors among"),
        ("interpolate", "corners=[1,2,3]", "error: a square has 4 corners, got 3 images"),
        ("interpolate", "pairs=[ab,cd]", "error: pairs must be pairs of indices or files"),
        ("interpolate", "split=val pairs=[[0,99]]", "error: there is no image 99 in the val split"),
        (
            "interpolate",
            "~interpolants.linear ~interpolants.spherical ~interpolants.norm-preserving",
            "error: interp",
        ),
        ("levels", "images=nobody.png", "error: there is no file nobody.png"),
        ("levels", "images=[true]", "error: images must be numbers in a split or names of files"),
        ("manipulate", "attributes=Smilling", "error: there is no attribute Smilling"),
        (
            "sample",
            "temperature=hot",
            "error: temperature should be a valid number.* got 'hot'",
        ),
        ("sample", "temperatures=[]", "error: a table needs at least one row"),
        (
            "out_of_distribution",
            "+data@outside.noise=digits",
            "error: outside.noise must have another name",
        ),
        (
            "out_of_distribution",
            "+data@outside.CelebA=digits",
            "error: outside.CelebA must have another name",
        ),
        ("sample_quality", "n_images=0", "error: n_images must be at least 1"),
        ("interpolate", "pairs=[[0,nobody.png]]", "error: there is no file nobody.png"),
        ("interpolate", "pairs=[[0,text.png]]", "error: text.png cannot be used as a picture"),
        ("manipulate", "attributes=[Smilling]", "error: there is no attribute Smilling"),
        ("manipulate", "balanced_by=[Nobody]", "error: there is no attribute Nobody"),
        (
            "manipulate",
            "directions=nowhere.npz",
            "error: there is no file of directions at nowhere.npz",
        ),
        ("manipulate", "directions=text.png", "error: text.png holds no directions"),
        ("manipulate", "strengths=[nan]", "error: strengths must be finite numbers"),
        ("levels", "temperature=-1", "error: temperature must be at least 0"),
        ("levels", "images=[99999]", "error: there is no image 99999 in the test split"),
        ("out_of_distribution", "n_images=0", "error: n_images must be at least 1"),
        ("sample_quality", "features=eyes", "error: there is no feature network eyes"),
        ("sample_quality", "temperature=-0.1", "error: temperature must be at least 0"),
    ],
)
@pytest.mark.parametrize("run", ["celeba"], indirect=True)
def test_bad_input_ends_with_a_sentence(
    program: str,
    argument: str,
    message: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    assert re.match(message, refusal(monkeypatch, program, f"checkpoint={run}", *argument.split()))


@pytest.mark.parametrize("run", ["celeba"], indirect=True)
def test_the_directions_of_another_checkpoint_raise(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(monkeypatch, "manipulate", f"checkpoint={run}", "attributes=[Smiling]", "images=[0]")
    shutil.copytree(run, tmp_path / "other")
    other = RunFolder(tmp_path / "other")
    glow.save(perturb(glow.load(other.best), 0.001), other.best)
    file = run / "directions_celeba_train_mean_difference.npz"
    message = refusal(monkeypatch, "manipulate", f"checkpoint={other.path}", f"directions={file}")
    assert re.match("error: .* holds the directions of another model", message)


@pytest.mark.parametrize("run", ["celeba"], indirect=True)
def test_a_photo_is_fitted_and_a_line_says_how(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """This needs no data."""
    shutil.copytree(run, tmp_path / "run")
    config = OmegaConf.load(tmp_path / "run" / "config.yaml")
    config.data.root = "nowhere"
    OmegaConf.save(config, tmp_path / "run" / "config.yaml")
    for name in ("a", "b"):
        Image.linear_gradient("L").resize((178, 218)).save(tmp_path / f"{name}.jpg")
    pair = f"pairs=[[{tmp_path}/a.jpg,{tmp_path}/b.jpg]]"
    call(monkeypatch, "interpolate", f"checkpoint={tmp_path}/run", pair, "animation_frames=0")
    output = capsys.readouterr().out
    assert "a.jpg, 178x218, was converted to 3 channels and cropped as central_148_v1" in output
    drawn = pil_to_tensor(Image.open(written(tmp_path, "run/figures/interpolation_a-b.png")))
    assert drawn.shape[1] > 100
