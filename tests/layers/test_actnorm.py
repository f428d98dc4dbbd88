import pytest
import torch

from glow.layers import ActNorm, Chain, data_dependent_init
from glow.model import Glow
from tests.bijections import affine


def test_initialization_normalizes_every_channel() -> None:
    actnorm = ActNorm(3).double()
    x = (
        torch.randn(64, 3, 4, 4, dtype=torch.float64)
        * torch.tensor([0.1, 1.0, 20.0])[:, None, None]
        + torch.tensor([-5.0, 0.0, 3.0])[:, None, None]
    )
    with data_dependent_init(actnorm):
        y, _ = actnorm(x)
    torch.testing.assert_close(y.mean(dim=(0, 2, 3)), torch.zeros(3, dtype=torch.float64))
    # The variance is the biased one, up to the 1e-6 that the reference adds to the deviation.
    variance = y.var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(variance, torch.ones(3).double(), rtol=1e-4, atol=0)
    assert actnorm.initialized


def test_later_layers_see_normalized_activations() -> None:
    chain = Chain(ActNorm(2), ActNorm(2)).double()
    with data_dependent_init(chain):
        chain(7 + 3 * torch.randn(100, 2, 4, 4, dtype=torch.float64))
    assert chain.state_dict()["1.bias"].abs().max() < 1e-6
    assert chain.state_dict()["1.log_scale"].abs().max() < 1e-5


def test_a_layer_is_initialized_once() -> None:
    actnorm = ActNorm(2)
    for shift in (5.0, -5.0):
        with data_dependent_init(actnorm):
            actnorm(shift + torch.randn(10, 2, 4, 4))
    assert (actnorm.bias < 0).all()


def test_a_layer_that_is_met_twice_takes_the_first_input() -> None:
    actnorm = ActNorm(2)
    x = torch.randn(10, 2, 4, 4)
    with data_dependent_init(actnorm):
        first, _ = actnorm(x)
        second, _ = actnorm(3 * x)
    torch.testing.assert_close(first, actnorm(x)[0])
    torch.testing.assert_close(second, actnorm(3 * x)[0])


def test_a_constant_channel_stays_finite() -> None:
    actnorm = ActNorm(1)
    with data_dependent_init(actnorm):
        y, log_det = actnorm(torch.full((4, 1, 2, 2), 3.0))
    assert y.isfinite().all()
    assert log_det.isfinite().all()


def test_nothing_but_the_explicit_act_initializes() -> None:
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    model.train()
    model.log_prob(images)
    model.decode(model.encode(images))
    model.sample(3)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model.initialize(images)
    flags = [value for name, value in model.state_dict().items() if name.endswith("initialized")]
    assert len(flags) == 6
    assert all(flags)


def test_a_loaded_model_is_not_initialized_again() -> None:
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    model.initialize(torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8))
    loaded = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    loaded.load_state_dict(model.state_dict())
    loaded.initialize(torch.zeros(50, 1, 8, 8, dtype=torch.uint8))
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_the_hooks_are_gone_afterwards() -> None:
    actnorm = ActNorm(2)
    with pytest.raises(RuntimeError, match="on purpose"), data_dependent_init(actnorm):
        raise RuntimeError("on purpose")
    actnorm(torch.randn(4, 2, 3, 3))
    assert not actnorm.initialized
