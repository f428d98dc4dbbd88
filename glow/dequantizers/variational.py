"""Variational dequantization: noise that a small flow draws, given the image."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import (
    Bijection,
    Chain,
    Columns,
    ElementwiseAffine,
    FoldedChain,
    Halves,
    LogisticMixture,
    PlainLinear,
    SwapPermutation,
    TransformCoupling,
    sum_per_example,
    without_autocast,
)
from glow.dequantizers.dequantizer import Dequantizer
from glow.nets import GatedAttentionNet, GatedConv, LabelEmbedding, ScaledConv2d

SMALLEST_NOISE = 2.0**-25  # half the step of uniform float32 noise; its logit is -17

FLOWPP_COUPLING: Callable[[int], Bijection] = partial(
    TransformCoupling,
    net=partial(GatedAttentionNet, width=32, n_blocks=1, context_channels=32),
    transform=LogisticMixture(),
)


class VariationalDequantizer(Dequantizer):
    r"""Draw the noise u from a flow that sees the image: ``x = (bin + u) / n_bins - 1/2``.

    ::

        u = sigmoid(f(logit(noise); features(image)))        q(u | image) = |dnoise / du|

    ``log_det`` is ``-log q(u | image) - D log(n_bins)``, so the bound of ``Dequantizer`` is
    ``E[log p(x) - log q(u | image)]`` up to the volume of a bin: a variational bound, V. A step of
    f is that of Flow++: a scale and a shift for every entry, a matrix for even columns and one for
    odd columns, a coupling, and an exchange of the columns. All of them start as the identity, so
    that an untrained q is uniform, if the coupling is the identity when its network returns 0.

    ``inverse`` drops the noise, so decoding is exact whatever q has learned. Ho et al. 2019,
    section 3.1.

    Args:
        n_bits: How many of the 8 bits of a pixel the model sees.
        image_shape: The shape (C,H,W) of an image, of an even width.
        n_steps: The number of steps.
        coupling: Builds the coupling of a step. The context of its network is the features of the
            image, so its ``context_channels`` must be ``features``.
        features: The number of features of the image.
        n_blocks: The number of gated convolutions that compute the features.
        dropout: The probability with which training drops a feature.

    Raises:
        ValueError: If ``image_shape`` does not fit, or a network wants class labels.
    """

    name = "variational"
    bound = "V"

    def __init__(
        self,
        n_bits: int = 8,
        *,
        image_shape: Sequence[int],
        n_steps: int = 4,
        coupling: Callable[[int], Bijection] = FLOWPP_COUPLING,
        features: int = 32,
        n_blocks: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_bits)
        if len(image_shape) != 3 or min(image_shape) < 1 or image_shape[2] % 2:
            raise ValueError(
                "variational dequantization halves the columns of an image, so image_shape must be "
                f"(channels, height, even width), got {tuple(image_shape)}"
            )
        channels, height, width = image_shape
        self.columns = Columns()
        self.features = nn.Sequential(
            ScaledConv2d(2 * channels, features, 3),
            *(GatedConv(features, 3, dropout=dropout) for _ in range(n_blocks)),
        )
        shape = (2 * channels, height, width // 2)
        steps: list[Bijection] = [_step(shape, coupling) for _ in range(n_steps)]
        if n_steps % 2:  # so that every column ends where it began
            steps.append(SwapPermutation(shape[0]))
        self.steps = FoldedChain(*steps)
        if any(isinstance(module, LabelEmbedding) for module in self.modules()):
            raise ValueError(
                "the networks of a dequantizer see features of the image, not class labels: set "
                "n_classes=0 and context_channels in model.dequantizer.coupling.net"
            )

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Map the noise to u, and place each pixel there."""
        features, logits = self._inputs(images, noise)
        y, log_det = self.steps(logits, features)
        with without_autocast(noise):
            u_logits = self.columns.inverse(y)
            x, log_volume = self.place(images, u_logits.sigmoid())
            log_slope = sum_per_example(_log_slope(y) - _log_slope(logits))
            return x, log_volume + log_det + log_slope

    def initialize(self, images: Tensor, noise: Tensor) -> Tensor:
        """Initialize the networks of the couplings, if they start from data."""
        features, logits = self._inputs(images, noise)
        self.steps.initialize(logits, features)
        return super().initialize(images, noise)

    def _inputs(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return features of the images (B,F,H,W/2), and the logits of the noise (B,2C,H,W/2)."""
        if noise.shape != images.shape:
            self.place(images, noise)  # which raises
        columns, _ = self.columns(self.center(images, noise.dtype))
        with without_autocast(noise):
            inside = noise.clamp(SMALLEST_NOISE, 1 - 2.0**-24)
            logits, _ = self.columns(inside.log() - (-inside).log1p())
        return self.features(columns), logits


def _step(shape: tuple[int, int, int], coupling: Callable[[int], Bijection]) -> Chain:
    """Return a step of the flow of (2C,H,W/2), which starts as the identity."""
    channels = shape[0] // 2
    return FoldedChain(
        OrderedDict(
            affine=ElementwiseAffine(shape),
            pointwise=Halves(
                PlainLinear(channels, deviation=0.0), PlainLinear(channels, deviation=0.0)
            ),
            coupling=coupling(shape[0]),
            swap=SwapPermutation(shape[0]),
        )
    )


def _log_slope(logits: Tensor) -> Tensor:
    """Return the log of the slope of the sigmoid."""
    return -F.softplus(logits) - F.softplus(-logits)
