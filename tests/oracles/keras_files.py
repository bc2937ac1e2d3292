"""Files as Keras writes them, by h5py and json alone, and what the layers in them compute, in NumPy. Knows nothing of
seqloom, and needs no Keras.

A layer is (class, options, arrays); the functions take its arrays as they stand in the file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from oracles.numpy_recurrent import FUNCTIONS

GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
Layer = tuple[str, dict[str, Any], list[np.ndarray]]


def named(layers: list[Layer]) -> list[dict[str, Any]]:
    """The layers as JSON, named as Keras names them."""
    seen: Counter[str] = Counter()
    found = []
    for kind, options, _ in layers:
        snake = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()
        name = snake + (f"_{seen[snake]}" if seen[snake] else "")
        seen[snake] += 1
        found.append({"class_name": kind, "config": {"name": name, "trainable": True, **options}})
    return found


def paths(kind: str, arrays: list[np.ndarray]) -> list[tuple[str, list[np.ndarray]]]:
    """The groups of a `.keras` file that hold a layer's arrays."""
    if kind in GATES:
        return [("cell/vars", arrays)]
    if kind == "Bidirectional":
        half = len(arrays) // 2
        return [("forward_layer/cell/vars", arrays[:half]), ("backward_layer/cell/vars", arrays[half:])]
    return [("layer/vars" if kind == "TimeDistributed" else "vars", arrays)]


