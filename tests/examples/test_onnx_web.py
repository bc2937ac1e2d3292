"""The browser page of examples/onnx_web: files dropped on it in Chromium, its forecast beside the model's own."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import seqloom
from browser import NEEDS_CHROMIUM, started

PAGE = Path(__file__).resolve().parents[2] / "examples" / "onnx_web"
RUNTIME = Path(os.environ.get("SEQLOOM_ORT_WEB", PAGE / "ort"))
pytestmark = [
    pytest.mark.slow,
    NEEDS_CHROMIUM,
    pytest.mark.skipif(
        not (RUNTIME / "ort.wasm.min.mjs").is_file(),
        reason=f"onnxruntime-web is not at {RUNTIME}; examples/onnx_web/README.md says where it is from",
    ),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's file server without its log."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The page's folder behind a file server, without a model yet."""
    shutil.copytree(PAGE, tmp_path / "site", ignore=shutil.ignore_patterns("ort", "model.onnx", "*.tgz"))
    (tmp_path / "site" / "ort").symlink_to(RUNTIME.resolve())
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()
        thread.join()


def test_a_dropped_file_is_forecast_and_a_wrong_one_is_explained(tmp_path: Path, site: str) -> None:
    rng = np.random.default_rng(3)
    t = np.arange(300)
    table = {
        "hour": [f"2024-01-{1 + n // 24:02} {n % 24:02}:00" for n in t],
        "load": np.round(50 + 10 * np.sin(2 * np.pi * t / 24) + rng.normal(0, 1, 300), 3).tolist(),
        "wind": np.round(rng.normal(5, 1, 300), 3).tolist(),
    }
    frame = pd.DataFrame(table)
    model = seqloom.Forecaster(model="gru", lookback=12, horizon=6, units=4, epochs=1, steps_per_epoch=5)
    model.fit(frame, target="load", time="hour", inputs=["wind"])
    expected = model.predict(frame)["load"].to_numpy()
    file = tmp_path / "load.csv"
    lines = [";".join(str(cell) for cell in row) for row in zip(*table.values(), strict=True)]
    file.write_text("hour;load;wind\n" + "\n".join(lines) + "\n", encoding="utf-8")
    header = "expected a column named 'wind', got 'hour', 'load'; give a table with"
    cell = "word.csv, line 22, column 'load': expected a number, got '<b>x'; repair the cell."
    wrong = {
        "short.csv": ("hour,load,wind\n1,2,3\n", "short.csv: expected at least 12 rows below the header, got 1;"),
        "other.csv": ("hour,load\n" + "1,2\n" * 20, f"other.csv, line 1: {header}"),
        "word.csv": ("wind,load\n" + "1,2\n" * 20 + "3,<b>x\n", cell),
        "empty.csv": ("", "empty.csv: expected a table, got an empty file;"),
    }  # fmt: skip
    done = "return document.documentElement.dataset.done"
    said = "return document.getElementById('said').textContent"
    with started(tmp_path / "profile") as browser:
        browser.post("/url", {"url": site})
        assert browser.wait(done) == "error"
        assert browser.run(said).startswith("model.onnx: expected beside this page, not found;")
        model.to_onnx(tmp_path / "site" / "model.onnx")
        browser.log("browser")
        browser.log("performance")
        browser.post("/url", {"url": site})
        browser.wait("return document.documentElement.dataset.ready")
        assert browser.run("return document.getElementById('model').textContent") == (
            "The model reads the last 12 rows of wind, load and forecasts 6 steps of load, each of 1 hour."
        )
        browser.give("#file", file)
        assert browser.wait(done) == "forecast"
        shown = browser.run(
            "return [...document.querySelectorAll('#numbers td')].map(cell => Number(cell.textContent))"
        )
        np.testing.assert_allclose(shown, expected, rtol=2e-5)
        assert browser.run("return document.querySelectorAll('#chart path').length") == 2
        for name, (text, sentence) in wrong.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            browser.run("delete document.documentElement.dataset.done")
            browser.give("#file", tmp_path / name)
            assert browser.wait(done) == "error"
            assert browser.run(said).startswith(sentence)
        assert browser.log("browser") == []
        messages = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
        sent = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
        root = site.removesuffix("index.html")
        assert {url for url in sent if not url.startswith((root, "blob:" + root, "data:", "chrome:"))} == set()
