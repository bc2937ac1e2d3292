"""from_keras: files written here with h5py and json, against a float64 twin in NumPy."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from keras_cases import H, I, both, conv, dense, drawn, each, rnn, sequences

from oracles.keras_files import as_archive, as_hdf5, named, run
from seqloom.errors import SettingError
from seqloom.nn import Chain, carry, from_keras
from seqloom.nn.onnx_export import to_onnx

h5py = pytest.importorskip("h5py", reason="files of Keras are read by h5py: pip install '.[keras]'")

MODELS: dict[str, list[Any]] = {
    "simple": [rnn("SimpleRNN"), rnn("SimpleRNN", H, 2, activation="relu", return_sequences=False), dense(2, 1)],
    "lstm": [rnn("LSTM"), ("Dropout", {"rate": 0.2}, []), rnn("LSTM", H, 3, use_bias=False, unit_forget_bias=True)],
    "hard": [rnn("LSTM", recurrent_activation="hard_sigmoid"), rnn("GRU", H, 2, recurrent_activation="hard_sigmoid")],
    "gru before": [rnn("GRU", reset_after=False, activation="elu"), dense(H, 2, activation="softmax")],
    "gru after": [rnn("GRU", reset_after=True), rnn("GRU", H, 2, reset_after=True, return_sequences=False)],
    "gru plain": [rnn("GRU", use_bias=False)],
    "backwards": [rnn("GRU", reset_after=True, go_backwards=True), rnn("LSTM", H, 2, go_backwards=True)],
    "backwards last": [rnn("SimpleRNN", go_backwards=True, return_sequences=False)],
    "both": [both("LSTM", "concat"), ("LayerNormalization", {"axis": [2], "epsilon": 0.001}, drawn((8,), (8,)))],
    "both sum": [both("GRU", "sum", reset_after=True, return_sequences=False), dense(H, 1, activation="hard_sigmoid")],
    "both mean": [both("SimpleRNN", "ave"), each(H), ("GlobalMaxPooling1D", {"keepdims": False}, [])],
    "masking": [("Masking", {"mask_value": 0.0}, []), both("GRU", "concat"), ("GlobalAveragePooling1D", {}, [])],
    "masked lstm": [("Masking", {"mask_value": 0.0}, []), rnn("LSTM"), rnn("GRU", H, 2, return_sequences=False)],
    "causal": [conv(padding="causal", dilation_rate=[2], activation="relu"), ("SpatialDropout1D", {"rate": 0.1}, [])],
    "causal stride": [conv(padding="causal", strides=[2], activation="leaky_relu")],
    "same": [conv(taps=4, padding="same"), ("MaxPooling1D", {"pool_size": [2], "strides": [2]}, [])],
    "same stride": [conv(padding="same", strides=[3]), ("Activation", {"activation": "tanh"}, [])],
    "valid": [
        ("InputLayer", {"batch_shape": [None, 11, I]}, []),
        conv(),
        ("AveragePooling1D", {"pool_size": [3], "strides": [2]}, []),
        ("Flatten", {"data_format": "channels_last"}, []),
        dense(20, 6, activation="softplus"),
        ("RepeatVector", {"n": 3}, []),
        rnn("LSTM", 6, 2),
        ("LeakyReLU", {"alpha": 0.3}, []),
    ],
}
WORDS = [
    ("Embedding", {"input_dim": 6, "output_dim": I, "mask_zero": True}, drawn((6, I))),
    rnn("LSTM"),
    rnn("GRU", H, 2, return_sequences=False),
]
PLAIN_WORDS = [("Embedding", {"input_dim": 6, "output_dim": I, "mask_zero": False}, drawn((6, I))), *WORDS[1:2]]


def nudged(layers: list[Any], seed: int) -> list[Any]:
    """The layers with each weight moved by what float32 rounds: a run in float32 is one draw of its rounding."""
    rng = np.random.default_rng(seed)
    return [(k, o, [a * (1 + 6e-8 * rng.normal(size=a.shape)) for a in arrays]) for k, o, arrays in layers]


def close(layers: list[Any], path: Path, x: np.ndarray, version: int) -> Chain:
    """Off by no more than twice what float32 rounds in Keras's own order of operations, and eight last places."""
    model = from_keras(path)
    found = model(x).detach().numpy()
    right, rounded = run(layers, x, version), run(layers, x, version, np.float32)
    assert rounded.dtype == np.float32
    moved = [run(nudged(layers, seed), x, version) for seed in (1, 2, 3)]
    noise = max(np.abs(one - right).max() for one in (rounded, *moved))
    assert found.shape == right.shape
    assert np.abs(found - right).max() <= 2 * noise + 1e-6 * np.abs(right).max()
    return model


