"""Every file under conf/ is composed and instantiated."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from glow import ImageFlow
from glow.checkpoint import describe
from glow.data import ImageDataModule
from glow.runs.building import build
from tests.paths import CONF

GROUPS = (
    "model/permutation",
    "model/coupling",
    "model/coupling/net",
    "model/top",
    "model/dequantizer",
    "optimizer",
    "scheduler",
    "trainer",
)
EXPERIMENTS = sorted(
    str(path.relative_to(CONF / "experiment").with_suffix(""))
    for path in CONF.glob("experiment/**/*.yaml")
    if "shared" not in path.parts
)
GLOW_EXPERIMENTS = [  # at the top level
    name
    for name in EXPERIMENTS
    if "/" not in name
    and "override /model:" not in (CONF / "experiment" / f"{name}.yaml").read_text()
]
OPTIONS = [
    f"{group}={path.stem}"
    for group in ("model", *GROUPS, "data", "callbacks", "logger", "recipe")
    for path in sorted((CONF / group).glob("*.yaml"))
]
GLOWS = ("model=glow", "model=tiny")
SMALL = ("model.n_levels=2", "model.n_steps=2")
SCALE_MAPS = [
    f"model/coupling/scale_map={path.stem}"
    for path in sorted((CONF / "model" / "coupling" / "scale_map").glob("*.yaml"))
]


def composed(root: str, folder: Path, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(root, [f"run_dir={folder}", *overrides])
    if config.get("data") and OmegaConf.is_missing(config.data, "root"):
        config.data.root = "pictures"
    config.plan.total_steps, config.plan.anchors_per_step = 10, 5.0
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    "option", [*OPTIONS, *SCALE_MAPS, *(f"experiment={name}" for name in EXPERIMENTS)]
)
def test_everything_composes_and_builds(option: str, tmp_path: Path) -> None:
    others = ("model=nice", "model=flowpp", "model=jet", "/nice", "paper/flowpp", "paper/jet")
    is_other = any(name in option for name in others)  # of a single level
    config = composed("train", tmp_path, option, *([] if is_other else SMALL))
    OmegaConf.resolve(config)
    with torch.device("meta"):
        model = build(config.model, "model")
    assert isinstance(model, ImageFlow)
    describe(model)  # so that its checkpoints can be loaded
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = build(config.optimizer, "optimizer")([parameter])
    if config.scheduler:
        build(config.scheduler, "scheduler")(optimizer)
    data = build(config.data, "data")
    assert isinstance(data, ImageDataModule)
    assert data.image_shape == model.image_shape
    callbacks = list(build(config.callbacks, "callbacks").values())
    loggers = list(build(config.logger, "logger").values())
    if config.trainer.devices == 1:  # several need as many devices as they ask for
        build(config.trainer, "trainer", callbacks=callbacks, logger=loggers)


def _nets(config: Any) -> list[DictConfig]:
    """Return the configs of all networks in a config."""
    if not OmegaConf.is_dict(config):
        return []
    found = [net for value in config.values() for net in _nets(value)]
    return [*found, config.net] if OmegaConf.is_dict(config.get("net")) else found


def all_choices() -> list[list[str]]:
    """Return as few lists of overrides as hold every option, with one of each group in a list."""
    groups: dict[str, list[str]] = {}
    baselines = {o for o in OPTIONS if o.startswith("model=")} - {*GLOWS}  # of other parts
    for option in (o for o in OPTIONS if o not in baselines):
        groups.setdefault(option.partition("=")[0], []).append(option)
    del groups["recipe"]  # which choose from several of the others
    most = max(map(len, groups.values()))
    lists = [[options[i % len(options)] for options in groups.values()] for i in range(most)]
    return [*lists, *([option] for option in SCALE_MAPS)]  # additive coupling takes no scale map


@pytest.mark.parametrize("experiment", ["digits", "mnist", "gallery/celeba", "paper/cifar10"])
def test_a_recipe_replaces_what_an_experiment_chose(experiment: str, tmp_path: Path) -> None:
    chosen = f"experiment={experiment}"
    modern = composed("train", tmp_path, chosen, "recipe=modern")
    assert modern.model.coupling.transform._target_ == "glow.bijections.LogisticMixture"
    assert (modern.optimizer._target_, modern.optimizer.lr) == ("torch.optim.Adam", 3e-3)
    assert modern.model.permutation._target_ == "glow.bijections.LULinear"
    assert modern.scheduler._target_ == "glow.training.optim.WarmupCosine"
    assert "ema" in modern.callbacks
    paper = composed("train", tmp_path, chosen, "recipe=paper")
    assert paper.optimizer._target_ == "glow.training.optim.ReferenceAdamax"
    assert paper.optimizer.lr == 1e-3
    assert "ema" not in paper.callbacks
    assert paper.trainer.gradient_clip_val is None
    slower = composed("train", tmp_path, chosen, "recipe=modern", "optimizer.lr=1e-4")
    assert slower.optimizer.lr == 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("choices", all_choices(), ids=" ".join)
@pytest.mark.parametrize("experiment", GLOW_EXPERIMENTS)
def test_every_experiment_takes_every_choice(
    experiment: str, choices: list[str], tmp_path: Path
) -> None:
    small = ["model.n_levels=2", "model.n_steps=1"]
    if "model/top=class_conditional" in choices:
        small.append("data.n_classes=10")
    config = composed("train", tmp_path, f"experiment={experiment}", *small, *choices)
    OmegaConf.resolve(config)
    for group in ("scheduler", "optimizer", "callbacks", "data"):
        build(config[group], group)
    with torch.device("meta"):
        build(config.model, "model")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "groups", "small"),
    [
        ("nice", ("permutation", "coupling", "coupling/net", "dequantizer"), {"n_steps": 2}),
        ("real_nvp", ("coupling", "coupling/net", "dequantizer"), {"n_steps": 2}),
        ("flowpp", ("coupling", "coupling/net", "dequantizer"), {"n_steps": [[0, 1], [1, 1]]}),
        # Patches of 2, so that 28 pixels halve, and steps enough for one of each kind.
        ("jet", ("coupling", "coupling/net", "dequantizer"), {"n_steps": 6, "patch_size": 2}),
    ],
)
def test_a_baseline_takes_the_choices_of_its_groups(
    model: str, groups: tuple[str, ...], small: dict[str, Any], tmp_path: Path
) -> None:
    options = [o for o in OPTIONS if o.partition("=")[0] in {f"model/{g}" for g in groups}]
    assert len(options) >= 8
    for option in options:
        config = composed("train", tmp_path, f"model={model}", option)
        config.model.update(small)
        for net in (found for found in _nets(config.model) if "n_blocks" in found):
            net.n_blocks = 1
        for image_shape in ([1, 8, 8], [1, 28, 28], [3, 32, 32]):
            config.data.image_shape = image_shape
            with torch.device("meta"):
                assert build(config.model, "model").image_shape == tuple(image_shape)


@pytest.mark.slow
@pytest.mark.parametrize("net", ["paper", "residual", "gated_attention", "vit"])
@pytest.mark.parametrize("coupling", ["affine", "flowpp", "additive"])
def test_a_dequantizer_takes_couplings_and_networks(
    coupling: str, net: str, tmp_path: Path
) -> None:
    where = "model.dequantizer.coupling"
    choices = [f"model/coupling@{where}={coupling}", f"model/coupling/net@{where}.net={net}"]
    config = composed("train", tmp_path, "model/dequantizer=variational", *choices)
    with torch.device("meta"):
        model = build(config.model, "model")
    assert model.dequantizer.bound == "V"


def test_the_baselines_have_equal_seconds_and_equal_parameters(tmp_path: Path) -> None:
    folder = CONF / "experiment" / "baselines"
    for data in ("mnist", "cifar10"):
        sizes, shared = {}, []
        for path in (folder / data).glob("*.yaml"):
            config = composed("train", tmp_path, f"experiment=baselines/{data}/{path.stem}")
            with torch.device("meta"):
                model = build(config.model, "model")
            sizes[path.stem] = sum(p.numel() for p in model.parameters())
            assert f"# Cost      {sizes[path.stem]:,} parameters" in path.read_text()
            shared.append([config[k] for k in ("data", "optimizer", "scheduler", "trainer")])
        assert all(choices == shared[0] for choices in shared)
        assert sizes.pop("nice_wide") > 1e6
        assert max(sizes.values()) < 1.03 * min(sizes.values())
        assert len(sizes) == 3


@pytest.mark.slow
def test_the_ablation_has_equal_seconds_and_equal_parameters(tmp_path: Path) -> None:
    folder = CONF / "experiment" / "ablation"
    for data in ("mnist", "cifar10"):
        sizes, shared = {}, []
        for path in (folder / data).glob("*.yaml"):
            config = composed("train", tmp_path, f"experiment=ablation/{data}/{path.stem}")
            with torch.device("meta"):
                model = build(config.model, "model")
            sizes[path.stem] = sum(p.numel() for p in model.parameters())
            assert f"# Cost      {sizes[path.stem]:,} parameters" in path.read_text()
            shared.append([config[k] for k in ("data", "optimizer", "scheduler", "trainer")])
        assert all(choices == shared[0] for choices in shared)
        assert max(sizes.values()) < 1.03 * min(sizes.values())
        assert len(sizes) == 7


def test_actnorm_is_initialized_on_at_least_256_images(tmp_path: Path) -> None:
    for experiment in ("digits", "mnist"):
        assert (
            composed("train", tmp_path, f"experiment={experiment}").callbacks.init.n_images >= 256
        )


def test_an_unknown_key_raises(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="n_levls"):
        composed("train", tmp_path, "model.n_levls=3")


def test_labels_can_be_shown_to_every_coupling(tmp_path: Path) -> None:
    config = composed("train", tmp_path, "model.n_levels=2", "model.coupling.net.n_classes=10")
    with torch.device("meta"):
        assert build(config.model, "model").n_classes == 10


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_help_says_what_the_program_does(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(name, return_hydra_config=True)
    assert f"python experiments/{name}.py" in config.hydra.help.header
    assert config.hydra.help.footer
