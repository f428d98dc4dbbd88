"""The devices that tests of a GPU run on."""

import pytest
import torch

ON_GPU = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
)
DEVICES = ("cpu", pytest.param("cuda", marks=ON_GPU))