@pytest.mark.parametrize("name", MODELS)
def test_outputs_of_either_file(name, tmp_path):
    layers = MODELS[name]
    first = close(layers, as_archive(tmp_path / "m.keras", layers), sequences(), 3)
    second = close(layers, as_hdf5(tmp_path / "m.h5", layers), sequences(), 2)
    other = Chain(*from_keras(tmp_path / "m.keras"))
    other.load_state_dict(first.state_dict())
    assert not first.training
    assert first.notes == ()
    if "hard" not in json.dumps(named(layers)):
        assert torch.equal(first(sequences()), second(sequences()))


@pytest.mark.parametrize("layers", [WORDS, PLAIN_WORDS], ids=["masked", "plain"])
def test_words(layers, tmp_path):
    ids = np.array([[1, 5, 0, 2, 0, 0], [3, 1, 2, 4, 5, 1]])
    model = close(layers, as_hdf5(tmp_path / "m.h5", layers), ids, 2)
    if layers is PLAIN_WORDS:
        stream = model.stream(2)
        steps = [stream.step(ids[:, t : t + 1]).copy() for t in range(6)]
        np.testing.assert_allclose(np.stack(steps, 1), model(ids).detach().numpy(), atol=1e-6)
        with pytest.raises(SettingError, match="from 0 to 5"):
            stream.step([[6], [0]])
    else:
        with pytest.raises(SettingError, match="leaves out word 0"):
            model.stream()
    with pytest.raises(SettingError, match="whole numbers"):
        model(np.zeros((2, 3)))


def keras_1(layers: list[Any]) -> list[Any]:
    """The same layers in the words and arrays of Keras 1."""
    words = {"return_sequences": "return_sequences", "units": "output_dim", "recurrent_activation": "inner_activation"}
    found = []
    for kind, options, arrays in layers:
        given = {words.get(key, key): value for key, value in options.items()}
        if kind in ("LSTM", "GRU"):
            order = (0, 2, 1, 3) if kind == "LSTM" else (0, 1, 2)  # i, c, f, o
            parts = [np.split(a, len(order), axis=-1) for a in arrays]
            arrays = [part[k] for k in order for part in parts]
            given |= {"consume_less": "cpu", "dropout_W": 0.0, "W_regularizer": None, "inner_init": "orthogonal"}
        if kind == "Conv1D":
            given = {"nb_filter": 5, "filter_length": 3, "border_mode": "valid", "subsample_length": 1, "bias": True}
            kind, arrays = "Convolution1D", [arrays[0][:, None], arrays[1]]
        if kind == "Dropout":
            given = {"p": 0.2}
        found.append((kind, given, arrays))
    return found


@pytest.mark.parametrize("version", ["1.2.2", None])
def test_keras_1(version, tmp_path):
    for layers in (
        [rnn("LSTM", recurrent_activation="hard_sigmoid"), ("Dropout", {"rate": 0.2}, []), dense(H, 2)],
        [rnn("GRU", recurrent_activation="hard_sigmoid"), rnn("SimpleRNN", H, 2, return_sequences=False)],
        [conv(), ("GlobalMaxPooling1D", {}, [])],
    ):
        old = as_hdf5(tmp_path / "old.h5", keras_1(layers), version)
        close(layers, old, sequences(), 1)


def test_keras_1_with_channels_first_and_theano(tmp_path):
    kind, options, (kernel, bias) = conv()
    turned = [
        (
            "Convolution1D",
            keras_1([(kind, options, [kernel, bias])])[0][1],
            [kernel.transpose(2, 1, 0)[..., None], bias],
        )
    ]
    close([(kind, options, [kernel, bias])], as_hdf5(tmp_path / "a.h5", turned, "1.1"), sequences(), 1)
    flipped = [(kind, options, [kernel[::-1], bias])]
    close([(kind, options, [kernel, bias])], as_hdf5(tmp_path / "b.h5", flipped, "2.1.0", "theano"), sequences(), 2)


def functional(layers: list[Any], version: int, **changed: Any) -> dict[str, Any]:
    configs = [{**one, "name": one["config"]["name"]} for one in named(layers)]
    for before, one in zip([None, *configs], configs):
        told = None if before is None else [before["name"], 0, 0]
        node = {
            "args": [{"class_name": "__keras_tensor__", "config": {"keras_history": told}}],
            "kwargs": {"mask": None},
        }
        one["inbound_nodes"] = [] if told is None else [node if version == 3 else [[*told, {}]]]
    ends = {"input_layers": [[configs[0]["name"], 0, 0]], "output_layers": [[configs[-1]["name"], 0, 0]]}
    if version == 3:
        ends = {key: value[0] for key, value in ends.items()}
    order = [*configs[1:], configs[0]]  # in any order
    return {
        "class_name": "Functional" if version == 3 else "Model",
        "config": {"name": "f", "layers": order, **ends, **changed},
    }


