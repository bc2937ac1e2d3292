"""Predicted frames as a picture: what it can't hold is said, and other predictions have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqloom.app.examples import show_examples
from seqloom.app.frame_files import as_png
from seqloom.app.predicted import Predicted
from seqloom.errors import SettingError
from seqloom_runtime.pixel_range import Range


def test_colours_sizes_and_many_films() -> None:
    pixels = Range(0.0, 2.0)
    data, told = as_png(np.full((3, 2, 4, 5, 3), 1.0), pixels)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert told == ["A line for each film, 2 frames from left to right; black is 0, white 2."]
    _, told = as_png(np.zeros((2000, 1, 3, 3, 1)), pixels)
    assert told[1] == "The picture shows the first 1,024 of 2,000 films; a .npy file holds all."
    with pytest.raises(SettingError, match=r"a PNG has 1 or 3 channels, these frames have 2; name a .npy file"):
        as_png(np.zeros((1, 1, 3, 3, 2)), pixels)
    with pytest.raises(SettingError, match="3 frames of 4 × 2000 pixels are more than a PNG of 4,096 × 4,096 shows"):
        as_png(np.zeros((1, 3, 4, 2000, 1)), pixels)


@pytest.mark.parametrize("name", ["a.npy", "a.PNG"])
def test_a_table_is_no_picture(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"--out: these predictions are a table, no \.(npy|png) file; name a CSV file"
    ):
        show_examples(Predicted({"predicted": ["ham"]}), tmp_path / name, False, True)
    assert not list(tmp_path.iterdir())
