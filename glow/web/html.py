"""Images, bars and sentences as HTML that needs nothing from anywhere else."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from glow.analysis.parts import Parts

GAP = 2  # pixels between the images of a file to download
ENLARGED = 128  # the height that its images have at least


def pictures(
    images: Tensor, names: Sequence[str] = (), columns: int = 4, *, file: str = "", kind: str = ""
) -> str:
    """Return images in a grid, each pixel a sharp square, and a link to download all of them.

    Args:
        images: uint8 images (N,C,H,W).
        names: A line of text below each image, or none.
        columns: The number of columns.
        file: The name of the file to download, without a suffix; empty for no link.
        kind: A class for the style sheet.
    """
    cells = []
    for i, image in enumerate(images):
        name = escape(names[i]) if names else ""
        caption = f"<figcaption>{name}</figcaption>" if name else ""
        alt = name or f"image {i + 1}"
        cells.append(f'<figure><img src="{_data_url(image)}" alt="{alt}">{caption}</figure>')
    grid = f'<div class="glow-grid {kind}" style="--columns:{columns}">{"".join(cells)}</div>'
    if not file:
        return grid
    whole = _data_url(_enlarged(images, columns))
    link = f'<a class="glow-download" download="{escape(file)}.png" href="{whole}">Download PNG</a>'
    return f"{grid}{link}"


def sentence(text: str, *, wrong: bool = False) -> str:
    """Return a sentence for the reader; empty if there is nothing to say.

    Args:
        text: The sentence.
        wrong: Whether it says that something went wrong.
    """
    if not text:
        return ""
    role = "alert" if wrong else "status"
    return f'<p class="glow-sentence" role="{role}">{escape(text[0].upper() + text[1:])}</p>'


def bars(parts: Parts) -> str:
    """Return the bits/dim of one image, and a bar for each part.

    Args:
        parts: The parts of one image.
    """
    rows = [("dequantization", "the volume of a bin", parts.dequantization.item())]
    by_level = zip(parts.noise[:, 0].tolist(), parts.volume[:, 0].tolist(), strict=True)
    for level, (noise, volume) in enumerate(by_level, start=1):
        rows.append((f"level {level}", f"noise {noise:+.3f}, volume {volume:+.3f}", noise + volume))
    most = max((abs(value) for *_, value in rows if np.isfinite(value)), default=1) or 1
    lines = []
    for name, about, value in rows:
        width = 50 * abs(value) / most if np.isfinite(value) else 0
        left = 50 - width if value < 0 else 50
        bar = f'<i style="left:{left:.1f}%;width:{width:.1f}%"></i>'
        lines.append(
            f"<tr><th>{name}<small>{about}</small></th><td>{bar}</td><td>{value:+.3f}</td></tr>"
        )
    total = parts.total.item()
    table = f'<table class="glow-bars"><tbody>{"".join(lines)}</tbody></table>'
    return f'<p class="glow-total"><b>{total:.3f}</b> bits/dim</p>{table}'


def _data_url(image: Tensor) -> str:
    """Return an image (C,H,W) as a PNG file inside a URL."""
    shown = image if image.shape[0] in (1, 3) else image.float().mean(0, keepdim=True).byte()
    pixels = rearrange(shown.cpu().numpy(), "c h w -> h w c")
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(
        file, "PNG", compress_level=1
    )
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _enlarged(images: Tensor, columns: int) -> Tensor:
    """Return images (N,C,H,W) side by side as one (C,H',W'), with a white gap between them."""
    scale = -(-ENLARGED // images.shape[-2])
    large = images.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    if len(images) == 1:
        return large[0]
    columns = min(columns, len(images))
    blank = torch.full_like(large[:1], 255).expand(-len(images) % columns, -1, -1, -1)
    tiles = F.pad(torch.cat([large, blank]), (GAP,) * 4, value=255)
    return rearrange(tiles, "(row column) c h w -> c (row h) (column w)", column=columns)
