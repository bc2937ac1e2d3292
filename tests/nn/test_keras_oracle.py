"""The recurrent modules, convolutions, pooling against Keras 3 on its torch backend (one file: the import is slow)."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.nn import GRU, LSTM, RNN, AveragePool, Conv1d, GlobalAverage, GlobalMax, MaxPool, from_keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

ORDER = {"RNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}  # our gates as blocks of Keras's: GRU there is z, r, n
OURS: dict[str, Any] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


@pytest.fixture(scope="module")
def layers() -> Any:
    os.environ["KERAS_BACKEND"] = "torch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("keras", reason="Keras is an oracle of these tests: pip install '.[dev]'")
        keras = importlib.import_module("keras")
    if keras.config.backend() != "torch":
        pytest.skip(f"Keras already runs on {keras.config.backend()}, not on torch")
    return keras.layers


def blocks(array: np.ndarray, name: str) -> torch.Tensor:
    parts = np.split(array, len(ORDER[name]), axis=-1)
    return torch.from_numpy(np.concatenate([parts[k] for k in ORDER[name]], axis=-1))


def load(cell: Any, weights: list[np.ndarray], name: str) -> None:
    """Keras's kernel, recurrent kernel and bias into one of our cells."""
    with torch.no_grad():
        cell.w_x.copy_(blocks(weights[0], name))
        cell.w_h.copy_(blocks(weights[1], name))
        if weights[2].ndim == 2:
            cell.bias.copy_(blocks(weights[2][0], name))
            cell.bias_h.copy_(blocks(weights[2][1], name))
        else:
            cell.bias.copy_(blocks(weights[2], name))


def shuffle(layer: Any, seed: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 0.5, w.shape).astype(np.float32) for w in layer.get_weights()]
    layer.set_weights(weights)
    return weights


def run(layer: Any, x: np.ndarray, mask: np.ndarray | None = None) -> list[np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = layer(torch.from_numpy(x), **({} if mask is None else {"mask": torch.from_numpy(mask)}))
    return [o.detach().cpu().numpy() for o in (out if isinstance(out, (list, tuple)) else [out])]


CASES = [
    ("RNN", "SimpleRNN", {}, {}),
    ("RNN", "SimpleRNN", {"activation": "softplus"}, {"activation": "softplus"}),
    ("LSTM", "LSTM", {}, {}),
    ("LSTM", "LSTM", {"recurrent_activation": "hard_sigmoid"}, {"recurrent_activation": "hard_sigmoid"}),
    ("GRU", "GRU", {"reset_after": True}, {"recurrent_bias": True}),
    ("GRU", "GRU", {"reset_after": False}, {"reset_after": False}),
    ("GRU", "GRU", {"reset_after": False, "activation": "elu"}, {"reset_after": False, "activation": "elu"}),
]


@pytest.mark.parametrize(("name", "kind", "theirs", "ours"), CASES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_layer(layers, name, kind, theirs, ours, masked, backwards):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 7, 3)).astype(np.float32)
    mask = rng.random((4, 7)) < 0.6 if masked else None
    layer = getattr(layers, kind)(5, return_sequences=True, return_state=True, go_backwards=backwards, **theirs)
    layer.build(x.shape)
    module = OURS[name](3, 5, reverse=backwards, **ours)
    load(module.cells[0], shuffle(layer), name)
    expected = run(layer, x, mask)
    y, state = module(torch.from_numpy(x), mask=None if mask is None else torch.from_numpy(mask))
    found = y.detach().numpy()
    found = found[:, ::-1] if backwards else found  # Keras leaves outputs in running order
    np.testing.assert_allclose(found, expected[0], rtol=0, atol=2e-6)
    states = state if isinstance(state, tuple) else (state,)
    for ours_last, last in zip(states, expected[1:], strict=True):
        np.testing.assert_allclose(ours_last[0].detach().numpy(), last, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "kind", "ours"), [("RNN", "SimpleRNN", {}), ("LSTM", "LSTM", {}), ("GRU", "GRU", {"recurrent_bias": True})]
)
@pytest.mark.parametrize(("theirs_merge", "merge"), [("concat", "concat"), ("sum", "sum"), ("ave", "mean")])
def test_bidirectional(layers, name, kind, ours, theirs_merge, merge):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(3, 6, 2)).astype(np.float32)
    mask = rng.random((3, 6)) < 0.7
    layer = layers.Bidirectional(getattr(layers, kind)(4, return_sequences=True), merge_mode=theirs_merge)
    layer.build(x.shape)
    weights = shuffle(layer)
    module = OURS[name](2, 4, bidirectional=True, merge=merge, **ours)
    for cell, part in zip(module.cells, (weights[:3], weights[3:]), strict=True):
        load(cell, part, name)
    y, _ = module(torch.from_numpy(x), mask=torch.from_numpy(mask))
    expected = run(layer, x, mask)[0]  # its Bidirectional writes zeros at masked steps, ours repeats the state
    np.testing.assert_allclose(y.detach().numpy()[mask], expected[mask], rtol=0, atol=2e-6)


