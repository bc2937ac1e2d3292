"""`python -m bench.gpu`, on the processor: every side of a row, its error, and what is said where no device is."""

from __future__ import annotations

import sys

import pytest
import torch
from bench import gpu
from bench.cases import Case

CPU = torch.device("cpu")


def test_a_plain_cell():
    row = gpu.measured(Case("gru", 4, 6, 3, 8), CPU, rounds=1, seconds=0.001)
    assert set(row["ms"]) == {"seqloom", "torch.nn", "torch loop"}
    assert all(value > 0 for value in row["ms"].values())
    assert row["ratio"]["seqloom"] == 1
    assert max(row["error"].values()) < 1e-5
    assert "runs on the" in row["engine"]
    assert row["mib"] == {"seqloom": None, "torch.nn": None, "torch loop": None}


@pytest.mark.parametrize("variant", ["mask", "layer_norm", "zoneout"])
def test_a_variant(variant):
    row = gpu.measured(Case("lstm", 4, 6, 3, 8, variant=variant), CPU, rounds=1, seconds=0.001)
    assert ("torch.nn" in row["ms"]) == (variant == "mask")
    assert set(row["error"]) == (set() if variant == "zoneout" else {"seqloom"})


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_table(monkeypatch, capsys, tmp_path, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu, "cases", lambda: [Case("elman", 2, 3, 2, 4)])
    out = tmp_path / "rows.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", device, "--rounds", "1", "--seconds", "0", "--out", str(out)])
    assert gpu.main() == (0 if device == "cpu" else 2)
    printed = capsys.readouterr()
    if device == "cpu":
        assert "| elman B2 T3 I2 H4 train |" in printed.out
        assert out.exists()
    else:
        assert printed.out == ""
        assert "torch finds no CUDA device here" in printed.err
        assert not out.exists()


def test_every_cell_and_variant_once():
    names = [case.name for case in gpu.cases()]
    assert len(set(names)) == len(names) == 9 + 10
