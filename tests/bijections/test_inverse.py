import pytest
import torch

from glow.bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    Inverse,
    LULinear,
    MaskedAutoregressive,
    inverse_and_log_det,
)
from glow.nets import MADE, MLP
from tests.small_models import perturb


def flow() -> Chain:
    parts = [Inverse(MaskedAutoregressive(4, MADE)), LULinear(4), AffineCoupling(4, MLP)]
    return perturb(Chain(*parts, Inverse(Chain(ActNorm(4), AffineCoupling(4, MLP)))).double())


def test_the_inverse_of_the_inverse_is_the_map() -> None:
    bijection, x = flow(), torch.randn(3, 4, dtype=torch.float64)
    for ours, theirs in zip(Inverse(Inverse(bijection))(x), bijection(x), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_log_det_of_the_inverse_is_minus_that_of_the_map() -> None:
    bijection, x = flow(), torch.randn(3, 4, dtype=torch.float64)
    y, log_det = bijection(x)
    found, found_log_det = inverse_and_log_det(bijection, y)
    torch.testing.assert_close(found, x)
    torch.testing.assert_close(found_log_det, -log_det)


def test_an_empty_chain_is_its_inverse() -> None:
    x = torch.randn(3, 4)
    y, log_det = inverse_and_log_det(Chain(), x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(3))


def count_passes(bijection: Bijection) -> list[int]:
    """Count the passes through every network of a flow."""
    calls = [0]

    def count(*_: object) -> None:
        calls[0] += 1

    for module in bijection.modules():
        if isinstance(module, MADE):
            module.register_forward_hook(count)
    return calls


def test_an_inverse_autoregressive_flow_samples_in_one_pass_and_finds_its_log_det_there() -> None:
    maf = perturb(MaskedAutoregressive(5, MADE).double())
    iaf = Chain(Inverse(maf))
    calls, z = count_passes(iaf), torch.randn(3, 5, dtype=torch.float64)
    x, log_det = inverse_and_log_det(iaf, z)
    assert calls == [1]
    torch.testing.assert_close(iaf.inverse(z), x)
    assert calls == [2]
    again, minus_log_det = iaf(x)
    assert calls == [2 + 5 + 1]
    torch.testing.assert_close(again, z)
    torch.testing.assert_close(minus_log_det, -log_det)


def test_the_slow_direction_of_many_features_warns() -> None:
    maf = MaskedAutoregressive(257, lambda i, o: MADE(i, o, width=2, depth=1))
    x = torch.randn(1, 257)
    with torch.no_grad():
        maf(x)
        Inverse(maf).inverse(x)
        message = "257 passes, one per feature: .* the other one takes a single pass"
        with pytest.warns(UserWarning, match=message):
            maf.inverse(x)
        with pytest.warns(UserWarning, match=message):
            Inverse(maf)(x)
