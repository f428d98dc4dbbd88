"""Models of this project, as checkpoints that the authors' code reads."""

from pathlib import Path
from typing import Any

from glow.bijections import (
    ActNormLinear,
    Coupling,
    ReversePermutation,
    ShufflePermutation,
    Split,
)
from glow.bijections.scale_map import sigmoid
from glow.dequantizers import UniformDequantizer
from glow.interop.openai.building import COUPLINGS
from glow.interop.openai.correspondence import INVCONV, REVERSE, SHUFFLE, correspondences
from glow.interop.tensor_bundle import write_bundle
from glow.models import (
    ClassConditionalPrior,
    FlowStep,
    Glow,
    ImageFlow,
    LearnedPrior,
    StandardPrior,
)
from glow.nets import CouplingNet, EdgeConv2d

FACTOR = 3.0  # the reference's factor of log-scales


def save(model: ImageFlow, path: str | Path) -> list[Path]:
    """Write a model as a checkpoint that TensorFlow and the authors' code read.

    The checkpoint holds the variables of the model, but neither averages nor the optimizer's.

    Args:
        model: A ``Glow`` whose every part the reference has.
        path: The name of the checkpoint, such as ``model_best_loss.ckpt``.

    Returns:
        The files that were written.

    Raises:
        ValueError: If the reference does not have a part of the model.
    """
    config = hyperparameters(model)
    state = model.state_dict()
    for name, module in model.named_modules():
        if isinstance(module, ActNormLinear):  # also one of LU factors
            state[f"{name}.linear.weight"] = module.linear.matrix().detach()
    variables = {
        entry.theirs: entry.layout.theirs([state[name] for name in entry.ours])
        for entry in correspondences(config)
    }
    arrays = {
        name: (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
        for name, tensor in variables.items()
    }
    return write_bundle(arrays, path)


def hyperparameters(model: ImageFlow) -> dict[str, Any]:
    """Return the reference's hyperparameters of a model; see ``build_glow``.

    Raises:
        ValueError: If the reference does not have a part of the model.
    """
    if not isinstance(model, Glow) or model.config is None:
        raise _unlike(f"it should be a Glow that is not frozen, but is a {type(model).__name__}")
    height, width = model.image_shape[1:]
    if height != width:
        raise _unlike(f"its images should be square, but are {height}x{width}")
    if type(model.dequantizer) is not UniformDequantizer:
        raise _unlike("its dequantizer should be uniform")
    _check_layers(model)
    steps = [module for module in model.modules() if isinstance(module, FlowStep)]
    couplings = {type(step.coupling) for step in steps}
    permutations = {_permutation(step) for step in steps}
    nets = [module for module in model.modules() if isinstance(module, CouplingNet)]
    widths = {net.conv_in.out_channels for net in nets}
    for found, what in ((couplings, "coupling"), (permutations, "permutation"), (widths, "width")):
        if len(found) > 1:
            raise _unlike(f"all of its steps should have the same {what}")
    top = model.flow.top
    base = top.base if isinstance(top, ClassConditionalPrior) else top
    if type(base) not in (LearnedPrior, StandardPrior):
        raise _unlike(f"its top prior should be learned or standard, but is {type(base).__name__}")
    return {
        "n_levels": len(model.latent_shapes),
        "depth": len(steps) // len(model.latent_shapes),
        "width": widths.pop(),
        "n_bits_x": model.dequantizer.n_bits,
        "flow_permutation": permutations.pop(),
        "flow_coupling": COUPLINGS.index(couplings.pop()),
        "learntop": int(isinstance(base, LearnedPrior)),
        "ycond": int(isinstance(top, ClassConditionalPrior)),
        "weight_y": getattr(top, "classification_weight", 0.0),
        "n_y": model.n_classes,
        "image_size": height,
    }


def _check_layers(model: Glow) -> None:
    """Check what the reference fixes, in every layer."""
    for name, module in model.named_modules():
        factor = getattr(module, "log_scale_factor", FACTOR)
        if factor != FACTOR:
            raise _unlike(f"{name}.log_scale_factor should be {FACTOR:g}, but is {factor:g}")
        if isinstance(module, Coupling) and not isinstance(module, Split):
            if type(module) not in COUPLINGS:
                raise _unlike(f"{name} should be an additive or affine coupling")
            if getattr(module, "scale_map", sigmoid) is not sigmoid:
                raise _unlike(f"the scale map of {name} should be sigmoid")
            net = module.net
            if type(net) is not CouplingNet or net.labels is not None:
                raise _unlike(f"{name}.net should be a CouplingNet that sees no labels")
        has_edges = isinstance(module, EdgeConv2d | LearnedPrior) and not name.endswith("conv_mid")
        if has_edges and module.edge_weight is None:
            raise _unlike(f"{name} should have an edge indicator")


def _permutation(step: FlowStep) -> int:
    mix = step.get_submodule("mix")
    if isinstance(mix, ActNormLinear):
        return INVCONV
    kind = type(mix.get_submodule("permutation"))
    if kind not in (ReversePermutation, ShufflePermutation):
        raise _unlike(f"its permutations should be reversals or shuffles, but are {kind.__name__}")
    return SHUFFLE if kind is ShufflePermutation else REVERSE


def _unlike(reason: str) -> ValueError:
    return ValueError(f"this model cannot be written for the authors' code: {reason}")
