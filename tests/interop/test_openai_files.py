"""The authors' checkpoints and frozen graphs, as models; and models as checkpoints."""

import ast
import random
import shutil
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glow
from glow import Glow
from glow.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    LULinear,
    PlainLinear,
    ReversePermutation,
    ShufflePermutation,
)
from glow.bijections.scale_map import floored_sigmoid
from glow.interop import openai
from glow.interop.sstable import read_table, write_table
from glow.interop.tensor_bundle import read_bundle, write_bundle
from glow.models import NICE, ClassConditionalPrior, StandardPrior
from glow.nets import CouplingNet
from tests.interop.checkpoints import (
    FOLDER,
    GRAPH,
    IMAGE_SIZE,
    PREFIX,
    edit_index,
    float_list_graph,
    golden_variables,
    reference_glow,
)

AVERAGE = "/ExponentialMovingAverage"
SHARED = Path(__file__).parents[3] / "shared" / "reference" / "openai"
FILES = [PREFIX, PREFIX.with_name(f"{PREFIX.name}.index"), GRAPH]


def same(model: glow.ImageFlow, other: glow.ImageFlow) -> bool:
    state = other.state_dict()
    return all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.fixture
def variables() -> dict[str, Any]:
    return golden_variables()


@pytest.fixture(scope="module")
def expected() -> Glow:
    """The model of the golden files, from hyperparameters that are given."""
    config = {
        **{"n_levels": 2, "depth": 1, "width": 4, "n_bits_x": 8, "image_size": IMAGE_SIZE},
        **{"flow_permutation": 1, "flow_coupling": 0, "learntop": 1, "ycond": 0},
        **{"weight_y": 0.0, "n_y": 0},
    }
    return openai.build_glow(golden_variables(), config)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.suffix)
def test_every_file_gives_the_model(path: Path, expected: Glow) -> None:
    found = openai.read(path, IMAGE_SIZE)
    assert same(found.build(), expected)
    assert found.ignored == ([] if path == GRAPH else ["model/0/0/f1/l_1/eps_beta"])


def test_a_folder_with_one_checkpoint_is_a_path(tmp_path: Path, expected: Glow) -> None:
    with pytest.raises(ValueError, match="is a folder with 2 checkpoints and graphs"):
        openai.read(FOLDER, IMAGE_SIZE)
    for file in FOLDER.glob(f"{PREFIX.name}.*"):
        shutil.copy(file, tmp_path)
    assert same(openai.read(tmp_path, IMAGE_SIZE).build(), expected)


def test_averages_are_other_weights(expected: Glow) -> None:
    averaged = openai.read(PREFIX, IMAGE_SIZE, weights="ema").build()
    stored = read_bundle(PREFIX)
    bias = averaged.flow.levels[0].steps[0].mix.actnorm.bias  # type: ignore[index,union-attr]
    name = f"model/0/0/actnorm_center/b{AVERAGE}"
    assert np.array_equal(bias.detach().numpy(), stored[name].read().flatten())
    images = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8)
    noise = torch.rand(images.shape)
    difference = averaged.bits_per_dim(images, noise=noise) - expected.bits_per_dim(
        images, noise=noise
    )
    assert difference.abs().min() > 1e-3
    with pytest.raises(ValueError, match="has no averages of the weights: use weights=raw"):
        openai.load(GRAPH, IMAGE_SIZE, weights="ema")


def test_loading_warns_of_variables_that_no_model_has() -> None:
    with pytest.warns(UserWarning, match="ignored, because .*: model/0/0/f1/l_1/eps_beta$"):
        openai.load(PREFIX, IMAGE_SIZE)


