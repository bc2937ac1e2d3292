"""`scan`: one entry for every recurrent cell. Checks the arguments, then hands them to the engine that runs them.

Backends: "native" is the compiled engine, "torch" torch's own kernels (cuDNN on a CUDA device), "fused" torch
operations over whole sequences with a hand-written gradient, "reference" the readable loop. "auto" takes the first of
them that can run the call, torch's kernels only where they are the faster choice: on CUDA, and for the LSTM of an
installation without the compiled engine. `explain` says which and why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from seqloom.ops import fused_scan, native_scan, ready_scan, reference, torch_scan
from seqloom.ops.call import Call, State
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.operators import dense, fits, refuse_freed, refuse_frozen_draws, traced, transformed
from seqloom_runtime.errors import BackendError, SettingError, suggest

__all__ = ["BACKENDS", "ENGINES", "Engine", "State", "check_call", "explain", "scan"]


@dataclass(frozen=True)
class Engine:
    """One way to run a call.

    kinds: the cells that it has, as the engine's own module names them; None for every one of `ops.kinds.KINDS`.
    refuses: why it can't run a call of such a cell, or None where it can. run: runs it; (output, final state).
    """

    kinds: Collection[str] | None
    refuses: Callable[[Call], str | None]
    run: Callable[[Call], tuple[Tensor, State]]


# From the fastest to the one that runs everything. An engine looks up each kind in a table of its own, so that one
# that it doesn't have is refused by name and never runs as another.
ENGINES: Mapping[str, Engine] = {
    "native": Engine(native_scan.CODES, native_scan.refuses, native_scan.run),
    "torch": Engine(torch_scan.ACTIVATIONS, torch_scan.refuses, torch_scan.run),
    "fused": Engine(fused_scan.FORWARD, fused_scan.refuses, fused_scan.run),
    "reference": Engine(None, lambda call: None, reference.run),
}
BACKENDS = ("auto", *ENGINES)


def scan(
    cell: Cell,
    x: Tensor,
    state: State,
    weights: Weights,
    *,
    mask: Tensor | None = None,
    reverse: bool = False,
    input_mask: Tensor | None = None,
    recurrent_mask: Tensor | None = None,
    rng: StepRandom | None = None,
    training: bool = False,
    last_only: bool = False,
    backend: str = "auto",
) -> tuple[Tensor, State]:
    """Run a recurrent cell over a batch of sequences.

    x: (B batch, T time, I inputs), float32, or float64 on the reference path.
    state: h (B, S), for the LSTM the pair h (B, S), c (B, H). S is H, with projection and for the Jordan cell P.
    weights: see `Weights`.
    mask: (B, T) bool, any pattern; at a step that is False the state passes through unchanged, the output repeats it,
        and the input there is ignored, NaN included.
    reverse: run from the last step to the first; the output of step t stays at index t.
    input_mask: d_x, (B, I), or (B, G, I) with one for each gate. recurrent_mask: d_h, (B, S) or (B, G, S).
    rng: key of the per-step draws; needed where training meets zoneout or candidate dropout.
    training: draw zoneout and candidate dropout; otherwise their means are used.
    last_only: return only the output after the last step that ran, of shape (B, S).
    backend: "auto", "native", "torch", "fused" or "reference".

    Returns y of shape (B, T, S), or (B, S) with last_only, and the final state, shaped as `state`. T, B of 0 are
    allowed. Raises SettingError where an argument has the wrong kind, rank, size, dtype or device, BackendError where
    the named backend can't run the call.

    >>> weights = Weights(w_x=torch.tensor([[2.0, 0.0], [-1.0, 0.5]]), w_h=torch.tensor([[1.5, -2.0], [0.0, 1.0]]))
    >>> y, h = scan(Cell("elman"), torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0.0, 1.0]]), weights)
    >>> [round(v, 3) for v in h[0].tolist()]
    [0.964, 0.762]
    """
    plain = mask is None and input_mask is None and recurrent_mask is None and backend in ("auto", "native")
    short = plain and ready_scan.at_hand()
    if short and (found := ready_scan.run(cell, x, state, weights, reverse, last_only)) is not None:
        return found
    call = Call(cell, x, state, weights, mask, reverse, input_mask, recurrent_mask, rng, training, last_only)
    check_call(call)
    if training and cell.random_per_step:
        refuse_frozen_draws("Zoneout and candidate dropout")
    name, _ = _choose(call, backend)
    if name != "native":  # which looks itself
        refuse_freed(x, *(state if isinstance(state, tuple) else (state,)), *(w for _, w in weights.items()))
    result = ENGINES[name].run(call)
    if short and name == "native":
        ready_scan.remember(call)
    return result


def explain(what: Any, x: Tensor, weights: Weights | None = None, *, backend: str = "auto", **keywords: Any) -> str:
    """Say in one sentence which engine runs a call, and why not a faster one.

    `what` is a `Cell`, with `weights` and the keywords of `scan`; or a `seqloom.nn` module, alone with its input.
    """
    if isinstance(what, Cell):
        if weights is None:
            raise SettingError("explain(cell, x, weights) needs the weights; they are None.")
        call = Call(what, x, x, weights, **keywords)  # no engine asks what the state holds
        engine, reasons = _choose(call, backend)
        because = "".join(f"; not {name}: {reason}" for name, reason in reasons.items())
        return f"{what.kind} runs on the {engine} engine{because}."
    if not hasattr(what, "explain"):
        raise SettingError(f"explain needs a Cell or a seqloom.nn recurrent module, not {type(what).__name__}.")
    return what.explain(x)


def _refusal(name: str, call: Call) -> str | None:
    """Return why an engine can't run the call, or None where it can."""
    engine = ENGINES[name]
    if transformed():
        return "torch.func and forward-mode derivatives need plain torch operations, which the reference engine has"
    # torch's own kernels are operations of torch, so a graph can hold them.
    if traced() and name != "torch":
        return "torch.jit.trace records torch's own operations"
    if engine.kinds is not None and call.cell.kind not in engine.kinds:
        return f"it has no {call.cell.kind} cell"
    return engine.refuses(call)


