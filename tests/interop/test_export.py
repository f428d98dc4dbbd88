"""Exported programs: what they return, and what is inside."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

import glow
from glow import ImageFlow
from glow.bijections import AdditiveCoupling, AffineCoupling, ShufflePermutation
from glow.interop.export import (
    FORMATS,
    Decode,
    Encode,
    EntryPoint,
    Format,
    LogProb,
    What,
    check,
    export,
    onnx_format,
)
from glow.interop.export import checking as checking_module
from glow.interop.export.prefolding import prefolded
from glow.models import ClassConditionalPrior
from glow.nets import MLP, CouplingNet
from tests.paths import ROOT
from tests.small_models import BASELINES, perturb

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "celeba": (3, 64, 64)}
NET = partial(CouplingNet, width=4)
AFFINE = partial(AffineCoupling, net=NET)
CLASSES = partial(ClassConditionalPrior, n_classes=3)


def initialized(model: ImageFlow) -> ImageFlow:
    torch.manual_seed(0)
    images = torch.randint(256, (8, *model.image_shape), dtype=torch.uint8)
    model.initialize(images, torch.arange(8) % max(model.n_classes, 1))
    return perturb(model, 0.02).eval()


@cache
def small(coupling: str, shape: tuple[int, ...] = (3, 8, 8), **options: Any) -> ImageFlow:
    kinds: dict[str, Callable[..., Any]] = {
        "additive": partial(AdditiveCoupling, net=NET),
        "affine": AFFINE,
    }
    return initialized(
        glow.Glow(shape, n_levels=2, n_steps=1, coupling=kinds[coupling], n_bits=5, **options)
    )


CASES: dict[str, tuple[Format, Callable[[], ImageFlow]]] = {
    "onnx, additive": ("onnx", lambda: small("additive", permutation=ShufflePermutation)),
    "torch_export, affine": ("torch_export", lambda: small("affine", (1, 8, 8), top=CLASSES)),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(case: str) -> ImageFlow:
    return CASES[case][1]()


@pytest.fixture(scope="module")
def files(case: str, model: ImageFlow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three programs of a model in one format."""
    file_format = CASES[case][0]
    folder = tmp_path_factory.mktemp(file_format)
    paths = {}
    for what in get_args(What):
        paths[what] = folder / f"{what}{FORMATS[file_format].suffix}"
        assert export(model, paths[what], what, file_format) <= 1e-4
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths.values()}
    return paths


@cache
def opened(path: Path) -> Any:
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    return onnxruntime.InferenceSession(path)


def run(path: Path, *inputs: Tensor) -> list[Tensor]:
    """Run a program without the code of this package."""
    program = opened(path)
    if path.suffix == ".pt2":
        outputs = program(*inputs)
        return [outputs] if isinstance(outputs, Tensor) else [*outputs]
    names = [given.name for given in program.get_inputs()]
    given = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
    return [torch.from_numpy(output) for output in program.run(None, given)]


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 7])
def test_programs_agree_with_the_model(files: dict[str, Path], model: ImageFlow, n: int) -> None:
    images = model.sample(n, 0.7, torch.arange(n) % 3, torch.Generator().manual_seed(n))
    labels = [torch.arange(n) % 3] if model.n_classes else []
    noise = torch.rand(images.shape)
    [log_prob] = run(files["log_prob"], images, noise, *labels)
    expected = model.log_prob(images, *labels, noise=noise)
    torch.testing.assert_close(log_prob, expected.detach(), rtol=1e-5, atol=1e-3)
    latents = run(files["encode"], images, noise, *labels)
    for eps, theirs in zip(latents, model.encode(images, *labels, noise=noise), strict=True):
        torch.testing.assert_close(eps, theirs, rtol=0, atol=1e-4)
    [decoded] = run(files["decode"], *latents, *labels)
    assert decoded.dtype == torch.uint8
    assert torch.equal(decoded, model.dequantizer.quantize(images))


@pytest.mark.slow
def test_the_round_trip_is_exact(files: dict[str, Path], model: ImageFlow) -> None:
    images = torch.randint(256, (5, *model.image_shape), dtype=torch.uint8)
    labels = [torch.zeros(5, dtype=torch.long)] if model.n_classes else []
    latents = run(files["encode"], images, torch.full(images.shape, 0.5), *labels)
    assert torch.equal(
        run(files["decode"], *latents, *labels)[0], model.dequantizer.quantize(images)
    )


@pytest.mark.slow
def test_images_that_are_not_finite_are_black(files: dict[str, Path], model: ImageFlow) -> None:
    latents = model.sample_latents(2)
    latents[0][1, 0, 0, 0] = torch.inf
    labels = [torch.zeros(2, dtype=torch.long)] if model.n_classes else []
    [images] = run(files["decode"], *latents, *labels)
    assert images[0].any()
    assert not images[1].any()


def operations(path: Path) -> set[str]:
    if path.suffix == ".pt2":
        nodes = torch.export.load(path).graph.nodes
        return {str(node.target) for node in nodes if node.op == "call_function"}
    loaded = onnx.load(path)
    assert not loaded.functions
    return {node.op_type for node in loaded.graph.node}


@pytest.mark.slow
def test_no_matrix_is_inverted_or_decomposed(files: dict[str, Path]) -> None:
    for path in files.values():
        found = operations(path)
        assert any("conv" in name.lower() for name in found)
        forbidden = re.compile(r"inv|det|solve|lu_|qr|svd|autocast|Loop|If\b", re.IGNORECASE)
        assert not [name for name in found if forbidden.search(name)]


