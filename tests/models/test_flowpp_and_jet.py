"""Flow++ and Jet as published: sizes, order of the parts, memory policies, dropout."""

from functools import partial
from typing import Any, get_args

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor

from glow import ImageFlow
from glow.bijections import Memory, Positions, ShufflePermutation, drift
from glow.models import JetStep, Step
from glow.training.compilation import compile_steps
from tests.paths import CONF
from tests.small_models import flowpp, gated, jet, perturb

IMAGENET64 = (  # of flows_imagenet/launchers/imagenet64_official.py
    "experiment=paper/flowpp_imagenet32",
    "data.image_shape=[3,64,64]",
    "model.n_steps=[[0,0],[0,4],[2,2],[2,2]]",
    "model.coupling.net.width=96",
    "model.coupling.net.n_blocks=16",
    "model.coupling.net.grid=[32,16]",
    "model.coupling.transform.n_components=4",
    "model.dequantizer.n_steps=4",
    "model.dequantizer.n_blocks=5",
    "model.dequantizer.coupling.net.width=96",
    "model.dequantizer.coupling.net.n_blocks=5",
    "model.dequantizer.coupling.net.attention=false",
    "model.dequantizer.coupling.transform.n_components=4",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "published"),
    [
        (("experiment=paper/flowpp_cifar10",), 31_443_440),
        (("experiment=paper/flowpp_imagenet32",), 168_955_724),
        (IMAGENET64, 73_489_960),
        # 32 x (24 -> 512, 256 positions, 2 blocks, norm, 512 -> 48): what the authors' code builds.
        (("experiment=paper/jet_imagenet64",), 32 * (12800 + 131072 + 2 * 3152384 + 1024 + 24624)),
    ],
)
def test_sizes_are_the_published_ones(overrides: tuple[str, ...], published: int) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["run_dir=run", "data.root=data", *overrides])
    with torch.device("meta"):
        model = instantiate(config.model)
    found = sum(p.numel() for p in model.parameters())
    assert found == pytest.approx(published, rel=0.01)
    name = overrides[0].partition("=")[2]
    if len(overrides) == 1:
        text = (CONF / "experiment" / f"{name}.yaml").read_text()
        assert f"# Cost      {found:,} parameters" in text


def test_jet_starts_as_a_permutation_of_an_image_in_minus_1_to_1() -> None:
    model = jet((3, 8, 8))
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    [latents] = model.encode(images)
    expected = 2 * model.dequantizer.center(images)
    torch.testing.assert_close(latents.flatten(1).sort(1)[0], expected.flatten(1).sort(1)[0])


def test_every_fifth_coupling_of_jet_splits_the_positions_in_six_ways() -> None:
    model = jet((1, 8, 8), n_steps=35, spatial_every=5)
    splits = [m.split for m in model.modules() if isinstance(m, JetStep)]
    kinds = [type(split) for split in splits]
    assert kinds == ([ShufflePermutation] * 4 + [Positions]) * 7
    orders = [tuple(s.order.tolist()) for s in splits if isinstance(s, Positions)]
    assert len(set(orders)) == 6
    assert orders[0] == orders[6]


def test_positions_split_as_their_pattern_says() -> None:
    x = torch.arange(4.0).view(1, 1, 2, 2).expand(1, 2, 2, 2)  # each position its number
    firsts = {"checkerboard": {0, 3}, "columns": {0, 2}, "rows": {0, 1}}
    for pattern, even in firsts.items():
        for odd in (False, True):
            y, _ = Positions(2, 2, pattern, odd=odd)(x)  # type: ignore[arg-type]
            assert {int(v) for v in y[0, 0].flatten()} == (even if not odd else {0, 1, 2, 3} - even)


def gradients(model: ImageFlow, images: Tensor, noise: Tensor) -> Tensor:
    model.zero_grad()
    model.log_prob(images, noise=noise).sum().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("make", [flowpp, jet])
def test_every_memory_policy_has_the_same_gradients(make: partial[ImageFlow]) -> None:
    images, noise = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8), torch.rand(4, 3, 8, 8)
    found = []
    for memory in get_args(Memory):
        torch.manual_seed(0)
        model = make((3, 8, 8), memory=memory)
        model.initialize(images)
        found.append(gradients(perturb(model, 0.05), images, noise))
        lost = drift(model)
        assert (lost is not None) == (memory == "reverse")
        assert lost is None or lost < 1e-3
    for other in found[1:]:
        assert (other - found[0]).norm() < 1e-3 * found[0].norm()


def test_dropout_allows_one_memory_policy() -> None:
    coupling = flowpp.keywords["coupling"]
    dropping = partial(coupling, net=partial(gated, dropout=0.5))
    for memory in ("recompute", "reverse"):
        with pytest.raises(ValueError, match=f"memory={memory} runs networks again .*memory=keep"):
            flowpp((1, 8, 8), coupling=dropping, memory=memory)
    model = perturb(flowpp((1, 8, 8), coupling=dropping), 0.1)
    images = torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8)
    noise = torch.rand(4, 1, 8, 8)
    model.initialize(images)
    first, second = (model.train().log_prob(images, noise=noise) for _ in range(2))
    assert not torch.equal(first, second)
    first, second = (model.eval().log_prob(images, noise=noise) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("make", [flowpp, jet])
def test_steps_are_found_for_compiling(make: partial[ImageFlow]) -> None:
    model: Any = make((1, 8, 8))
    compile_steps(model, backend="eager")
    steps = [module for module in model.modules() if isinstance(module, Step)]
    assert len(steps) == 4
