"""Models whose chains are folded once, for one size of images.

A ``FoldedChain`` folds the parameters of its parts each time it is called; see
``glow.bijections.folding``. A program that is exported would do so for every batch, and with many
more operations than the layers themselves have. Here the results are buffers, and the parameters
that nothing needs any more are dropped.
"""

import torch
from torch import Tensor, nn

from glow.bijections import Bijection, FoldedChain
from glow.bijections.folding import Foldable, Folded
from glow.models import ImageFlow
from glow.nets import LabelEmbedding


class PrefoldedChain(Bijection):
    """A ``FoldedChain`` with everything that it folds as buffers, for one of its directions.

    Args:
        chain: The chain; it cannot be used alone afterwards.
        x: An input; only its size matters.
        inverse: Whether this is for ``inverse`` instead of ``forward``; the other cannot be called.
    """

    def __init__(self, chain: FoldedChain, x: Tensor, *, inverse: bool) -> None:
        super().__init__()
        folded = chain.folded_for(x, None, inverse=inverse)
        self.n_leaves = 0
        for self.n_leaves, leaf in enumerate(folded.leaves(), start=1):
            self.register_buffer(f"folded_{self.n_leaves}", leaf.clone())
        self.structure = folded.replaced(x.new_empty(0) for _ in folded.leaves())
        self.chain = chain
        _drop_parameters(chain, folded)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply the chain."""
        return self.chain(x, context, self.folded())

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Invert the chain."""
        return self.chain.inverse(y, context, self.folded())

    def folded(self) -> Folded:
        """Return what was folded, with the buffers."""
        names = (f"folded_{number}" for number in range(1, 1 + self.n_leaves))
        return self.structure.replaced(self.get_buffer(name) for name in names)


@torch.no_grad()
def prefolded(model: ImageFlow, *, inverse: bool) -> ImageFlow:
    """Return a frozen copy of a model whose chains are folded for the size of its images.

    Args:
        model: The model, which does not change.
        inverse: Whether the copy is to decode; otherwise, to encode.
    """
    frozen = model.frozen()
    inputs: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: inputs.update({name: args[0]}))
        for name, module in frozen.flow.named_modules()
        if isinstance(module, FoldedChain)
    ]
    shape = (1, *frozen.image_shape)
    images = torch.zeros(shape, dtype=torch.uint8, device=frozen.device)
    labels = torch.zeros(1, dtype=torch.long, device=frozen.device) if frozen.n_classes else None
    frozen(images, labels, noise=torch.full(shape, 0.5, device=frozen.device))
    for hook in hooks:
        hook.remove()
    for name, x in inputs.items():
        # An outer chain folds those within it.
        if not any(name.startswith(f"{outer}.") for outer in inputs):
            chain = frozen.flow.get_submodule(name)
            assert isinstance(chain, FoldedChain)
            frozen.flow.set_submodule(name, PrefoldedChain(chain, x, inverse=inverse))
    return frozen


def _drop_parameters(layer: nn.Module, folded: Folded) -> None:
    """Drop what was folded; class labels are looked up in what they are embedded with."""
    if isinstance(layer, FoldedChain):
        for part, share in zip(layer, folded.parts, strict=True):
            _drop_parameters(part, share)
    elif isinstance(layer, Foldable) and folded.tensors:
        for module in layer.modules():
            if isinstance(module, LabelEmbedding):
                continue
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                tensor.data = tensor.new_empty(0)
