from types import SimpleNamespace
from typing import Any

import pytest
import torch

from glow.bijections import full_precision


def test_autocast_is_off_inside() -> None:
    x = torch.randn(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with full_precision(x):
            assert (x @ x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16


def test_tf32_is_off_inside_on_a_gpu() -> None:
    on_gpu: Any = SimpleNamespace(device=torch.device("cuda"))
    libraries: Any = torch.backends
    backends = (libraries.cuda.matmul, libraries.cudnn.conv)
    outside = [backend.fp32_precision for backend in backends]
    assert "ieee" not in outside
    with full_precision(on_gpu):
        assert [backend.fp32_precision for backend in backends] == ["ieee", "ieee"]
    assert [backend.fp32_precision for backend in backends] == outside


def test_compiled_code_leaves_tf32_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph cannot change it."""
    on_gpu: Any = SimpleNamespace(device=torch.device("cuda"))
    matmul: Any = torch.backends.cuda.matmul
    outside = matmul.fp32_precision
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with full_precision(on_gpu):
        assert matmul.fp32_precision == outside
