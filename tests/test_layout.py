"""Imports run one way, so that every room can be read with only those below it in mind."""

import ast
import sys
from pathlib import Path

from tests.paths import ROOT

ORDER = (
    (
        *("glow.bijections", "glow.latents", "glow.likelihood", "glow.noise", "glow.system"),
        *("glow.data", "glow.pretrained"),
    ),
    ("glow.nets", "glow.targets"),
    ("glow.dequantizers",),
    ("glow.models",),
    ("glow.checkpoint",),
    ("glow",),  # the package offers names of the rooms above
    ("glow.analysis", "glow.interop"),
    ("glow.compression", "glow.figures"),
    ("glow.training",),
    ("glow.benchmark", "glow.runs"),
    ("glow.web",),
    ("experiments",),
)
RANKS = {name: rank for rank, names in enumerate(ORDER) for name in names}
NOTEBOOK = ROOT / "experiments" / "tour.py"  # which is no program, and has no config
HEAVY = {"hydra", "omegaconf", "pytorch_lightning", "wandb", "torchvision", "matplotlib", "sklearn"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str) -> str | None:
    """Return the room in which a module is, or None for other packages."""
    while module not in RANKS:
        if "." not in module:
            return None
        module = module.rpartition(".")[0]
    return module


def test_imports_run_one_way() -> None:
    for path in [*ROOT.glob("glow/**/*.py"), *ROOT.glob("experiments/*.py")]:
        module = module_of(path)
        room = room_of(module)
        assert room is not None, f"{module} is in no room"
        for imported in imports_of(ast.parse(path.read_text())):
            other = room_of(imported)
            if other is not None and other != room and module != "glow":
                assert RANKS[other] < RANKS[room], f"{module} imports {imported}"


def test_every_room_has_one_line_without_and() -> None:
    for path in sorted(ROOT.glob("glow/*/__init__.py")):
        line = ast.get_docstring(ast.parse(path.read_text()))
        assert line is not None, path
        assert "\n" not in line, path
        assert " and " not in line, path


def test_a_model_can_be_used_without_training_packages() -> None:
    for path in ROOT.glob("glow/**/*.py"):
        room = room_of(module_of(path))
        if room is not None and RANKS[room] < RANKS["glow.analysis"] and room != "glow.data":
            heavy = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text()))} & HEAVY
            assert not heavy, f"{module_of(path)} imports {heavy}"


def test_bijections_and_nets_import_only_torch_einops_and_torchdiffeq() -> None:
    allowed = {"torch", "einops", "torchdiffeq", "glow", *sys.stdlib_module_names}
    for path in [*ROOT.glob("glow/bijections/*.py"), *ROOT.glob("glow/nets/*.py")]:
        found = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text()))}
        assert found <= allowed, f"{path.name} imports {found - allowed}"


def test_programs_import_nothing_heavy_before_their_config_is_composed() -> None:
    for path in set(ROOT.glob("experiments/*.py")) - {NOTEBOOK}:
        tree = ast.parse(path.read_text())
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for imported in imports_of(ast.Module(body=list(top), type_ignores=[])):
            package = imported.split(".")[0]
            fits = imported.startswith("glow.runs.program") if package == "glow" else True
            assert fits, f"{path.name} imports {imported}"
            light = package in {"glow", "hydra", "omegaconf", "rich", *sys.stdlib_module_names}
            assert light, f"{path.name} imports {imported}"


def test_no_test_imports_another() -> None:
    for path in ROOT.glob("tests/**/*.py"):
        for imported in imports_of(ast.parse(path.read_text())):
            first, *parts = imported.split(".")
            is_test = first == "tests" and any(
                part.startswith("test_") or part == "conftest" for part in parts
            )
            assert not is_test, f"{path.name} imports {imported}"


def test_no_private_part_of_another_package_is_used() -> None:
    for path in [*ROOT.glob("glow/**/*.py"), *ROOT.glob("experiments/*.py")]:
        for imported in imports_of(ast.parse(path.read_text())):
            private = [part for part in imported.split(".") if part.startswith("_")]
            assert private in ([], ["__future__"]), f"{path.name} imports {imported}"