def as_archive(path: Path, layers: list[Layer], version: str = "3.8.0", model: Any = None) -> Path:
    """Write a `.keras` file."""
    import h5py

    packed = io.BytesIO()
    configs = named(layers)
    with h5py.File(packed, "w") as file:
        for config, (kind, _, arrays) in zip(configs, layers, strict=True):
            for where, some in paths(kind, arrays):
                group = file.create_group(f"layers/{config['config']['name']}/{where}")
                for k, array in enumerate(some):
                    group[str(k)] = array
    model = model or {"class_name": "Sequential", "config": {"name": "sequential", "layers": configs}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("model.weights.h5", packed.getvalue())
    return path


def as_hdf5(
    path: Path, layers: list[Layer], version: str | None = "2.15.0", backend: str = "", model: Any = None
) -> Path:
    """Write an HDF5 model of Keras 1, 2 or 3."""
    import h5py

    configs = named(layers)
    bare = version is None or version.startswith("1")
    model = model or {"class_name": "Sequential", "config": configs if bare else {"name": "m", "layers": configs}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model).encode()
        if version is not None:
            file.attrs["keras_version"] = version.encode()
        if backend:
            file.attrs["backend"] = backend.encode()
        top = file.create_group("model_weights")
        names = [config["config"]["name"] for config in configs]
        top.attrs["layer_names"] = [name.encode() for name in names]
        for name, (_, _, arrays) in zip(names, layers, strict=True):
            group = top.create_group(name)
            told = [f"{name}/array_{k}:0" for k in range(len(arrays))]
            group.attrs["weight_names"] = [one.encode() for one in told]
            for one, array in zip(told, arrays, strict=True):
                group[one] = array
    return path


def function(name: str | None, version: int):
    """An activation function of Keras."""
    known = {
        **FUNCTIONS,
        None: lambda a: a,
        "linear": lambda a: a,
        "hard_sigmoid": FUNCTIONS["hard_sigmoid" if version == 3 else "hard_sigmoid_02"],
        "softmax": lambda a: (e := np.exp(a - a.max(-1, keepdims=True))) / e.sum(-1, keepdims=True),
        "leaky_relu": lambda a: np.where(a > 0, a, a.dtype.type(0.2) * a),
    }
    return known[name]


def recurrent(kind: str, options: dict[str, Any], arrays: list[np.ndarray], x, mask, version: int):
    """(B, T, I) → (B, T, H) in the order in which the steps ran, with the state repeated where a step doesn't count."""
    phi = function(options.get("activation", "tanh"), version)
    sigma = function(options.get("recurrent_activation", "sigmoid"), version)
    kernel, inner = arrays[0], arrays[1]
    units, biased = inner.shape[0], options.get("use_bias", True)
    bias = arrays[2] if biased else np.zeros(kernel.shape[1], kernel.dtype)
    h = np.zeros((x.shape[0], units), x.dtype)
    c, outputs = h, []
    steps = range(x.shape[1])
    for t in reversed(steps) if options.get("go_backwards") else steps:
        if kind == "SimpleRNN":
            new = phi(x[:, t] @ kernel + h @ inner + bias)
        elif kind == "LSTM":
            i, f, g, o = np.split(x[:, t] @ kernel + h @ inner + bias, 4, axis=1)
            after = sigma(f) * c + sigma(i) * phi(g)
            new = sigma(o) * phi(after)
            c = after if mask is None else np.where(mask[:, t, None], after, c)
        else:
            after = options.get("reset_after", False)
            own, other = (bias if biased else (bias, bias)) if after else (bias, np.zeros_like(bias))
            a_z, a_r, a_n = np.split(x[:, t] @ kernel + own, 3, axis=1)
            u_z, u_r, u_n = np.split(h @ inner + other, 3, axis=1)
            z, r = sigma(a_z + u_z), sigma(a_r + u_r)
            n = phi(a_n + (r * u_n if after else (r * h) @ inner[:, 2 * units :]))
            new = z * h + (1 - z) * n
        h = new if mask is None else np.where(mask[:, t, None], new, h)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def convolved(options: dict[str, Any], arrays: list[np.ndarray], x, version: int):
    taps, stride, step = arrays[0].shape[0], options.get("strides", [1])[0], options.get("dilation_rate", [1])[0]
    reach, padding = (taps - 1) * step, options.get("padding", "valid")
    total = reach if padding == "causal" else 0
    before = total
    if padding == "same":
        total = max((-(-x.shape[1] // stride) - 1) * stride + reach + 1 - x.shape[1], 0)
        before = total // 2
    x = np.pad(x, ((0, 0), (before, total - before), (0, 0)))
    count = (x.shape[1] - reach - 1) // stride + 1
    y = sum(x[:, k * step : k * step + (count - 1) * stride + 1 : stride] @ arrays[0][k] for k in range(taps))
    y = y + (arrays[1] if len(arrays) > 1 else 0)
    return function(options.get("activation"), version)(y)


def run(layers: list[Layer], x: np.ndarray, version: int, dtype: Any = np.float64) -> np.ndarray:
    """What the layers compute in evaluation, in the type given."""
    mask = None
    x = x if x.dtype.kind in "iu" else x.astype(dtype)
    for kind, options, given in layers:
        arrays = [a.astype(dtype) for a in given]
        if kind in GATES:
            y = recurrent(kind, options, arrays, x, mask, version)
            x = y if options.get("return_sequences") else y[:, -1]
        elif kind == "Bidirectional":
            x = _both(options, arrays, x, mask, version)
        elif kind in ("Dense", "TimeDistributed"):
            told = options["layer"]["config"] if kind == "TimeDistributed" else options
            y = x @ arrays[0] + (arrays[1] if len(arrays) > 1 else 0)
            x = function(told.get("activation"), version)(y)
        elif kind == "Conv1D":
            x, mask = convolved(options, arrays, x, version), None
        elif kind == "Embedding":
            mask = x != 0 if options.get("mask_zero") else None
            x = arrays[0][x]
        elif kind == "Masking":
            mask = (x != options["mask_value"]).any(-1)
            x = x * mask[:, :, None]
        else:
            x = _plain(kind, options, arrays, x, mask, version)
    return x


def _plain(kind, options, arrays, x, mask, version):
    if kind == "LayerNormalization":
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(options["epsilon"]))
        x = x * arrays[0] if options.get("scale", True) else x
        return x + arrays[-1] if options.get("center", True) else x
    if kind in ("MaxPooling1D", "AveragePooling1D"):
        size, stride = options["pool_size"][0], options["strides"][0]
        windows = [x[:, k : k + size] for k in range(0, x.shape[1] - size + 1, stride)]
        return np.stack([(w.max(1) if kind.startswith("Max") else w.mean(1)) for w in windows], axis=1)
    if kind == "GlobalMaxPooling1D":
        return x.max(1)
    if kind == "GlobalAveragePooling1D":
        kept = np.ones(x.shape[:2]) if mask is None else mask
        return (x * kept[:, :, None].astype(x.dtype)).sum(1) / kept.sum(1, keepdims=True).astype(x.dtype)
    if kind == "Flatten":
        return x.reshape(x.shape[0], -1)
    if kind == "RepeatVector":
        return np.repeat(x[:, None], options["n"], axis=1)
    if kind == "Activation":
        return function(options["activation"], version)(x)
    if kind == "LeakyReLU":
        return np.where(x > 0, x, x.dtype.type(options.get("alpha", options.get("negative_slope"))) * x)
    assert kind in ("Dropout", "SpatialDropout1D", "InputLayer"), kind
    return x


def _both(options, arrays, x, mask, version):
    inner, half = options["layer"], len(arrays) // 2
    told = inner["config"]
    ahead = recurrent(inner["class_name"], told, arrays[:half], x, mask, version)
    back = recurrent(inner["class_name"], {**told, "go_backwards": True}, arrays[half:], x, mask, version)
    if told.get("return_sequences"):
        back = back[:, ::-1]
        if mask is not None:
            ahead, back = ahead * mask[:, :, None], back * mask[:, :, None]
    else:
        ahead, back = ahead[:, -1], back[:, -1]
    if options["merge_mode"] == "concat":
        return np.concatenate([ahead, back], axis=-1)
    return (ahead + back) / (2 if options["merge_mode"] == "ave" else 1)
