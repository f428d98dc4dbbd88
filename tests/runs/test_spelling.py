import pytest

from glow.runs.program import CONFIGS
from glow.runs.spelling import check_added, corrected
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
        ("train", "+foo=1", "there is no foo in this config, and nothing would read it"),
        (
            "train",
            "++sede=1",
            "there is no sede in this config, perhaps seed is meant, and",
        ),
        ("sample", "+foo=1", "there is no foo in this config, and nothing would read it"),
        ("density2d", "+foo=1", "there is no foo in this config, and nothing would read it"),
        ("sample", "temprature=0.7", "there is no temprature in this config, perhaps temperature"),
        ("evaluate", "splt=val", "there is no splt in this config, perhaps split is meant"),
    ],
)
def test_the_nearest_right_spelling_is_offered(
    program: str, override: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = ["checkpoint=x"] if program in ("sample", "evaluate") else []
    arguments = [override, *needed]
    assert expected in refusal(monkeypatch, program, *arguments)


@pytest.mark.parametrize(
    ("choices", "override", "meant"),
    [
        (["model=flowpp"], "model.n_levels=2", "model.n_bits"),
        (["model=flowpp"], "model.margn=0.1", "model.margin"),
        (["experiment=baselines/mnist/real_nvp"], "model.margn=0.1", "model.margin"),
        (["-m", "model=flowpp,glow"], "model.margn=0.1", "model.margin"),
        (["-m", "model=choice(flowpp,glow)"], "model.n_stepz=3", "model.n_steps"),
    ],
)
def test_keys_are_those_of_what_was_chosen(
    choices: list[str], override: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(monkeypatch, "train", *choices, override)
    assert f"{override.split('=')[0]} in this config, perhaps {meant} is meant" in message


def test_keys_that_are_read_may_be_added() -> None:
    for added in ("+data.root=x", "+seed=1", "+optimizer=adam", "+data@outside.x=mnist", "-m"):
        check_added([added], CONFIGS, "train")
    check_added(["+mine=3", "model.n_steps=${mine}"], CONFIGS, "train")


def test_other_messages_stay() -> None:
    assert corrected("something else", CONFIGS, "train") == "something else"
