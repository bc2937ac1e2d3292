"""Tensors that are not what they seem: promised signs and zeros, freed memory, other layouts, nothing at all."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from tests.attack.tensors import ODD, odd_case

from seqloom import nn
from seqloom.errors import BackendError, SettingError
from seqloom.nn import compat
from seqloom.ops import Cell, Weights, causal_conv, mse_loss
from seqloom.ops.scan import scan
from seqloom.ops.weight_norm import weight_norm

X = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(1))
LAYERS = {
    "GRU": lambda: nn.GRU(4, 5, seed=1),
    "LSTM": lambda: nn.LSTM(4, 5, seed=1),
    "RNN": lambda: nn.RNN(4, 5, seed=1),
    "TCN": lambda: nn.TCN(4, [5, 5], kernel_size=2, seed=1),
    "CausalConv1d": lambda: nn.CausalConv1d(4, 5, 2, seed=1),
    "Conv1d": lambda: nn.Conv1d(4, 5, 3, padding="same", seed=1),
    "Inception1d": lambda: nn.Inception1d(4, 5, seed=1),
    "MaxPool": lambda: nn.MaxPool(2),
    "GlobalAverage": lambda: nn.GlobalAverage(),
    "Highway": lambda: nn.Highway(4, seed=1),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]().eval()


def first(result):
    return result[0] if isinstance(result, tuple) else result


def odd(kind, t=X):
    return ODD[kind](t, random.Random(1))


@pytest.mark.parametrize("kind", ["negative view", "conjugate part", "offset", "strided", "huge stride", "subclass"])
def test_the_same_numbers_in_another_dress(layer, kind):
    assert torch.allclose(first(layer(odd(kind))).as_subclass(torch.Tensor), first(layer(X)), atol=1e-6)


def test_a_negative_weight_is_negative():
    weight = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(causal_conv(X, odd("negative view", weight)), causal_conv(X, weight))
    cell, w_x, w_h = Cell("elman"), weight[:, :, 0].T.contiguous(), torch.eye(3)
    plain, _ = scan(cell, X, torch.zeros(3, 3), Weights(w_x, w_h))
    promised, _ = scan(cell, X, torch.zeros(3, 3), Weights(odd("negative view", w_x), odd("negative view", w_h)))
    assert torch.equal(plain, promised)


def test_a_negative_gradient_is_negative():
    layer = nn.GRU(4, 5, seed=1)
    found = []
    for make in (torch.neg, lambda t: torch._neg_view(t)):  # pyright: ignore[reportPrivateImportUsage]
        x = X.clone().requires_grad_()
        y = layer(x)[0]
        found.append(torch.autograd.grad(y, x, make(torch.ones_like(y)))[0])
    assert torch.equal(*found)


def test_zeros_that_are_only_promised(layer):
    assert torch.allclose(first(layer(odd("promised zeros"))), first(layer(torch.zeros_like(X))), atol=1e-6)
    assert mse_loss(odd("promised zeros"), X) == mse_loss(torch.zeros_like(X), X)


@pytest.mark.parametrize("size", [0, 100])
def test_an_input_whose_memory_is_gone(layer, size):
    x = X.clone()
    x.untyped_storage().resize_(size)
    with pytest.raises(RuntimeError, match=r"storage|lost its memory"):
        layer(x)


@pytest.mark.parametrize("name", ["GRU", "LSTM", "RNN", "TCN", "CausalConv1d", "Conv1d"])
def test_weights_whose_memory_is_gone(name):
    """As sharded training leaves them between uses."""
    net = LAYERS[name]()
    out = first(net(X)).sum()
    sizes = [p.untyped_storage().nbytes() for p in net.parameters()]
    kept = [p.detach().clone() for p in net.parameters()]
    for p in net.parameters():
        p.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match=r"storage|not allocated"):
        net(X)
    with pytest.raises(RuntimeError, match=r"storage|not allocated"):
        out.backward(retain_graph=True)
    for p, size, value in zip(net.parameters(), sizes, kept, strict=True):
        p.untyped_storage().resize_(size)
        with torch.no_grad():
            p.copy_(value)
    assert torch.isfinite(first(net(X))).all()


@pytest.mark.parametrize("backend", ["native", "torch", "fused", "reference"])
def test_freed_memory_on_every_engine(backend):
    for place in range(4):
        given = [X.clone(), torch.zeros(3, 4), torch.randn(4, 12), torch.randn(4, 12)]
        given[place].untyped_storage().resize_(0)
        with pytest.raises(BackendError, match="lost its memory"):
            scan(Cell("gru"), given[0], given[1], Weights(given[2], given[3]), backend=backend)
    if backend == "fused":
        return
    for place in range(4):
        given = [X.clone(), torch.randn(4, 4, 2), torch.randn(4), X.clone()]
        given[place].untyped_storage().resize_(0)
        with pytest.raises(BackendError, match="lost its memory"):
            causal_conv(given[0], given[1], given[2], residual=given[3], backend=backend)


def test_freed_memory_behind_an_offset_and_a_stream():
    flat = torch.randn(200)
    x = flat[100 : 100 + X.numel()].view(X.shape)
    flat.untyped_storage().resize_(0)
    with pytest.raises(BackendError, match="lost its memory: its storage holds 0 bytes where 688 are needed"):
        nn.GRU(4, 5, seed=1)(x)
    layer = nn.GRU(4, 5, seed=1)
    next(layer.parameters()).untyped_storage().resize_(0)
    with pytest.raises(BackendError, match="lost its memory"):
        layer.stream()


@pytest.mark.filterwarnings("ignore")  # torch says that some of these are prototypes
@pytest.mark.parametrize("kind", ["sparse", "compressed", "nested", "jagged", "mkldnn", "quantized", "no tensor"])
def test_other_layouts_are_refused_in_a_sentence(layer, kind):
    with pytest.raises(SettingError, match=r"must (be a dense tensor|have shape)"):
        layer(odd(kind))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["sparse", "nested", "mkldnn", "quantized"])
def test_other_layouts_of_every_argument(kind):
    weight, bias = torch.randn(4, 4, 2), torch.randn(4)
    for name in ("x", "weight", "bias", "residual"):
        given: dict[str, Any] = {"x": X, "weight": weight, "bias": bias, "residual": X}
        given[name] = odd(kind, given[name])
        with pytest.raises(SettingError, match=f"{name} must be a dense tensor"):
            causal_conv(given.pop("x"), given.pop("weight"), given.pop("bias"), **given)
    with pytest.raises(SettingError, match="target must be a dense tensor"):
        mse_loss(X, odd(kind))
    for name in ("w_x", "w_h", "bias"):
        given: dict[str, Any] = {"w_x": torch.randn(4, 12), "w_h": torch.randn(4, 12), "bias": torch.randn(12)}
        given[name] = odd(kind, given[name])
        with pytest.raises(SettingError, match=rf"{name} must be a dense"):
            scan(Cell("gru"), X, torch.zeros(3, 4), Weights(**given))


def test_whole_numbers_are_no_sequence(layer):
    with pytest.raises(SettingError, match=r"float"):
        layer(X.long())


def test_a_hook_that_unpacks_another_type():
    layer = nn.GRU(4, 5, seed=1)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t.double()):
        y = layer(X)[0]
    with pytest.raises(RuntimeError, match="float64"):
        y.sum().backward()
    with torch.autograd.graph.save_on_cpu():
        y = layer(X)[0]
    y.sum().backward()


def result_of(name: str) -> torch.Tensor:
    """Of an operation whose backward pass reads what it saved by its address."""
    if name == "weight norm":
        return weight_norm(torch.randn(9, 4, 3, requires_grad=True), torch.ones(9, 1, 1, requires_grad=True))
    if name == "convolution":
        return causal_conv(X, torch.randn(9, 4, 3, requires_grad=True), torch.randn(9), activation="relu")
    if name == "stack":
        return nn.TCN(4, [5, 6], kernel_size=2, seed=1, dropout=0.3)(X)
    make = nn.LSTM if name == "lstm" else nn.GRU
    return make(4, 5, seed=1, zoneout=0.2, input_dropout=0.2)(X)[0]


@pytest.mark.parametrize("how", ["type", "shape"])
@pytest.mark.parametrize("name", ["gru", "lstm", "convolution", "stack", "weight norm"])
def test_a_hook_that_unpacks_one_array_otherwise(name: str, how: str):
    """Whichever of the saved arrays it is, the backward pass refuses it before it reads the memory."""
    count = 0

    def counted(t: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        return t

    with torch.autograd.graph.saved_tensors_hooks(counted, lambda t: t):
        result_of(name)
    refused = 0
    for number in range(count):
        order, changed = iter(range(count)), []

        def unpack(t: torch.Tensor, number: int = number, order: Any = order, changed: Any = changed) -> torch.Tensor:
            if next(order) != number:
                return t
            new = t.to(torch.bfloat16 if t.is_floating_point() else torch.int8) if how == "type" else t.flatten()[:1]
            changed += [new] if (new.shape, new.dtype) != (t.shape, t.dtype) else []
            return new

        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
            y = result_of(name)
        try:
            y.sum().backward()
        except BackendError as error:
            assert "must unpack the shape and type that it packed" in str(error)  # noqa: PT017
            refused += 1
        else:
            assert not changed
    assert refused >= count - 1  # a state of one number has one shape alone


@pytest.mark.parametrize("shape", [(0, 6, 4), (3, 0, 4)])
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.GRU(4, 5, seed=1, input_dropout=0.2, recurrent_dropout=0.2, weight_dropout=0.2),
        lambda: nn.GRU(4, 5, 2, seed=1, between_dropout=0.2, bidirectional=True),
        lambda: nn.LSTM(4, 5, seed=1, zoneout=0.2),
        lambda: nn.LSTM(4, 5, seed=1, candidate_dropout=0.2),
        lambda: nn.GRU(4, 5, seed=1, candidate_dropout=0.2, zoneout=0.3),
        lambda: nn.RNN(4, 5, seed=1, zoneout=0.2, per_gate_masks=True, input_dropout=0.1),
        lambda: nn.TCN(4, [5, 5], kernel_size=2, seed=1, dropout=0.3),
        lambda: nn.CausalConv1d(4, 5, 3, dropout=0.3, seed=1),
        lambda: compat.LSTM(4, 5, 2, dropout=0.2, batch_first=True),
    ],
)
def test_nothing_to_draw_for(make, shape):
    """No row, or no step, in training with every dropout there is."""
    layer, x = make().train(), torch.zeros(shape, requires_grad=True)
    if isinstance(layer, torch.nn.RNNBase) and shape[1] == 0:
        with pytest.raises(RuntimeError, match="length to be larger than 0"):
            layer(x)
        return
    y = first(layer(x))
    assert y.shape[:2] == shape[:2]
    y.sum().backward()


def test_a_stream_takes_odd_numbers():
    layer = nn.GRU(4, 5, seed=1).eval()
    row = np.linspace(-1, 1, 4, dtype=np.float32)
    expected = layer.stream().step(row).copy()
    negative = torch._neg_view(torch.tensor(-row))  # pyright: ignore[reportPrivateImportUsage]
    assert np.allclose(layer.stream().step(negative), expected)
    assert np.allclose(layer.stream().step(row[::-1].copy()[::-1]), expected)
    zeros = torch._efficientzerotensor((4,))  # pyright: ignore[reportPrivateImportUsage]
    assert np.allclose(layer.stream().step(zeros), layer.stream().step(np.zeros(4, np.float32)))
    for bad in (row.astype(complex), np.array(["a"] * 4), None, object(), torch.zeros(4).to_sparse()):
        with pytest.raises(SettingError):
            layer.stream().step(bad)


@pytest.mark.parametrize("start", range(0, 240, 60))
def test_odd_calls_give_the_reference_or_a_sentence(start):
    for number in range(start, start + 60):
        odd_case(number)


def test_weight_norm_of_any_shape_stride_and_type():
    """torch's fused operator looks at none of them: it crashes, or reads what it was not given."""
    v = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(1))

    def formula(v, g):
        return v * (g / v.norm(dim=(1, 2), keepdim=True))

    short, wide = torch.full((1,), 2.0).expand(6, 1, 1), torch.rand(12, 1, 1)[::2]
    negative, double = odd("negative view", torch.rand(6, 1, 1)), torch.ones(6, 1, 1, dtype=torch.float64)
    for g in (torch.ones(6, 1, 1), short, wide, torch.rand(1, 1, 1), torch.rand(()), double, negative):
        g = g.clone().requires_grad_() if g.is_contiguous() and not g.is_neg() else g.detach().requires_grad_()
        inside = v.clone().requires_grad_()
        found, true = weight_norm(inside, g), formula(inside, g)
        assert torch.allclose(found, true, atol=1e-6)
        both = [torch.autograd.grad(y.sin().sum(), [inside, g], retain_graph=True) for y in (found, true)]
        for ours, theirs in zip(*both, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-5)
    for g in (torch.ones(0, 1, 1), torch.ones(3, 1, 1), torch.ones(12, 1, 1)):
        with pytest.raises(RuntimeError, match="size"):
            weight_norm(v, g)
    assert weight_norm(torch.randn(0, 3, 2), torch.ones(0, 1, 1)).shape == (0, 3, 2)


