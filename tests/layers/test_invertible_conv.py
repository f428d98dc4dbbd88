import pytest
import torch

from glow.layers import InvertibleConv, LUInvertibleConv, PlainInvertibleConv


@pytest.mark.parametrize("make", [PlainInvertibleConv, LUInvertibleConv])
@pytest.mark.parametrize("channels", [1, 2, 12, 48])
def test_it_starts_as_a_rotation(make: type[InvertibleConv], channels: int) -> None:
    layer = make(channels)
    matrix = layer.matrix()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(channels), rtol=0, atol=1e-5)
    _, log_det = layer(torch.randn(2, channels, 3, 3))
    torch.testing.assert_close(log_det, torch.zeros(2), rtol=0, atol=1e-4)


def test_a_negative_determinant_has_a_log_det_too() -> None:
    layer = PlainInvertibleConv(3)
    layer.weight.data = torch.diag(torch.tensor([1.0, -2.0, 4.0]))
    _, log_det = layer(torch.randn(1, 3, 2, 5))
    assert log_det.item() == pytest.approx(2 * 5 * torch.tensor(8.0).log().item())


def test_a_determinant_below_float32_has_a_log_det_too() -> None:
    layer = PlainInvertibleConv(48)
    layer.weight.data *= 0.01  # the determinant is 1e-96
    _, log_det = layer(torch.randn(1, 48, 1, 1))
    assert log_det.item() == pytest.approx(48 * torch.tensor(0.01).log().item(), rel=1e-5)


def test_the_diagonal_is_positive_whatever_the_parameter() -> None:
    layer = LUInvertibleConv(8).double()
    for _ in range(20):
        layer.lu.data = 2 * torch.randn(8, 8, dtype=torch.float64)
        _, upper = layer._factors()
        assert (upper.diagonal() > 0).all()
        expected = torch.linalg.slogdet(layer.matrix()).logabsdet
        torch.testing.assert_close(layer.log_abs_det(), expected)
        identity = layer.matrix() @ layer.inverse_matrix()
        torch.testing.assert_close(identity, torch.eye(8, dtype=torch.float64))


def test_it_has_as_many_parameters_as_the_matrix() -> None:
    assert sum(p.numel() for p in LUInvertibleConv(12).parameters()) == 144


@pytest.mark.parametrize("make", [PlainInvertibleConv, LUInvertibleConv])
def test_the_inverse_is_computed_once_for_the_same_parameters(
    make: type[InvertibleConv], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, y = make(4).eval(), torch.randn(2, 4, 3, 3)
    computed = []
    honest = make.inverse_matrix

    def counted(layer: InvertibleConv) -> torch.Tensor:
        computed.append(layer)
        return honest(layer)

    monkeypatch.setattr(make, "inverse_matrix", counted)
    with torch.no_grad():
        first = layer.inverse(y)
        assert torch.equal(layer.inverse(y), first)
    assert len(computed) == 1
    layer.inverse(y)  # recorded by autograd, and so computed as a part of that
    assert len(computed) == 2
    with torch.no_grad():
        layer.train().inverse(y)  # a comparison would make a GPU wait, for what changes every step
    assert len(computed) == 3


@pytest.mark.parametrize("make", [PlainInvertibleConv, LUInvertibleConv])
@pytest.mark.parametrize("change", ["step", "data", "load", "cast"])
@torch.no_grad()
def test_the_inverse_follows_every_change(make: type[InvertibleConv], change: str) -> None:
    torch.manual_seed(0)
    layer, x = make(4).eval(), torch.randn(2, 4, 3, 3)
    layer.inverse(x)
    [parameter] = layer.parameters()
    if change == "step":
        parameter.grad = torch.randn_like(parameter)
        torch.optim.SGD([parameter], lr=0.1).step()
    elif change == "data":
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    elif change == "load":
        torch.manual_seed(1)
        layer.load_state_dict(make(4).state_dict())
    else:
        layer, x = layer.double(), x.double()
    y, _ = layer(x)
    torch.testing.assert_close(layer.inverse(y), x)
