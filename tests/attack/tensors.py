"""Odd tensors into every operation and layer, and random compositions of operations beside the reference.

An odd tensor either gives what the same numbers give in an ordinary one, or is refused in a sentence; never another
value, never a dead process. Compositions: see `compositions`.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from seqloom import nn
from seqloom.errors import SeqloomError
from seqloom.nn import compat
from seqloom.ops import Cell, Weights, causal_conv, mse_loss
from seqloom.ops.conv_stack import causal_stack
from seqloom.ops.conv_stream import ConvLayer
from seqloom.ops.scan import scan

from . import WrongResult
from .compositions import compare, make_program

__all__ = ["ODD", "cases", "odd_case"]

B, T, C = 3, 6, 4
Call = Callable[[list[Any]], Any]


_TYPES = (torch.float16, torch.bfloat16, torch.int64, torch.complex64, torch.bool)


class Tagged(Tensor):
    """A subclass of Tensor that changes nothing."""


def cases(seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(description, action) without end: two compositions, then three odd calls, each from a seed of its own."""
    rng = random.Random(seed)
    while True:
        for _ in range(2):
            number = rng.getrandbits(40)
            yield f"compositions: program {number}", lambda number=number: _composition(number)
        for _ in range(3):
            number = rng.getrandbits(40)
            yield f"odd tensors: call {number}", lambda number=number: odd_case(number)


def _composition(number: int) -> None:
    difference = compare(make_program(number))
    if difference is not None:
        raise WrongResult(f"program {number}: {difference}")


# -- odd tensors ----------------------------------------------------------------------------------------------------


def _negative(t: Tensor, rng: random.Random) -> Tensor:
    """A view that only promises its sign; its numbers are those of −t until that is resolved."""
    return torch._neg_view(-t)  # pyright: ignore[reportPrivateImportUsage]


def _conjugate(t: Tensor, rng: random.Random) -> Tensor:
    """The imaginary part of a conjugate: strided, and with a promised sign."""
    return torch.complex(torch.zeros_like(t), -t).conj().imag


def _offset(t: Tensor, rng: random.Random) -> Tensor:
    """The same numbers in the middle of a larger memory."""
    base = torch.full((t.numel() + 7,), torch.nan, dtype=t.dtype)
    base[5 : 5 + t.numel()] = t.flatten()
    return base[5 : 5 + t.numel()].view(t.shape)


def _strided(t: Tensor, rng: random.Random) -> Tensor:
    """Every other number of a memory, axes swapped."""
    base = torch.full((*t.shape[::-1], 2), torch.nan, dtype=t.dtype)
    base[..., 0] = t.permute(*reversed(range(t.dim())))
    return base[..., 0].permute(*reversed(range(t.dim())))


