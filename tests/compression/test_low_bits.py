"""What a model does not see comes back, at the cost of its conditional entropy."""

import math

import numpy as np
import pytest
import torch

from glow.compression.bit_stack import BitStack
from glow.compression.low_bits import LowBits


@pytest.mark.parametrize("n_bits", range(1, 8))
def test_low_bits_come_back(n_bits: int) -> None:
    images = torch.randint(256, (3, 1, 8, 8), dtype=torch.uint8)
    images[0], images[1, 0, 0] = 0, 255
    stack, size = BitStack(), 2 ** (8 - n_bits)
    code = LowBits.of(images, n_bits)
    code.push(images, stack)
    read = LowBits(code.counts, n_bits).pop(images // size * size, BitStack(stack.words()))
    assert torch.equal(read, images)


def test_bits_that_the_others_determine_are_free() -> None:
    # Zeros, which determine their low bits, and values from 8 to 15, three bits each.
    images = torch.cat([torch.zeros(9000), torch.arange(8, 16).repeat(250)]).to(torch.uint8)
    images = images.view(-1, 1, 10, 10)
    stack = BitStack()
    LowBits.of(images, 5).push(images, stack)
    assert stack.n_bits == pytest.approx(3 * 2000, abs=64)


def test_frequencies_decide_the_cost() -> None:
    counts = np.array([900.0, 90.0, 9.0, 1.0])
    values = torch.arange(4).repeat_interleave(torch.tensor(counts).long())
    stack = BitStack()
    stack.push_frequencies(values, counts)
    entropy = -sum(n * math.log2(n / 1000) for n in counts)
    assert stack.n_bits == pytest.approx(entropy, abs=64)
    assert torch.equal(stack.pop_frequencies(1000, counts), values)
