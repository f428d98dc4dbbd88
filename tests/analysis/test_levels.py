import pytest
import torch
from torch import Tensor

from glow import Glow, Latents
from glow.analysis.levels import keep_levels, resample


def test_resampling_changes_the_given_levels_only(model: Glow, images: Tensor) -> None:
    latents = model.encode(images)
    generator = torch.Generator().manual_seed(0)
    changed = resample(model, latents, [1], 0.5, generator)
    assert torch.equal(changed[1], latents[1])
    assert not torch.isclose(changed[0], latents[0]).any()
    assert changed[0].std() == pytest.approx(0.5, rel=0.2)
    again = resample(model, latents, [1], 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(again[0], changed[0])
    both = resample(model, latents, [1, 2])
    assert not torch.isclose(both[1], latents[1]).any()


def test_levels_that_are_not_kept_become_0(model: Glow, images: Tensor) -> None:
    latents = model.encode(images)
    coarse = keep_levels(latents, [2])
    assert torch.equal(coarse[1], latents[1])
    assert not coarse[0].any()
    assert torch.equal(model.decode(keep_levels(latents, [1, 2])), images)


def test_levels_that_do_not_exist_raise(model: Glow, images: Tensor) -> None:
    latents = Latents([torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)])
    with pytest.raises(ValueError, match="there is no level 3: the 2 levels are numbered from 1"):
        keep_levels(latents, [1, 3])
    with pytest.raises(ValueError, match="there is no level 0"):
        resample(model, model.encode(images), [0])
