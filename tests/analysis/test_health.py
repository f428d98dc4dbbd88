from functools import partial
from typing import Any

import pytest
import torch

from glow import Glow
from glow.analysis.finiteness import first_non_finite, layer_outputs
from glow.analysis.health import health
from glow.bijections import AdditiveCoupling, PlainLinear, ReversePermutation
from glow.nets import CouplingNet
from tests.small_models import digits_model


def step_of(model: Glow, level: int, step: int = 0) -> Any:
    """Return one step of flow, whose parts are of any class."""
    levels: Any = model.flow.levels
    return levels[level].steps[step]


def test_a_healthy_model_needs_no_warning(model: Glow, images: torch.Tensor) -> None:
    found = health(model, images)
    assert found.round_trip_error < 0.01
    assert 0.1 < found.smallest_scale < 1
    assert 1 <= found.condition < 100
    assert found.non_finite_samples == 0
    assert found.warnings() == []


def test_the_smallest_scale_is_that_of_the_coupling(model: Glow, images: torch.Tensor) -> None:
    net = step_of(model, 1).coupling.net
    with torch.no_grad():
        for parameter in net.conv_out.conv.parameters():
            parameter.zero_()
        net.conv_out.conv.bias[1::2] = -12.0  # raw scales; the map is sigmoid(raw + 2)
    found = health(model, images)
    raw = -12 * torch.exp(net.conv_out.log_scale_factor * net.conv_out.log_scale.flatten()[1::2])
    assert found.smallest_scale == pytest.approx(float(torch.sigmoid(raw + 2).min()), rel=1e-4)
    assert "scale of" in " ".join(found.warnings())


def test_a_matrix_that_is_almost_singular_is_noticed(images: torch.Tensor) -> None:
    model = Glow((1, 8, 8), n_levels=1, n_steps=1, permutation=PlainLinear)
    model.initialize(images)
    linear = step_of(model, 0).mix.linear
    with torch.no_grad():
        linear.weight.copy_(torch.diag(torch.tensor([1.0, 1.0, 1.0, 1e-8])))
    found = health(model, images)
    assert found.condition == pytest.approx(1e8, rel=0.5)  # with the ActNorm before it
    assert "condition number" in " ".join(found.warnings())


def test_the_error_of_the_inverse_is_counted_in_bins(
    model: Glow, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    inverse = model.flow.inverse

    def shifted(*args: Any) -> torch.Tensor:
        return inverse(*args) + 3 / 2**model.dequantizer.n_bits

    monkeypatch.setattr(model.flow, "inverse", shifted)
    found = health(model, images)
    assert found.round_trip_error == pytest.approx(3, abs=0.01)
    assert "off by 3 bins" in " ".join(found.warnings())


def test_samples_that_are_not_finite_are_counted(images: torch.Tensor) -> None:
    model = digits_model()
    with torch.no_grad():
        step_of(model, 0).mix.actnorm.bias.fill_(torch.inf)
    found = health(model, images)
    assert found.non_finite_samples == 1
    assert "100% of samples" in " ".join(found.warnings())
    assert "loses pixels" in " ".join(found.warnings())


def test_a_model_without_scales_and_matrices_has_neither(images: torch.Tensor) -> None:
    coupling = partial(AdditiveCoupling, net=partial(CouplingNet, width=4))
    model = Glow(
        (1, 8, 8), n_levels=1, n_steps=1, permutation=ReversePermutation, coupling=coupling
    )
    model.initialize(images)
    found = health(model, images)
    assert found.smallest_scale != found.smallest_scale
    assert found.condition == 1
    assert found.warnings() == []


def test_the_first_layer_that_is_not_finite_is_found(model: Glow, images: torch.Tensor) -> None:
    assert first_non_finite(layer_outputs(model, images)) is None
    with torch.no_grad():
        step_of(model, 1, 1).coupling.net.conv_mid.weight.fill_(torch.nan)
    outputs = layer_outputs(model, images)
    assert first_non_finite(outputs) == "flow.levels.1.steps.1.coupling.net"
    assert max(o.largest for o in outputs if o.finite) > 0
