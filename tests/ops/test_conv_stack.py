"""A stack of convolutions in one call: the bits of its layers one by one, gradients included; what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.errors import BackendError, SettingError
from seqloom.ops import causal_conv
from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv_stack import causal_stack, explain_stack
from seqloom.ops.conv_stream import ConvLayer
from seqloom_runtime import native

NATIVE = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")
RANDOM = StepRandom(11, 3, 5)


def random_stack(seed: int) -> tuple[torch.Tensor, list[ConvLayer]]:
    """x and layers with any wiring: outputs read by several, by the next, by none."""
    rng = np.random.default_rng([seed, 31])

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))

    widths = [int(rng.integers(1, 20))]
    layers = []
    for number in range(1, int(rng.integers(3, 8))):
        source = int(rng.integers(number)) if rng.random() < 0.3 else number - 1
        outputs = int(rng.choice([widths[int(rng.integers(number))], int(rng.integers(1, 40))]))
        taps, dilation = (int(n) for n in rng.integers(1, [6, 9]))
        equal = [n for n, width in enumerate(widths) if width == outputs]
        layers.append(
            ConvLayer(
                (normal(outputs, widths[source], taps) / (widths[source] * taps) ** 0.5).requires_grad_(),
                normal(outputs).requires_grad_() if rng.random() < 0.7 else None,
                dilation,
                "relu" if rng.random() < 0.5 else str(rng.choice(list(ACTIVATIONS))),
                str(rng.choice(["identity", "relu", "tanh"])),
                None if source == number - 1 else source,
                int(rng.choice(equal)) if equal and rng.random() < 0.7 else None,
                float(rng.choice([0.0, 0.3])),
                # Weight norm, whose g is as long as v, so that the numbers stay in their range.
                gain=(normal(outputs, 1, 1).abs() + 0.1).requires_grad_() if rng.random() < 0.5 else None,
            )
        )
        widths.append(outputs)
    return normal(int(rng.integers(8, 20)), int(rng.integers(1, 40)), widths[0]).requires_grad_(), layers


def arrays(q: ConvLayer) -> dict[str, torch.Tensor | None]:
    return {"weight": q.weight, "bias": q.bias, "gain": q.gain}


def leaves(x: torch.Tensor, layers: list[ConvLayer]) -> list[torch.Tensor]:
    return [x, *(t for q in layers for t in arrays(q).values() if t is not None)]


def one_by_one(x: torch.Tensor, layers: list[ConvLayer], backend: str, *, training: bool = True) -> torch.Tensor:
    """The layers by `causal_conv`, written out."""
    nodes, drawn = [x], 0
    for number, q in enumerate(layers):
        key = replace(RANDOM, layer=RANDOM.layer + drawn)
        drawn += q.dropout > 0
        nodes.append(
            causal_conv(
                nodes[number if q.source is None else q.source],
                q.kernel(),
                q.bias,
                dilation=q.dilation,
                activation=q.activation,
                residual=None if q.residual is None else nodes[q.residual],
                final_activation=q.final_activation,
                dropout=q.dropout,
                rng=key,
                training=training,
                backend=backend,
            )
        )
    return nodes[-1]


def gradients(y: torch.Tensor, given: list[torch.Tensor], *, seed: int = 0) -> list[torch.Tensor]:
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(y.dtype)
    return list(torch.autograd.grad(y, given, dy, allow_unused=True, materialize_grads=True))


@NATIVE
@pytest.mark.parametrize("seed", [*range(30), *(pytest.param(k, marks=pytest.mark.deep) for k in range(30, 200))])
def test_the_bits_of_the_layers_one_by_one(seed):
    """Where an output is read more than twice its gradients are added in another order, which moves the last bits."""
    x, layers = random_stack(seed)
    assert "a sequence at a time" in explain_stack(x, layers)
    equal_bits(x, layers)
    few = x[: 1 + seed % 5].detach().requires_grad_()
    assert "layer by layer in one call" in explain_stack(few, layers)
    equal_bits(few, layers)


def equal_bits(x, layers):
    readers = [q.source if q.source is not None else n for n, q in enumerate(layers)]
    readers += [q.residual for q in layers if q.residual is not None]
    exact = all(readers.count(n) <= 2 for n in readers)
    y, expected = causal_stack(x, layers, rng=RANDOM, training=True), one_by_one(x, layers, "native")
    assert torch.equal(y, expected)
    for found, wanted in zip(gradients(y, leaves(x, layers)), gradients(expected, leaves(x, layers)), strict=True):
        if exact:
            assert torch.equal(found, wanted)
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    with torch.no_grad():
        assert torch.equal(causal_stack(x, layers, rng=RANDOM, training=True), expected)
        assert torch.equal(causal_stack(x, layers), one_by_one(x, layers, "native", training=False))


@NATIVE
@pytest.mark.parametrize("batch", [2, 9])
def test_wide_layers_whose_gradients_go_by_pairs_of_rows(batch):
    """One of them is added to what the residual's left."""
    generator = torch.Generator().manual_seed(batch)
    x = torch.randn(batch, 61, 110, generator=generator).requires_grad_()
    layers = [
        ConvLayer(
            (torch.randn(110, 110, taps, generator=generator) / 18).requires_grad_(), None, dilation, "relu",
            residual=residual,
        )
        for taps, dilation, residual in ((4, 1, None), (3, 4, 0), (5, 2, None))
    ]  # fmt: skip
    equal_bits(x, layers)


