"""One subject of a benchmark: our Glow with some setting, or a peer's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import glow
from glow.bijections import AffineCoupling, Memory
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.nets import CouplingNet
from glow.training.compilation import compile_steps

PEER = "normflows"
LEARNING_RATE = 1e-5  # so small that the weights, and so the timings, hardly change


@dataclass(frozen=True)
class Setting:
    """In what one subject differs from our default."""

    memory: Memory = "keep"
    bf16: bool = False
    tf32: bool = False  # on a GPU
    compiled: bool = False


OURS = {
    "glow": Setting(),
    "recompute": Setting(memory="recompute"),
    "reverse": Setting(memory="reverse"),
    "bf16 nets": Setting(bf16=True),
    "tf32": Setting(tf32=True),
    "compiled": Setting(compiled=True),
    "bf16 compiled": Setting(bf16=True, compiled=True),
}


@dataclass
class Case:
    """A subject at one size, with its optimizer and a batch of random images.

    Args:
        subject: A key of ``OURS``, or ``PEER``, whose model is the peer's Glow of the same size.
        n_steps: The number of steps per level, K.
        image_shape: The shape (C,H,W) of an image.
        n_levels: The number of levels, L.
        width: The width of the networks.
        batch_size: The number of images in a batch.
        n_samples: The number of images to sample at once.
        device: Where to run.
    """

    subject: str
    n_steps: int
    image_shape: tuple[int, int, int]
    n_levels: int
    width: int
    batch_size: int
    n_samples: int
    device: str

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        shape = (self.batch_size, *self.image_shape)
        self.images = torch.randint(256, shape, dtype=torch.uint8).to(self.device)
        self.setting = OURS.get(self.subject, Setting())
        self.model: Any = self._peer() if self.subject == PEER else self._ours()
        self.optimizer = torch.optim.Adamax(self.model.parameters(), lr=LEARNING_RATE)

    @property
    def precision(self) -> str:
        """The precision of most of the work."""
        return "bfloat16" if self.setting.bf16 else "float32"

    def operations(self) -> dict[str, Callable[[], Any]]:
        """Return the operations to time, by name."""
        if self.subject == PEER:
            x = self.images / 256
            return {
                "train": self.train,
                "evaluate": partial(self._without_gradients, self.model.forward_kld, x),
                "encode": partial(self._without_gradients, self.model.inverse_and_log_det, x),
                "sample": partial(self._without_gradients, self.model.sample, self.n_samples),
            }
        if self.subject != "glow":
            return {"train": self.train}
        return {
            "train": self.train,
            "evaluate": partial(self._without_gradients, self.model.log_prob, self.images),
            "encode": partial(self.model.encode, self.images),
            "sample": partial(self.model.sample, self.n_samples),
        }

    def train(self) -> None:
        """Take one step of the optimizer."""
        self.optimizer.zero_grad()
        with _tf32_products() if self.setting.tf32 else nullcontext():
            with torch.autocast(self.device, torch.bfloat16, enabled=self.setting.bf16):
                loss = self.loss()
            loss.backward()
        self.optimizer.step()

    def loss(self) -> Tensor:
        """Return the loss of the batch."""
        if self.subject == PEER:
            return self.model.forward_kld(self.images / 256)
        latents, log_det = self.model(self.images)
        log_prob = standard_normal_log_prob(latents) + log_det
        return bits_per_dim(log_prob, self.image_shape).mean()

    @torch.no_grad()
    def _without_gradients(self, function: Callable[..., Any], *arguments: Any) -> None:
        function(*arguments)

    def _ours(self) -> glow.Glow:
        net = partial(CouplingNet, width=self.width)
        coupling = partial(AffineCoupling, net=net)
        model = glow.Glow(
            self.image_shape,
            n_levels=self.n_levels,
            n_steps=self.n_steps,
            coupling=coupling,
            memory=self.setting.memory,
        ).to(self.device)
        model.initialize(self.images)
        if self.setting.compiled:
            compile_steps(model)
        return model

    def _peer(self) -> nn.Module:
        import normflows as nf

        channels, height, width = self.image_shape
        flows, merges, bases = [], [], []
        for level in range(self.n_levels):  # coarsest first
            fold = 2 ** (self.n_levels - level)
            inside = channels * fold * 2
            blocks = [
                nf.flows.GlowBlock(inside, self.width, split_mode="channel", scale=True)
                for _ in range(self.n_steps)
            ]
            flows.append([*blocks, nf.flows.Squeeze()])
            merges += [nf.flows.Merge()] if level else []
            latent = inside // 2 if level else inside
            bases.append(nf.distributions.DiagGaussian((latent, height // fold, width // fold)))
        return nf.MultiscaleFlow(bases, flows, merges).to(self.device)


@contextmanager
def _tf32_products() -> Iterator[None]:
    matmul: Any = torch.backends.cuda.matmul
    outside = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = outside