def test_functional(tmp_path):
    layers = [("InputLayer", {"batch_shape": [None, None, I]}, []), rnn("LSTM"), rnn("LSTM", H, 2), dense(2, 1)]
    told = functional(layers, 2)
    close(layers, as_hdf5(tmp_path / "f.h5", layers, model=told), sequences(), 2)
    told = functional(layers, 3)
    told["config"]["layers"] = [told["config"]["layers"][-1], *told["config"]["layers"][:-1]]
    close(layers, as_archive(tmp_path / "f.keras", layers, model=told), sequences(), 3)
    for change, said in (
        (lambda m: m["config"]["layers"][1]["inbound_nodes"].append([]), "more than once"),
        (lambda m: m["config"]["layers"][2]["inbound_nodes"][0].append(["lstm", 0, 0, {}]), "stands beside others"),
        (lambda m: m["config"]["layers"][2]["inbound_nodes"][0][0].__setitem__(3, {"mask": "x"}), "called with 'mask'"),
        (lambda m: m["config"]["output_layers"].append(["lstm", 0, 0]), "the model has 2"),
        (lambda m: m["config"]["layers"].append(dict(m["config"]["layers"][0], name="other")), "'other' stands beside"),
    ):
        told = functional(layers, 2)
        change(told)
        with pytest.raises(SettingError, match=said):
            from_keras(as_hdf5(tmp_path / "f.h5", layers, model=told))


def test_a_model_within_a_model(tmp_path):
    layers = [rnn("LSTM"), dense(H, 2)]
    inner = {"class_name": "Sequential", "config": {"name": "sequential", "layers": named(layers)}}
    whole = {"class_name": "Sequential", "config": {"name": "outer", "layers": [inner]}}
    path = as_archive(tmp_path / "m.keras", layers)
    with zipfile.ZipFile(path) as archive:
        packed = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(packed, "a") as file:
        file.move("layers", "inside")
        file.create_group("layers").create_group("sequential")
        file.move("inside", "layers/sequential/layers")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.1"}')
        archive.writestr("config.json", json.dumps(whole))
        archive.writestr("model.weights.h5", packed.getvalue())
    close(layers, path, sequences(), 3)


@pytest.mark.parametrize("name", ["lstm", "gru after", "causal", "simple"])
def test_stream_equals_the_sequence(name, tmp_path):
    layers = [
        (kind, {**o, "return_sequences": True} if "units" in o and kind != "Dense" else o, a)
        for kind, o, a in MODELS[name]
    ]
    model, x = from_keras(as_archive(tmp_path / "m.keras", layers)), sequences()
    whole = model(x).detach().numpy()
    stream = model.stream(3)
    np.testing.assert_allclose(np.stack([stream.step(x[:, t]).copy() for t in range(11)], 1), whole, atol=2e-6)
    first, state = carry(model, torch.from_numpy(x[:, :4]))
    second, _ = carry(model, torch.from_numpy(x[:, 4:]), state)
    np.testing.assert_allclose(torch.cat([first, second], 1).detach().numpy(), whole, atol=2e-6)


def test_it_trains_and_frozen_layers_stay(tmp_path):
    layers = [rnn("LSTM", trainable=False), rnn("GRU", H, 2, dropout=0.2, kernel_regularizer={"class_name": "L2"})]
    model = from_keras(as_archive(tmp_path / "m.keras", layers)).train()
    assert "kernel_regularizer acts in training alone" in model.notes[0]
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    x = torch.from_numpy(sequences())
    for _ in range(2):
        optimizer.zero_grad()
        (model(x).square().mean() + sum(p.square().sum() for p in model.parameters())).backward()
        optimizer.step()
    changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters())]
    assert changed == [False] * 3 + [True] * 3
    stateful = from_keras(as_archive(tmp_path / "s.keras", [rnn("GRU", stateful=True)]))
    assert "starts from zeros" in stateful.notes[0]


def test_onward_to_onnx(tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the file: pip install '.[dev]'")
    layers = [conv(padding="causal", activation="relu"), rnn("LSTM", 5), dense(H, 2, activation="softmax")]
    model = from_keras(as_archive(tmp_path / "m.keras", layers))
    to_onnx(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": sequences()})[0]
    np.testing.assert_allclose(found, model(sequences()).detach().numpy(), atol=1e-6)
