"""experiment=paper/... agrees with the reference, choice by choice."""

from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from glow.runs.train import batches_per_step
from tests.paths import CONF

OTHERS = ("flowpp", "jet")  # of other papers; see tests/models/test_flowpp_and_jet.py
ROWS = sorted(
    path.stem
    for path in (CONF / "experiment" / "paper").glob("*.yaml")
    if not path.stem.startswith(OTHERS)
)
NUMBERS = ("cifar10", "imagenet32", "imagenet64", "lsun64", "mnist", "mnist_padded")
PICTURES = ("celeba64", "celebahq256", "cifar10_conditional")


def row(name: str, *overrides: str, **options: Any) -> DictConfig:
    given = [f"experiment=paper/{name}", "run_dir=run", "data.root=data", *overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", given, **options)


@pytest.mark.parametrize("name", ROWS)
def test_it_keeps_to_the_reference(name: str) -> None:
    config = row(name)
    model, optimizer = config.model, config.optimizer
    # Adamax at 1e-3 with its own correction and memory, without decay; see ReferenceAdamax.
    assert optimizer._target_ == "glow.training.optim.ReferenceAdamax"
    assert (optimizer.lr, optimizer.beta1) == (1e-3, 0.9)
    assert "weight_decay" not in optimizer
    # Warm-up over 10 of its epochs, a little every step, then a constant rate.
    assert config.scheduler._target_ == "glow.training.optim.ReferenceWarmup"
    assert config.scheduler.n_epochs == 10
    # The whole kernel W, its log-determinant in float64; see PlainLinear.
    assert model.permutation._target_ == "glow.bijections.PlainLinear"
    # ActNorm and the edge indicator in the networks, log-scales three times as fast, width 512.
    net = model.coupling.net
    assert net._target_ == "glow.nets.CouplingNet"
    assert (net.edge_indicator, net.log_scale_factor, net.width) == (True, 3.0, 512)
    # Affine for numbers, with sigmoid scales; additive for pictures.
    if name in PICTURES:
        assert model.coupling._target_ == "glow.bijections.AdditiveCoupling"
    else:
        assert model.coupling._target_ == "glow.bijections.AffineCoupling"
        assert model.coupling.scale_map._target_ == "glow.bijections.scale_map.sigmoid"
    # Learned priors; the raw weights; no clipping; float32.
    assert "Standard" not in model.top._target_
    assert "ema" not in config.callbacks
    assert config.trainer.gradient_clip_val is None
    assert config.trainer.precision == "32-true"
    # Images are shifted where the reference does, and never mirrored.
    shifted = config.data._target_.endswith(("CIFAR10", "MNIST"))
    assert config.data.max_shift == (0.1 if shifted else 0.0)
    assert not config.data.get("flip")
    # ActNorm meets as many pixels as in 256 images of 32x32.
    side = config.data.image_shape[1]
    assert config.callbacks.init.n_images == min(256, 256 * 32**2 // side**2)


@pytest.mark.parametrize(
    ("name", "n_images"),
    [
        ("cifar10", 512),
        ("ablation", 512),
        ("imagenet32", 512),
        ("imagenet64", 128),
        ("celebahq256", 40),
    ],
)
def test_a_step_takes_as_many_images_on_any_number_of_gpus(name: str, n_images: int) -> None:
    config = row(name)
    for n_gpus in (1, 2, 8):
        batch_size = config.data.batch_size
        n_batches = batches_per_step(config.images_per_step, batch_size, n_gpus)
        assert n_batches * batch_size * n_gpus == config.images_per_step == n_images
    with pytest.raises(ValueError, match=r"a multiple of data\.batch_size=100 in 3 processes"):
        batches_per_step(config.images_per_step, 100, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "levels", "steps", "millions"),
    [
        ("cifar10", 3, 32, 44.6),
        ("imagenet32", 3, 48, 66.9),
        ("imagenet64", 4, 48, 112.4),
        ("lsun64", 4, 48, 112.0),
        ("celebahq256", 6, 32, 175.0),
        ("cifar10_conditional", 3, 32, 38.4),
    ],
)
def test_sizes_are_the_paper_s(name: str, levels: int, steps: int, millions: float) -> None:
    config = row(name)
    assert (config.model.n_levels, config.model.n_steps) == (levels, steps)
    with torch.device("meta"):
        model = instantiate(config.model)
    n_parameters = sum(p.numel() for p in model.parameters())
    # The reference's top prior convolves a map of zeros; we leave out the weights for them.
    n_parameters += 9 * (2 * model.latent_shapes[-1][0]) ** 2
    assert n_parameters / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("name", ["cifar10", "mnist", "cifar10_conditional"])
def test_all_training_images_are_trained_on(name: str) -> None:
    assert row(name).data.n_val == 0


def differing(config: DictConfig, other: DictConfig) -> set[str]:
    """Return the groups in which two configs differ."""
    parts = {
        "lu": ("model.permutation",),
        "mixture": ("model.coupling",),
        "adam": ("optimizer",),
        "ema": ("callbacks",),
        "cosine": ("scheduler",),
        "clipping": ("trainer.gradient_clip_val",),
        "bf16": ("trainer.precision",),
    }
    return {
        factor
        for factor, names in parts.items()
        if any(OmegaConf.select(config, n) != OmegaConf.select(other, n) for n in names)
    }


@pytest.mark.slow
def test_one_factor_at_a_time_leads_from_the_paper_to_modern() -> None:
    sweep = row("cifar10_recipes", return_hydra_config=True).hydra.sweeper.params.recipe
    [override] = OverridesParser.create().parse_overrides([f"recipe={sweep}"])
    recipes = [str(choice) for choice in override.sweep_string_iterator()]
    files = {path.stem for path in (CONF / "recipe").glob("*.yaml")} - {"none"}
    assert set(recipes) == files
    paper, *factors, modern = recipes
    assert (paper, modern) == ("paper", "modern")
    plain = row("cifar10", "recipe=paper")
    for factor in factors:
        assert differing(row("cifar10", f"recipe={factor}"), plain) == {factor}
    assert differing(row("cifar10", "recipe=modern"), plain) == set(factors)


def test_every_lab_record_says_what_it_is_for() -> None:
    for path in sorted((CONF / "experiment").rglob("*.yaml")):
        head = path.read_text().split("\ndefaults:")[0]
        for word in ("Purpose", "Command", "Cost", "Paper"):
            assert f"\n# {word} " in head, (path, word)
        name = path.relative_to(CONF / "experiment").with_suffix("")
        assert f"experiment={name}" in head, path
