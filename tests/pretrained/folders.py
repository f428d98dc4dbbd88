"""A folder of released models for tests."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import glow
from glow import Glow, pretrained
from glow.analysis.attributes import Directions
from glow.checkpoint import fingerprint
from glow.pretrained import released


def release_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Glow], **description: Any
) -> None:
    """Let a folder be the one of the released models, each of which has two attributes."""
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(released, "FOLDER", folder.resolve())
    for name, model in models.items():
        files = pretrained.Released(name)
        glow.save(model, files.checkpoint)
        known = {
            "about": "noise",
            "images": "0",
            "seconds": 60.0,
            "device": "cpu",
            "test": {"bits_per_dim": 1.5},
            "data": {"_target_": "glow.data.CelebA", "image_shape": list(model.image_shape)},
        }
        files.description.write_text(json.dumps(known | description))
        n = sum(eps.numel() for eps in model.sample_latents(1))
        names = ["Smiling", "Male"]
        vectors = torch.randn(2, n)
        Directions(names, vectors, model.latent_shapes, [1, 1], 2, "hand", fingerprint(model)).save(
            files.directions
        )
