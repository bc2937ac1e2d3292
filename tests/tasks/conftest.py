"""What the tests of the estimators share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for the disk: no test here can cut the power, and a killed process loses nothing that it wrote."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """One torch thread: bits are compared, and the models are too small for more."""
    torch.set_num_threads(1)


@pytest.fixture
def mine(whole: Path, tmp_path: Path) -> Path:
    """A copy of the folder of an undisturbed run, which the module makes."""
    return Path(shutil.copytree(whole, tmp_path / "run"))
