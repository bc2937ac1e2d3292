"""The peers: each turns a case into a function that runs it once, or says why it can't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.cases import Case

__all__ = ["PEERS", "CannotRun"]

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


def ours(case: Case) -> Step:
    """seqloom.nn."""
    import torch

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
    layer = make(case.inputs, case.units, seed=1, **options)
    if case.mode == "stream":
        return _stream(layer, case)
    x_array, mask_array = data_for(case)
    x, mask = torch.from_numpy(x_array), torch.from_numpy(mask_array)
    keywords = {"mask": mask} if case.variant == "mask" else {}
    return _torch_step(layer, lambda: layer(x, **keywords)[0], case)


def _stream(layer: Any, case: Case) -> Step:
    stream = layer.eval().stream(batch_size=1)
    x = np.ones((1, case.inputs), dtype=np.float32)
    step = stream.step

    def run() -> None:
        for _ in range(1000):
            step(x)

    return run


def torch_nn(case: Case) -> Step:
    """torch.nn's own layers."""
    import torch

    if case.variant not in ("plain", "mask"):
        raise CannotRun(f"torch.nn has no {case.variant}")
    make = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "elman": torch.nn.RNN}[case.kind]
    layer = make(case.inputs, case.units, batch_first=True)
    x_array, mask_array = data_for(case)
    if case.mode == "stream":
        return _torch_stream(layer, case)
    x = torch.from_numpy(x_array)
    if case.variant == "mask":
        lengths = torch.from_numpy(mask_array.sum(axis=1))
        pack, unpack = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
        return _torch_step(
            layer,
            lambda: unpack(layer(pack(x, lengths, batch_first=True, enforce_sorted=False))[0], batch_first=True)[0],
            case,
        )
    return _torch_step(layer, lambda: layer(x)[0], case)


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
    import torch

    from bench.loops import EagerLoop

    if case.mode == "stream":
        raise CannotRun("a stream step of the loop is torch.nn's cell")
    layer = EagerLoop(case)
    x_array, mask_array = data_for(case)
    x, mask = torch.from_numpy(x_array), torch.from_numpy(mask_array)
    return _torch_step(layer, lambda: layer(x, mask), case)


def _torch_step(layer: Any, forward: Callable[[], Any], case: Case) -> Step:
    import torch

    weights = torch.linspace(0.5, 1.5, case.units)
    if case.mode == "forward":
        layer.eval()

        def run_forward() -> Any:
            with torch.no_grad():
                return forward()

        return run_forward
    optimizer = torch.optim.Adam(layer.parameters()) if case.mode == "fit" else None

    def run() -> None:
        for parameter in layer.parameters():
            parameter.grad = None
        (forward() * weights).mean().backward()
        if optimizer is not None:
            optimizer.step()

    return run


def keras(case: Case) -> Step:
    """Keras 3 on the backend that KERAS_BACKEND names: train_on_batch, with its optimizer."""
    import keras as k

    if case.mode != "fit":
        raise CannotRun("Keras is measured by a whole train_on_batch")
    make = {"gru": k.layers.GRU, "lstm": k.layers.LSTM, "elman": k.layers.SimpleRNN}[case.kind]
    model = k.Sequential([k.Input((case.time, case.inputs)), make(case.units, return_sequences=True)])
    model.compile(optimizer="adam", loss="mse")
    x, _ = data_for(case)
    y = np.zeros((case.batch, case.time, case.units), dtype=np.float32)
    return lambda: model.train_on_batch(x, y)


def onnx(case: Case) -> Step:
    """ONNX Runtime, inference only."""
    import onnxruntime as ort

    from bench.onnx_models import recurrent_model

    if case.mode not in ("forward", "stream") or case.variant != "plain":
        raise CannotRun("ONNX Runtime has no training")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1 if case.mode == "stream" else 2
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


def zeros(case: Case) -> dict[str, np.ndarray]:
    """Zero states for an ONNX model of `case`."""
    state = np.zeros((1, case.batch, case.units), dtype=np.float32)
    return {"h": state, "c": state} if case.kind == "lstm" else {"h": state}


PEERS: dict[str, Callable[[Case], Step]] = {
    "seqloom": ours,
    "torch.nn": torch_nn,
    "torch loop": eager_loop,
    "keras jax": keras,
    "keras tensorflow": keras,
    "onnxruntime": onnx,
}