@pytest.mark.parametrize("name", ["affine_invconv_8bit", "affine_reverse_classcond"])
@pytest.mark.parametrize("file", ["model_best_loss.ckpt", "graph_unoptimized.pb"])
def test_the_values_of_the_reference_are_reproduced(name: str, file: str) -> None:
    path = SHARED / "checkpoints" / name / file
    if not [*path.parent.glob(f"{file}*")]:
        pytest.skip("the reference's files are not beside this repository")
    arrays = dict(np.load(SHARED / f"{name}.npz"))
    config = ast.literal_eval(str(arrays["config"]))
    model = openai.load(path, 32, config["n_bits_x"])
    images, noise = (
        torch.from_numpy(arrays[key]).permute(0, 3, 1, 2) for key in ("x", "unit_noise")
    )
    labels = torch.from_numpy(arrays["y"])
    bits = model.bits_per_dim(images, labels, noise=noise).detach().numpy()
    np.testing.assert_allclose(bits, arrays["bits_per_dim"], rtol=0, atol=1e-4)
    for level, eps in enumerate(model.encode(images, labels, noise=noise)):
        theirs = arrays[f"eps{level}"].transpose(0, 3, 1, 2)
        np.testing.assert_allclose(eps.numpy(), theirs, rtol=0, atol=1e-3)
    latents = [
        torch.from_numpy(arrays[f"sample_eps{level}"]).permute(0, 3, 1, 2) for level in range(3)
    ]
    x = model.flow.inverse(latents, labels).detach().numpy()
    np.testing.assert_allclose(x, arrays["sample"].transpose(0, 3, 1, 2), rtol=0, atol=1e-3)


def test_numbers_that_are_listed_one_by_one_are_read(tmp_path: Path, expected: Glow) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(float_list_graph(golden_variables()))
    assert same(openai.load(path, IMAGE_SIZE), expected)


def test_a_constant_of_equal_numbers_may_be_stored_as_one(
    tmp_path: Path, variables: dict[str, Any]
) -> None:
    name, path = "model/0/0/f1/l_last/b", tmp_path / "graph.pb"
    shapes = {name: variables[name].shape}
    path.write_bytes(float_list_graph(variables | {name: np.full(1, 0.25, "f4")}, shapes))
    assert np.array_equal(
        openai.read(path, IMAGE_SIZE).variables[name], np.full((1, 1, 1, 2), 0.25)
    )


