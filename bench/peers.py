"""The peers: each turns a case into a function that runs it once, or says why it can't."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.cases import HEADLINE, Case

__all__ = ["PEERS", "SIDES", "CannotRun", "data_for", "error_of", "our_layer", "torch_layer"]

Step = Callable[[], Any]
DROPOUT = 0.2


class CannotRun(Exception):
    """This peer has no such cell: the message says why."""


def data_for(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """x (B, T, I) and the mask (B, T) of a case, the same for every peer."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(case.batch, case.time, case.inputs)).astype(np.float32)
    lengths = rng.integers(case.time // 2, case.time + 1, case.batch)
    return x, np.arange(case.time) < lengths[:, None]


def target_for(case: Case) -> np.ndarray:
    """What a case is trained towards, (B, T, H): numbers from −.5 to .5, so that no output decays to zero."""
    return np.random.default_rng(8).uniform(-0.5, 0.5, (case.batch, case.time, case.units)).astype(np.float32)


def our_layer(case: Case) -> Any:
    """The case as a module of seqloom.nn."""
    from seqloom import nn

    options: dict[str, Any] = {
        "plain": {},
        "mask": {},
        "variational": {"input_dropout": DROPOUT, "recurrent_dropout": DROPOUT},
        "zoneout": {"zoneout": 0.1},
        "layer_norm": {"layer_norm": True},
        "coupled": {"coupled": True},
        "peephole": {"peephole": True},
    }[case.variant]
    make = {"gru": nn.GRU, "lstm": nn.LSTM, "elman": nn.RNN}[case.kind]
    return make(case.inputs, case.units, seed=1, **options)


def ours(case: Case) -> Step:
    """seqloom.nn, with the optimizer's case on seqloom.ops.mse_loss and seqloom.training.Adam."""
    import torch

    from seqloom.ops import mse_loss
    from seqloom.training import Adam

    layer = our_layer(case)
    if case.mode == "stream":
        return _stream(layer, case)
    x_array, mask_array = data_for(case)
    x, mask = torch.from_numpy(x_array), torch.from_numpy(mask_array)
    keywords = {"mask": mask} if case.variant == "mask" else {}
    step = _TorchStep(layer, lambda: layer(x, **keywords)[0], case)
    step.loss = mse_loss
    if step.optimizer is not None:
        step.optimizer = Adam(layer.parameters())
    return step


def ours_function(case: Case) -> Step:
    """The plain function seqloom.ops.scan, forward alone."""
    import torch

    from seqloom import nn
    from seqloom.ops.scan import scan

    if case.mode != "forward" or case.variant != "plain":
        raise CannotRun("the plain function is measured by its forward pass")
    make = {"gru": nn.GRU, "lstm": nn.LSTM, "elman": nn.RNN}[case.kind]
    layer = make(case.inputs, case.units, seed=1).eval()
    cell, weights = layer.cell, layer.cells[0].weights()
    x = torch.from_numpy(data_for(case)[0])
    h = torch.zeros(case.batch, case.units)
    state = (h, h.clone()) if case.kind == "lstm" else h

    def run() -> Any:
        with torch.no_grad():
            return scan(cell, x, state, weights)

    return run


def _stream(layer: Any, case: Case) -> Step:
    stream = layer.eval().stream(batch_size=1)
    x = np.ones((1, case.inputs), dtype=np.float32)
    step = stream.step

    def run() -> None:
        for _ in range(1000):
            step(x)

    return run


def torch_layer(case: Case) -> Any:
    """The case as a module of torch.nn; raises CannotRun where it has none."""
    import torch

    if case.variant not in ("plain", "mask"):
        raise CannotRun(f"torch.nn has no {case.variant}")
    make = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "elman": torch.nn.RNN}[case.kind]
    return make(case.inputs, case.units, batch_first=True)


def torch_nn(case: Case) -> Step:
    """torch.nn's own layers."""
    import torch

    layer = torch_layer(case)
    x_array, mask_array = data_for(case)
    if case.mode == "stream":
        return _torch_stream(layer, case)
    x = torch.from_numpy(x_array)
    if case.variant == "mask":
        lengths = torch.from_numpy(mask_array.sum(axis=1))
        pack, unpack = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
        return _TorchStep(
            layer,
            lambda: unpack(layer(pack(x, lengths, batch_first=True, enforce_sorted=False))[0], batch_first=True)[0],
            case,
        )
    return _TorchStep(layer, lambda: layer(x)[0], case)


def _torch_stream(layer: Any, case: Case) -> Step:
    import torch

    x = np.ones((1, 1, case.inputs), dtype=np.float32)

    def run() -> None:
        state = None
        with torch.inference_mode():
            for _ in range(1000):
                y, state = layer(torch.from_numpy(x), state)
                y.numpy()

    return run


def eager_loop(case: Case) -> Step:
    """What users write for the variants: a loop over time in torch operations."""
    if case.mode == "stream":
        raise CannotRun("a stream step of the loop is torch.nn's cell")
    import torch

    from bench.loops import EagerLoop

    layer = EagerLoop(case)
    x_array, mask_array = data_for(case)
    x, mask = torch.from_numpy(x_array), torch.from_numpy(mask_array)
    return _TorchStep(layer, lambda: layer(x, mask), case, layer_alone=False)


