"""What the documents say can be done."""

import hashlib
import itertools
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

import glow
from glow.bijections import AdditiveCoupling, Coupling
from glow.bijections.coupling import NetFactory
from glow.nets import MLP, CouplingNet
from tests.data.pictures import write_celeba
from tests.paths import CONF, ROOT
from tests.small_models import perturb

README = ROOT / "README.md"
GALLERY = ROOT / "experiments" / "README.md"
CHOICES = CONF / "README.md"
FAMILY = ROOT / "glow" / "bijections" / "README.md"
INTEROP = ROOT / "glow" / "interop" / "README.md"
PRETRAINED = ROOT / "glow" / "pretrained" / "README.md"
OWN = (FAMILY, INTEROP, PRETRAINED, ROOT / "glow" / "data" / "README.md")
DOCUMENTS = (README, GALLERY, CHOICES, *OWN)
COMMANDS = [
    command
    for document in DOCUMENTS
    for command in re.findall(
        r"^python experiments/(\w+)\.py (.*)$", document.read_text(), re.MULTILINE
    )
]


def blocks(document: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)


EXAMPLE, LAYER, COUPLING = blocks(README)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(EXAMPLE, {})


def test_the_example_of_the_family_runs() -> None:
    for block in blocks(FAMILY):
        exec(block, {})


def test_the_family_lists_every_bijection() -> None:
    """Except for what stands beside a bijection, and for what freezing makes."""
    family = FAMILY.read_text()
    for name in glow.bijections.__all__:
        found = getattr(glow.bijections, name)
        if isinstance(found, type) and issubclass(found, glow.bijections.Bijection):
            hidden = name.startswith("Fixed") or issubclass(found, glow.bijections.Chain)
            abstract = bool(getattr(found, "__abstractmethods__", None))
            assert hidden or abstract or f"`{name}`" in family, name


def test_the_gallery_runs_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block continues the one before it."""
    write_celeba(tmp_path / "data", n=200)
    monkeypatch.chdir(tmp_path)
    coupling = partial(AdditiveCoupling, net=partial(CouplingNet, width=4))
    model = glow.Glow((3, 32, 32), n_bits=5, n_levels=3, n_steps=1, coupling=coupling)
    model.initialize(torch.randint(256, (16, 3, 32, 32), dtype=torch.uint8))
    checkpoints = tmp_path / "runs" / "gallery_celeba" / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    glow.save(model, checkpoints / "best.ckpt")
    names: dict[str, Any] = {}
    for block in blocks(GALLERY):
        exec(block.replace("<run>", "run"), names)
    code = "".join(blocks(GALLERY))
    for figure in re.findall(r'savefig\("(.*?)"\)', code):
        assert (tmp_path / figure).is_file()
    shapes = re.findall(r"^(\w+)\b.*  # (?:uint8 )?\(([\d, ]+)\)", code, re.MULTILINE)
    assert len(shapes) >= 4
    for name, shape in shapes:
        assert str(tuple(names[name].shape)) == f"({shape})", name


@pytest.mark.parametrize("shape", [(3, 2, 2), (5,)])
def test_the_layer_is_a_bijection(shape: tuple[int, ...]) -> None:
    names: dict[str, Any] = {"__name__": "householder"}
    exec(LAYER, names)
    layer, x = names["Householder"](shape[0]).double(), torch.randn(2, *shape).double()
    y, log_det = layer(x)
    torch.testing.assert_close(layer.inverse(y), x)
    jacobian = torch.autograd.functional.jacobian(lambda one: layer(one[None])[0][0], x[0])
    size = x[0].numel()
    expected = torch.linalg.slogdet(jacobian.view(size, size)).logabsdet
    torch.testing.assert_close(expected, log_det[0])


@pytest.mark.parametrize(("shape", "net"), [((4, 3, 3), CouplingNet), ((6,), MLP)])
def test_the_coupling_is_a_bijection(shape: tuple[int, ...], net: NetFactory) -> None:
    names: dict[str, Any] = {"torch": torch, "Tensor": torch.Tensor, "Coupling": Coupling}
    exec(COUPLING, names)
    coupling = perturb(names["AsinhCoupling"](shape[0], net)).double()
    x = torch.randn(2, *shape).double()
    y, log_det = coupling(x)
    torch.testing.assert_close(coupling.inverse(y), x)
    jacobian = torch.autograd.functional.jacobian(lambda one: coupling(one[None])[0][0], x[0])
    size = x[0].numel()
    expected = torch.linalg.slogdet(jacobian.view(size, size)).logabsdet
    torch.testing.assert_close(expected, log_det[0])


def jobs(arguments: str) -> list[list[str]]:
    """Return the overrides of every job of a command."""
    given = [a for a in shlex.split(arguments.replace("<run>", "run")) if not a.startswith("-")]
    choices = []
    for override in OverridesParser.create().parse_overrides(given):
        if override.is_sweep_override():
            key = override.get_key_element()
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            assert override.input_line is not None
            choices.append([override.input_line])
    return [list(job) for job in itertools.product(*choices)]


@pytest.mark.slow
@pytest.mark.parametrize(("program", "arguments"), COMMANDS)
def test_the_commands_compose(program: str, arguments: str) -> None:
    found = jobs(arguments)
    assert len(found) == 1 or "-m " in arguments
    for job in found:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            compose(program, [override for override in job if override != "--help"])


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 200


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_exist(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9-]+)`", text)) <= targets
    for link in re.findall(r"\]\((?!http|#)(.*?)(?:#.*)?\)", text):
        assert (document.parent / link).exists(), link
    for path in re.findall(r"`((?:glow|conf|experiments|tests)/[\w/.]*)`", text):
        assert (ROOT / path).exists() or "householder" in path, path
    headings = {h.lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(.*?)\)", text)) <= headings


def test_no_picture_of_the_gallery_is_another() -> None:
    paths = re.findall(r"\((\S*\.png)\)", GALLERY.read_text())
    hashes = {hashlib.sha256((GALLERY.parent / path).read_bytes()).hexdigest() for path in paths}
    assert len(hashes) == len(paths) > 5


def test_every_choice_is_listed() -> None:
    rows = re.findall(r"^\| `([\w/]+)` \| (`.*) \|$", CHOICES.read_text(), re.MULTILINE)
    groups = {group: set(re.findall(r"`(\w+)`", choices)) for group, choices in rows}
    assert len(groups) >= 10
    for group, choices in groups.items():
        options = {path.stem for path in (CONF / group).glob("*.yaml")}
        assert choices == options, group