def test_constants_cannot_be_larger_than_their_file(
    tmp_path: Path, variables: dict[str, Any]
) -> None:
    """A single number could stand for any shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    for level in (0, 1):
        step = f"model/{level}/0/f1"
        shapes |= {f"{step}/l_1/W": (3, 3, 3 + 2 * level, 2**20), f"{step}/l_2/W": (2**20, 2**20)}
        shapes |= {
            f"{step}/l_{n}/actnorm_{v}": (2**20,)
            for n in (1, 2)
            for v in ("center/b", "scale/logs")
        }
        shapes |= {f"{step}/l_last/W": (3, 3, 2**20 + 1, 2 + 2 * level)}
    for name in shapes:
        variables[name] = np.zeros(1, "f4")
    path = tmp_path / "graph.pb"
    path.write_bytes(float_list_graph(variables, shapes))
    with pytest.raises(ValueError, match=r"its variables would have \d{13} bytes, but it has only"):
        openai.read(path, IMAGE_SIZE)


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("model/1/0/f1/l_1/W"), r"lacks the variable model/1/0/f1/l_1/W"),
        (lambda v: v.pop("model/pool0/conv/logs"), "lacks the variable model/pool0/conv/logs"),
        (lambda v: v.pop("model/1/0/shuffle/indices"), "lacks the variable .*shuffle/indices"),
        (lambda v: v.pop("model/0/0/actnorm_center/b"), "actnorm_center/b is missing"),
        (lambda v: v.update({"model/7/0/x": np.zeros(1, "f4")}), "lacks the variable model/2/0"),
        (lambda v: v.update({"model/0/4/x": np.zeros(1, "f4")}), "lacks the variable model/0/1"),
        (
            lambda v: v.update({"model/0/0/f1/l_2/W": np.zeros((4, 5), "f4")}),
            r"f1/l_2/W has the shape \(4, 5\), which does not fit \(1, 1, 4, 4\)",
        ),
        (
            lambda v: v.update({"model/0/0/f1/l_last/W": np.zeros((3, 3, 5, 3), "f4")}),
            "has 3 outputs, but a coupling of 4 channels has 2 if it is additive",
        ),
        (
            lambda v: v.update({"model/0/0/actnorm_center/b": np.zeros((), "f4")}),
            "actnorm_center/b is a single number",
        ),
        (
            lambda v: v.update({"model/0/0/f1/l_last/b": np.zeros((1, 1, 1, 2), "i4")}),
            "holds model/0/0/f1/l_last/b as int32, but float32 is needed",
        ),
        (
            lambda v: v.update({"model/0/0/f1/l_last/b": np.full((1, 1, 1, 2), np.nan, "f4")}),
            "values of model/0/0/f1/l_last/b that are not finite",
        ),
        (
            lambda v: v.update({"model/0/0/shuffle/indices": np.array([0, 1, 1, 3], "i4")}),
            "shuffle/indices should be a permutation",
        ),
        (
            lambda v: v["model/0/0/shuffle/indices"].sort(),
            "shuffle/indices_inverse is not the inverse",
        ),
        (lambda v: v.clear(), "model/0/0/actnorm_center/b is missing"),
        (
            lambda v: (v.clear(), v.update({"resnet/conv1/W": np.zeros(3, "f4")})),
            "holds no model of openai/glow .*: the variable model/0/0",
        ),
    ],
)
def test_variables_of_another_kind_raise(
    tmp_path: Path, variables: dict[str, Any], change: Change, message: str
) -> None:
    change(variables)
    write_bundle(variables, tmp_path / "model.ckpt")
    (tmp_path / "graph.pb").write_bytes(float_list_graph(variables))
    for path in (tmp_path / "model.ckpt", tmp_path / "graph.pb"):
        with pytest.raises(ValueError, match=message):
            openai.read(path, IMAGE_SIZE).build()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 7}, "n_levels=2 needs .* got 7x7"),
        ({"image_size": 0}, "each at least 1"),
        ({"n_bits": 9}, "n_bits must be from 1 to 8"),
        ({"weights": "mean"}, "weights must be raw or ema, got mean"),
    ],
)
def test_settings_that_cannot_be_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        openai.read(PREFIX, **{"image_size": IMAGE_SIZE, **arguments})


def test_files_of_another_kind_raise(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no .*nothing: expected a checkpoint"):
        openai.read(tmp_path / "nothing", IMAGE_SIZE)
    contents = {"empty": b"", "text": b"no graph at all\n", "archive": b"PK\x03\x04" + bytes(99)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}.*(no graph of TensorFlow|no model)"):
            openai.read(tmp_path / name, IMAGE_SIZE)
    shutil.copy(f"{PREFIX}.data-00000-of-00001", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"model_best_loss\.ckpt\.index"):
        openai.read(tmp_path / PREFIX.name, IMAGE_SIZE)


KINDS: dict[str, dict[str, Any]] = {
    "plain, affine": {"permutation": PlainLinear},
    "LU, additive": {"permutation": LULinear, "affine": False},
    "reverse, standard": {"permutation": ReversePermutation, "top": StandardPrior},
    "shuffle, with classes": {
        "permutation": ShufflePermutation,
        "top": partial(ClassConditionalPrior, n_classes=3, classification_weight=0.01),
    },
    "with classes, without classifier": {
        "permutation": ReversePermutation,
        "top": partial(ClassConditionalPrior, n_classes=3, base=StandardPrior),
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_read_as_it_was_written(kind: str, tmp_path: Path) -> None:
    model = reference_glow(**KINDS[kind])
    openai.save(model, tmp_path / "model.ckpt")
    again = openai.load(tmp_path / "model.ckpt", 8)
    images = torch.randint(256, (3, 3, 8, 8), dtype=torch.uint8)
    labels = torch.arange(3) if model.n_classes else None
    noise = torch.rand(images.shape)
    torch.testing.assert_close(
        again.log_prob(images, labels, noise=noise), model.log_prob(images, labels, noise=noise)
    )
    if "LU" not in kind:
        assert same(again, model)
        torch.manual_seed(0)
        assert again.n_classes == model.n_classes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"coupling": partial(AffineCoupling, net=CouplingNet, scale_map=floored_sigmoid)},
            "the scale map of .* should be sigmoid",
        ),
        (
            {"coupling": partial(AdditiveCoupling, net=partial(CouplingNet, n_classes=3))},
            "should be a CouplingNet that sees no labels",
        ),
        (
            {"coupling": partial(AdditiveCoupling, net=partial(CouplingNet, log_scale_factor=1.0))},
            "log_scale_factor should be 3, but is 1",
        ),
        (
            {"coupling": partial(AdditiveCoupling, net=partial(CouplingNet, edge_indicator=False))},
            "should have an edge indicator",
        ),
        ({"image_shape": (3, 8, 4)}, "should be square, but are 8x4"),
    ],
)
def test_a_model_of_another_kind_cannot_be_written(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"image_shape": (3, 8, 8), "n_levels": 2, "n_steps": 1, **options}
    with torch.device("meta"):
        model = Glow(**given)
    with pytest.raises(ValueError, match=f"cannot be written for the authors' code: .*{message}"):
        openai.save(model, tmp_path / "model.ckpt")


def test_a_frozen_model_and_another_model_cannot_be_written(tmp_path: Path) -> None:
    for model in (reference_glow().frozen(), NICE((1, 2, 2), n_steps=1)):
        with pytest.raises(ValueError, match="should be a Glow that is not frozen"):
            openai.save(model, tmp_path / "model.ckpt")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, delete, repeat or overwrite some bytes."""
    place = rng.randrange(len(content))
    length = rng.randrange(1, 40)
    match rng.randrange(5):
        case 0:
            return content[:place]
        case 1:
            flipped = content[place] ^ 1 << rng.randrange(8)
            return content[:place] + bytes([flipped]) + content[place + 1 :]
        case 2:
            return content[:place] + content[place + length :]
        case 3:
            return content[:place] + content[place : place + length] + content[place:]
        case _:
            return (
                content[:place] + rng.choice([b"\xff", b"\0", b"\x80"]) * length + content[place:]
            )


