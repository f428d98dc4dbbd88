import pytest
import torch

from glow.bijections import InvertibleLinear, LULinear, PlainLinear

LINEAR = [PlainLinear, LULinear]


@pytest.mark.parametrize("make", LINEAR)
@pytest.mark.parametrize("channels", [1, 2, 12, 48])
def test_it_starts_as_a_rotation(make: type[InvertibleLinear], channels: int) -> None:
    layer = make(channels)
    matrix = layer.matrix()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(channels), rtol=0, atol=1e-5)
    _, log_det = layer(torch.randn(2, channels, 3, 3))
    torch.testing.assert_close(log_det, torch.zeros(2), rtol=0, atol=1e-4)


@pytest.mark.parametrize("make", LINEAR)
def test_it_is_the_same_map_at_every_position_and_for_vectors(make: type[InvertibleLinear]) -> None:
    layer = make(4).double()
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    y, log_det = layer(x)
    as_vectors, log_det_of_vectors = layer(x.movedim(1, -1).reshape(-1, 4))
    torch.testing.assert_close(y.movedim(1, -1).reshape(-1, 4), as_vectors)
    torch.testing.assert_close(log_det, 15 * log_det_of_vectors[:2])


def test_a_negative_determinant_has_a_log_det_too() -> None:
    layer = PlainLinear(3)
    layer.weight.data = torch.diag(torch.tensor([1.0, -2.0, 4.0]))
    _, log_det = layer(torch.randn(1, 3, 2, 5))
    assert log_det.item() == pytest.approx(2 * 5 * torch.tensor(8.0).log().item())


def test_a_determinant_below_float32_has_a_log_det_too() -> None:
    layer = PlainLinear(48)
    layer.weight.data *= 0.01  # the determinant is 1e-96
    _, log_det = layer(torch.randn(1, 48, 1, 1))
    assert log_det.item() == pytest.approx(48 * torch.tensor(0.01).log().item(), rel=1e-5)


def test_the_diagonal_is_positive_for_every_parameter() -> None:
    layer = LULinear(8).double()
    for _ in range(20):
        layer.lu.data = 2 * torch.randn(8, 8, dtype=torch.float64)
        matrix, log_abs_det, _ = LULinear.stack([layer])
        assert torch.equal(matrix[0], layer.matrix())
        lower = layer.lu.tril(-1) + torch.eye(8, dtype=torch.float64)
        upper = torch.linalg.solve(lower, layer.matrix()[layer.rows.argsort()])
        assert (upper.diagonal() > 0).all()
        expected = torch.linalg.slogdet(layer.matrix()).logabsdet
        torch.testing.assert_close(log_abs_det[0], expected)
        identity = layer.matrix() @ layer.inverse_matrix()
        torch.testing.assert_close(identity, torch.eye(8, dtype=torch.float64))


def test_it_has_as_many_parameters_as_the_matrix() -> None:
    assert sum(p.numel() for p in LULinear(12).parameters()) == 144


@pytest.mark.parametrize("make", LINEAR)
def test_a_frozen_copy_computes_no_matrix_again(
    make: type[InvertibleLinear], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = make(4), torch.randn(2, 4, 3, 3)
    frozen = layer.frozen()
    y, log_det = layer(x)
    for name in ("inv_ex", "slogdet"):
        monkeypatch.setattr(torch.linalg, name, lambda *_, **__: pytest.fail("computed again"))
    again, log_det_again = frozen(x)
    torch.testing.assert_close(again, y)
    torch.testing.assert_close(log_det_again, log_det)
    torch.testing.assert_close(frozen.inverse(y), x)


@pytest.mark.parametrize("make", LINEAR)
@pytest.mark.parametrize("change", ["step", "data", "load", "cast"])
@torch.no_grad()
def test_the_inverse_follows_every_change(make: type[InvertibleLinear], change: str) -> None:
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
