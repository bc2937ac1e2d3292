"""`scan`: one entry for every recurrent cell. Checks the arguments, then hands them to the engine that runs them.

Backends: "native" is the compiled engine, "torch" torch's own kernels (cuDNN on a CUDA device), "fused" torch
operations over whole sequences with a hand-written gradient, "reference" the readable loop. "auto" takes the first of
them that can run the call, torch's kernels only where they are the faster choice: on CUDA, and for the LSTM of an
installation without the compiled engine. `explain` says which and why.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch
from torch import Tensor

from seqloom.errors import BackendError, SettingError, suggest
from seqloom.ops.cell import Cell, StepRandom, Weights
from seqloom.ops.operators import dense, fits, refuse_freed, refuse_frozen_draws, traced, transformed
from seqloom.ops.reference import State, reference_scan

__all__ = ["BACKENDS", "State", "check_arguments", "explain", "scan"]

BACKENDS = ("auto", "native", "torch", "fused", "reference")


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
    check_arguments(
        cell,
        x,
        state,
        weights,
        mask=mask,
        input_mask=input_mask,
        recurrent_mask=recurrent_mask,
        rng=rng,
        training=training,
    )
    keywords: dict[str, Any] = {
        "mask": mask,
        "reverse": reverse,
        "input_mask": input_mask,
        "recurrent_mask": recurrent_mask,
        "rng": rng,
        "training": training,
        "last_only": last_only,
    }
    if training and cell.random_per_step:
        refuse_frozen_draws("Zoneout and candidate dropout")
    engine, _ = _choose(cell, x, weights, backend, keywords)
    if engine != "native":  # which looks itself
        refuse_freed(x, *(state if isinstance(state, tuple) else (state,)), *(w for _, w in weights.items()))
    return _run(engine)(cell, x, state, weights, **keywords)


def explain(what: Any, x: Tensor, weights: Weights | None = None, *, backend: str = "auto", **keywords: Any) -> str:
    """Say in one sentence which engine runs a call, and why not a faster one.

    `what` is a `Cell`, with `weights` and the keywords of `scan`; or a `seqloom.nn` module, alone with its input.
    """
    if isinstance(what, Cell):
        if weights is None:
            raise SettingError("explain(cell, x, weights) needs the weights; they are None.")
        full = {
            "mask": None,
            "reverse": False,
            "input_mask": None,
            "recurrent_mask": None,
            "rng": None,
            "training": False,
        }
        engine, reasons = _choose(what, x, weights, backend, {**full, "last_only": False, **keywords})
        because = "".join(f"; not {name}: {reason}" for name, reason in reasons.items())
        return f"{what.kind} runs on the {engine} engine{because}."
    if not hasattr(what, "explain"):
        raise SettingError(f"explain needs a Cell or a seqloom.nn recurrent module, not {type(what).__name__}.")
    return what.explain(x)


def _unsupported(engine: str, cell: Cell, x: Tensor, weights: Weights, keywords: dict[str, Any]) -> str | None:
    """Return why an engine can't run the call, or None where it can."""
    if transformed():
        return "torch.func and forward-mode derivatives need plain torch operations, which the reference engine has"
    if traced() and engine != "torch":
        return "torch.jit.trace records torch's own operations"
    if engine == "native":
        from seqloom.ops import native_scan

        return native_scan.supports(cell, x, weights, **keywords)
    if engine == "torch":
        from seqloom.ops import torch_scan

        return torch_scan.supports(cell, x, weights, **keywords)
    from seqloom.ops import fused_scan

    return fused_scan.supports(cell, x, weights, **keywords)


def _choose(
    cell: Cell, x: Tensor, weights: Weights, backend: str, keywords: dict[str, Any]
) -> tuple[str, dict[str, str]]:
    """Return the engine that runs the call and, for every faster one, why it can't."""
    if backend not in BACKENDS:
        raise SettingError(
            f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}.{suggest(str(backend), BACKENDS)}"
        )
    if backend == "reference":
        return "reference", {}
    if backend != "auto":
        reason = _unsupported(backend, cell, x, weights, keywords)
        if reason is not None:
            raise BackendError(f"backend={backend!r} can't run this {cell.kind}: {reason}. Use backend='auto'.")
        return backend, {}
    reasons: dict[str, str] = {}
    for engine in ("native", "torch", "fused"):
        reason = _unsupported(engine, cell, x, weights, keywords)
        slower = x.device.type == "cpu" and cell.kind != "lstm" and not traced()
        if engine == "torch" and reason is None and slower:
            reason = "on a CPU its loop is slower than the fused one"
        if reason is None:
            return engine, reasons
        reasons[engine] = reason
    if not torch.compiler.is_compiling():  # which can log nothing
        _say_once(cell.kind, tuple(reasons.items()))
    return "reference", reasons


@cache
def _say_once(kind: str, reasons: tuple[tuple[str, str], ...]) -> None:
    """Log, once for each set of reasons, that a call falls back to the slow loop."""
    because = "; ".join(f"not {name}: {reason}" for name, reason in reasons)
    logging.getLogger("seqloom").info("%s runs on the reference engine, a loop in Python (%s).", kind, because)


