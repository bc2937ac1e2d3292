"""The study of vanishing gradients: it runs as a program, and says what theory says."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "vanishing_gradients.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("vanishing_gradients", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["vanishing_gradients"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(example: Any) -> dict[str, Any]:
    return {row["name"].split(":")[-1].split("(")[0].strip() if row["name"].startswith("cure") else row["name"][:4]: row
            for row in example.study(length=20, steps=60)}  # fmt: skip


def test_gradients_vanish_explode_and_last(rows):
    assert rows["line"]["rate"] == pytest.approx(1.25, rel=1e-5)
    np.testing.assert_allclose(rows["line"]["norms"], 1.25 ** np.arange(20), rtol=1e-4)
    assert rows["tanh"]["norms"][-1] < 1e-4
    for cure in ("orthogonal start", "ReLU, identity start, clipped", "layer norm", "gates"):
        assert rows[cure]["norms"][-1] > 30 * rows["tanh"]["norms"][-1], cure


def test_cures_train(example, rows):
    assert example.verdict(rows["line"], 60).startswith("exploded")
    for cure in ("clipping", "orthogonal start"):
        assert example.verdict(rows[cure], 60).startswith("learned"), cure
    assert example.verdict(rows["tanh"], 60).startswith("not learned")


def test_same_seed_same_rows(example, rows):
    again = example.study(length=20, steps=60)
    assert str(again[0]["losses"]) == str(rows["tanh"]["losses"])


def test_smoothing_and_verdicts(example):
    assert example.smooth([1.0] * 10 + [9.0] * 5 + [math.nan]) == [(0, 1.0)]
    assert example.smooth([1.0] * 10 + [9.0] * 5) == [(0, 1.0), (10, 3.0)]
    assert example.verdict({"losses": [0.1, math.inf]}, 2) == "exploded at step 1"


@pytest.mark.parametrize("suffix", [".html", ".svg"])
def test_the_chart(example, rows, suffix, tmp_path):
    pytest.importorskip("altair")
    target = tmp_path / f"study{suffix}"
    picture = example.chart(list(rows.values()))
    picture.save(str(target), **({"inline": True} if suffix == ".html" else {}))
    text = target.read_text()
    for row in rows.values():
        assert row["name"] in text or row["name"].encode("ascii", "backslashreplace").decode() in text
    assert 'src="http' not in text


@pytest.mark.deep
def test_as_a_program(tmp_path):
    target = tmp_path / "study.svg"
    command = [sys.executable, str(PROGRAM), str(target), "--length", "5", "--steps", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 10
    assert target.stat().st_size > 10_000
    refused = subprocess.run([*command[:2], str(tmp_path / "study.gif")], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "must end in .html, .png or .svg, not 'study.gif'" in refused.stderr