def _choose(call: Call, backend: str) -> tuple[str, dict[str, str]]:
    """Return the engine that runs the call and, for every faster one, why it can't."""
    if backend not in BACKENDS:
        raise SettingError(
            f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}.{suggest(str(backend), BACKENDS)}"
        )
    # It runs everything, also what transforms and traces ask for, so there is nothing to refuse.
    if backend == "reference":
        return "reference", {}
    kind = call.cell.kind
    if backend != "auto":
        reason = _refusal(backend, call)
        if reason is not None:
            raise BackendError(f"backend={backend!r} can't run this {kind}: {reason}. Use backend='auto'.")
        return backend, {}
    reasons: dict[str, str] = {}
    for name in ENGINES:  # the reference, which runs everything, is the last
        if name == "reference":
            break
        reason = _refusal(name, call)
        # The exception: torch's LSTM on a CPU is written in C++ (oneDNN), its other cells are a loop over operations.
        # A trace is the exception to the exception: the alternative is a graph of unrolled steps.
        slower = call.x.device.type == "cpu" and kind != "lstm" and not traced()
        if name == "torch" and reason is None and slower:
            reason = "on a CPU its loop is slower than the fused one"
        if reason is None:
            return name, reasons
        reasons[name] = reason
    if not torch.compiler.is_compiling():  # which can log nothing
        _say_once(kind, tuple(reasons.items()))
    return "reference", reasons


@cache
def _say_once(kind: str, reasons: tuple[tuple[str, str], ...]) -> None:
    """Log, once for each set of reasons, that a call falls back to the slow loop."""
    because = "; ".join(f"not {name}: {reason}" for name, reason in reasons)
    logging.getLogger("seqloom").info("%s runs on the reference engine, a loop in Python (%s).", kind, because)


def _shape(t: Tensor) -> str:
    return f"({', '.join(map(str, t.shape))})"


def _expect(
    name: str, value: Any, shapes: dict[str, tuple[int, ...]], like: Tensor, dtype: torch.dtype | None = None
) -> None:
    """Raise unless `value` is a tensor of one of the shapes, of the dtype (x's by default) and on x's device."""
    # Nearly every call ends here; what follows only finds the words for what is wrong.
    if fits(value, shapes.values(), dtype or like.dtype, like.device):
        return
    if not isinstance(value, Tensor):
        raise SettingError(f"{name} must be a torch tensor, not {type(value).__name__}.")
    if (other := dense(value)) is not None:
        raise SettingError(f"{name} must be a dense tensor, not {other}.")
    if tuple(value.shape) not in shapes.values():
        wanted = " or ".join(
            f"{axes + ' = ' if axes else ''}({', '.join(map(str, shape))})" for axes, shape in shapes.items()
        )
        raise SettingError(f"{name} must have shape {wanted}, not {_shape(value)}.")
    if value.dtype != (dtype or like.dtype):
        raise SettingError(f"{name} must be {dtype or like.dtype}{'' if dtype else ' like x'}, not {value.dtype}.")
    if value.device != like.device:
        raise SettingError(f"{name} must be on {like.device} like x, not on {value.device}.")


