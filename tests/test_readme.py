"""What the README says can be done."""

import hashlib
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

import glow
from glow.layers import AdditiveCoupling, CouplingNet
from tests.conftest import ROOT
from tests.data.pictures import write_celeba

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python experiments/(\w+)\.py (.*)$", README, re.MULTILINE)
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
[EXAMPLE] = [block for block in BLOCKS if "glow.save" in block]
[LAYER] = [block for block in BLOCKS if "class Householder" in block]
GALLERY = [block for block in BLOCKS if block not in (EXAMPLE, LAYER)]


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(EXAMPLE, {})


def test_the_gallery_can_be_had_from_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One block goes on where the one before it ended."""
    write_celeba(tmp_path / "data", n=200)
    monkeypatch.chdir(tmp_path)
    coupling = partial(AdditiveCoupling, net=partial(CouplingNet, width=4))
    model = glow.Glow((3, 32, 32), n_bits=5, n_levels=3, n_steps=1, coupling=coupling)
    model.initialize(torch.randint(256, (16, 3, 32, 32), dtype=torch.uint8))
    checkpoints = tmp_path / "runs" / "gallery_celeba" / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    glow.save(model, checkpoints / "best.ckpt")
    names: dict[str, Any] = {}
    for block in GALLERY:
        exec(block.replace("<run>", "run"), names)
    for figure in re.findall(r'savefig\("(.*?)"\)', "".join(GALLERY)):
        assert (tmp_path / figure).is_file()
    told = re.findall(r"^(\w+)\b.*  # (?:uint8 )?\(([\d, ]+)\)", "".join(GALLERY), re.MULTILINE)
    assert len(told) >= 4
    for name, shape in told:
        assert str(tuple(names[name].shape)) == f"({shape})", name


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
    pictures = {path: (ROOT / path).read_bytes() for path in re.findall(r"\((\S*\.png)\)", README)}
    hashes = {path: hashlib.sha256(picture).hexdigest() for path, picture in pictures.items()}
    assert len(set(hashes.values())) == len(hashes) > 5, hashes
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
