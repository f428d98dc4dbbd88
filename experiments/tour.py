"""A tour of Glow, as a notebook: python experiments/tour.py, or cell by cell in an editor."""

# %% [markdown]
# # A tour of Glow
#
# [Glow](https://arxiv.org/abs/1807.03039) from its first equation to its pictures, with the small
# models that come with this project: no data, no training, a minute on a laptop.
#
# This file is a notebook in the percent format: VS Code, PyCharm and Spyder run it cell by cell,
# JupyterLab opens it with jupytext, and `python experiments/tour.py` runs all of it and saves the
# pictures in `runs/tour/`.

# %%
from pathlib import Path

import torch
from matplotlib.figure import Figure

import glow
from glow import figures, pretrained
from glow.analysis import batches
from glow.analysis.attributes import Directions
from glow.analysis.interpolation import interpolate, spherical
from glow.analysis.levels import keep_levels, resample
from glow.analysis.out_of_distribution import constant_images
from glow.analysis.parts import likelihood_parts
from glow.bijections import Bijection, Squeeze
from glow.models.glow import FlowStep

PICTURES = Path("runs/tour")


def show(figure: Figure, name: str) -> Path:
    """Show a figure in a notebook, and save it in any case."""
    path = figures.save(figure, PICTURES / f"{name}.png")
    try:
        from IPython import get_ipython
        from IPython.display import Image, display
    except ImportError:
        return path
    if get_ipython() is not None:
        display(Image(path))
    return path


# %% [markdown]
# ## A flow (section 2)
#
# A flow is an invertible network $z = f(x)$ that turns images into Gaussian noise. It gives the
# density of an image exactly:
# $\log p(x) = \log \mathcal{N}(f(x)) + \log|\det \partial f/\partial x|$. This one has learned
# faces of 32x32 pixels from CelebA, with 5 bits per channel, without labels.

# %%
model = glow.load("celeba32").frozen()
faces = model.sample(4, temperature=0.7, generator=torch.Generator().manual_seed(3))
latents = model.encode(faces)
print(f"an image {tuple(faces.shape[1:])} becomes {latents.shapes}: as many numbers as before")
print(f"decoded, it is the same, byte by byte: {torch.equal(model.decode(latents), faces)}")

# %% [markdown]
# ## One step of flow (section 3, table 1)
#
# A step is an ActNorm and an invertible 1x1 convolution, which together mix the channels, and a
# coupling, in which one half of the channels decides how the other half is shifted (and, if it is
# affine, scaled). The first half stays as it is, so a coupling is easy to undo. Each layer says
# what it adds to the log-determinant.

# %%
trained = glow.load("celeba32")
step = next(module for module in trained.modules() if isinstance(module, FlowStep))
x = torch.randn(1, 12, 16, 16, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    for name, layer in step.named_children():
        assert isinstance(layer, Bijection)
        y, log_det = layer(x)
        error = (layer.inverse(y) - x).abs().max().item()
        kind = type(layer).__name__
        print(f"{name:9} {kind:16} log_det {log_det.item():+9.2f}, undone to {error:.0e}")
        x = y

# %% [markdown]
# ## Squeeze, split, and levels (section 3.6, figure 2)
#
# A squeeze turns 2x2 pixels into 4 channels. After the steps of a level, half of the channels
# leave: they are the noise of that level, and the other half goes on to the next, coarser level.

# %%
grid = torch.arange(16.0).view(1, 1, 4, 4)
print(f"{grid[0, 0].tolist()}\nbecomes 4 channels of\n{Squeeze()(grid)[0][0].tolist()}")

# %% [markdown]
# What does each level hold? Below, the noise of one level is drawn again, and then faces are
# decoded from fewer and fewer levels. The finest level holds grain, the coarsest almost everything.

# %%
show(figures.resamplings(model, faces[:3], n_draws=2, seed=1), "levels_drawn_again")
show(figures.reconstructions(model, faces[:3]), "levels_decoded")
grain = model.decode(resample(model, latents, levels=[1], temperature=0.7))
coarse = model.decode(keep_levels(latents, levels=[3]))
for name, image in {"level 1 drawn again": grain, "level 3 alone": coarse}.items():
    changed = (image.float() - faces.float()).abs().mean().item()
    print(f"{name} changes a pixel by {changed:.1f} gray levels of 256, on average")

# %% [markdown]
# ## Bits per dimension (section 2, table 2)
#
# $-\log_2 p(x)$, divided by the number of pixel values, is what a perfect code would need for each.
# It has parts: the volume of a bin (5 bits here), and for each level the noise and the volume by
# which the level stretches space.

# %%
parts = likelihood_parts(model, faces[:1])
print(f"dequantization {parts.dequantization.item():+.3f}")
for level, (noise, volume) in enumerate(zip(parts.noise[:, 0], parts.volume[:, 0], strict=True), 1):
    print(f"level {level}        {noise:+.3f} of noise, {volume:+.3f} of volume")
print(f"together       {parts.total.item():+.3f} bits/dim")
known = pretrained.Released("celeba32").describe()
print(f"The mean over the test images of CelebA is {known['test']['bits_per_dim']:.3f}.")

# %% [markdown]
# ## Samples and temperature (section 6.1, figure 8)
#
# Scaled noise gives plainer and better samples: 0.7 is the paper's choice. At 0 all of them are the
# same, and at 1 they are samples of the density itself.

# %%
temperatures = (0, 0.5, 0.7, 0.85, 1.0)
show(figures.temperature_sweep(model, temperatures, n_columns=6, seed=3), "temperatures")

# %% [markdown]
# ## Interpolation (section 6.1, figure 5)
#
# Latents are noise, so arithmetic on them gives images. A straight line between two of them passes
# through latents that are too short by up to $\sqrt{2}$, and so through plainer faces; a great
# circle keeps their length.

# %%
start, end = (latents.map(lambda eps, i=i: eps[i : i + 1]) for i in range(2))  # type: ignore[misc]
straight, circle = interpolate(start, end, 9), interpolate(start, end, 9, spherical)
for way, middle in {"straight line": straight[4], "great circle": circle[4]}.items():
    length = middle.flatten().norm() / start.flatten().norm()
    print(f"half way along a {way}, latents are {length:.2f} times as long as at the start")
show(figures.interpolation(model, faces[:2], faces[2:4], n_frames=7), "interpolation")

# %% [markdown]
# ## Attributes (section 6.1, figure 6)
#
# The mean latents of images with and without an attribute differ by a direction. Along it, the
# attribute changes. The model has never seen a label; the directions were estimated afterwards.

# %%
directions = Directions.load(pretrained.directions_at("celeba32"), trained)
wanted = [name for name in ("Smiling", "Blond_Hair", "Male") if name in directions.names]
show(
    figures.attributes(model, faces[:2], directions, wanted, strengths=(-2, -1, 0, 1, 2)),
    "attributes",
)

# %% [markdown]
# ## What a likelihood does not say
#
# A model of photos finds a plain gray image far more likely than photos: likelihood measures how
# cheap an image is to code, and not whether it is one of the kind that was learned.

# %%
photos = glow.load("cifar10").frozen()
samples = batches.sample(photos, 8, temperature=0.7, seed=0)
for name, image in {
    "its own samples": samples,
    "gray": constant_images(8, photos.image_shape),
}.items():
    print(f"{name}: {batches.bits_per_dim(photos, image).mean():.2f} bits/dim")

# %% [markdown]
# ## From here
#
# `make explore` opens a page on which all of this moves. `experiments/README.md` has the programs
# and the pictures, and `python experiments/train.py experiment=gallery/celeba` trains this model.
