"""What ``group=null`` means on the command line of a program."""

import pytest

from glow.runs.choices import choices, without_null
from tests.paths import CONF


@pytest.mark.parametrize(
    ("program", "argument", "replaced"),
    [
        ("train", "logger=null", ["logger=none"]),
        ("train", "scheduler=null", ["scheduler=none"]),
        ("train", "recipe=null", ["recipe=none"]),
        ("train", "logger=csv,null", ["logger=csv,none"]),
        ("train", "experiment=null", []),
        ("evaluate", "data=null", []),
        ("train", "callbacks.samples=null", ["callbacks.samples=null"]),
        ("train", "paper=null", ["paper=null"]),
        ("train", "logger=wandb", ["logger=wandb"]),
        ("train", "-m", ["-m"]),
        ("train", "=null", ["=null"]),
    ],
)
def test_null_switches_a_group_off(program: str, argument: str, replaced: list[str]) -> None:
    assert without_null([argument], CONF, program) == replaced


@pytest.mark.parametrize("group", ["model", "data", "trainer", "optimizer", "callbacks"])
def test_a_part_that_is_needed_cannot_be_switched_off(group: str) -> None:
    with pytest.raises(ValueError, match=f"{group} must be one of .*, got null"):
        without_null([f"{group}=null"], CONF, "train")


def test_choices_of_groups_inside_a_group_are_not_its_own() -> None:
    assert choices(CONF / "model") == ["flowpp", "glow", "jet", "nice", "real_nvp", "tiny"]
    assert choices(CONF / "logger") == ["csv", "none", "tensorboard", "wandb"]
