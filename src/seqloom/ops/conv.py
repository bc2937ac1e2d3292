"""`causal_conv`: dilated causal convolution on (B, T, C), with what follows it fused; `conv1d`: the ordinary paddings.

Both check their arguments, then hand them to an engine. Backends: "native" is the compiled engine, "torch" torch's
Conv1d with the rest in torch operations, "reference" the readable sum over taps. "auto" takes the compiled engine where
it can run the call, torch's otherwise; `explain` says which and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seqloom.ops import conv_reference, native_conv
from seqloom.ops.activations import Activation, activation_function, check_activation
from seqloom.ops.call import ConvCall
from seqloom.ops.cell import StepRandom
from seqloom.ops.operators import dense, fits, refuse_freed, refuse_frozen_draws, traced, transformed
from seqloom_runtime.errors import BackendError, SettingError, suggest

__all__ = [
    "CONV_BACKENDS",
    "ENGINES",
    "PADDINGS",
    "ConvEngine",
    "causal_conv",
    "check_backend",
    "check_call",
    "conv1d",
    "expect",
    "explain",
]


def _native_refuses(call: ConvCall) -> str | None:
    """Why the compiled engine can't run a call, or None where it can."""
    if transformed():
        return "torch.func and forward-mode derivatives need plain torch operations"
    if traced():
        return "torch.jit.trace records torch's own operations"
    return native_conv.refuses(call)


class ConvEngine(NamedTuple):
    """One way to run a call: why it can't, or None where it can; and what runs it."""

    refuses: Callable[[ConvCall], str | None]
    run: Callable[[ConvCall], Tensor]


# The fastest first; both of torch's run everything, and the readable one only where it is asked for.
ENGINES: Mapping[str, ConvEngine] = {
    "native": ConvEngine(_native_refuses, native_conv.run),
    "torch": ConvEngine(lambda call: None, conv_reference.run_torch),
    "reference": ConvEngine(lambda call: None, conv_reference.run),
}
CONV_BACKENDS = ("auto", *ENGINES)
PADDINGS = ("valid", "same", "full", "causal")
_LARGEST = 2**31 - 1  # rows, channels, and rows that a kernel looks back


def causal_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    dilation: int = 1,
    activation: Activation = "identity",
    residual: Tensor | None = None,
    final_activation: Activation = "identity",
    dropout: float = 0.0,
    rng: StepRandom | None = None,
    training: bool = False,
    context: Tensor | None = None,
    backend: str = "auto",
) -> Tensor:
    """Convolve over time, looking back only: y = ψ(D(φ(a)) + residual), a_t = b + Σ_k x_{t−(K−1−k)·d} W_k.

    x: (B batch, T time, C_in channels), float32, or float64 on the other engines. Rows before x are zero, or `context`.
    weight: (C_out, C_in, K), as torch's Conv1d lays it out: the last tap is the present. bias: (C_out) or None.
    dilation: d, rows between taps. activation, final_activation: φ and ψ, names of `ops.activations` or callables.
    residual: (B, T, C_out). dropout: probability that a number of φ(a) is dropped (the kept ones are divided by 1 − p);
    drawn only with `training`, from `rng`: the number of row b, step t, channel c is its own, whatever B, T and C.
    context: (B, (K−1)·d, C_in), the rows that came before x: a sequence cut in pieces gives the whole one's result.
    backend: "auto", "native", "torch" or "reference".

    Returns (B, T, C_out). B and T may be 0, K·d longer than T. Raises SettingError where an argument has the wrong
    kind, shape, dtype or device, BackendError where the named backend can't run the call.

    >>> x = torch.tensor([[[1.0], [2.0], [4.0], [8.0]]])
    >>> causal_conv(x, torch.tensor([[[10.0, 1.0]]]), dilation=2)[0, :, 0]
    tensor([ 1.,  2., 14., 28.])
    """
    call = ConvCall(x, weight, bias, dilation, activation, residual, final_activation, dropout, rng, context)
    # 0 outside training from here on, so that no engine has to ask which it is.
    call = call._replace(dropout=check_call(call, training))
    name, _ = _choose(call, backend)
    if name != "native":  # which looks itself
        refuse_freed(x, weight, bias, residual, context)
    return ENGINES[name].run(call)


