"""What the README says can be done."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python experiments/(\w+)\.py (.*)$", README, re.MULTILINE)
[EXAMPLE, LAYER] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(EXAMPLE, {})


def test_the_layer_is_a_bijection() -> None:
    names: dict[str, Any] = {"__name__": "householder"}
    exec(LAYER, names)
    layer, x = names["Householder"](3).double(), torch.randn(2, 3, 2, 2, dtype=torch.float64)
    y, log_det = layer(x)
    torch.testing.assert_close(layer.inverse(y), x)
    jacobian = torch.autograd.functional.jacobian(lambda image: layer(image[None])[0][0], x[0])
    torch.testing.assert_close(torch.linalg.slogdet(jacobian.view(12, 12)).logabsdet, log_det[0])


@pytest.mark.parametrize(("program", "arguments"), COMMANDS)
def test_the_commands_compose(program: str, arguments: str) -> None:
    given = [a for a in shlex.split(arguments.replace("<run>", "run")) if not a.startswith("-")]
    overrides = OverridesParser.create().parse_overrides(given)
    [jobs] = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    assert len(jobs) == 1 or "-m " in arguments
    for job in jobs:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            compose(program, job)


def test_what_it_points_to_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets
    for link in re.findall(r"\]\((?!http|#)(.*?)\)", README):
        assert (ROOT / link).exists(), link
    for path in re.findall(r"`((?:glow|conf|experiments|tests)/[\w/.]*)`", README):
        assert (ROOT / path).exists() or "householder" in path, path
    headings = {h.lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", README, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(.*?)\)", README)) <= headings


def test_it_lists_every_choice() -> None:
    rows = re.findall(r"^\| `([\w/@.]+)` \| (`.*) \|$", README, re.MULTILINE)
    groups = {group.partition("@")[0]: set(re.findall(r"`(\w+)`", told)) for group, told in rows}
    assert len(groups) >= 10
    for group, told in groups.items():
        options = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")} - {"evaluation"}
        assert told == options, group