def test_parameter_counts(layers):
    for name, kind, ours in (("RNN", "SimpleRNN", {}), ("LSTM", "LSTM", {}), ("GRU", "GRU", {"recurrent_bias": True})):
        layer = getattr(layers, kind)(12)
        layer.build((1, 1, 14))
        assert sum(p.numel() for p in OURS[name](14, 12, **ours).parameters()) == layer.count_params()


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(
    ("taps", "dilation", "stride"), [(5, 1, 1), (4, 1, 1), (3, 2, 1), (3, 1, 2), (4, 1, 3), (1, 1, 2)]
)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_convolution(layers, padding, taps, dilation, stride, activation):
    theirs = layers.Conv1D(6, taps, strides=stride, padding=padding, dilation_rate=dilation, activation=activation)
    theirs.build((None, None, 4))
    kernel, bias = shuffle(theirs)
    ours = Conv1d(4, 6, taps, padding=padding, dilation=dilation, stride=stride, activation=activation)
    ours.load_state_dict({"weight": torch.from_numpy(kernel.transpose(2, 1, 0)), "bias": torch.from_numpy(bias)})
    rng = np.random.default_rng(taps)
    for steps in (9, 10, 11):
        x = rng.normal(size=(3, steps, 4)).astype(np.float32)
        np.testing.assert_allclose(ours(torch.from_numpy(x)).detach().numpy(), run(theirs, x)[0], rtol=0, atol=3e-6)


def test_pooling(layers):
    x = np.random.default_rng(1).normal(size=(3, 11, 4)).astype(np.float32)
    for ours, theirs in (
        (MaxPool(3), layers.MaxPooling1D(3)),
        (MaxPool(3, 2), layers.MaxPooling1D(3, 2)),
        (AveragePool(4), layers.AveragePooling1D(4)),
        (GlobalMax(), layers.GlobalMaxPooling1D()),
        (GlobalAverage(), layers.GlobalAveragePooling1D()),
    ):
        np.testing.assert_allclose(ours(torch.from_numpy(x)).numpy(), run(theirs, x)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore")
def test_files_that_keras_wrote(layers, ending, tmp_path):
    """Off by no more than twice what Keras is against the float64 twin, and a few last places."""
    pytest.importorskip("h5py", reason="files of Keras are read by h5py: pip install '.[keras]'")
    keras, rng = importlib.import_module("keras"), np.random.default_rng(2)
    made = [
        [
            layers.Masking(),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3, reset_after=False),
        ],
        [
            layers.GRU(4, return_sequences=True, recurrent_activation="hard_sigmoid"),
            layers.LayerNormalization(),
            layers.Dense(2),
        ],
        [
            layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu"),
            layers.SimpleRNN(3, go_backwards=True),
        ],
        [layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.Flatten(), layers.Dense(3, activation="softmax")],
        [
            layers.TimeDistributed(layers.Dense(4, activation="gelu")),
            layers.LSTM(3, dropout=0.1),
            layers.LeakyReLU(0.2),
        ],
    ]
    for number, parts in enumerate(made):
        model = keras.Sequential([layers.Input((9, 3)), *parts])
        if number % 2:
            model = keras.Model(model.inputs, model.outputs)
        model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
        path = tmp_path / f"{number}.{ending}"
        model.save(path)
        x = rng.normal(size=(3, 9, 3)).astype(np.float32)
        x[1, 6:] = 0
        ours = from_keras(path)
        right = ours.double()(x.astype(np.float64)).detach().numpy()
        theirs, found = run(model, x)[0], ours.float()(x).detach().numpy()
        # The float64 run of ours has the same weights: what Keras differs by from it is rounding alone.
        error = np.abs(theirs - right).max()
        assert error < 2e-6
        assert np.abs(found - right).max() <= 2 * error + 5e-7