def outcome(path: Path) -> openai.ReferenceModel | None:
    """Read a file; return None if that raised a sentence that names the file."""
    try:
        return openai.read(path, IMAGE_SIZE)
    except (ValueError, FileNotFoundError) as error:
        message = str(error)
    assert str(path.parent) in message
    return None


def peak_memory(path: Path) -> int:
    """Return the number of bytes that reading a file takes."""
    tracemalloc.start()
    outcome(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_damaged_checkpoint_raises_or_has_the_right_values(
    tmp_path: Path, variables: dict[str, Any]
) -> None:
    rng, raised = random.Random(0), 0
    files = [*FOLDER.glob(f"{PREFIX.name}.*")]
    for number in range(200):
        for file in files:
            shutil.copy(file, tmp_path)
        target = tmp_path / rng.choice(files).name
        if number % 2 and target.suffix == ".index":  # beyond what checksums would find
            table = dict(read_table(target.read_bytes()))
            name = rng.choice([*table])
            table[name] = mutated(table[name], rng) if table[name] else b""
            target.write_bytes(write_table(table))
        else:
            target.write_bytes(mutated(target.read_bytes(), rng))
        if number % 20 == 1:
            assert peak_memory(tmp_path / PREFIX.name) < 2e6
        found = outcome(tmp_path / PREFIX.name)
        raised += found is None
        if found is not None:
            assert all(
                np.array_equal(found.variables[n].flatten(), v.flatten())
                for n, v in variables.items()
            )
    assert 150 < raised <= 200


def test_a_damaged_graph_raises_or_gives_a_model(tmp_path: Path) -> None:
    """It has no checksums, so the values may be others."""
    rng, raised = random.Random(0), 0
    path = tmp_path / GRAPH.name
    for number in range(200):
        path.write_bytes(mutated(GRAPH.read_bytes(), rng))
        raised += outcome(path) is None
        assert number % 20 or peak_memory(path) < 2e6
    assert raised > 100


def test_exchanged_names_raise_or_fit(tmp_path: Path, variables: dict[str, Any]) -> None:
    for file in FOLDER.glob(f"{PREFIX.name}.*"):
        shutil.copy(file, tmp_path)
    first, second = b"model/0/0/f1/l_1/W", b"model/0/0/f1/l_2/W"
    index = tmp_path / f"{PREFIX.name}.index"

    def exchange(table: dict[bytes, bytes]) -> dict[bytes, bytes]:
        return {**table, first: table[second], second: table[first]}

    edit_index(index, exchange)
    with pytest.raises(ValueError, match=r"f1/l_\d/W has the shape .* which does not fit"):
        openai.read(tmp_path / PREFIX.name, IMAGE_SIZE)
    swapped = GRAPH.read_bytes().replace(first, b"\0").replace(second, first)
    (tmp_path / GRAPH.name).write_bytes(swapped.replace(b"\0", second))
    assert outcome(tmp_path / GRAPH.name) is None


def test_tensorflow_reads_what_is_written(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    model = reference_glow(permutation=ShufflePermutation)
    openai.save(model, tmp_path / "model.ckpt")
    stored = read_bundle(tmp_path / "model.ckpt")
    reader = tensorflow.train.load_checkpoint(str(tmp_path / "model.ckpt"))
    shapes = reader.get_variable_to_shape_map()
    assert shapes == {name: list(tensor.shape) for name, tensor in stored.items()}
    for name, tensor in stored.items():
        assert np.array_equal(reader.get_tensor(name), tensor.read())
