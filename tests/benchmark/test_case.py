from typing import Any

import pytest
import torch

from glow.benchmark import OURS, Case


def case(subject: str) -> Case:
    return Case(subject, 1, (1, 8, 8), n_levels=1, width=4, batch_size=2, n_samples=2, device="cpu")


@pytest.mark.parametrize("subject", [name for name in OURS if "compiled" not in name])
def test_a_step_uses_its_setting_and_restores_the_others(
    subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matmul: Any = torch.backends.cuda.matmul
    outside = matmul.fp32_precision
    measured = case(subject)
    seen: list[tuple[bool, bool]] = []
    loss = measured.loss

    def spy() -> torch.Tensor:
        seen.append((torch.is_autocast_enabled("cpu"), matmul.fp32_precision == "tf32"))
        return loss()

    monkeypatch.setattr(measured, "loss", spy)
    before = [p.detach().clone() for p in measured.model.parameters()]
    measured.train()
    assert seen == [(OURS[subject].bf16, OURS[subject].tf32)]
    assert measured.model.config["memory"] == OURS[subject].memory
    assert matmul.fp32_precision == outside
    assert any(
        not torch.equal(p, b) for p, b in zip(measured.model.parameters(), before, strict=True)
    )
