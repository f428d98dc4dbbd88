import functools
import re
from pathlib import Path

import pytest
import torch

from glow.bijections import AffineCoupling, LULinear
from glow.bijections.scale_map import floored_sigmoid
from glow.models import Glow
from glow.runs.building import build, checked
from tests.running import compose_train


@pytest.mark.parametrize(
    ("key", "override", "message"),
    [
        ("model", "model.n_steps=abc", "model.n_steps should be a valid integer, got 'abc'"),
        ("model", "model.n_levels=2.5", "model.n_levels should be a valid integer, got 2.5"),
        ("model", "+model.n_stepz=3", "there is no model.n_stepz: glow.models.Glow takes n_steps"),
        ("model", "~model.image_shape", "model.image_shape is missing: glow.models.Glow needs it"),
        ("model", "model.permutation=null", "model.permutation should be callable, got None"),
        ("model", "model.memory=all", "model.memory should be 'keep', 'recompute' or 'reverse'"),
        (
            "model",
            "model.coupling.scale_map.floor=abc",
            "model.coupling.scale_map.floor should be a valid number, got 'abc'",
        ),
        (
            "model",
            "model.permutation._target_=mine.Layer",
            "model.permutation._target_=mine.Layer cannot be imported: No module named 'mine'",
        ),
        ("model", "model.permutation._target_=glow.bijections.No", "cannot be imported"),
        ("data", "data.image_shape=[1,a,8]", r"data.image_shape[1] should be a valid integer"),
        ("data", "data.batch_size=null", "data.batch_size should be a valid integer, got None"),
        (
            "callbacks",
            "callbacks.ema.multi_avg_fn.decay=abc",
            "callbacks.ema.multi_avg_fn.decay should be a valid number, got 'abc'",
        ),
        ("trainer", "trainer.precision=bf15", "trainer.precision should be 64, 32 or 16 or"),
        (
            "trainer",
            "trainer.gradient_clip_val=x",
            "trainer.gradient_clip_val should be a valid integer or a valid number, got 'x'",
        ),
    ],
)
def test_a_wrong_value_is_named_before_anything_is_built(
    key: str, override: str, message: str, tmp_path: Path
) -> None:
    floored = "model/coupling/scale_map=floored_sigmoid"
    config = compose_train(tmp_path, floored, "callbacks=ema", override)
    with pytest.raises(ValueError, match=re.escape(message)):
        build(config[key], key)


def test_every_part_is_built(tmp_path: Path) -> None:
    config = compose_train(tmp_path, "model/coupling/scale_map=floored_sigmoid")
    with torch.device("meta"):
        model = build(config.model, "model")
    assert isinstance(model, Glow)
    couplings = [m for m in model.modules() if isinstance(m, AffineCoupling)]
    assert couplings
    for coupling in couplings:
        assert isinstance(coupling.scale_map, functools.partial)
        assert coupling.scale_map.func is floored_sigmoid


def test_numbers_may_stand_for_names_and_strings_for_numbers() -> None:
    config = {"_target_": "glow.bijections.LULinear", "_partial_": True, "channels": "4"}
    factory = build(config, "model.permutation")
    assert isinstance(factory, functools.partial)
    assert isinstance(factory(), LULinear)
    assert len(factory().lu) == 4
    data = build({"_target_": "glow.data.MNIST", "image_shape": [1, 28, 28], "root": 2024}, "data")
    assert data.root == "2024"


def test_without_a_config_there_is_nothing_to_build() -> None:
    with pytest.raises(ValueError, match="model must be one of the choices"):
        build(None, "model")


def test_functions_check_their_arguments() -> None:
    @checked
    def repeat(word: str, times: int = 1, **options: int) -> str:
        return word * times + str(options)

    assert repeat("a", "2", b=3) == "aa{'b': 3}"
    with pytest.raises(ValueError, match="times should be a valid integer, got 'many'"):
        repeat("a", times="many")