def explain(x: Tensor, weight: Tensor, *, backend: str = "auto", **keywords: Any) -> str:
    """Say in one sentence which engine runs a `causal_conv` with these arguments, and why not a faster one.

    >>> explain(torch.zeros(1, 4, 3), torch.zeros(2, 3, 5), backend="reference")
    'causal_conv runs on the reference engine.'
    """
    engine, reasons = _choose(ConvCall(x, weight, **keywords), backend)
    because = "".join(f"; not {name}: {reason}" for name, reason in reasons.items())
    return f"causal_conv runs on the {engine} engine{because}."


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: str = "valid",
    stride: int = 1,
    dilation: int = 1,
    activation: Activation = "identity",
    backend: str = "auto",
) -> Tensor:
    """Convolve (cross-correlate) over time with an ordinary padding: φ(b + Σ_k x_{t·stride+k·d−p} W_k).

    x: (B, T, C_in); weight: (C_out, C_in, K); bias: (C_out) or None. padding, with S = (K−1)·d + 1 rows under a kernel:
    "valid": none, ⌊(T−S)/stride⌋+1 rows out; "same": ⌈T/stride⌉ rows out, half of the zeros on either side (the odd one
    behind), as Keras has it; "full": S−1 zeros on both sides; "causal": S−1 zeros in front.
    backend: as for `causal_conv`; a stride above 1 runs on torch's engine.

    Returns (B, T', C_out), no row where x has none. Raises as `causal_conv`, and SettingError where "valid" leaves no
    row.

    >>> conv1d(torch.ones(1, 3, 1), torch.ones(1, 1, 2), padding="full")[0, :, 0]
    tensor([1., 2., 2., 1.])
    """
    if padding not in PADDINGS:
        near = suggest(str(padding), PADDINGS)
        raise SettingError(f"padding must be one of {', '.join(PADDINGS)}, not {padding!r}.{near}")
    _whole("stride", stride)
    check_call(ConvCall(x, weight, bias, dilation, activation))
    span = (weight.shape[2] - 1) * dilation
    time = x.shape[1]
    if padding == "valid" and time <= span:
        raise SettingError(
            f"a kernel that spans {span + 1} rows (kernel size {weight.shape[2]}, dilation {dilation}) doesn't fit "
            f"into the {time} rows of x without padding. Use padding='same' or 'causal', or a shorter kernel."
        )
    if traced() and padding == "same" and span + 1 < stride:
        raise BackendError(
            f"padding='same' with a stride of {stride} over {span + 1} rows of a kernel can't be traced: it would "
            "keep the zeros of this length for every other. Use torch.export."
        )
    total = max((-(-time // stride) - 1) * stride + span + 1 - time, 0)  # zeros of "same"
    left = {"valid": 0, "same": total // 2, "full": span, "causal": span}[padding]
    right = {"valid": 0, "same": total - total // 2, "full": span, "causal": 0}[padding]
    # A name that can't be met raises, it never falls back in silence.
    if backend == "native" and stride > 1:
        raise BackendError(f"backend='native' can't run stride={stride}: it has stride 1 only. Use backend='auto'.")
    if stride > 1 or 0 in x.shape:
        return _strided(x, weight, bias, left, right, stride, dilation, activation)
    # No copy of x: the engines put the zeros in front themselves.
    if padding == "causal":
        return causal_conv(x, weight, bias, dilation=dilation, activation=activation, backend=backend)
    refuse_freed(x)
    # Output row t is the causal one of row t + span − left: rows before that are its context.
    padded = functional.pad(x, (0, 0, left, right))
    context, rows = padded[:, :span], padded[:, span:]
    return causal_conv(rows, weight, bias, dilation=dilation, activation=activation, context=context, backend=backend)


def _strided(
    x: Tensor, weight: Tensor, bias: Tensor | None, left: int, right: int, stride: int, dilation: int, phi: Activation
) -> Tensor:
    """torch's convolution over x with `left` and `right` rows of zeros."""
    if 0 in x.shape:
        span = (weight.shape[2] - 1) * dilation
        rows = (x.shape[1] + left + right - span - 1) // stride + 1 if x.shape[1] else 0
        # torch refuses some empty inputs. The sums tie x, weight and bias to the result: gradients of zeros, not None.
        a = (
            x.new_zeros(x.shape[0], rows, weight.shape[0])
            + 0 * weight.sum()
            + 0 * x.sum()
            + (0 if bias is None else bias)
        )
    else:
        padded = functional.pad(x.transpose(1, 2), (left, right))
        a = functional.conv1d(padded, weight, bias, stride=stride, dilation=dilation).transpose(1, 2)
    # Transposed back it is a view with time last; every engine returns rows of channels, which .view can take.
    return activation_function(phi)(a).contiguous()


def check_backend(backend: str) -> str:
    """Return the name of what runs a convolution; raises SettingError for one that isn't known."""
    if backend not in CONV_BACKENDS:
        near = suggest(str(backend), CONV_BACKENDS)
        raise SettingError(f"backend must be one of {', '.join(CONV_BACKENDS)}, not {backend!r}.{near}")
    return backend


def _choose(call: ConvCall, backend: str) -> tuple[str, dict[str, str]]:
    """The engine that runs a call, and why not the ones before it."""
    check_backend(backend)
    reasons: dict[str, str] = {}
    for name in ENGINES if backend == "auto" else (backend,):
        reason = ENGINES[name].refuses(call)
        if reason is None:
            return name, reasons
        reasons[name] = reason
    raise BackendError(f"backend={backend!r} can't run this causal_conv: {reasons[backend]}. Use backend='auto'.")


def _shape(t: Any) -> str:
    return f"({', '.join(map(str, t.shape))})" if isinstance(t, Tensor) else type(t).__name__


def _whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
        raise SettingError(f"{name} must be a whole number, 1 or more and below 2^31, not {value!r}.")


def expect(name: str, value: Any, axes: str, shape: tuple[int, ...], x: Tensor) -> None:
    """Raise unless `value` is a dense tensor of this shape, with x's dtype and device."""
    # Nearly every call ends here; what follows only finds the words for what is wrong.
    if fits(value, (shape,), x.dtype, x.device):
        return
    if not isinstance(value, Tensor):
        raise SettingError(f"{name} must be a torch tensor, not {type(value).__name__}.")
    if (other := dense(value)) is not None:
        raise SettingError(f"{name} must be a dense tensor, not {other}.")
    if tuple(value.shape) != shape:
        raise SettingError(f"{name} must have shape {axes} = ({', '.join(map(str, shape))}), not {_shape(value)}.")
    if value.dtype != x.dtype:
        raise SettingError(f"{name} must be {x.dtype} like x, not {value.dtype}.")
    if value.device != x.device:
        raise SettingError(f"{name} must be on {x.device} like x, not on {value.device}.")


def check_call(call: ConvCall, training: bool = False) -> float:
    """Raise SettingError unless everything fits together; return the dropout that is drawn."""
    x, weight, bias, residual, context = call.x, call.weight, call.bias, call.residual, call.context
    dilation, dropout = call.dilation, call.dropout
    if isinstance(x, Tensor) and (other := dense(x)) is not None:
        raise SettingError(f"x must be a dense tensor, not {other}.")
    if not isinstance(x, Tensor) or x.dim() != 3:
        raise SettingError(f"x must be a tensor of shape (batch, time, channels), not {_shape(x)}.")
    if x.dtype not in (torch.float32, torch.float64):
        raise SettingError(f"x must be float32 or float64, not {x.dtype}.")
    if isinstance(weight, Tensor) and (other := dense(weight)) is not None:
        raise SettingError(f"weight must be a dense tensor, not {other}.")
    if not isinstance(weight, Tensor) or weight.dim() != 3 or 0 in weight.shape:
        raise SettingError(
            f"weight must be a tensor of shape (channels out, channels in, kernel size), all 1 or more, "
            f"not {_shape(weight)}."
        )
    channels_out, channels_in, taps = weight.shape
    if x.shape[2] != channels_in:
        raise SettingError(_channels(x, channels_in))
    _whole("dilation", dilation)
    span = (taps - 1) * dilation
    if any(size > _LARGEST for size in (*x.shape, *weight.shape, span)):  # max would tie sizes that torch.export frees
        raise SettingError(
            f"sizes must stay below 2^31: x is {_shape(x)}, weight {_shape(weight)}, the kernel looks back {span} rows."
        )
    expect("weight", weight, "(channels out, channels in, kernel size)", tuple(weight.shape), x)
    if bias is not None:
        expect("bias", bias, "(channels out)", (channels_out,), x)
    if residual is not None:
        expect("residual", residual, "(batch, time, channels out)", (x.shape[0], x.shape[1], channels_out), x)
    if context is not None:
        axes = "(batch, (kernel size - 1)·dilation, channels in)"
        expect("context", context, axes, (x.shape[0], span, channels_in), x)
    check_activation(call.activation, "activation")
    check_activation(call.final_activation, "final_activation")
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0.0 <= dropout < 1.0:
        raise SettingError(f"dropout is a probability: at least 0 and below 1, not {dropout!r}.")
    # rng may be missing where nothing is drawn.
    if not training or not dropout:
        return 0.0
    refuse_frozen_draws("Dropout")
    if not isinstance(call.rng, StepRandom):
        raise SettingError(f"dropout in training needs rng=StepRandom(seed, call, layer), not {call.rng!r}.")
    return float(dropout)


def _channels(x: Tensor, channels_in: int) -> str:
    """What is wrong with the channels of x, and what to do."""
    text = f"x is (batch, time, channels) = {_shape(x)}, but weight takes {channels_in} channels, not {x.shape[2]}"
    if x.shape[1] == channels_in:
        return f"{text}. x seems to be channel-first (batch, channels, time): pass x.transpose(1, 2)."
    if x.shape[2] % channels_in == 0:
        return f"{text}. Groups are not supported: call it on each group of channels and join the results."
    return f"{text}."
