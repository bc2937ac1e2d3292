"""What the tests of the training loop share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for the disk: no test here can cut the power, and a killed process loses nothing that it wrote."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
