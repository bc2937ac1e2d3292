"""The examples of the runtime's README run as they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from handbook.blocks import ROOT, run_page

import seqloom


def test_every_block_runs(tmp_path: Path) -> None:
    walks = np.random.default_rng(0).normal(size=(20, 20, 2)).cumsum(axis=1)
    ends = np.where(walks[:, -1, 0] > 0, "up", "down")
    seqloom.SequenceClassifier(units=4, epochs=1).fit(walks, ends).save(tmp_path / "walks")
    seqloom.FrameModel(units=4, epochs=1).fit(walks, walks[:, :, 0]).save(tmp_path / "echo")
    run_page(ROOT / "runtime" / "README.md", tmp_path, lambda command: None)
