"""`seqloom export` as typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

import seqloom
from seqloom import load

pytest.importorskip("onnx", reason="files are written by the onnx package: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the files: pip install '.[dev]'")


def test_a_network_is_exported_and_a_baseline_refused(
    command: Command, refused: Refused, hourly: Path, tmp_path: Path
) -> None:
    panel = seqloom.read_table(hourly)
    for name in ("nlinear", "naive", "theta"):
        fitted = seqloom.Forecaster(model=name, lookback=12, horizon=3, epochs=1, missing_flags=False)
        fitted.fit(panel, target="load (MW)", inputs=[]).save(tmp_path / name)
    file = tmp_path / "m.onnx"
    shown = command("export", tmp_path / "nlinear", "--onnx", file)
    assert "Input past: the rows up to the origin, oldest first: load (MW); (batch, 12, 1), double." in shown.out
    assert f"ONNX file: {file}" in shown.out
    model = load(tmp_path / "nlinear")
    past = np.array(model.context_.column("load (MW)"))[None, -12:, None]
    session = runtime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"past": past})[0][0], model.predict()["load (MW)"], rtol=1e-6)
    assert json.loads(command("export", tmp_path / "nlinear", "--onnx", file, "--json").out)["onnx"] == str(file)
    assert "--opset" in refused("export", tmp_path / "nlinear", "--onnx", file, "--opset", "16")
    assert "there is no such file or folder" in refused(
        "export", tmp_path / "nlinear", "--onnx", tmp_path / "no" / "m.onnx"
    )
    assert "Output forecast: 3 steps of 'load (MW)'" in command("export", tmp_path / "naive", "--onnx", file).out
    assert "no window holds; fit" in refused("export", tmp_path / "theta", "--onnx", file)
    assert "so it has no state to carry" in refused("export", tmp_path / "nlinear", "--onnx", file, "--stateful")
