"""A fitted forecaster written as ONNX: rows in the table's units give `predict`'s forecast in ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import seqloom
from seqloom.errors import SettingError

pytest.importorskip("onnx", reason="files are written by the onnx package: pip install '.[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the files: pip install '.[dev]'")

ROWS, AHEAD = 160, 6


def a_table(seed: int = 0) -> pd.DataFrame:
    """Hourly rows far from 0, with a second column and one that is known in advance."""
    rng, hours = np.random.default_rng(seed), np.arange(ROWS)
    time = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    plan = rng.integers(0, 3, ROWS).astype(float)
    load = 5000 + 30 * np.sin(2 * np.pi * hours / 24) + 9 * plan + rng.normal(0, 2, ROWS)
    return pd.DataFrame({"time": time, "load": load, "wind": rng.normal(70, 8, ROWS), "plan": plan})


def run(model: Any, path: Path, panel: Any) -> np.ndarray:
    """The file on the last window, made by hand of the table's rows."""
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    record = json.loads(session.get_modelmeta().custom_metadata_map["seqloom"])
    features, origin = model.features_, ROWS - AHEAD - 1
    made = features.inputs(panel)  # the waves of the calendar; numbers of the table are replaced by their own
    own = [name for name in record["past"]["columns"] if name in panel.columns]
    wide = made.astype(np.float64)
    wide[:, : len(own)] = panel.values[:, panel.positions(own)]
    feed = {"past": wide[origin + np.array(record["past"]["rows"])][None]}
    if "future" in record:
        assert record["future"]["columns"] == ["plan"]
        feed["future"] = panel.column("plan")[origin + np.array(record["forecast"]["rows"])][None, :, None]
    return session.run(["forecast"], feed)[0][0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear", {"normalise": "standard", "linear_skip": False}),
        ("nlinear", {"opset": 20}),
        ("dlinear", {"anchor": "none"}),
        ("dense", {"normalise": "standard", "anchor": "none"}),
        ("gru", {"patch": 5, "calendar": True, "opset": 18}),
        ("lstm", {"normalise": "none", "anchor": "none", "every": 2}),
        ("gru", {"units": (8, 5), "activation": ("tanh", "relu")}),
        ("tcn", {"normalise": "seasonal", "season": 24, "non_negative": True}),
    ],
)
def test_the_file_forecasts_what_predict_does(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    table = a_table()
    table.loc[ROWS - AHEAD :, ["load", "wind"]] = np.nan
    given = {name: value for name, value in options.items() if name != "opset"}
    model = seqloom.Forecaster(
        model=name, lookback=24, horizon=AHEAD, epochs=1, split=(100, 30), **{"units": 5, **given}
    )
    panel = seqloom.Panel.from_frame(table, time="time")
    model.fit(panel, target="load", inputs=[] if name in ("nlinear", "dlinear") else ["wind"], future=["plan"])
    path = tmp_path / "m.onnx"
    model.to_onnx(path, opset=options.get("opset", 17))
    np.testing.assert_allclose(run(model, path, panel), model.predict(panel)["load"], rtol=2e-7)


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    model = seqloom.Forecaster(model="naive", lookback=24, horizon=6, season=24)
    model.fit(a_table(), target="load", time="time")
    with pytest.raises(SettingError, match="The model 'naive' can't be exported to ONNX: only networks are"):
        model.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