def _freed(t: Tensor, rng: random.Random) -> Tensor:
    """A tensor whose memory is gone, or half gone."""
    t = _offset(t, rng) if rng.random() < 0.5 else t.clone()
    t.untyped_storage().resize_(rng.choice((0, 0, t.untyped_storage().nbytes() // 2)))
    return t


def _inference(t: Tensor, rng: random.Random) -> Tensor:
    with torch.inference_mode():
        return t.clone()


def _huge_stride(t: Tensor, rng: random.Random) -> Tensor:
    """Axes of one element may have any stride."""
    strides = [1 << 40 if size == 1 else stride for size, stride in zip(t.shape, t.stride(), strict=True)]
    return t.clone().as_strided(t.shape, strides)


SAME: dict[str, Callable[[Tensor, random.Random], Tensor]] = {
    "negative view": _negative,
    "conjugate part": _conjugate,
    "offset": _offset,
    "strided": _strided,
    "inference": _inference,
    "huge stride": _huge_stride,
    "subclass": lambda t, rng: t.clone().as_subclass(Tagged),
    "parameter": lambda t, rng: torch.nn.Parameter(t.clone()),
    "shared": lambda t, rng: t.clone().share_memory_(),
    "needs gradient": lambda t, rng: t.clone().requires_grad_(),
}
"""Tensors with the same numbers: the result must be the same."""

OTHER: dict[str, Callable[[Tensor, random.Random], Any]] = {
    "promised zeros": lambda t, rng: torch._efficientzerotensor(t.shape),  # pyright: ignore[reportPrivateImportUsage]
    "expanded": lambda t, rng: t.flatten()[:1].expand(t.shape) if t.numel() else t,
    "not finite": lambda t, rng: t.masked_fill(torch.rand(t.shape) < 0.2, rng.choice((torch.nan, torch.inf))),
    "denormal": lambda t, rng: t * 1e-40,
    "large": lambda t, rng: t * 1e15,
}
"""Tensors with other numbers: the result must be that of the reference on the same numbers."""

REFUSED: dict[str, Callable[[Tensor, random.Random], Any]] = {
    "freed": _freed,
    "sparse": lambda t, rng: t.to_sparse(),
    "compressed": lambda t, rng: t.flatten(1).to_sparse_csr() if t.dim() > 1 else t.to_sparse(),
    "nested": lambda t, rng: torch.nested.nested_tensor([t, t]),
    "jagged": lambda t, rng: (
        torch.nested.nested_tensor([t.flatten(1), t.flatten(1)], layout=torch.jagged)
        if t.dim() > 1
        else torch.nested.nested_tensor([t])
    ),
    "mkldnn": lambda t, rng: t.to_mkldnn(),
    "quantized": lambda t, rng: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "other type": lambda t, rng: t.to(rng.choice(_TYPES)),
    "double": lambda t, rng: t.double(),
    "meta": lambda t, rng: t.to("meta"),
    "other rank": lambda t, rng: rng.choice((t[None], t.flatten(), t.sum())),
    "other size": lambda t, rng: torch.cat([t, t[:1]]) if t.dim() else t[None],
    "empty": lambda t, rng: t[:0],
    "no tensor": lambda t, rng: rng.choice((None, t.tolist(), t.numpy(), "tensor", 3.0, object())),
}
"""What may be refused, in a sentence; where it is not, the result must be the reference's, or nothing to compare."""

ODD = {**SAME, **OTHER, **REFUSED}
_KINDS = tuple(ODD)
_FOR_MASKS = ("offset", "strided", "subclass", "expanded", "freed", "meta", "other rank", "other size", "no tensor")
_NOT_COMPARED = {"freed", "meta", "sparse", "compressed", "nested", "jagged", "mkldnn", "quantized", "no tensor"}


def odd_case(number: int) -> None:
    """One call with one or two odd arguments; raises WrongResult where its value is not the reference's."""
    rng = random.Random(number)
    torch.manual_seed(rng.getrandbits(32))
    name, arguments, call, reference = rng.choice(_CALLS)(rng)
    oddities = []
    for place in rng.sample(range(len(arguments)), min(len(arguments), rng.choice((1, 1, 2)))):
        if isinstance(arguments[place], Tensor):
            kind = rng.choice(_KINDS if arguments[place].is_floating_point() else _FOR_MASKS)
            if place and kind == "not finite":
                continue  # 0·NaN at a zero of the padding: an engine may leave the product out
            oddities.append(kind)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch says of some that they are prototypes
                arguments[place] = ODD[kind](arguments[place], rng)
    backward = rng.random() < 0.5 and not set(oddities) & {"inference", "not finite", "large"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours = _value(call, arguments, backward)
    except SeqloomError:
        return
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        if set(oddities) & set(REFUSED) and reference is None:
            return  # layers with torch's own signature raise torch's own errors
        if _torch_says(oddities, str(error)):
            return
        raise
    if set(oddities) & _NOT_COMPARED:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ordinary = [_ordinary(a) for a in arguments]
        right = _value(reference or call, ordinary, backward)
        noise = _noise(None if name.startswith("nn.") else reference, ordinary, right, backward)
    _same(ours, right, noise, f"{name} with {', '.join(oddities)}, gradient {backward}")


def _torch_says(oddities: list[str], message: str) -> bool:
    """Whether torch's own operations refuse what torch's own layers would refuse in the same words."""
    freed = "freed" in oddities and "storage" in message
    meta = "meta" in oddities and "meta" in message
    return freed or meta or ("inference" in oddities and "Inference tensors" in message)


def _ordinary(argument: Any) -> Any:
    """The same numbers in a tensor of the ordinary kind."""
    if not isinstance(argument, Tensor):
        return argument
    plain = torch.zeros(argument.shape, dtype=argument.dtype) if argument._is_zerotensor() else argument.detach()
    return torch.tensor(plain.as_subclass(Tensor).resolve_neg().tolist(), dtype=argument.dtype).reshape(argument.shape)


def _value(call: Call, arguments: list[Any], backward: bool) -> list[Tensor]:
    """The results of a call, and with `backward` the gradients of its floating-point arguments."""
    results = [t for t in _flat(call(arguments)) if isinstance(t, Tensor)]
    if not backward:
        return [t.detach() for t in results]
    leaves = [a.detach().requires_grad_() if _real(a) else a for a in arguments]
    results = [t for t in _flat(call(leaves)) if isinstance(t, Tensor)]
    parts = [(t * torch.linspace(1, 2, t.numel()).reshape(t.shape).to(t.dtype)).sum() for t in results]
    total = torch.stack(parts).sum()
    wanted = [a for a in leaves if _real(a)]
    if not total.requires_grad or not wanted:
        return [t.detach() for t in results]
    found = torch.autograd.grad(total, wanted, allow_unused=True)
    return [
        *(t.detach() for t in results),
        *(torch.zeros_like(a) if g is None else g for a, g in zip(wanted, found, strict=True)),
    ]


def _real(a: Any) -> bool:
    strided = isinstance(a, Tensor) and a.layout is torch.strided and not a.is_nested
    return strided and a.dtype in (torch.float32, torch.float64)


def _flat(value: Any) -> list[Any]:
    return [x for item in value for x in _flat(item)] if isinstance(value, (tuple, list)) else [value]


def _noise(reference: Call | None, arguments: list[Any], right: list[Tensor], backward: bool) -> list[float]:
    """How far float32's rounding takes the reference from itself in float64, for each result; 0 for a layer, whose
    weights are float32."""
    if reference is None or any(isinstance(a, Tensor) and a.dtype == torch.float64 for a in arguments):
        return [0.0] * len(right)
    true = _value(reference, [a.double() if _real(a) else a for a in arguments], backward)
    gaps = [(a.double() - b.double()).abs() for a, b in zip(right, true, strict=True)]
    return [float(gap[gap.isfinite()].max()) if gap.isfinite().any() else 0.0 for gap in gaps]


def _same(ours: list[Tensor], right: list[Tensor], noise: list[float], what: str) -> None:
    if len(ours) != len(right):
        raise WrongResult(f"{what}: {len(ours)} results, the reference has {len(right)}.")
    for number, (mine, true, rounding) in enumerate(zip(ours, right, noise, strict=True)):
        if mine.shape != true.shape:
            raise WrongResult(f"{what}: result {number} has shape {tuple(mine.shape)}, not {tuple(true.shape)}.")
        scale = float(true[true.isfinite()].abs().max()) if true.isfinite().any() else 0.0
        if not torch.allclose(mine, true, rtol=2e-3, atol=2e-4 * max(scale, 1e-30) + 8 * rounding, equal_nan=True):
            raise WrongResult(f"{what}: result {number} differs from the reference (scale {scale:.3g}).")


# -- calls ----------------------------------------------------------------------------------------------------------


def _scan_call(rng: random.Random) -> tuple[str, list[Any], Call, Call | None]:
    kind = rng.choice(("elman", "gru", "lstm", "jordan"))
    norm = kind in ("gru", "lstm") and rng.random() < 0.2
    cell = Cell(kind, layer_norm=norm)
    hidden = C if kind != "jordan" else 5
    columns = cell.gates * hidden
    arguments: list[Any] = [torch.randn(B, T, C), torch.randn(B, C), torch.randn(B, C), torch.randn(C, columns) / 2]
    arguments += [torch.randn(C, columns) / 2, torch.randn(columns), torch.rand(B, T) < 0.7, torch.rand(B, C)]
    arguments += [torch.randn(hidden, C), torch.randn(C)] if kind == "jordan" else []
    masked = rng.random() < 0.4

    def call(given: list[Any], backend: str = "auto") -> Any:
        x, h, c, w_x, w_h, bias, mask, d_h, *out = given
        weights = Weights(w_x, w_h, bias, w_out=out[0] if out else None, bias_out=out[1] if out else None)
        keywords = {"mask": mask, "recurrent_mask": d_h.detach() if isinstance(d_h, Tensor) else d_h} if masked else {}
        return scan(cell, x, (h, c) if kind == "lstm" else h, weights, backend=backend, **keywords)

    return f"scan {kind}", arguments, call, lambda given: call(given, "reference")


def _conv_call(rng: random.Random) -> tuple[str, list[Any], Call, Call | None]:
    taps = rng.randint(1, 3)
    arguments = [torch.randn(B, T, C), torch.randn(C, C, taps), torch.randn(C), torch.randn(B, T, C)]

    def call(given: list[Any], backend: str = "auto") -> Any:
        x, weight, bias, residual = given
        return causal_conv(x, weight, bias, dilation=2, activation="tanh", residual=residual, backend=backend)

    return "causal_conv", arguments, call, lambda given: call(given, "reference")


def _stack_call(rng: random.Random) -> tuple[str, list[Any], Call, Call | None]:
    rows = rng.choice((B, 40))
    arguments = [torch.randn(rows, T, C), torch.randn(C, C, 2), torch.randn(C), torch.randn(C, C, 3)]

    def call(given: list[Any], backend: str = "auto") -> Any:
        x, first, bias, second = given
        layers = [ConvLayer(first, bias, activation="tanh"), ConvLayer(second, dilation=2, residual=1)]
        return causal_stack(x, layers, backend=backend)

    return "causal_stack", arguments, call, lambda given: call(given, "reference")


def _loss_call(rng: random.Random) -> tuple[str, list[Any], Call, Call | None]:
    arguments = [torch.randn(B, T, C), torch.randn(B, T, C)]
    return "mse_loss", arguments, lambda a: mse_loss(a[0], a[1]), lambda a: mse_loss(a[0], a[1], backend="torch")


_LAYERS: tuple[Callable[[], torch.nn.Module], ...] = (
    lambda: nn.GRU(C, C, seed=1),
    lambda: nn.LSTM(C, C, 2, bidirectional=True, seed=1),
    lambda: nn.RNN(C, C, seed=1),
    lambda: nn.TCN(C, [C, C], kernel_size=2, seed=1),
    lambda: nn.CausalConv1d(C, C, 3, dilation=2, seed=1),
    lambda: nn.Conv1d(C, C, 3, padding="same", seed=1),
    lambda: nn.Inception1d(C, C, seed=1),
    lambda: nn.MaxPool(2),
    lambda: nn.GlobalAverage(),
    lambda: nn.Highway(C, seed=1),
    lambda: nn.Residual(nn.CausalConv1d(C, C, 2, seed=1)),
)


def _layer_call(rng: random.Random) -> tuple[str, list[Any], Call, Call | None]:
    """A layer of `nn`, its own weights as they are; the reference is the layer on ordinary numbers."""
    layer = rng.choice(_LAYERS)().eval()

    def call(given: list[Any]) -> Any:
        return layer(given[0])

    return f"nn.{type(layer).__name__}", [torch.randn(B, T, C)], call, call


def _compat_call(rng: random.Random) -> tuple[str, list[Any], Call, Call | None]:
    """A layer with torch's signature; it raises torch's own errors."""
    layer = getattr(compat, rng.choice(("RNN", "LSTM", "GRU")))(C, 5, batch_first=True)
    return f"compat.{type(layer).__name__}", [torch.randn(B, T, C)], lambda given: layer(given[0]), None


_CALLS = (_scan_call, _scan_call, _conv_call, _stack_call, _loss_call, _layer_call, _compat_call)