class PromisedZeros(torch.autograd.Function):
    """The identity, whose gradient is an efficient zero tensor."""

    @staticmethod
    def forward(ctx, y):
        return y.clone()

    @staticmethod
    def backward(ctx, *grads):
        return torch._efficientzerotensor(grads[0].shape)  # pyright: ignore[reportPrivateImportUsage]


def test_gradients_that_are_only_promised():
    v, g = torch.randn(8, 6, 3).requires_grad_(), torch.ones(8, 1, 1)
    x = X.clone().requires_grad_()
    for y, leaf in ((weight_norm(v, g), v), (nn.GRU(4, 5, seed=1)(x)[0], x), (causal_conv(x, torch.randn(4, 4, 2)), x)):
        assert not torch.autograd.grad(PromisedZeros.apply(y).sum(), leaf)[0].any()


def test_a_gradient_is_handed_out_once():
    y = torch.randn(5, requires_grad=True)
    inside = y * 1
    loss = mse_loss(inside, torch.zeros(5))
    first = torch.autograd.grad(loss, inside, retain_graph=True)[0]
    kept = first.clone()
    first.mul_(3)
    for _ in range(2):
        assert torch.allclose(torch.autograd.grad(loss, inside, retain_graph=True)[0], kept)


@pytest.mark.filterwarnings("ignore")  # that tracing is deprecated, and what it says of shapes
def test_a_strided_same_padding_is_not_traced_where_its_zeros_would_stay():
    layer = nn.Conv1d(4, 5, 2, padding="same", stride=3, seed=1).eval()
    with pytest.raises(BackendError, match="can't be traced"):
        torch.jit.trace(layer, (X,))


def test_carried_states_keep_their_rows():
    carried = nn.Stateful(nn.GRU(4, 4, seed=1).eval(), rows=4)
    with pytest.raises(SettingError, match="give as many rows as it was made for"):
        carried(torch.ones(1, 3, 4), fresh=True)


@pytest.mark.parametrize("change", [lambda z: z + 1j, lambda z: z.astype(str), lambda z: z.astype("m8[s]")])
def test_states_of_streams_are_real_numbers(change):
    for stream in (nn.GRU(4, 4, seed=1).stream(), nn.CausalConv1d(4, 4, 2, seed=1).stream()):
        state = stream.state()
        with pytest.raises(SettingError, match="real numbers"):
            stream.restore(change(state) if isinstance(state, np.ndarray) else [change(np.asarray(s)) for s in state])
