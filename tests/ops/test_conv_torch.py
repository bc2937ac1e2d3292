"""The compiled convolution inside torch: operator checks, compile, export, second derivatives, transforms, modes."""

from __future__ import annotations

import functools
import io
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint

from oracles.conv_cases import RANDOM, conv_case
from oracles.engine_checks import TRANSFORMS, Recorded, check_forward_mode, check_transform, of_a_transform
from seqloom.nn import TCN, CausalConv1d
from seqloom.ops import causal_conv
from seqloom.ops.cell import StepRandom
from seqloom.ops.operators import eager
from seqloom.ops.weight_norm import weight_norm
from seqloom_runtime import native

pytestmark = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")

native_conv = functools.partial(causal_conv, backend="native")


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(k, marks=pytest.mark.deep) for k in range(3, 60))])
def test_operator_checks(seed):
    """Torch's own: schema, registration, fake kernels, and AOT dispatch with sizes fixed and not."""
    with Recorded() as mode:
        conv_case(seed, small=True).run(native_conv)
    (forward, arrays), (backward, more) = mode.calls
    given = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arrays[:-1]]
    torch.library.opcheck(forward, (*given, False))
    torch.library.opcheck(
        backward, tuple(more), test_utils=("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")
    )
    for func, args in mode.calls:
        real = func(*args)
        with FakeTensorMode() as fakes:
            fake = func(*(fakes.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in args))
        for r, f in zip(real, fake, strict=True):
            assert (tuple(r.shape), r.stride(), r.dtype) == (tuple(f.shape), f.stride(), f.dtype)


class Two(torch.nn.Module):
    """Two levels with all that the operator takes."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.first = torch.nn.Parameter(torch.randn(5, 3, 2, generator=generator))
        self.second = torch.nn.Parameter(torch.randn(5, 5, 3, generator=generator))
        self.bias = torch.nn.Parameter(torch.randn(5, generator=generator))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = native_conv(x, self.first, activation="relu", dropout=0.3, rng=StepRandom(4), training=self.training)
        return native_conv(
            h, self.second, self.bias, dilation=2, activation="tanh", residual=h, final_activation="sigmoid"
        )


def step(module: Any, x: torch.Tensor, owner: Two) -> list[torch.Tensor]:
    """Output and gradients of a training step."""
    x = x.clone().requires_grad_()
    y = module(x)
    return [y, *torch.autograd.grad(y.square().sum(), [x, *owner.parameters()])]


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_without_a_graph_break(dynamic):
    torch._dynamo.reset()
    module = Two()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for batch, steps in ((4, 7), (3, 5), (17, 2)) if dynamic else ((4, 7),):
        x = torch.randn(batch, steps, 3, generator=torch.Generator().manual_seed(1))
        for found, expected in zip(step(compiled, x, module), step(module, x, module), strict=True):
            assert torch.equal(found, expected)
        with torch.no_grad():
            assert torch.equal(compiled(x), module(x))


@pytest.mark.parametrize("levels", [1, 3])
def test_a_compiled_graph_draws_what_it_draws_without(levels):
    """Dropout of a whole network: new numbers at every call, the same ones as without compilation."""
    torch._dynamo.reset()
    plain, module = (TCN(3, [5] * levels, 2, 0.4, seed=1) for _ in range(2))
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(9, 7, 3, generator=torch.Generator().manual_seed(5))
    seen = []
    for _ in range(3):
        found, expected = compiled(x), plain(x)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        grads = [
            torch.autograd.grad(y.square().sum(), list(m.parameters())) for y, m in ((found, module), (expected, plain))
        ]
        for a, b in zip(*grads, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        seen.append(found.detach())
    assert not torch.equal(seen[0], seen[1])


def test_export():
    module = Two().eval()
    sizes = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("time", min=1, max=64)}
    program = torch.export.export(module, (torch.zeros(4, 7, 3),), dynamic_shapes=(sizes,))
    assert sum("seqloom.causal_conv" in str(node.target) for node in program.graph.nodes) == 2
    x = torch.randn(9, 11, 3, generator=torch.Generator().manual_seed(4))
    y = program.module()(x)
    assert torch.equal(y, module(x))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    assert torch.equal(torch.export.load(file).module()(x), y)


@pytest.mark.parametrize("seed", range(8))
def test_second_derivatives_are_the_reference_s(seed):
    case = conv_case(seed, small=True)

    def both(backend: str, dtype: torch.dtype) -> list[torch.Tensor]:
        given = {n: torch.from_numpy(a).to(dtype).requires_grad_() for n, a in case.arrays.items() if a is not None}
        keywords = {"dropout": case.dropout, "rng": RANDOM, "training": True, "backend": backend}
        y = causal_conv(**given, **case.settings, **keywords)
        leaves = [leaf for leaf in given.values() if leaf.numel()]
        first = torch.autograd.grad(
            (y * torch.from_numpy(case.dy).to(dtype)).sum() + y.sin().sum(), leaves, create_graph=True
        )
        penalty: Any = sum(g.square().sum() for g in first)
        second = torch.autograd.grad(penalty, leaves, allow_unused=True, materialize_grads=True)
        return [g.detach().double() for g in (*first, *second)]

    exact, ours = both("reference", torch.float64), both("native", torch.float32)
    for o, e in zip(ours, exact, strict=True):
        assert float((o - e).abs().max()) <= 1e-4 * max(1.0, float(e.abs().max())), case.settings


X = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(9))
W = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(10))


def output(x: torch.Tensor, backend: str = "auto") -> torch.Tensor:
    return causal_conv(x, W, activation="tanh", backend=backend)


@of_a_transform
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transformed_functions(name):
    check_transform(name, output, X, "need plain torch operations")


@of_a_transform
def test_forward_mode_derivative():
    check_forward_mode(output, X)


def test_weights_of_layers_are_plain_numbers():
    """A layer's own weights run fused, and their calls spare the dispatcher."""
    layer = CausalConv1d(2, 3, 2, weight_norm=True)
    assert eager(layer.weight_v)
    assert type(layer.kernel().grad_fn).__name__ == "_CompiledBackward"


