"""Imports run one way, so that every file can be read with only those above it in mind."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ORDER = (
    ("glow.layers",),
    ("glow.likelihood", "glow.latents", "glow.noise", "glow.optim", "glow.provenance"),
    ("glow.flow",),
    ("glow.model",),
    ("glow.in_batches", "glow.checkpoint", "glow.reference"),
    ("glow",),  # the package itself offers what is above
    ("glow.manipulation", "glow.attributes", "glow.neighbours"),
    (
        "glow.benchmark",
        "glow.out_of_distribution",
        "glow.sample_quality",
        "glow.data",
        "glow.loggers",
        "glow.run_folder",
        "glow.entry_point",
    ),
    ("glow.figures", "glow.lightning_module"),
    ("glow.callbacks", "glow.evaluation", "glow.sweep", "glow.trained_run"),
    ("glow.record", "glow.report"),
    ("experiments",),
)
RANKS = {name: rank for rank, names in enumerate(ORDER) for name in names}
HEAVY = {"hydra", "omegaconf", "pytorch_lightning", "wandb", "torchvision", "matplotlib", "sklearn"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rank_of(module: str) -> int | None:
    while module not in RANKS:
        if "." not in module:
            return None
        module = module.rpartition(".")[0]
    return RANKS[module]


def test_imports_run_one_way() -> None:
    for path in [*ROOT.glob("glow/**/*.py"), *ROOT.glob("experiments/*.py")]:
        module = module_of(path)
        rank = rank_of(module)
        assert rank is not None, f"{module} has no place in the order"
        for imported in imports_of(path):
            imported_rank = rank_of(imported)
            same_package = (
                rank_of(imported) == rank and imported.split(".")[:2] == (module.split(".")[:2])
            )
            if imported_rank is not None and not same_package:
                assert imported_rank < rank, f"{module} imports {imported}"


def test_the_model_needs_torch_and_einops_alone() -> None:
    last = RANKS["glow.manipulation"]
    for path in ROOT.glob("glow/**/*.py"):
        rank = rank_of(module_of(path))
        if rank is not None and rank <= last:
            heavy = {name.split(".")[0] for name in imports_of(path)} & HEAVY
            assert not heavy, f"{module_of(path)} imports {heavy}"


def test_layers_import_nothing_but_torch_and_einops() -> None:
    standard = {"abc", "collections", "contextlib", "dataclasses", "functools", "math", "typing"}
    allowed = {"torch", "einops", "glow", *standard}
    for path in ROOT.glob("glow/layers/*.py"):
        found = {name.split(".")[0] for name in imports_of(path)}
        assert found <= allowed, f"{path.name} imports {found - allowed}"
