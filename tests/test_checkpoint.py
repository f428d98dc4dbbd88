import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

import glow
from glow.bijections import AdditiveCoupling, AffineCoupling, ShufflePermutation
from glow.bijections.scale_map import floored_sigmoid
from glow.checkpoint import TRUSTED, build, describe
from glow.models import ClassConditionalPrior, StandardPrior
from glow.nets import MLP, CouplingNet
from glow.system.sealed_file import BrokenFileError


def unusual_model() -> glow.Glow:
    net = partial(CouplingNet, width=6, edge_indicator=False)
    return glow.Glow(
        image_shape=(2, 8, 4),
        n_bits=3,
        n_levels=2,
        n_steps=1,
        permutation=ShufflePermutation,
        coupling=partial(AffineCoupling, net=net, scale_map=partial(floored_sigmoid, floor=0.2)),
        top=partial(ClassConditionalPrior, n_classes=4, base=StandardPrior),
    )


def test_a_file_rebuilds_the_model(tmp_path: Path) -> None:
    model = unusual_model()
    images = torch.randint(0, 256, (9, 2, 8, 4), dtype=torch.uint8)
    labels, noise = torch.arange(9) % 4, torch.rand(images.shape)
    model.initialize(images, labels)
    glow.save(model, tmp_path / "model.ckpt")
    loaded = glow.load(tmp_path / "model.ckpt")
    assert not loaded.training
    assert torch.equal(
        loaded.log_prob(images, labels, noise=noise), model.log_prob(images, labels, noise=noise)
    )
    assert describe(loaded) == describe(model)


def test_the_description_is_plain_python() -> None:
    description = describe(unusual_model())
    assert description["_target_"] == "glow.models.glow.Glow"
    assert description["image_shape"] == [2, 8, 4]
    assert description["permutation"] == {
        "_target_": "glow.bijections.permutation.ShufflePermutation",
        "_partial_": True,
    }
    assert description["coupling"]["scale_map"] == {
        "_target_": "glow.bijections.scale_map.floored_sigmoid",
        "_partial_": True,
        "floor": 0.2,
    }


@pytest.mark.slow
def test_it_loads_where_hydra_and_lightning_cannot_be_imported(
    model: glow.Glow, images: torch.Tensor, tmp_path: Path
) -> None:
    glow.save(model, tmp_path / "model.ckpt")
    noise = torch.full(images.shape, 0.25)
    torch.save({"images": images, "noise": noise}, tmp_path / "batch.pt")
    program = """
import sys
for name in ("hydra", "omegaconf", "pytorch_lightning", "lightning", "wandb", "torchvision"):
    sys.modules[name] = None  # importing it raises ImportError
import torch, glow
batch = torch.load("batch.pt")
print(glow.load("model.ckpt").log_prob(batch["images"], noise=batch["noise"]).tolist())
"""
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = str(model.log_prob(images, noise=noise).tolist())
    assert output.stdout.strip() == expected


def test_parts_from_elsewhere_need_trust(model: glow.Glow) -> None:
    description = describe(model)
    description["permutation"] = {"_target_": "os.system", "command": "echo"}
    with pytest.raises(
        ValueError, match=r"a part os\.system, but only glow\.bijections, glow\.nets, "
    ):
        build(description, TRUSTED)
    for target in (
        "glow.models.image_flow.warnings",
        "glow.bijections.coupling.Tensor",
        "glow.bijections.split.nothing",
    ):
        description["permutation"] = {"_target_": target}
        with pytest.raises(ValueError, match=f"{target}, which is no layer or function of"):
            build(description, TRUSTED)
    trusted = {"_target_": "torch.nn.modules.activation.ReLU"}
    assert isinstance(build(trusted, (*TRUSTED, "torch.nn")), torch.nn.ReLU)


@pytest.mark.parametrize("helper", ["glow.checkpoint._resolve", "glow.runs.building.build"])
def test_the_project_s_own_helpers_are_no_way_in(helper: str) -> None:
    with pytest.raises(ValueError, match=r"only glow\.bijections, .*glow\.models may provide"):
        build({"_target_": helper, "name": "posix.system", "trusted": ["posix"]}, TRUSTED)


def test_a_model_keeps_its_precision(model: glow.Glow, tmp_path: Path) -> None:
    glow.save(model.double(), tmp_path / "model.pt")
    assert glow.load(tmp_path / "model.pt").dtype == torch.float64


def test_a_device_that_does_not_exist_raises(model: glow.Glow, tmp_path: Path) -> None:
    glow.save(model, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="this machine has no device gpu"):
        glow.load(tmp_path / "model.pt", map_location="gpu")


def test_what_cannot_be_rebuilt_cannot_be_saved(tmp_path: Path) -> None:
    for coupling, message in (
        (lambda channels: AdditiveCoupling(channels, MLP), "define it at the top of a module"),
        (
            partial(lambda channels: AdditiveCoupling(channels, MLP)),
            "define it at the top of a module",
        ),
        (partial(AdditiveCoupling, 4), "pass them as keywords"),
    ):
        description = {"coupling": coupling}
        with pytest.raises(TypeError, match=message):
            describe(description)
    with pytest.raises(TypeError, match="cannot be saved with a model"):
        describe(object())


def test_files_without_a_model_raise(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*missing\.ckpt"):
        glow.load(tmp_path / "missing.ckpt")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.ckpt")
    (tmp_path / "hello.ckpt").write_text("hello world\n")
    (tmp_path / "metrics.csv").write_text("epoch,step\n")
    for name in ("text.ckpt", "other.ckpt", "hello.ckpt", "metrics.csv"):
        with pytest.raises(ValueError, match=f"{name} holds no model"):
            glow.load(tmp_path / name)
    (tmp_path / "empty.ckpt").touch()
    with pytest.raises(BrokenFileError, match=r"empty\.ckpt is damaged: it is empty"):
        glow.load(tmp_path / "empty.ckpt")


def test_a_checkpoint_of_the_earlier_layout_raises(tmp_path: Path) -> None:
    description = {"_target_": "glow.model.Glow", "image_shape": [1, 8, 8]}
    torch.save({"glow": description, "state_dict": {}}, tmp_path / "old.ckpt")
    with pytest.raises(ValueError, match=r"old\.ckpt was written by an earlier version of this"):
        glow.load(tmp_path / "old.ckpt")
