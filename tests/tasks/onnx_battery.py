"""Random models of every task that has a form in ONNX: what the file gives beside our float32 and a float64 twin.

`case(seed, folder)` fits a small random model, draws its weights anew, writes it, and returns arrays side by side.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx_cases import Opened, exported, redraw, twin_of
from torch import nn

import seqloom
from seqloom import nn as seqnn
from seqloom.diagnostics import softmax
from seqloom.nn import images
from seqloom.ops.activations import ACTIVATIONS
from seqloom.tasks.forecast.objective import forecast_with
from seqloom.tasks.sequences.models import run_network

_BRIEF: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 4, "validation_fraction": 0.0}
_CELLS = ("rnn", "gru", "lstm")
_TEXTS = ("bow-dense", "pooled", "flat", "conv", "inception", "conv-lstm", "bilstm", "bigru", "han")
_FORECASTERS = (*_CELLS, "tcn", "conv", "conv-gru", "linear", "nlinear", "dlinear", "dense", "encoder-decoder")


@dataclass(frozen=True)
class Case:
    """The file's output, ours, the twin's, and ours with weights that are off by one unit in the last place."""

    what: str
    got: np.ndarray
    ours: np.ndarray
    twin: np.ndarray
    nudged: np.ndarray


def case(seed: int, folder: Path) -> Case:
    """The case of a seed; the opset is drawn too."""
    rng = random.Random(seed)
    make = list(_MAKERS)[seed % len(_MAKERS)]
    found = _MAKERS[make](rng, folder, 17 + seed // len(_MAKERS) % 10)
    return replace(found, what=f"{make}: {found.what}")


def _cell(rng: random.Random, name: str, alike: bool = False) -> dict[str, Any]:
    """Random options of a recurrent model."""
    layers = rng.choice([1, 1, 2])
    found: dict[str, Any] = {"layers": layers, "layer_norm": rng.random() < 0.3, "zoneout": rng.choice([0.0, 0.0, 0.2])}
    if name == "lstm":
        found |= {"peephole": rng.random() < 0.4, "coupled": rng.random() < 0.3}
    found["units"] = rng.randint(2, 6)
    if layers > 1 and not alike and rng.random() < 0.5:
        found |= {"units": [rng.randint(2, 5) for _ in range(layers)]}
    if rng.random() < 0.4:
        names = [name for name in ACTIVATIONS if name != "prelu"]
        found["activation"] = rng.choice(names)
    return found


def _sequences(rng: random.Random, folder: Path, opset: int) -> Case:
    draw = np.random.default_rng(rng.randrange(10**6))
    lengths = [rng.randint(1, 9) for _ in range(6)] if rng.random() < 0.6 else [rng.randint(2, 9)] * 6
    rows = [draw.normal(3, 2, (n, 2)).astype(np.float32) for n in lengths]
    kind = rng.choice(["classifier", "regressor", "value", "label", "binary"])
    name = rng.choice([*_CELLS, *_CELLS, "tcn", "conv", "conv-gru"])
    given: dict[str, Any] = {"model": name}
    if name in _CELLS:
        given |= _cell(rng, name) | rng.choice([{}, {"bidirectional": True}, {"reverse": True}])
    else:
        given |= {"levels": rng.randint(1, 3), "kernel_size": rng.randint(2, 4), "units": rng.randint(2, 5)}
        given |= {"activation": rng.choice(["relu", "elu", "tanh"]), "dilation": rng.choice([None, 2])}
    if kind in ("classifier", "regressor"):
        given["pooling"] = rng.choice(["last", "mean", "max", "attention"])
        given |= {"pool_size": rng.randint(1, 3)} if name.startswith("conv") else {}
    given["scaling"] = rng.choice(["standard", "none"])
    targets: dict[str, tuple[type, Any]] = {
        "classifier": (seqloom.SequenceClassifier, list("abcabc")),
        "regressor": (seqloom.SequenceRegressor, draw.normal(40, 9, 6)),
        "value": (seqloom.FrameModel, [draw.normal(9, 1, len(row)) for row in rows]),
        "label": (seqloom.FrameModel, [np.arange(len(row)) % 3 for row in rows]),
        "binary": (seqloom.FrameModel, [draw.integers(0, 2, (len(row), 2)) for row in rows]),
    }
    estimator, y = targets[kind]
    own: dict[str, Any] = {"kind": kind} if estimator is seqloom.FrameModel else {}
    if kind == "label":
        own["classes"] = [0, 1, 2]
    model: Any = estimator(**{**_BRIEF, **given, **own}).fit(rows, y)
    redraw(model.model_.network, rng.randrange(10**6))
    file = exported(model, folder, opset=opset)
    x = np.zeros((len(rows), max(lengths), 2), np.float32)
    for row, to in zip(rows, x):
        to[: len(row)] = row
    feed: dict[str, np.ndarray] = {"x": x}
    if "lengths" in file.record["inputs"]:
        feed["lengths"] = np.array(lengths)
    (got,) = file(**feed).values()
    if kind in ("value", "label", "binary"):
        got = np.concatenate([part[:n].reshape(n, -1) for part, n in zip(got, lengths)])
    own_model = model.model_
    nets = (own_model.network, twin_of(own_model.network), _off(own_model.network))
    sequences = model._read(rows)
    outputs = [run_network(net, sequences, own_model.scale, own_model.spec) for net in nets]
    coding = model.coding_
    each = [coding.probabilities(y) if hasattr(coding, "probabilities") else coding.values(y) for y in outputs]
    return Case(f"{kind} {given}", _two(got), *map(_two, each))


def _two(values: Any) -> np.ndarray:
    values = np.asarray(values)
    return values.reshape(len(values), -1)


def _texts(rng: random.Random, folder: Path, opset: int) -> Case:
    words = [f"w{n}" for n in range(20)]
    known = [" ".join(rng.choices(words, k=rng.randint(1, 14))) for _ in range(12)]
    name = rng.choice(
        ["bow-dense", "pooled", "flat", "conv", "inception", "conv-lstm", *_CELLS, "bilstm", "bigru", "han"]
    )
    given: dict[str, Any] = {"model": name, "embedding_size": rng.randint(2, 5), "units": rng.randint(2, 5)}
    if name in _CELLS:
        given |= _cell(rng, name) | {"pool": rng.choice(["last", "mean", "max"])}
    if name in ("conv", "conv-lstm"):
        given["kernel_size"] = rng.randint(2, 4)
    classes = rng.choice([2, 3])
    model = seqloom.TextClassifier(**{**_BRIEF, "max_length": 12, **given}).fit(
        known, (["x", "y", "z"][:classes] * 12)[:12]
    )
    network = model.learned_.network
    redraw(network, rng.randrange(10**6))
    network.embedding.weight.data[0] = 0.0
    file = exported(model, folder, opset=opset)
    rows = [model.tokenizer_.encode([text])[0][-12:] for text in known]
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, to in zip(rows, ids):
        to[: len(row)] = row
    feed = {"ids": ids, "lengths": np.array([len(row) for row in rows])}
    if name == "han":  # one sentence each
        feed = {"ids": ids[:, None], "lengths": feed["lengths"][:, None]}
    p = []
    with torch.no_grad():
        for net in (network.eval(), twin_of(network).eval(), _off(network).eval()):
            z = net(*(torch.from_numpy(feed[key]) for key in ("ids", "lengths"))).double().numpy()
            z = np.concatenate([np.zeros_like(z), z], axis=1) if z.shape[1] == 1 else z
            p.append(softmax(z, model.temperature_))
    return Case(str(given), file(**feed)["probabilities"], *p)


def _off(network: nn.Module) -> Any:
    """The network with each weight one unit in the last place up or down."""
    found, generator = copy.deepcopy(network), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in found.parameters():
            up = torch.rand(p.shape, generator=generator) < 0.5
            p.copy_(torch.nextafter(p, torch.where(up, torch.inf, -torch.inf)))
    return found


def _tagger(rng: random.Random, folder: Path, opset: int) -> Case:
    words = [f"w{n}" for n in range(9)]
    sentences = [rng.choices(words, k=rng.randint(1, 8)) for _ in range(12)]
    tags = [[rng.choice(["A", "B", "C"]) for _ in sentence] for sentence in sentences]
    name = rng.choice(["memoryless", "jordan", "elman", "lstm", "gru", "birnn", "bilstm", "bigru"])
    given: dict[str, Any] = {"model": name, "context": rng.randint(0, 2), "crf": rng.random() < 0.5}
    given |= {"embedding_size": rng.randint(2, 4), "units": rng.randint(2, 5)}
    model = seqloom.SequenceTagger(**{"epochs": 1, "steps_per_epoch": 1, "digits": False, **given}).fit(sentences, tags)
    redraw(model.model_, rng.randrange(10**6))
    model.model_.embedding.weight.data[0] = 0.0
    file = exported(model, folder, opset=opset)
    lengths = np.array([len(sentence) for sentence in sentences])
    ids = np.zeros((len(lengths), lengths.max()), np.int64)
    for sentence, to in zip(sentences, ids):
        to[: len(sentence)] = model.vocabulary_.ids(sentence)
    got = file(ids=ids, lengths=lengths)
    for row, best, n in zip(got["tags"], model.predict(sentences), lengths):
        assert [file.record["tags"][k] for k in row[:n]] == best
    mask = torch.from_numpy(np.arange(ids.shape[1]) < lengths[:, None])
    nets = (model.model_.eval(), twin_of(model.model_).eval(), _off(model.model_).eval())
    with torch.no_grad():
        each = [net(torch.from_numpy(ids), mask)[mask].numpy() for net in nets]
    return Case(str(given), got["scores"][mask.numpy()], *each)


def _language(rng: random.Random, folder: Path, opset: int) -> Case:
    text = "".join(rng.choice("abcde \n") for _ in range(300))
    name = rng.choice([*_CELLS, "tcn"])
    given: dict[str, Any] = {"model": name, "level": "char", "units": rng.choice([4, 16]), "layers": rng.choice([1, 2])}
    given["tied"] = rng.random() < 0.5
    if not given["tied"] and given["units"] == 16 and rng.random() < 0.6:
        given |= {"softmax": "adaptive", "cutoffs": (2, 4)}
    given |= {"weight_dropout": 0.0, "embedding_size": given["units"]} | (
        {"recurrent_dropout": 0.0} if name == "tcn" else {}
    )
    model = seqloom.LanguageModel(epochs=1, steps_per_epoch=1, window=5, batch_size=2, **given).fit(text)
    network = model.model_.eval()
    redraw(network, rng.randrange(10**6))
    file = exported(model, folder, opset=opset)
    ids = np.random.default_rng(1).integers(0, network.spec.words, (2, 8))
    state, parts = file.state(2), []
    for start, stop in ((0, 1), (1, 5), (5, 8)):
        got = file(ids=ids[:, start:stop], **state)
        state = file.after(got)
        parts.append(got["log_probabilities"])
    each = []
    with torch.no_grad():
        for net in (network, copy.deepcopy(network).double(), _off(network)):
            logits = net.logits(net(torch.from_numpy(ids))[0])
            each.append(torch.log_softmax(logits, dim=2).numpy())
    return Case(str(given), np.concatenate(parts, axis=1), *each)


def _forecaster(rng: random.Random, folder: Path, opset: int) -> Case:
    draw = np.random.default_rng(rng.randrange(10**6))
    hours = np.arange(90)
    load = 50 + 9 * np.sin(hours * 2 * np.pi / 12) + draw.normal(0, 1, 90)
    panel = seqloom.Panel.from_numpy(np.stack([load, draw.normal(7, 2, 90)], axis=1))
    name = rng.choice(
        [*_CELLS, *_CELLS, "tcn", "conv", "conv-gru", "linear", "nlinear", "dlinear", "dense", "encoder-decoder"]
    )
    given: dict[str, Any] = {"model": name, "season": 12, "levels": (50,)}
    if name in _CELLS:
        given |= _cell(rng, name) | rng.choice([{}, {"bidirectional": True}, {"reverse": True}])
        given["patch"] = rng.choice([None, 1, 3])
    elif name in ("tcn", "conv", "conv-gru"):
        given |= {"channels": (3, 4), "kernel_size": 2} | ({} if name == "tcn" else {"pool_size": 2})
    elif name in ("dense", "encoder-decoder"):
        given["units"] = rng.randint(2, 5)
        given |= {"attention": rng.random() < 0.5, "cell": rng.choice(_CELLS)} if name != "dense" else {}
    given["normalise"] = rng.choice([None, "last", "standard", "seasonal", "none"]) if name[1:] != "linear" else None
    given["anchor"] = rng.choice([None, "last", "none", "seasonal"]) if name != "nlinear" else None
    given["transform"] = rng.choice([None, None, "log", "box-cox"])
    family = rng.choice([None, None, None, "normal", "student-t"])
    given |= {"distribution": family} if family else rng.choice([{}, {}, {"loss": "quantiles"}])
    given = {key: value for key, value in given.items() if value is not None}
    model = seqloom.Forecaster(lookback=16, horizon=4, epochs=1, steps_per_epoch=1, split=(50, 25), **given)
    alone = name in ("nlinear", "dlinear")
    data = model.prepare(panel, target="column_0", inputs=[] if alone else ["column_1"])
    model.fit_prepared(data)
    network = model.learned_.network
    redraw(network, rng.randrange(10**6), 0.2)
    file, origins = exported(model, folder, opset=opset), data.test[-3:]
    rows = origins[:, None] + np.array(file.record["past"]["rows"])
    past = panel.values[:, panel.positions(file.record["past"]["columns"])][rows]
    nets = (network, twin_of(network), _off(network))
    each = [forecast_with(net, data, model.anchor_, origins) for net in nets]
    return Case(str(given), file(past=past)["forecast"], *each)


def _layers(rng: random.Random, folder: Path, opset: int) -> Case:
    """Layers over frames and networks of pictures."""
    own = rng.randrange(10**6)
    kind = rng.choice(["film", "film", "encoder", "picture"])
    if kind == "film":
        made: Any = rng.choice([seqnn.ConvLSTM, seqnn.ConvGRU])
        module: Any = made(2, rng.randint(1, 3), rng.randint(1, 2), kernel_size=rng.choice([1, 3]))
        shape: tuple[int, ...] = (2, rng.randint(1, 4), 4, 5, 2)
    elif kind == "encoder":
        module, shape = seqnn.FrameEncoder(1, (2, 3), pooled=rng.random() < 0.5), (2, 3, 7, 6, 1)
    else:
        made = rng.choice([images.LeNet5, images.AlexNet, images.GoogLeNet])
        module, shape = made(4, channels=1, size=28, width=0.1), (2, 1, 28, 28)
    module = module.eval()
    redraw(module, own, 0.3)
    stateful = kind == "film" and rng.random() < 0.5
    seqnn.to_onnx(module, folder / "m.onnx", opset=opset, stateful=stateful)
    file, x = Opened(folder / "m.onnx"), np.random.default_rng(own).normal(size=shape).astype(np.float32)
    feed = {"x": x}
    if stateful:
        feed |= {
            name: np.zeros((module.num_layers, 2, 4, 5, module.hidden_size), np.float32)
            for name in file.record["state"]
        }
    each = []
    with torch.no_grad():
        for net in (module, twin_of(module), _off(module)):
            y = net(torch.from_numpy(x))
            each.append((y[0] if isinstance(y, tuple) else y).numpy())
    return Case(f"{kind} {json.dumps(shape)}", file(**feed)["y"], *each)


_MAKERS: dict[str, Callable[[random.Random, Path, int], Case]] = {
    "sequences": _sequences,
    "forecaster": _forecaster,
    "texts": _texts,
    "tagger": _tagger,
    "language": _language,
    "layers": _layers,
}
