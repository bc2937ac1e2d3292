"""What the tests of exported models share: sessions, random weights, and float64 twins of fitted models."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

onnx = pytest.importorskip("onnx", reason="files are written by the onnx package: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the files: pip install '.[dev]'")


class Opened:
    """An exported file in ONNX Runtime, and what its metadata says."""

    def __init__(self, path: Path) -> None:
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self.session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        self.record = json.loads(self.session.get_modelmeta().custom_metadata_map["seqloom"])
        assert set(self.record["inputs"]) == {i.name for i in self.session.get_inputs()}
        assert set(self.record["outputs"]) == {o.name for o in self.session.get_outputs()}

    def __call__(self, **feed: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs by name."""
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, feed), strict=True))

    def state(self, batch: int) -> dict[str, np.ndarray]:
        """The state at the start: zeros for each input of it."""
        axes = {name: self.record["inputs"][name]["axes"] for name in self.record["state"]}
        return {name: np.zeros([batch if n == "batch" else n for n in own], np.float32) for name, own in axes.items()}

    def after(self, got: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The state that goes in next."""
        return {name: got[after] for name, after in self.record["state"].items()}


def names_read(graph: Any) -> set[str]:
    """What the nodes, those inside of loops too, and the outputs of a graph refer to."""
    found = {output.name for output in graph.output}
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found |= names_read(attribute.g)
    return found


def exported(model: Any, folder: Path, **options: Any) -> Opened:
    """A fitted model as a file, opened, in which each weight and each node is there for something."""
    model.to_onnx(folder / "m.onnx", **options)
    graph = onnx.load(folder / "m.onnx").graph
    read = names_read(graph)
    assert [weight.name for weight in graph.initializer if weight.name not in read] == []
    assert [node.name for node in graph.node if read.isdisjoint(node.output)] == []
    return Opened(folder / "m.onnx")


def redraw(network: nn.Module, seed: int, spread: float = 0.4) -> None:
    """Random weights, so that nothing is hidden by zeros; variances stay above 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict(keep_vars=True).items():
            if value.is_floating_point():
                drawn = torch.empty(value.shape).normal_(0, spread, generator=generator)
                value.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)


def twin_of(network: nn.Module) -> Any:
    """The network in float64; called, it takes what the one in float32 takes."""

    def widened(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(v.double() if isinstance(v, Tensor) and v.is_floating_point() else v for v in given)

    found = copy.deepcopy(network).double()
    found.register_forward_pre_hook(widened)
    return found


def within(got: np.ndarray, ours: np.ndarray, twin: np.ndarray, *others: np.ndarray) -> None:
    """The file is off from the float64 twin by at most twice what our float32 is, and a few units in the last place.

    others: more draws of our rounding, on inputs that are off by one unit in the last place, as one may be lucky.
    """
    assert got.shape == ours.shape == twin.shape
    noise = max(float(np.abs(each - twin).max(initial=0.0)) for each in (ours, *others))
    allowed = 2 * noise + 4 * float(np.finfo(np.float32).eps) * max(1.0, float(np.abs(twin).max(initial=0.0)))
    assert float(np.abs(got.astype(np.float64) - twin).max(initial=0.0)) <= allowed
