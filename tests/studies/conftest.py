"""Where studies find their data."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """The data folder where a study looks for it."""
    monkeypatch.setenv("SEQLOOM_DATA", str(data_dir))
