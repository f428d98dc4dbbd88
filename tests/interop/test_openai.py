"""Parity with openai/glow: its variables, its outputs."""

import ast
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glow import Glow
from glow.interop.openai import build_glow
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.training.optim import ReferenceAdamax
from glow.training.optim.anchors import EPOCH
from tests.devices import DEVICES

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.npz"))
# More values, with training steps, if they are beside this repository.
SHARED = sorted((Path(__file__).parents[3] / "shared" / "reference" / "openai").glob("*.npz"))


class Recorded:
    """Values that the reference computed, in the layouts of this project."""

    def __init__(self, path: Path) -> None:
        self.arrays: dict[str, NDArray[Any]] = dict(np.load(path))
        self.config: dict[str, Any] = ast.literal_eval(str(self.arrays["config"]))
        self.images = self.image("x")
        self.labels = torch.from_numpy(self.arrays["y"])
        self.noise = self.image("unit_noise")

    def image(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[key]).permute(0, 3, 1, 2)

    def per_level(self, key: str) -> list[torch.Tensor]:
        return [self.image(f"{key}{level}") for level in range(self.config["n_levels"])]

    def model(self, prefix: str = "var:") -> Glow:
        variables = {
            name.removeprefix(prefix): value
            for name, value in self.arrays.items()
            if name.startswith(prefix)
        }
        return build_glow(variables, self.config)


@pytest.fixture(params=[*GOLDEN, *SHARED], ids=lambda path: f"{path.parent.name}-{path.stem}")
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(request.param)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_likelihood_agrees(recorded: Recorded, dtype: torch.dtype, device: str) -> None:
    model = recorded.model().to(device, dtype)
    given = (tensor.to(device) for tensor in (recorded.images, recorded.labels, recorded.noise))
    images, labels, noise = given
    log_prob = model.log_prob(images, labels, noise=noise)
    expected = torch.from_numpy(recorded.arrays["bits_per_dim"]).to(dtype)
    bits = bits_per_dim(log_prob, model.image_shape).cpu()
    torch.testing.assert_close(bits, expected, rtol=0, atol=1e-5)


def test_the_latents_agree(recorded: Recorded) -> None:
    latents = recorded.model().encode(recorded.images, recorded.labels, noise=recorded.noise)
    for eps, expected in zip(latents, recorded.per_level("eps"), strict=True):
        torch.testing.assert_close(eps, expected, rtol=0, atol=2e-5)


def test_the_decoded_image_agrees(recorded: Recorded) -> None:
    x = recorded.model().flow.inverse(recorded.per_level("sample_eps"), recorded.labels)
    torch.testing.assert_close(x, recorded.image("sample"), rtol=0, atol=1e-5)


def test_decode_returns_the_encoded_images(recorded: Recorded) -> None:
    model = recorded.model()
    decoded = model.decode(model.encode(recorded.images, recorded.labels), recorded.labels)
    bin_size = 2 ** (8 - recorded.config["n_bits_x"])
    assert torch.equal(decoded, recorded.images // bin_size * bin_size)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_three_steps_of_training_agree(path: Path, device: str) -> None:
    recorded = Recorded(path)
    given = (tensor.to(device) for tensor in (recorded.images, recorded.labels, recorded.noise))
    images, labels, noise = given
    model = recorded.model().train().to(device)
    arrays = recorded.arrays
    optimizer = ReferenceAdamax(
        model.parameters(),
        anchors_per_step=EPOCH * (1 - float(arrays["beta2"])),
        lr=float(arrays["lr"]),
        beta1=float(arrays["beta1"]),
    )
    for expected in arrays["train_losses"]:
        latents, log_det = model(images, labels, noise=noise)
        log_prob = standard_normal_log_prob(latents) + log_det
        loss = bits_per_dim(log_prob, model.image_shape).mean()
        loss = loss + model.classification_loss(latents, labels).mean() / math.log(2)
        assert loss.item() == pytest.approx(float(expected), abs=2e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The reference's entries that only multiply zeros have no gradient and stay where they are.
    n_entries = sum(v.size for name, v in arrays.items() if name.startswith("after3:"))
    after = recorded.model("after3:").state_dict()
    differing = sum(
        int(((value.double().cpu() - after[name].double()).abs() > 3e-5).sum())
        for name, value in model.state_dict().items()
    )
    assert differing / n_entries < 0.01


def test_a_missing_variable_is_named() -> None:
    recorded = Recorded(GOLDEN[1])
    del recorded.arrays["var:model/0/1/invconv/W"]
    with pytest.raises(KeyError, match="model/0/1/invconv/W"):
        recorded.model()


def test_variables_that_do_not_fit_raise() -> None:
    recorded = Recorded(GOLDEN[1])
    weight = recorded.arrays["var:model/0/1/f1/l_2/W"]
    recorded.arrays["var:model/0/1/f1/l_2/W"] = weight.reshape(4, 4, 4, 4)
    with pytest.raises(ValueError, match=r"f1/l_2/W has the shape \(4, 4, 4, 4\)"):
        recorded.model()
    recorded.config["flow_permutation"] = -1
    with pytest.raises(ValueError, match="flow_permutation must be from 0 to 2, got -1"):
        recorded.model()
