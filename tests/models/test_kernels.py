"""How many kernels a training step starts, forward and backward: what a narrow model costs."""

from functools import partial
from typing import Any

import pytest
import torch

from glow import Glow
from glow.bijections import AdditiveCoupling, AffineCoupling, PlainLinear, ShufflePermutation
from glow.likelihood import standard_normal_log_prob
from tests.counting import Kernels
from tests.small_models import net


def small_glow(n_steps: int, n_levels: int = 1, **options: Any) -> Glow:
    coupling = options.pop("coupling", AffineCoupling)
    network = options.pop("net", net)
    shape = (3, 2**n_levels, 2**n_levels)
    return Glow(
        shape,
        n_levels=n_levels,
        n_steps=n_steps,
        coupling=partial(coupling, net=network),
        **options,
    )


def kernels(model: Glow, *, lowered: bool = False) -> int:
    images = torch.randint(256, (2, *model.image_shape), dtype=torch.uint8)
    labels = torch.arange(2) if model.n_classes else None
    with Kernels() as counted:
        with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
            latents, log_det = model(images, labels)
        (standard_normal_log_prob(latents) + log_det).mean().backward()
    return len(counted.names)


@pytest.mark.parametrize(
    ("most", "options"),
    [
        (35, {}),
        (35, {"permutation": PlainLinear}),
        (25, {"coupling": AdditiveCoupling}),
        (42, {"permutation": ShufflePermutation}),
        (47, {"memory": "recompute"}),
        (59, {"memory": "reverse"}),
    ],
)
def test_a_flow_step_is_lean(most: int, options: dict[str, Any]) -> None:
    few, many = (kernels(small_glow(n_steps, **options)) for n_steps in (3, 5))
    assert (many - few) / 2 <= most


def test_a_flow_step_with_networks_in_lower_precision_is_lean() -> None:
    few, many = (kernels(small_glow(n_steps), lowered=True) for n_steps in (3, 5))
    assert (many - few) / 2 <= 38


def test_the_whole_model_of_the_paper_is_lean() -> None:
    assert kernels(small_glow(32, n_levels=3)) <= 4000


def test_a_frozen_model_folds_nothing_but_its_edges() -> None:
    model = small_glow(2, n_levels=2)
    images = torch.randint(256, (2, *model.image_shape), dtype=torch.uint8)
    model.initialize(images)
    names = []
    for module in (model, model.frozen()):
        with torch.no_grad(), Kernels() as counted:
            module.flow.inverse(module.sample_latents(2))
        names.append(counted.names)
    plain, frozen = names
    assert "linalg_inv_ex" in plain
    assert len(frozen) < len(plain)
    assert not {"linalg_inv_ex", "tril"} & set(frozen)