@of_a_transform
def test_weight_norm():
    """Against the formula, also where a transform looks on."""
    generator = torch.Generator().manual_seed(3)
    v, g = torch.randn(5, 3, 4, generator=generator), torch.randn(5, 1, 1, generator=generator)

    def plain(v: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return g * v / v.square().sum((1, 2), keepdim=True).sqrt()

    torch.testing.assert_close(weight_norm(v, g), plain(v, g))
    for found, expected in zip(
        *(torch.func.grad(lambda v, g, f=f: f(v, g).sin().sum(), (0, 1))(v, g) for f in (weight_norm, plain)),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)
    both = tuple(t.double().requires_grad_() for t in (v[:2], g[:2]))
    assert torch.autograd.gradcheck(weight_norm, both)
    assert torch.autograd.gradgradcheck(weight_norm, both)
    assert torch.autograd.gradcheck(lambda v: weight_norm(v, both[1].detach()), both[:1])
    torch.testing.assert_close(torch.func.jvp(lambda v: weight_norm(v, g), (v,), (g * v,))[1],
                               torch.func.jvp(lambda v: plain(v, g), (v,), (g * v,))[1])  # fmt: skip


def test_gradient_modes():
    expected = output(X, "native")
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            y = native_conv(X.clone().requires_grad_(), W, activation="tanh")
        assert not y.requires_grad
        assert torch.equal(y, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(output(X, "native"), expected)


def test_gradients_of_some_arguments_alone():
    """The others get none, and the values stay the same to the bit."""
    case = conv_case(5, sizes=(9, 12, 9, 6, 3, 2), context=True, residual=True)
    expected = case.run(native_conv)
    for wanted in expected:
        if wanted == "y":
            continue
        leaves = {n: torch.from_numpy(a).float() for n, a in case.arrays.items() if a is not None}
        leaf = leaves[wanted[1:]].requires_grad_()
        y = native_conv(**leaves, **case.settings, dropout=case.dropout, rng=RANDOM, training=True)
        (found,) = torch.autograd.grad(y, leaf, torch.from_numpy(case.dy).float())
        assert found.numpy().tobytes() == expected[wanted].tobytes(), wanted


def test_backward_twice_and_after_an_in_place_change():
    x, weight = X.clone().requires_grad_(), W.clone().requires_grad_()
    total = native_conv(x, weight).square().sum()
    first = torch.autograd.grad(total, [x, weight], retain_graph=True)
    second = torch.autograd.grad(total, [x, weight], retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    with torch.no_grad():
        weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(total, [x, weight])


def test_checkpointed_and_offloaded():
    expected = torch.autograd.grad(output(x := X.clone().requires_grad_()).square().sum(), x)[0]
    y = checkpoint(output, (x := X.clone().requires_grad_()), use_reentrant=False)
    assert torch.equal(torch.autograd.grad(y.square().sum(), x)[0], expected)
    with torch.autograd.graph.save_on_cpu():
        y = output(x := X.clone().requires_grad_())
    assert torch.equal(torch.autograd.grad(y.square().sum(), x)[0], expected)


def test_large_results_are_ordinary_tensors():
    """They may lie in memory that is kept between calls: they outlive the call and share nothing with the next."""
    x, weight = torch.randn(32, 100, 3), torch.randn(40, 3, 2)
    first = native_conv(x, weight)
    kept = first.clone()
    view = first[3:5, ::7]
    for _ in range(4):
        other = native_conv(x * 2, weight)
        other.fill_(torch.nan)
        del other
    assert torch.equal(first, kept)
    del first
    native_conv(x, weight).fill_(torch.nan)
    assert torch.equal(view, kept[3:5, ::7])