def check_call(call: Call) -> None:
    """Raise SettingError, naming the argument and both shapes, unless everything fits together."""
    cell, x, state, mask = call.cell, call.x, call.state, call.mask
    if isinstance(x, Tensor) and (other := dense(x)) is not None:
        raise SettingError(f"x must be a dense tensor, not {other}.")
    if not isinstance(x, Tensor) or x.dim() != 3:
        got = _shape(x) if isinstance(x, Tensor) else type(x).__name__
        raise SettingError(f"x must be a tensor of shape (batch, time, inputs), not {got}.")
    if x.dtype not in (torch.float32, torch.float64):
        raise SettingError(f"x must be float32 or float64, not {x.dtype}.")
    batch, time, inputs = x.shape
    hidden, width = _check_weights(cell, x, call.weights)
    if cell.pair:
        if not isinstance(state, tuple) or len(state) != 2:
            got = f"{len(state)} of them" if isinstance(state, tuple) else type(state).__name__
            raise SettingError(f"state of an {cell.kind} must be the pair (h, c), not {got}.")
        _expect("state h", state[0], {"(batch, state)": (batch, width)}, x)
        _expect("state c", state[1], {"(batch, hidden)": (batch, hidden)}, x)
    else:
        _expect(f"state of the {cell.kind} cell", state, {"(batch, state)": (batch, width)}, x)
    if mask is not None:
        _expect("mask", mask, {"(batch, time)": (batch, time)}, x, torch.bool)
    gates = cell.gates
    masks = (("input_mask", call.input_mask, inputs), ("recurrent_mask", call.recurrent_mask, width))
    for name, value, size in masks:
        if value is not None:
            _expect(name, value, {"(batch, units)": (batch, size), "(batch, gates, units)": (batch, gates, size)}, x)
    if call.training and cell.random_per_step and call.rng is None:
        raise SettingError(
            "zoneout and candidate dropout in training need rng=StepRandom(seed, call, layer); it is None."
        )


def _check_weights(cell: Cell, x: Tensor, weights: Weights) -> tuple[int, int]:
    """Check every array of the weights against the cell; return (H, S)."""
    if not isinstance(weights.w_x, Tensor) or dense(weights.w_x) is not None or weights.w_x.dim() != 2:
        raise SettingError("weights.w_x must be a dense matrix of shape (inputs, gates·hidden).")
    columns = weights.w_x.shape[1]
    # Before the sizes: H itself is read off the columns.
    if columns % cell.gates or columns == 0:
        raise SettingError(
            f"weights.w_x must have {cell.gates} equal blocks of columns ({', '.join(cell.gate_names)}), "
            f"not {columns} columns."
        )
    hidden = columns // cell.gates
    width = hidden
    if cell.feeds_back:
        if weights.w_out is None:
            raise SettingError(f"a {cell.kind} cell needs weights.w_out of shape (hidden, outputs); it is None.")
        if not isinstance(weights.w_out, Tensor) or dense(weights.w_out) is not None or weights.w_out.dim() != 2:
            raise SettingError("weights.w_out must be a dense matrix of shape (hidden, outputs).")
        width = weights.w_out.shape[-1]
    elif cell.projection is not None:
        width = cell.projection
    # Coupled: no gate i, so none of its peephole.
    peepholes = 2 if cell.coupled else 3
    rules: dict[str, tuple[bool, bool, tuple[int, ...]]] = {  # name: (allowed, needed, shape)
        "w_x": (True, True, (x.shape[2], columns)),
        "w_h": (True, True, (width, columns)),
        "bias": (True, False, (columns,)),
        "bias_h": (True, False, (columns,)),
        "peephole": (cell.peephole, cell.peephole, (peepholes, hidden)),
        "gain_x": (cell.layer_norm, False, (columns,)),
        "gain_h": (cell.layer_norm, False, (columns,)),
        "gain_c": (cell.layer_norm and cell.pair, False, (hidden,)),
        "w_p": (cell.projection is not None, cell.projection is not None, (hidden, width)),
        "w_out": (cell.feeds_back, cell.feeds_back, (hidden, width)),
        "bias_out": (cell.feeds_back, False, (width,)),
        "slope": (cell.activation == "prelu", cell.activation == "prelu", (hidden,)),
    }
    for name, (allowed, needed, shape) in rules.items():
        value = getattr(weights, name)
        if value is None:
            if needed:
                raise SettingError(f"this {cell.kind} cell needs weights.{name} of shape {shape}; it is None.")
            continue
        # An array that nothing reads is a mistake of the caller's, such as a peephole without the option.
        if not allowed:
            raise SettingError(f"weights.{name} is given, but the options of this {cell.kind} cell don't use it.")
        _expect(f"weights.{name}", value, {"": shape}, x)
    return hidden, width
