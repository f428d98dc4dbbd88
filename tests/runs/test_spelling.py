import pytest

from glow.runs.program import CONFIGS
from glow.runs.spelling import corrected
from tests.running import refusal


@pytest.mark.parametrize(
    ("program", "override", "expected"),
    [
        ("train", "model.n_stepz=3", "no model.n_stepz in this config, perhaps model.n_steps is"),
        ("train", "modle=glow", "there is no modle in this config, perhaps model is meant"),
        (
            "train",
            "data=cifar",
            "no data=cifar, perhaps cifar10 is meant: celeba, cifar10",
        ),
        ("train", "model/coupling/scale_map=tanh", "scale_map=tanh, perhaps tanh_exp is meant"),
        ("train", "zzz=1", "there is no zzz in this config; +zzz=... would add it"),
        ("train", "+foo=1", "there is no foo in the config of training"),
        ("sample", "temprature=0.7", "there is no temprature in this config, perhaps temperature"),
        ("evaluate", "splt=val", "there is no splt in this config, perhaps split is meant"),
    ],
)
def test_the_nearest_right_spelling_is_offered(
    program: str, override: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [override, *([] if program == "train" else ["checkpoint=x"])]
    assert expected in refusal(monkeypatch, program, *arguments)


def test_other_messages_stay() -> None:
    assert corrected("something else", CONFIGS, "train") == "something else"