class _TorchStep:
    """A torch layer's step: forward alone, with the backward pass of a given gradient, or with loss and optimizer."""

    def __init__(self, layer: Any, forward: Callable[[], Any], case: Case, layer_alone: bool = True) -> None:
        import torch

        self.layer, self.forward, self.mode, self.layer_alone = layer, forward, case.mode, layer_alone
        shape = (case.batch, case.time, case.units)
        generator = torch.Generator().manual_seed(11)
        self.gradient = torch.rand(shape, generator=generator) + 0.5 if case.mode == "train" else None
        self.target = torch.from_numpy(target_for(case)) if case.mode == "fit" else None
        self.loss: Callable[[Any, Any], Any] = torch.nn.functional.mse_loss
        self.optimizer: torch.optim.Optimizer | None = None
        if case.mode == "fit":
            self.optimizer = torch.optim.Adam(layer.parameters(), fused=True)
        self.case = case
        layer.train(case.mode != "forward")

    def error(self) -> float | None:
        """See `error_of`; None where the case has random parts or no training step."""
        plain = self.case.variant == "plain" and self.mode == "train"
        return error_of(self.layer, self.case) if plain and self.layer_alone else None

    def __call__(self) -> Any:
        """One step."""
        import torch

        if self.mode == "forward":
            with torch.no_grad():
                return self.forward()
        for parameter in self.layer.parameters():
            parameter.grad = None
        output = self.forward()
        if self.optimizer is None or self.target is None:
            output.backward(self.gradient)
        else:
            self.loss(output, self.target).backward()
            self.optimizer.step()
        return output


def error_of(layer: Any, case: Case) -> float:
    """The largest error of the output and of each weight's gradient against the same layer in float64 on the CPU.

    Relative to the largest number of the array; of the first rows only, where a batch is larger.
    """
    import copy

    import torch

    def run(module: Any, values: Any) -> list[Any]:
        for parameter in module.parameters():
            parameter.grad = None
        output = module(values)[0]
        weights = torch.linspace(0.5, 1.5, output.shape[-1], dtype=output.dtype)
        (output * weights).sum().backward()
        return [output.detach().cpu(), *(p.grad.cpu() for p in module.parameters())]

    values = torch.from_numpy(data_for(case)[0][:16])
    double = run(copy.deepcopy(layer).cpu().double(), values.double())
    single = run(layer, values.to(next(layer.parameters()).device))
    return max(((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-300)).item() for a, b in zip(single, double))


def keras(case: Case) -> Step:
    """Keras 3 on the backend that KERAS_BACKEND names: train_on_batch, with its optimizer."""
    import keras as k

    if case.mode != "fit":
        raise CannotRun("Keras is measured by a whole train_on_batch")
    make = {"gru": k.layers.GRU, "lstm": k.layers.LSTM, "elman": k.layers.SimpleRNN}[case.kind]
    model = k.Sequential([k.Input((case.time, case.inputs)), make(case.units, return_sequences=True)])
    model.compile(optimizer="adam", loss="mse")
    x, _ = data_for(case)
    y = target_for(case)
    return lambda: model.train_on_batch(x, y)


def onnx(case: Case) -> Step:
    """ONNX Runtime, inference only."""
    import onnxruntime as ort

    from bench.onnx_models import recurrent_model

    if case.mode not in ("forward", "stream") or case.variant != "plain":
        raise CannotRun("ONNX Runtime has no training")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1 if case.mode == "stream" else threads_asked()
    session = ort.InferenceSession(recurrent_model(case), options, providers=["CPUExecutionProvider"])
    x = np.ascontiguousarray(data_for(case)[0].transpose(1, 0, 2))
    if case.mode == "forward":
        return lambda: session.run(None, {"x": x, **zeros(case)})

    def run() -> None:
        state = zeros(case)
        for _ in range(1000):
            result = session.run(None, {"x": x, **state})
            state = dict(zip(state, result[1:]))

    return run


def threads_asked() -> int:
    """The threads that this process was started for; 2 where it was not told."""
    return int(os.environ.get("OMP_NUM_THREADS", "2"))


def zeros(case: Case) -> dict[str, np.ndarray]:
    """Zero states for an ONNX model of `case`."""
    state = np.zeros((1, case.batch, case.units), dtype=np.float32)
    return {"h": state, "c": state} if case.kind == "lstm" else {"h": state}


def torch_compile(case: Case) -> Step:
    """The loop through torch.compile, at the headline shape: compiling a loop of 120 steps takes minutes elsewhere."""
    import torch

    if case.mode != "train" or case.variant != "plain" or (case.batch, case.time, case.inputs, case.units) != HEADLINE:
        raise CannotRun("only the headline's plain training step is compiled")
    from bench.loops import EagerLoop

    layer = EagerLoop(case)
    x_array, mask_array = data_for(case)
    x, mask = torch.from_numpy(x_array), torch.from_numpy(mask_array)
    compiled = torch.compile(layer, dynamic=False)
    return _TorchStep(layer, lambda: compiled(x, mask), case, layer_alone=False)


PEERS: dict[str, Callable[[Case], Step]] = {
    "seqloom": ours,
    "torch.nn": torch_nn,
    "torch loop": eager_loop,
    "torch.compile": torch_compile,
    "keras jax": keras,
    "keras tensorflow": keras,
    "onnxruntime": onnx,
}
"""The sides of every table of `make bench`."""
SIDES = {**PEERS, "seqloom scan": ours_function}
"""These, and what other programs of this folder measure beside them."""
