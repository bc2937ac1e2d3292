"""Narrow layers, of turned rows or with their last channels apart: beside float64, a stream, other threads."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from oracles.conv_cases import ConvCase, ConvOracle, conv_case
from oracles.engine_checks import assert_same_bits
from seqloom.ops import causal_conv
from seqloom.ops.conv_stream import ConvLayer, ConvStack
from seqloom_runtime import native

pytestmark = [
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread"),
]

native_conv = functools.partial(causal_conv, backend="native")
STEPS = (1, 2, 7, 15, 16, 17, 33, 63, 64, 65, 129, 200)
DILATIONS = (1, 2, 3, 7, 8, 9, 16, 33, 64)
PUBLISHED = [(3, 784, 25, 25, 7, 8), (9, 784, 25, 25, 7, 128), (2, 1020, 10, 10, 8, 32), (1, 1100, 9, 25, 5, 255)]


def narrow_sizes(seed: int) -> tuple[int, ...]:
    """B, T, I, O, K, d: a few rows of up to 40 channels; also more taps than steps."""
    rng = np.random.default_rng([seed, 31])
    inputs, outputs = (int(n) for n in rng.integers(1, 41, 2))
    return (
        int(rng.choice([1, 2, 3, 9])),
        int(rng.choice(STEPS)),
        inputs,
        outputs,
        int(rng.integers(1, 10)),
        int(rng.choice(DILATIONS)),
    )


def block_case(seed: int, sizes: tuple[int, ...]) -> ConvCase:
    """As in a residual block, half of them with all that follows its sums; contexts now and then."""
    whole = seed % 2 == 0
    return conv_case(
        seed,
        sizes=sizes,
        activation="relu",
        final_activation="relu" if whole else "identity",
        residual=whole,
        dropout=0.05 if seed % 3 else 0.0,
    )


@pytest.mark.parametrize("seed", range(40))
def test_error_rule(seed: int):
    sizes = narrow_sizes(seed)
    case = conv_case(seed, sizes=sizes) if seed % 2 else block_case(seed // 2, sizes)
    worst = ConvOracle(case).worst(native_conv)
    assert worst.ratio <= 1, worst


@pytest.mark.parametrize("sizes", PUBLISHED, ids=str)
def test_error_rule_in_published_sizes(sizes: tuple[int, ...]):
    worst = ConvOracle(block_case(2, sizes)).worst(native_conv)
    assert worst.ratio <= 1, worst


@pytest.mark.parametrize("seed", range(18))
def test_any_number_of_threads(seed: int):
    case = block_case(seed, PUBLISHED[seed // 6] if seed % 6 == 0 else narrow_sizes(seed + 100))
    expected = case.run(native_conv)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_same_bits(case.run(native_conv), expected)


@pytest.mark.parametrize("seed", range(18))
def test_a_stream_gives_the_bits_of_the_batch(seed: int):
    """Turned rows are summed in the order of a stream's step, whatever parts the sums are cut into."""
    batch, steps, inputs, outputs, taps, dilation = (2, 90, *narrow_sizes(seed + 200)[2:])
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((outputs, inputs, taps)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32)
    x = rng.standard_normal((batch, steps, inputs)).astype(np.float32)
    zeros: Any = torch.zeros(batch, (taps - 1) * dilation, inputs)
    given = [torch.from_numpy(a) for a in (x, weight, bias)]
    whole = native_conv(*given, dilation=dilation, activation="relu").numpy()
    carried = native_conv(*given, dilation=dilation, activation="relu", context=zeros).numpy()
    stack = ConvStack([ConvLayer(weight, bias, dilation, "relu", "identity")], batch, "native")
    stepped = np.stack([stack.step(np.ascontiguousarray(x[:, t])).copy() for t in range(steps)], axis=1)
    assert whole.tobytes() == carried.tobytes()
    assert whole.tobytes() == stepped.tobytes()