@pytest.mark.slow
def test_names_and_shapes_are_in_the_file(files: dict[str, Path], model: ImageFlow) -> None:
    if files["encode"].suffix == ".pt2":
        pytest.skip("torch.export chooses the names")
    labels = ["labels"] if model.n_classes else []
    encoder, decoder, density = (
        onnxruntime.InferenceSession(files[w]) for w in ("encode", "decode", "log_prob")
    )
    eps = [f"eps_{level}" for level in range(1, 1 + len(model.latent_shapes))]
    assert [i.name for i in encoder.get_inputs()] == ["images", "noise", *labels]
    assert [o.name for o in encoder.get_outputs()] == eps
    assert [i.name for i in decoder.get_inputs()] == [*eps, *labels]
    shapes = [tuple(i.shape[1:]) for i in decoder.get_inputs()]
    assert shapes[: len(eps)] == model.latent_shapes
    assert [o.name for o in decoder.get_outputs()] == ["images"]
    assert [o.name for o in density.get_outputs()] == ["log_prob"]


def test_the_example_samples_without_torch(files: dict[str, Path], model: ImageFlow) -> None:
    if files["decode"].suffix == ".pt2":
        pytest.skip("the example is of ONNX")
    [example] = re.findall(
        r"```python\n(.*?)```", (ROOT / "glow" / "interop" / "README.md").read_text(), re.DOTALL
    )
    assert len([line for line in example.splitlines() if line]) == 12
    folder = files["decode"].parent
    blocked = "import sys; sys.modules['torch'] = sys.modules['glow'] = None\n"
    subprocess.run([sys.executable, "-c", blocked + example], cwd=folder, check=True)
    from PIL import Image

    with Image.open(folder / "samples.png") as picture:
        assert picture.size == (8 * model.image_shape[2], model.image_shape[1])
    (folder / "samples.png").unlink()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("coupling", ["additive", "affine"])
def test_a_prefolded_model_is_the_model(coupling: str, name: str) -> None:
    model = small(coupling, SHAPES[name])
    entries: list[EntryPoint] = [kind(model) for kind in (Encode, Decode, LogProb)]
    for entry in entries:
        assert check(partial(_run_here, entry), entry) <= 1e-4
    latents = entries[0](*entries[0].examples(3).values())
    images = entries[0].examples(3)["images"]
    assert torch.equal(entries[1](*latents), model.dequantizer.quantize(images))
    assert sum(p.numel() for p in entries[0].parameters()) < sum(
        p.numel() for p in model.parameters()
    )


def _run_here(entry: EntryPoint, given: dict[str, Tensor]) -> list[Tensor]:
    outputs = entry(*given.values())
    return [outputs] if isinstance(outputs, Tensor) else [*outputs]


def test_the_model_does_not_change() -> None:
    model = small("affine")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    prefolded(model, inverse=True)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_labels_are_an_input_of_an_onnx_file(tmp_path: Path) -> None:
    model = initialized(glow.Glow((1, 4, 4), n_levels=1, n_steps=1, top=CLASSES, coupling=AFFINE))
    assert export(model, tmp_path / "decode.onnx", "decode") <= 1e-3
    session = onnxruntime.InferenceSession(tmp_path / "decode.onnx")
    assert [(i.name, i.type) for i in session.get_inputs()][1] == ("labels", "tensor(int64)")
    latents = model.sample_latents(1, 0.7)
    of_classes = [run(tmp_path / "decode.onnx", *latents, torch.tensor([c]))[0] for c in range(3)]
    assert not torch.equal(of_classes[0], of_classes[1])
    assert torch.equal(of_classes[2], model.decode(latents, torch.tensor([2])))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nice with a normal base", "real_nvp of one level"])
def test_the_models_that_glow_comes_from_are_exported(name: str, tmp_path: Path) -> None:
    model = initialized(BASELINES[name]((1, 4, 4), n_steps=1))
    assert export(model, tmp_path / "model.onnx", "log_prob") <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (torch.special.bessel_j0, r"cannot be exported to ONNX.*bessel_j0.*torch_export may"),
        (lambda x: x if x.sum() > 0 else -x, r"because torch\.export cannot trace it: \w+"),
    ],
)
def test_a_network_that_cannot_be_exported_raises(
    activation: Callable[[Tensor], Tensor], message: str, tmp_path: Path
) -> None:
    coupling = partial(AdditiveCoupling, net=partial(MLP, width=3, activation=activation))
    model = initialized(BASELINES["nice"]((1, 2, 2), n_steps=1, coupling=coupling))
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "model.onnx", "decode")
    assert not [*tmp_path.iterdir()]


def test_a_program_that_disagrees_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking_module, "TOLERANCE", -1.0)
    with pytest.raises(FloatingPointError, match=r"disagrees with the model by .* more than -1"):
        export(small("additive"), tmp_path / "model.pt2", "log_prob", "torch_export")
    assert not [*tmp_path.iterdir()]


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_format, "PACKAGES", ("onnx", "nobody"))
    with pytest.raises(ModuleNotFoundError, match=r"needs nobody: pip install -e '\.\[export\]'"):
        export(small("additive"), tmp_path / "model.onnx", "decode")