@NATIVE
def test_any_number_of_threads():
    x, layers = random_stack(3)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            y = causal_stack(x, layers, rng=RANDOM, training=True)
            results.append([y, *gradients(y, leaves(x, layers))])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@NATIVE
def test_gradients_of_some_arguments_alone():
    x, layers = random_stack(5)
    given = leaves(x, layers)
    whole = gradients(causal_stack(x, layers, rng=RANDOM, training=True), given)
    for which, wanted in enumerate(whole):
        for number, leaf in enumerate(given):
            leaf.requires_grad_(number == which)
        (found,) = gradients(causal_stack(x, layers, rng=RANDOM, training=True), [given[which]])
        assert torch.equal(found, wanted)


@NATIVE
@pytest.mark.parametrize("seed", range(4))
def test_second_derivatives(seed):
    x, layers = random_stack(seed)
    layers = [replace(q, activation="tanh", final_activation="identity") for q in layers]

    def second(y: torch.Tensor, given: list[torch.Tensor]) -> list[torch.Tensor]:
        missing: dict[str, Any] = {"materialize_grads": True, "allow_unused": True}
        first = torch.autograd.grad(y.square().sum(), given, create_graph=True, **missing)
        total: Any = sum(g.square().sum() for g in first)
        return list(torch.autograd.grad(total, given, **missing))

    given = leaves(x, layers)
    found = second(causal_stack(x, layers, rng=RANDOM, training=True), given)
    for a, b in zip(found, second(one_by_one(x, layers, "reference"), given), strict=True):
        assert float((a - b).abs().max()) <= 2e-3 * max(1.0, float(b.abs().max()))


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_layer_by_layer_in_float64(backend):
    x, layers = random_stack(2)
    x = x.detach().double()
    layers = [
        replace(q, **{name: None if t is None else t.detach().double() for name, t in arrays(q).items()})
        for q in layers
    ]
    found = causal_stack(x, layers, rng=RANDOM, training=True, backend=backend)
    torch.testing.assert_close(found, one_by_one(x, layers, "reference"))
    assert "layer by layer" in explain_stack(x, layers, backend=backend)


@NATIVE
def test_why_layer_by_layer():
    x, layers = random_stack(1)
    few = x[:2].detach()
    assert "few sequences" in explain_stack(few, layers)
    assert torch.equal(causal_stack(few, layers), one_by_one(few, layers, "native", training=False))
    odd = [replace(layers[0], activation=torch.tanh), *layers[1:]]
    assert "layer 1: it knows the named activations only" in explain_stack(x, odd)
    plain = [replace(layers[0], activation="tanh"), *layers[1:]]
    torch.testing.assert_close(causal_stack(x, odd), causal_stack(x, plain))
    with pytest.raises(BackendError, match="named activations only"):
        causal_stack(x, odd, backend="native")
    empty = x[:, :0].detach()
    assert causal_stack(empty, layers).shape == (x.shape[0], 0, layers[-1].weight.shape[0])
    compiled = torch.compile(lambda v: causal_stack(v, layers), fullgraph=True, backend="aot_eager")
    # A compiler is shown the formula of weight norm, whose sums are torch's.
    torch.testing.assert_close(compiled(x), causal_stack(x, layers))
    plain = [replace(q, weight=q.kernel().detach(), gain=None) for q in layers]
    compiled = torch.compile(lambda v: causal_stack(v, plain), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), causal_stack(x, layers))


X, W = torch.zeros(9, 6, 3), torch.zeros(4, 3, 2)
BAD: list[tuple[list[ConvLayer], dict[str, Any], str]] = [
    ([], {}, "at least one layer"),
    ([ConvLayer(W.numpy())], {}, "weight of layer 1 must be a dense tensor"),
    ([ConvLayer(W), ConvLayer(W)], {}, "source of layer 2 must have 3 channels, but layer 1 has 4"),
    ([ConvLayer(W), ConvLayer(W, source=0, dilation=0)], {}, "layer 2 of the stack: dilation"),
    ([ConvLayer(W.double())], {}, "layer 1 of the stack: weight must be torch.float32 like x"),
    ([ConvLayer(W, dropout=0.5)], {"training": True}, "layer 1 of the stack: dropout in training needs rng"),
    ([ConvLayer(W, dropout=1.5)], {}, "layer 1 of the stack: dropout is a probability"),
    ([ConvLayer(W)], {"x": torch.zeros(9, 3, 6)}, "layer 1 of the stack: .* channel-first"),
    ([ConvLayer(W)], {"backend": "fast"}, "backend must be one of"),
    ([ConvLayer(W, gain=torch.ones(4))], {}, r"layer 1 of the stack: gain must have shape \(channels out, 1, 1\)"),
    ([ConvLayer(W, gain=torch.ones(4, 1, 1).double())], {}, "layer 1 of the stack: gain must be torch.float32 like x"),
    ([ConvLayer(W, gain=1.0)], {}, "layer 1 of the stack: gain must be a torch tensor"),
]


@pytest.mark.parametrize(("layers", "more", "message"), BAD)
def test_bad_input(layers, more, message):
    with pytest.raises(SettingError, match=message):
        causal_stack(**{"x": X, "layers": layers, **more})