def _run(engine: str) -> Any:
    """Return the scan function of an engine."""
    if engine == "reference":
        return reference_scan
    if engine == "native":
        from seqloom.ops import native_scan

        return native_scan.native_scan
    if engine == "torch":
        from seqloom.ops import torch_scan

        return torch_scan.torch_scan
    from seqloom.ops import fused_scan

    return fused_scan.fused_scan


def _shape(t: Tensor) -> str:
    return f"({', '.join(map(str, t.shape))})"


def _expect(
    name: str, value: Any, shapes: dict[str, tuple[int, ...]], like: Tensor, dtype: torch.dtype | None = None
) -> None:
    """Raise unless `value` is a tensor of one of the shapes, of the dtype (x's by default) and on x's device."""
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


def check_arguments(
    cell: Cell,
    x: Tensor,
    state: State,
    weights: Weights,
    *,
    mask: Tensor | None,
    input_mask: Tensor | None,
    recurrent_mask: Tensor | None,
    rng: StepRandom | None,
    training: bool,
) -> None:
    """Raise SettingError, naming the argument and both shapes, unless everything fits together."""
    if isinstance(x, Tensor) and (other := dense(x)) is not None:
        raise SettingError(f"x must be a dense tensor, not {other}.")
    if not isinstance(x, Tensor) or x.dim() != 3:
        got = _shape(x) if isinstance(x, Tensor) else type(x).__name__
        raise SettingError(f"x must be a tensor of shape (batch, time, inputs), not {got}.")
    if x.dtype not in (torch.float32, torch.float64):
        raise SettingError(f"x must be float32 or float64, not {x.dtype}.")
    batch, time, inputs = x.shape
    hidden, width = _check_weights(cell, x, weights)
    pair = isinstance(state, tuple)
    if cell.kind == "lstm":
        if not isinstance(state, tuple) or len(state) != 2:
            got = f"{len(state)} of them" if pair else type(state).__name__
            raise SettingError(f"state of an lstm must be the pair (h, c), not {got}.")
        _expect("state h", state[0], {"(batch, state)": (batch, width)}, x)
        _expect("state c", state[1], {"(batch, hidden)": (batch, hidden)}, x)
    else:
        _expect(f"state of the {cell.kind} cell", state, {"(batch, state)": (batch, width)}, x)
    if mask is not None:
        _expect("mask", mask, {"(batch, time)": (batch, time)}, x, torch.bool)
    gates = cell.gates
    for name, value, size in (("input_mask", input_mask, inputs), ("recurrent_mask", recurrent_mask, width)):
        if value is not None:
            _expect(name, value, {"(batch, units)": (batch, size), "(batch, gates, units)": (batch, gates, size)}, x)
    if training and cell.random_per_step and rng is None:
        raise SettingError(
            "zoneout and candidate dropout in training need rng=StepRandom(seed, call, layer); it is None."
        )


def _check_weights(cell: Cell, x: Tensor, weights: Weights) -> tuple[int, int]:
    """Check every array of the weights against the cell; return (H, S)."""
    if not isinstance(weights.w_x, Tensor) or dense(weights.w_x) is not None or weights.w_x.dim() != 2:
        raise SettingError("weights.w_x must be a dense matrix of shape (inputs, gates·hidden).")
    columns = weights.w_x.shape[1]
    if columns % cell.gates or columns == 0:
        raise SettingError(
            f"weights.w_x must have {cell.gates} equal blocks of columns ({', '.join(cell.gate_names)}), "
            f"not {columns} columns."
        )
    hidden = columns // cell.gates
    width = hidden
    if cell.kind == "jordan":
        if weights.w_out is None:
            raise SettingError("a jordan cell needs weights.w_out of shape (hidden, outputs); it is None.")
        if not isinstance(weights.w_out, Tensor) or dense(weights.w_out) is not None or weights.w_out.dim() != 2:
            raise SettingError("weights.w_out must be a dense matrix of shape (hidden, outputs).")
        width = weights.w_out.shape[-1]
    elif cell.projection is not None:
        width = cell.projection
    peepholes = 2 if cell.coupled else 3
    rules: dict[str, tuple[bool, bool, tuple[int, ...]]] = {  # name: (allowed, needed, shape)
        "w_x": (True, True, (x.shape[2], columns)),
        "w_h": (True, True, (width, columns)),
        "bias": (True, False, (columns,)),
        "bias_h": (True, False, (columns,)),
        "peephole": (cell.peephole, cell.peephole, (peepholes, hidden)),
        "gain_x": (cell.layer_norm, False, (columns,)),
        "gain_h": (cell.layer_norm, False, (columns,)),
        "gain_c": (cell.layer_norm and cell.kind == "lstm", False, (hidden,)),
        "w_p": (cell.projection is not None, cell.projection is not None, (hidden, width)),
        "w_out": (cell.kind == "jordan", cell.kind == "jordan", (hidden, width)),
        "bias_out": (cell.kind == "jordan", False, (width,)),
        "slope": (cell.activation == "prelu", cell.activation == "prelu", (hidden,)),
    }
    for name, (allowed, needed, shape) in rules.items():
        value = getattr(weights, name)
        if value is None:
            if needed:
                raise SettingError(f"this {cell.kind} cell needs weights.{name} of shape {shape}; it is None.")
            continue
        if not allowed:
            raise SettingError(f"weights.{name} is given, but the options of this {cell.kind} cell don't use it.")
        _expect(f"weights.{name}", value, {"": shape}, x)
    return hidden, width
